//! Bundles and AppSpecs in S3.

use std::path::Path;
use std::time::Duration;

use sluice::api::{BundleType, Revision, S3Revision};
use sluice::source::app_spec;
use sluice::source::bundle::{FetchOptions, Fetched, fetch};
use sluice::source::push::{Folder, Pushed, push};
use sluice::source::{Credentials, Egress, Error};

use crate::proxy::Proxy;
use crate::store::{Store, object, revision};

fn options() -> FetchOptions {
    FetchOptions { pauses: vec![Duration::from_millis(10); 3], ..FetchOptions::of_hosts() }
}

fn folder(dir: &Path, text: &str) {
    std::fs::write(dir.join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    std::fs::write(dir.join("web.html"), text).unwrap();
}

async fn pushed(store: &Store, place: &S3Revision, text: &str) -> Pushed {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), text);
    let folder = Folder { dir: dir.path(), kind: BundleType::Tgz, hidden: true };
    push(&folder, place, &store.credentials(), &options()).await.unwrap()
}

async fn fetched(
    store: &Store,
    s3: S3Revision,
    who: Option<&Credentials>,
) -> Result<(Fetched, Vec<u8>), Error> {
    let into = store.dir.path().join("bundle");
    let fetched = fetch(&revision(s3), who, &into, &options()).await?;
    Ok((fetched, std::fs::read(into).unwrap()))
}

#[tokio::test]
async fn what_is_pushed_is_fetched_by_version_e_tag_or_name() {
    let store = Store::start().await;
    let (who, place) = (store.credentials(), object(store.endpoint(), "web/app.tgz"));
    let (one, two) = (pushed(&store, &place, "one").await, pushed(&store, &place, "two").await);
    assert_ne!(one.revision.version, two.revision.version);
    for pushed in [&one, &two] {
        let (fetched, bytes) = fetched(&store, pushed.revision.clone(), Some(&who)).await.unwrap();
        assert_eq!(fetched.digest, format!("sha256:{}", pushed.sha256));
        assert_eq!(bytes.len() as u64, pushed.bytes);
        assert_eq!((&fetched.version, &fetched.e_tag), (&pushed.revision.version, &pushed.revision.e_tag));
    }
    let (newest, _) = fetched(&store, place.clone(), Some(&who)).await.unwrap();
    assert_eq!(newest.digest, format!("sha256:{}", two.sha256));
    assert_eq!(newest.kind, Some(BundleType::Tgz), "by its content");
    let replaced = S3Revision { version: None, ..one.revision.clone() };
    let error = fetched(&store, replaced, Some(&who)).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "{error}");
    let same = pushed(&store, &place, "one").await;
    assert_eq!(
        (same.sha256, same.revision.e_tag),
        (one.sha256, one.revision.e_tag),
        "the same content, the same bundle"
    );
}

#[tokio::test]
async fn a_bucket_without_versions_gives_none() {
    let store = Store::start().await;
    let place = S3Revision { bucket: "plain".into(), ..object(store.endpoint(), "app.tgz") };
    let pushed = pushed(&store, &place, "one").await;
    assert_eq!(pushed.revision.version, None);
    fetched(&store, pushed.revision, Some(&store.credentials())).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_or_denied_is_told_apart_in_the_stores_own_word() {
    let store = Store::start().await;
    let (who, place) = (store.credentials(), object(store.endpoint(), "web/app.tgz"));
    let one = pushed(&store, &place, "one").await.revision;
    let other = Credentials::S3 {
        access_key_id: "AKIATEST".into(),
        secret_access_key: "another-s3cret".into(),
        session_token: None,
    };
    for (s3, who, reason, word) in [
        (S3Revision { key: "absent".into(), ..place.clone() }, Some(&who), "RevisionMissing", "NoSuchKey"),
        (
            S3Revision { bucket: "absent".into(), ..place.clone() },
            Some(&who),
            "RevisionMissing",
            "NoSuchBucket",
        ),
        (one.clone(), Some(&other), "AccessDenied", "SignatureDoesNotMatch"),
        (one.clone(), None, "AccessDenied", "AccessDenied"),
    ] {
        let error = fetched(&store, s3, who).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        let text = error.to_string();
        assert!(text.contains(word) && text.starts_with("spec.revision.s3: "), "{text}");
        assert!(!text.contains("Signature=") && !text.contains("s3cret"), "{text}");
    }
}

/// Every try is signed anew, and the store goes on where the last one was cut.
#[tokio::test]
async fn a_cut_download_goes_on_at_a_real_store() {
    let store = Store::start().await;
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path(), "x");
    std::fs::write(dir.path().join("large"), &content).unwrap();
    let folder = Folder { dir: dir.path(), kind: BundleType::Tar, hidden: true };
    let place = object(store.endpoint(), "large.tar");
    let pushed = push(&folder, &place, &store.credentials(), &options()).await.unwrap();
    let proxy = Proxy::start(store.port, 700_000).await;
    let through = S3Revision { endpoint: Some(proxy.endpoint()), ..pushed.revision };
    let (fetched, _) = fetched(&store, through, Some(&store.credentials())).await.unwrap();
    assert_eq!(fetched.digest, format!("sha256:{}", pushed.sha256));
    assert!((4..=6).contains(&proxy.connections()), "{}", proxy.connections());
}

#[tokio::test]
async fn a_single_app_spec_is_read_and_a_bundle_or_a_large_one_is_not() {
    let store = Store::start().await;
    store.put("releases", "appspec.yaml", None, "version: 0.0\n").await;
    store.put("releases", "large", None, &"#".repeat(256 * 1024 + 1)).await;
    let who = store.credentials();
    let limits = app_spec::limits(Egress::of_hosts());
    let read = async |key: &str| {
        let source = Revision { s3: Some(object(store.endpoint(), key).into()), ..Revision::default() };
        app_spec::fetch(&source, Some(&who), &limits).await
    };
    assert_eq!(read("appspec.yaml").await.unwrap(), "version: 0.0\n");
    assert_eq!(read("large").await.unwrap_err().reason(), "TooLarge");
    pushed(&store, &object(store.endpoint(), "app.tgz"), "x").await;
    assert_eq!(read("app.tgz").await.unwrap_err().reason(), "InvalidRevision");
    let controller = app_spec::limits(Egress::of_controller());
    let source =
        Revision { s3: Some(object(store.endpoint(), "appspec.yaml").into()), ..Revision::default() };
    let error = app_spec::fetch(&source, Some(&who), &controller).await.unwrap_err();
    assert_eq!(error.reason(), "EgressRefused", "a store on the controller's own machine: {error}");
}
