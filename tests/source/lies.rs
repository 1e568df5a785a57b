//! Servers that say what is not so.

use std::io::Write;

use sluice::api::S3Revision;
use sluice::source::bundle::FetchOptions;

use crate::faulty::{Faulty, Step, head, ranged, whole};
use crate::revisions::{Host, bytes, file, object, of_object, options, sha256};

const KIB: usize = 1024;

#[tokio::test]
async fn other_bytes_than_named_are_refused_with_their_digest() {
    let server = Faulty::start(|_, _| whole(b"other")).await;
    let error = Host::new().fetch(&file(server.url("/a"), b"wanted"), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch");
    assert!(error.is_lasting());
    let text = error.to_string();
    assert!(text.contains("spec.revision.http.sha256") && text.contains(&sha256(b"other")), "{text}");
    assert_eq!(server.seen().len(), 1, "a whole answer with another digest is no accident");
}

#[tokio::test]
async fn a_longer_length_than_there_are_bytes_is_a_cut_and_a_shorter_one_another_digest() {
    let server =
        Faulty::start(|_, _| vec![head("200 OK", &[("Content-Length", "1000")]), Step::Send(vec![7; 10])])
            .await;
    let error = Host::new().fetch(&file(server.url("/a"), &[7; 10]), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "Unreachable", "{error}");
    let server =
        Faulty::start(|_, _| vec![head("200 OK", &[("Content-Length", "5")]), Step::Send(vec![7; 10])]).await;
    let error = Host::new().fetch(&file(server.url("/a"), &[7; 10]), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "{error}");
}

#[tokio::test]
async fn more_than_allowed_is_refused_unread_when_told_and_unwritten_when_not() {
    let options = FetchOptions { max_bytes: 64 * KIB as u64, ..options() };
    let host = Host::new();
    let server = Faulty::start(|_, _| vec![head("200 OK", &[("Content-Length", "65537")]), Step::Hang]).await;
    let error = host.fetch(&file(server.url("/a"), b"x"), &options).await.unwrap_err();
    assert_eq!(error.reason(), "TooLarge", "{error}");
    let server = Faulty::start(|_, _| {
        let chunk = [b"4000\r\n".to_vec(), vec![7; 0x4000], b"\r\n".to_vec()].concat();
        let head = head("200 OK", &[("Transfer-Encoding", "chunked")]);
        std::iter::once(head).chain(std::iter::repeat_n(Step::Send(chunk), 100)).collect()
    })
    .await;
    let error = host.fetch(&file(server.url("/a"), b"x"), &options).await.unwrap_err();
    assert_eq!(error.reason(), "TooLarge", "{error}");
    assert!(host.content().len() <= 64 * KIB);
}

/// GitHub's archives come so: chunked, without a length.
#[tokio::test]
async fn chunks_are_whole_only_with_their_last_one() {
    let chunks = |last: &[u8]| {
        let body = [b"5\r\nhello\r\n", last].concat();
        vec![head("200 OK", &[("Transfer-Encoding", "chunked")]), Step::Send(body)]
    };
    let server = Faulty::start(move |_, n| if n == 0 { chunks(b"") } else { chunks(b"0\r\n\r\n") }).await;
    let host = Host::new();
    host.fetch(&of_object(object(server.url(""))), &options()).await.unwrap();
    assert_eq!(host.content(), b"hello");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn an_answer_whose_end_cannot_be_told_needs_a_digest() {
    let endless = |_: &_, _| vec![head("200 OK", &[]), Step::Send(b"hello".to_vec())];
    let server = Faulty::start(endless).await;
    let error = Host::new().fetch(&of_object(object(server.url(""))), &options()).await.unwrap_err();
    assert!(error.to_string().contains("does not tell how long"), "{error}");
    let host = Host::new();
    host.fetch(&file(server.url("/a"), b"hello"), &options()).await.unwrap();
}

/// Bytes are what was sent: a digest that was made of the file unpacked tells that somebody packed it on the way.
#[tokio::test]
async fn bytes_that_were_packed_on_the_way_are_not_the_bytes() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(b"hello").unwrap();
    let packed = packed.finish().unwrap();
    let served = packed.clone();
    let server = Faulty::start(move |_, _| {
        let length = served.len().to_string();
        let headers = [("Content-Length", &*length), ("Content-Encoding", "gzip")];
        vec![head("200 OK", &headers), Step::Send(served.clone())]
    })
    .await;
    let host = Host::new();
    let error = host.fetch(&file(server.url("/a"), b"hello"), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "{error}");
    host.fetch(&file(server.url("/a"), &packed), &options()).await.unwrap();
    assert_eq!(host.content(), packed, "as it was sent");
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_not_put_in_its_place() {
    let content = bytes(40 * KIB);
    for lie in ["bytes 0-40959/40960", "bytes 10000-40959/40960", "bytes 10240-40959/99999", "nonsense"] {
        let served = content.clone();
        let server = Faulty::start(move |request, n| match n {
            0 => crate::faulty::cut(ranged(request, &served, "\"one\""), 10 * KIB),
            1 => vec![
                head(
                    "206 Partial Content",
                    &[("Content-Range", lie), ("ETag", "\"one\""), ("Content-Length", "30720")],
                ),
                Step::Send(vec![0; 30720]),
            ],
            _ => ranged(request, &served, "\"one\""),
        })
        .await;
        let host = Host::new();
        host.fetch(&file(server.url("/a"), &content), &options()).await.unwrap();
        assert!(host.content() == content, "{lie}");
        assert_eq!(server.seen().len(), 3, "{lie}");
    }
}

#[tokio::test]
async fn another_e_tag_or_version_than_named_is_refused_by_name() {
    let answer = |_: &_, _| {
        let headers = [("Content-Length", "5"), ("ETag", "\"real\""), ("x-amz-version-id", "v2")];
        vec![head("200 OK", &headers), Step::Send(b"hello".to_vec())]
    };
    let server = Faulty::start(answer).await;
    let host = Host::new();
    let right =
        S3Revision { e_tag: Some("\"real\"".into()), version: Some("v2".into()), ..object(server.url("")) };
    let fetched = host.fetch(&of_object(right.clone()), &options()).await.unwrap();
    assert_eq!((fetched.e_tag.as_deref(), fetched.version.as_deref()), (Some("real"), Some("v2")));
    assert!(server.seen()[0].target.contains("versionId=v2"));
    let e_tag = S3Revision { e_tag: Some("named".into()), ..right.clone() };
    let error = host.fetch(&of_object(e_tag), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch");
    assert!(error.to_string().starts_with("spec.revision.s3.eTag is \"named\""), "{error}");
    let version = S3Revision { version: Some("v1".into()), ..right };
    let error = host.fetch(&of_object(version), &options()).await.unwrap_err();
    assert!(error.to_string().starts_with("spec.revision.s3.version is \"v1\""), "{error}");
}

#[tokio::test]
async fn an_object_with_a_digest_on_record_is_held_to_it() {
    let server = Faulty::start(|_, _| whole(b"changed")).await;
    let mut revision = of_object(object(server.url("")));
    revision.digest = format!("sha256:{}", sha256(b"first"));
    let error = Host::new().fetch(&revision, &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch");
    assert!(error.to_string().contains("name its version or eTag"), "{error}");
}

#[tokio::test]
async fn a_single_app_spec_is_no_bundle() {
    let object = S3Revision {
        bundle_type: Some(sluice::api::BundleType::Yaml),
        ..object("http://127.0.0.1:1".into())
    };
    let error = Host::new().fetch(&of_object(object), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "InvalidRevision");
}
