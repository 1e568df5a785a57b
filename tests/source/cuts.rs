//! Connections that break.

use std::os::unix::fs::PermissionsExt;

use crate::faulty::{Faulty, cut, ranged, status, whole};
use crate::revisions::{Host, bytes, file, object, of_object, options, sha256};

const KIB: usize = 1024;

#[tokio::test]
async fn a_bundle_arrives_whole_and_for_its_owner_only() {
    let content = [&b"PK\x03\x04"[..], &bytes(300 * KIB)].concat();
    let served = content.clone();
    let server = Faulty::start(move |_, _| whole(&served)).await;
    let host = Host::new();
    let fetched = host.fetch(&file(server.url("/a.zip"), &content), &options()).await.unwrap();
    assert_eq!(host.content(), content);
    assert_eq!(fetched.digest, format!("sha256:{}", sha256(&content)));
    assert_eq!((fetched.bytes, fetched.kind), (content.len() as u64, Some(sluice::api::BundleType::Zip)));
    assert_eq!(std::fs::metadata(host.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn a_download_cut_at_any_kib_goes_on_from_there() {
    let content = bytes(64 * KIB);
    for kib in 0..=64 {
        let served = content.clone();
        let server = Faulty::start(move |request, n| match n {
            0 => cut(ranged(request, &served, "\"one\""), kib * KIB),
            _ => ranged(request, &served, "\"one\""),
        })
        .await;
        let host = Host::new();
        host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
        assert!(host.content() == content, "cut at {kib} KiB");
        let seen = server.seen();
        let expected = if kib == 64 { 1 } else { 2 };
        assert_eq!(seen.len(), expected, "cut at {kib} KiB");
        let start = seen.get(1).and_then(|r| r.start());
        assert_eq!(start, (1..64).contains(&kib).then_some(kib * KIB), "nothing is sent twice");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_every_kib_is_followed_to_the_end() {
    let content = bytes(20 * KIB);
    let served = content.clone();
    let server = Faulty::start(move |request, _| cut(ranged(request, &served, "\"one\""), KIB)).await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
    assert!(host.content() == content);
    assert_eq!(server.seen().len(), 20, "a try that got further is no failure");
}

#[tokio::test]
async fn a_server_without_ranges_is_asked_from_the_beginning() {
    let content = bytes(40 * KIB);
    let served = content.clone();
    let server = Faulty::start(move |_, n| match n {
        0 => cut(whole(&served), 10 * KIB),
        _ => whole(&served),
    })
    .await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
    assert!(host.content() == content);
}

#[tokio::test]
async fn an_object_that_is_replaced_meanwhile_is_never_half_one_and_half_the_other() {
    let (old, new) = (bytes(40 * KIB), vec![7; 30 * KIB]);
    let (was, is) = (old.clone(), new.clone());
    let server = Faulty::start(move |request, n| match n {
        0 => cut(ranged(request, &was, "\"old\""), 10 * KIB),
        _ => ranged(request, &is, "\"new\""),
    })
    .await;
    let host = Host::new();
    let fetched = host.fetch(&of_object(object(server.url(""))), &options()).await.unwrap();
    assert!(host.content() == new);
    assert_eq!(fetched.e_tag.as_deref(), Some("new"));
    assert_eq!(server.seen()[1].header("if-range"), Some("\"old\""));
}

#[tokio::test]
async fn halves_that_do_not_go_together_are_fetched_once_more_in_one_piece() {
    let (content, other) = (bytes(40 * KIB), vec![7; 40 * KIB]);
    let (served, lie) = (content.clone(), other.clone());
    let server = Faulty::start(move |request, n| match n {
        0 => cut(ranged(request, &lie, "\"same\""), 10 * KIB),
        _ => ranged(request, &served, "\"same\""),
    })
    .await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
    assert!(host.content() == content);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_range_that_is_not_there_any_more_is_given_up() {
    let content = bytes(20 * KIB);
    let served = content.clone();
    let server = Faulty::start(move |request, n| match n {
        0 => cut(ranged(request, &served, "\"one\""), 10 * KIB),
        _ if request.start().is_some() => status("416 Range Not Satisfiable"),
        _ => whole(&served),
    })
    .await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
    assert!(host.content() == content);
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_one_that_stays_busy_is_named() {
    let content = bytes(KIB);
    let served = content.clone();
    let server = Faulty::start(move |_, n| match n {
        0 => status("503 Service Unavailable"),
        1 => status("429 Too Many Requests"),
        _ => whole(&served),
    })
    .await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
    let server = Faulty::start(|_, _| status("503 Service Unavailable")).await;
    let error = host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "Unreachable");
    assert!(error.to_string().contains("answered 503"), "{error}");
    assert_eq!(server.seen().len(), 4, "the first try and three more");
}

#[tokio::test]
async fn an_answer_that_is_final_is_not_asked_for_again() {
    for (answer, reason) in [
        ("404 Not Found", "RevisionMissing"),
        ("410 Gone", "RevisionMissing"),
        ("401 Unauthorized", "AccessDenied"),
        ("403 Forbidden", "AccessDenied"),
        ("400 Bad Request", "InvalidRevision"),
    ] {
        let server = Faulty::start(move |_, _| status(answer)).await;
        let error = Host::new().fetch(&file(server.url("/a"), b"x"), &options()).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().starts_with("spec.revision.http: http://127.0.0.1:"), "{error}");
        assert_eq!(server.seen().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = Host::new().fetch(&file(format!("http://127.0.0.1:{port}/a"), b"x"), &options()).await;
    let error = error.unwrap_err();
    assert_eq!(error.reason(), "Unreachable", "{error}");
    assert!(!error.is_lasting());
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_named() {
    let server = Faulty::start(|_, _| whole(b"x")).await;
    let into = std::path::Path::new("/dev/full");
    let error = sluice::source::bundle::fetch(&file(server.url("/a"), b"x"), None, into, &options()).await;
    assert_eq!(error.unwrap_err().reason(), "DiskFailed");
}
