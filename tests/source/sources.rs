//! Each kind of source by the same connections that break, stall and lie: an object in S3, a file, a commit at GitHub, an artifact in a registry.

use std::time::Duration;

use sluice::api::ResolvedRevision;
use sluice::source::bundle::FetchOptions;

use crate::faulty::{Faulty, Request, Step, cut, ranged, whole};
use crate::revisions::{Host, artifact, bytes, commit, file, object, of_object, options, sha256};

const KIB: usize = 1024;
const LENGTH: usize = 40 * KIB;

/// A revision on that server whose bundle should be `content`.
type Named = fn(&Faulty, &[u8]) -> ResolvedRevision;

/// The kinds of source, by their fields.
const SOURCES: [(&str, Named); 4] = [
    ("s3", |server, content| ResolvedRevision {
        digest: format!("sha256:{}", sha256(content)),
        ..of_object(object(server.url("")))
    }),
    ("http", |server, content| file(server.url("/a"), content)),
    ("gitHub", |server, content| ResolvedRevision {
        digest: format!("sha256:{}", sha256(content)),
        ..commit(server.url(""))
    }),
    ("oci", |server, content| artifact(server.port, &sha256(manifest(content).as_bytes()))),
];

fn manifest(layer: &[u8]) -> String {
    format!(
        r#"{{"schemaVersion":2,"layers":[{{"digest":"sha256:{}","size":{}}}]}}"#,
        sha256(layer),
        layer.len()
    )
}

/// True for a request for the bundle itself, and not for what leads to it.
fn is_of_bundle(request: &Request) -> bool {
    !request.target.contains("/manifests/")
}

/// A server on which the `n`th request for the bundle, from 0, is answered so; the artifact's manifest is always right.
async fn server(
    content: &[u8],
    answer: impl Fn(&Request, usize) -> Vec<Step> + Send + Sync + 'static,
) -> Faulty {
    let (manifest, asked) = (manifest(content), std::sync::atomic::AtomicUsize::new(0));
    Faulty::start(move |request, _| {
        if !is_of_bundle(request) {
            return whole(manifest.as_bytes());
        }
        answer(request, asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    })
    .await
}

fn asked(server: &Faulty) -> Vec<Option<usize>> {
    server.seen().iter().filter(|request| is_of_bundle(request)).map(Request::start).collect()
}

#[tokio::test]
async fn from_whatever_source_a_download_that_is_cut_goes_on_where_it_was() {
    let content = bytes(LENGTH);
    for (name, revision) in SOURCES {
        let served = content.clone();
        let server = server(&content, move |request, n| match n {
            0 => cut(ranged(request, &served, "\"one\""), 10 * KIB),
            1 => cut(ranged(request, &served, "\"one\""), 20 * KIB),
            _ => ranged(request, &served, "\"one\""),
        })
        .await;
        let host = Host::new();
        host.fetch(&revision(&server, &content), &options()).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(host.content() == content, "{name}");
        assert_eq!(asked(&server), [None, Some(10 * KIB), Some(30 * KIB)], "{name}: nothing is sent twice");
    }
}

#[tokio::test]
async fn from_whatever_source_a_server_that_falls_silent_is_left_and_asked_for_the_rest() {
    let content = bytes(LENGTH);
    let hasty = FetchOptions { stall: Duration::from_millis(300), ..options() };
    for (name, revision) in SOURCES {
        let served = content.clone();
        let server = server(&content, move |request, n| {
            let mut steps = ranged(request, &served, "\"one\"");
            if n == 0 {
                steps = cut(steps, 25 * KIB);
                steps.push(Step::Hang);
            }
            steps
        })
        .await;
        let host = Host::new();
        host.fetch(&revision(&server, &content), &hasty).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(host.content() == content, "{name}");
        assert_eq!(asked(&server), [None, Some(25 * KIB)], "{name}");
    }
}

#[tokio::test]
async fn from_whatever_source_one_that_is_silent_for_good_is_stalled_and_one_that_is_cut_for_good_unreachable()
 {
    let content = bytes(LENGTH);
    let hasty = FetchOptions { stall: Duration::from_millis(200), pauses: vec![], ..options() };
    for (name, revision) in SOURCES {
        let silent = server(&content, |_, _| vec![Step::Hang]).await;
        let error = Host::new().fetch(&revision(&silent, &content), &hasty).await.unwrap_err();
        assert_eq!(error.reason(), "Stalled", "{name}: {error}");
        let served = content.clone();
        let broken = server(&content, move |_, _| cut(whole(&served), 0)).await;
        let error = Host::new().fetch(&revision(&broken, &content), &options()).await.unwrap_err();
        assert_eq!(error.reason(), "Unreachable", "{name}: {error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
}

#[tokio::test]
async fn other_bytes_than_are_named_are_refused_with_their_digest_where_a_digest_is_named() {
    let (content, other) = (bytes(LENGTH), vec![7; LENGTH]);
    for (name, revision) in SOURCES {
        let served = other.clone();
        let server = server(&content, move |request, _| ranged(request, &served, "\"one\"")).await;
        let fetched = Host::new().fetch(&revision(&server, &content), &options()).await;
        if name == "gitHub" {
            // It may pack the same commit into other bytes: the commit is what is named.
            fetched.unwrap();
            continue;
        }
        let error = fetched.unwrap_err();
        assert_eq!(error.reason(), "DigestMismatch", "{name}: {error}");
        assert!(error.to_string().contains(&sha256(&other)), "{name}: {error}");
        assert!(error.is_lasting(), "{name}: {error}");
    }
}
