//! Registries that do wrong, and how tokens are asked for. That a real one is understood is shown in `tests/stores`.

use sluice::source::Credentials;

use crate::faulty::{Faulty, Request, Step, head, status, whole};
use crate::revisions::{Host, artifact, options, sha256};

const LAYER: &[u8] = b"\x1f\x8b layer";

fn manifest(layer: &[u8], size: usize) -> String {
    format!(r#"{{"schemaVersion":2,"layers":[{{"digest":"sha256:{}","size":{size}}}]}}"#, sha256(layer))
}

fn serve(request: &Request, manifest: &str, layer: &[u8]) -> Vec<Step> {
    if request.target.contains("/manifests/") {
        whole(manifest.as_bytes())
    } else if request.target.contains("/blobs/") {
        whole(layer)
    } else {
        status("404 Not Found")
    }
}

#[tokio::test]
async fn a_manifest_is_held_to_its_digest_and_the_layer_to_the_manifest() {
    let good = manifest(LAYER, LAYER.len());
    let digest = sha256(good.as_bytes());
    let served = good.clone();
    let server = Faulty::start(move |request, _| serve(request, &served, LAYER)).await;
    let fetched = Host::new().fetch(&artifact(server.port, &digest), &options()).await.unwrap();
    assert_eq!(fetched.digest, format!("sha256:{}", sha256(LAYER)));
    let error = Host::new().fetch(&artifact(server.port, &"0".repeat(64)), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "another manifest: {error}");
    let served = good.clone();
    let server = Faulty::start(move |request, _| serve(request, &served, b"\x1f\x8b lie..")).await;
    let error = Host::new().fetch(&artifact(server.port, &digest), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "another layer: {error}");
    let short = manifest(LAYER, 3);
    let (served, digest) = (short.clone(), sha256(short.as_bytes()));
    let server = Faulty::start(move |request, _| serve(request, &served, LAYER)).await;
    let error = Host::new().fetch(&artifact(server.port, &digest), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "DigestMismatch", "another size: {error}");
}

/// The token exchange of Docker's registries; this server is its own server for tokens.
fn guarded(request: &Request, port: u16, manifest: &str) -> Vec<Step> {
    if request.target.starts_with("/token?") {
        let scoped = request.target.contains("service=reg")
            && request.target.contains("scope=repository%3Aacme%2Fweb%3Apull");
        return match request.header("authorization") {
            // user:pass
            Some("Basic dXNlcjpwYXNz") if scoped => whole(br#"{"access_token":"tok"}"#),
            _ => status("401 Unauthorized"),
        };
    }
    if request.header("authorization") == Some("Bearer tok") {
        return serve(request, manifest, LAYER);
    }
    let challenge = format!(
        r#"Bearer realm="http://127.0.0.1:{port}/token",service="reg",scope="repository:acme/web:pull""#
    );
    vec![head("401 Unauthorized", &[("WWW-Authenticate", &challenge), ("Content-Length", "0")])]
}

#[tokio::test]
async fn a_token_is_asked_for_where_the_registry_says_and_used_for_both() {
    let manifest = manifest(LAYER, LAYER.len());
    let digest = sha256(manifest.as_bytes());
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let own = std::sync::Arc::clone(&port);
    let server = Faulty::start(move |request, _| guarded(request, *own.get().unwrap(), &manifest)).await;
    port.set(server.port).unwrap();
    let login = |password: &str| Credentials::Oci { username: "user".into(), password: password.into() };
    let host = Host::new();
    host.fetch_as(&artifact(server.port, &digest), Some(&login("pass")), &options()).await.unwrap();
    assert_eq!(host.content(), LAYER);
    for wrong in [Some(login("wr0ng-secret")), None] {
        let error =
            host.fetch_as(&artifact(server.port, &digest), wrong.as_ref(), &options()).await.unwrap_err();
        assert_eq!(error.reason(), "AccessDenied", "{error}");
        assert!(!error.to_string().contains("wr0ng-secret"));
    }
}

#[tokio::test]
async fn a_layer_that_is_redirected_is_fetched_without_the_token() {
    let manifest = manifest(LAYER, LAYER.len());
    let digest = sha256(manifest.as_bytes());
    let store = Faulty::start(|_, _| whole(LAYER)).await;
    let to = format!("http://localhost:{}/blob?sig=x", store.port);
    let server = Faulty::start(move |request, _| match request.header("authorization") {
        None => vec![head(
            "401 Unauthorized",
            &[("WWW-Authenticate", "Basic realm=\"r\""), ("Content-Length", "0")],
        )],
        Some(_) if request.target.contains("/blobs/") => {
            vec![head("307 Temporary Redirect", &[("Location", &to), ("Content-Length", "0")])]
        }
        Some(_) => whole(manifest.as_bytes()),
    })
    .await;
    let login = Credentials::Oci { username: "user".into(), password: "pass".into() };
    Host::new().fetch_as(&artifact(server.port, &digest), Some(&login), &options()).await.unwrap();
    assert_eq!(store.seen()[0].header("authorization"), None);
}
