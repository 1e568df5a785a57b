//! Bundles in a registry.

use std::time::Duration;

use sluice::api::{BundleType, OciRevision, ResolvedRevision, Revision};
use sluice::source::Credentials;
use sluice::source::bundle::{FetchOptions, fetch};

use crate::registry::{PASSWORD, Registry, USER, sha256};

fn artifact(registry: &Registry, digest: &str) -> ResolvedRevision {
    let image = format!("127.0.0.1:{}/acme/web@sha256:{digest}", registry.port);
    let oci = OciRevision { image, secret_ref: None };
    ResolvedRevision::new(&Revision { oci: Some(oci.into()), ..Revision::default() }, "")
}

fn login(password: &str) -> Credentials {
    Credentials::Oci { username: USER.into(), password: password.into() }
}

#[tokio::test]
async fn an_artifacts_first_layer_is_the_bundle() {
    let registry = Registry::start().await;
    let layer = [&b"\x1f\x8b"[..], &[7; 500_000]].concat();
    let digest = registry.push(&layer).await;
    let into = registry.dir.path().join("bundle");
    let options = FetchOptions { pauses: vec![Duration::from_millis(10)], ..FetchOptions::of_hosts() };
    let fetched =
        fetch(&artifact(&registry, &digest), Some(&login(PASSWORD)), &into, &options).await.unwrap();
    assert_eq!(fetched.digest, format!("sha256:{}", sha256(&layer)));
    assert_eq!(fetched.kind, Some(BundleType::Tgz));
    assert_eq!(std::fs::read(&into).unwrap(), layer);
    for (digest, who, reason) in [
        (&digest, None, "AccessDenied"),
        (&digest, Some(login("wr0ng-secret")), "AccessDenied"),
        (&"0".repeat(64), Some(login(PASSWORD)), "RevisionMissing"),
    ] {
        let error = fetch(&artifact(&registry, digest), who.as_ref(), &into, &options).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().starts_with("spec.revision.oci: ") && !error.to_string().contains("wr0ng"));
    }
}
