//! Redirects, and what may travel along them.

use sluice::source::Credentials;

use crate::faulty::{Faulty, head, status, whole};
use crate::revisions::{Host, commit, file, options};

const SECRET: &str = "t0k3n-that-nobody-may-see";

fn led(to: &str) -> Vec<crate::faulty::Step> {
    vec![head("302 Found", &[("Location", to), ("Content-Length", "0")])]
}

#[tokio::test]
async fn a_token_never_goes_to_another_host_nor_back_from_there() {
    let archives = Faulty::start(|request, _| match &*request.target {
        "/archive?token=one-time" => whole(b"\x1f\x8b archive"),
        _ => status("404 Not Found"),
    })
    .await;
    let to = format!("http://localhost:{}/archive?token=one-time", archives.port);
    let api = Faulty::start(move |_, _| led(&to)).await;
    let token = Credentials::GitHub { token: SECRET.into() };
    let host = Host::new();
    let fetched = host.fetch_as(&commit(api.url("/api/v3")), Some(&token), &options()).await.unwrap();
    assert_eq!(fetched.kind, Some(sluice::api::BundleType::Tgz));
    let asked = &api.seen()[0];
    assert_eq!(asked.target, format!("/api/v3/repos/acme/web/tarball/{}", "ab".repeat(20)));
    assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {SECRET}")));
    assert_eq!(archives.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn once_away_the_token_stays_away() {
    let home = std::sync::Arc::new(std::sync::OnceLock::<u16>::new());
    let way_back = std::sync::Arc::clone(&home);
    let away =
        Faulty::start(move |_, _| led(&format!("http://127.0.0.1:{}/again", way_back.get().unwrap()))).await;
    let to = format!("http://localhost:{}/", away.port);
    let api = Faulty::start(move |request, _| match &*request.target {
        "/again" => whole(b"x"),
        _ => led(&to),
    })
    .await;
    home.set(api.port).unwrap();
    let token = Credentials::GitHub { token: SECRET.into() };
    Host::new().fetch_as(&commit(api.url("")), Some(&token), &options()).await.unwrap();
    let seen = api.seen();
    assert!(seen[0].header("authorization").is_some());
    assert_eq!((&*seen[1].target, seen[1].header("authorization")), ("/again", None));
}

#[tokio::test]
async fn a_redirect_on_the_same_host_keeps_the_token() {
    let api = Faulty::start(|_, n| if n == 0 { led("/moved") } else { whole(b"x") }).await;
    let token = Credentials::GitHub { token: SECRET.into() };
    Host::new().fetch_as(&commit(api.url("")), Some(&token), &options()).await.unwrap();
    assert!(api.seen()[1].header("authorization").is_some());
}

#[tokio::test]
async fn redirects_have_an_end() {
    let server = Faulty::start(|_, n| led(&format!("/{n}"))).await;
    let error = Host::new().fetch(&file(server.url("/a"), b"x"), &options()).await.unwrap_err();
    assert_eq!(error.reason(), "InvalidRevision");
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn no_secret_of_a_url_is_ever_told() {
    let server = Faulty::start(|_, _| status("403 Forbidden")).await;
    let url = server.url(&format!("/a?X-Amz-Signature={SECRET}#{SECRET}"));
    let error = Host::new().fetch(&file(url, b"x"), &options()).await.unwrap_err();
    assert!(!error.to_string().contains(SECRET), "{error}");
    let to = format!("{}?sig={SECRET}", server.url(&format!("/{SECRET}")));
    let from = Faulty::start(move |_, _| led(&to)).await;
    let error = Host::new().fetch(&file(from.url("/a"), b"x"), &options()).await.unwrap_err();
    assert!(!error.to_string().contains(SECRET), "not even the path that a redirect named: {error}");
}
