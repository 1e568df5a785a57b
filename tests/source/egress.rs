//! Addresses that no revision leads to.

use sluice::source::Egress;
use sluice::source::bundle::FetchOptions;

use crate::faulty::{Faulty, head, whole};
use crate::revisions::{Host, file, options};

#[tokio::test]
async fn metadata_addresses_are_refused_in_every_spelling_and_at_once() {
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::169.254.169.254]",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "100.100.100.200",
    ] {
        let revision = file(format!("http://{host}/latest/meta-data/"), b"x");
        let error = Host::new().fetch(&revision, &options()).await.unwrap_err();
        assert_eq!(error.reason(), "EgressRefused", "{host}: {error}");
        assert!(error.is_lasting());
    }
}

#[tokio::test]
async fn a_redirect_does_not_lead_around_the_policy() {
    for to in ["http://169.254.169.254/latest/", "http://2852039166/", "//[::ffff:169.254.169.254]/"] {
        let server = Faulty::start(move |_, _| vec![head("302 Found", &[("Location", to)])]).await;
        let error = Host::new().fetch(&file(server.url("/a"), b"x"), &options()).await.unwrap_err();
        assert_eq!(error.reason(), "EgressRefused", "{to}: {error}");
    }
}

#[tokio::test]
async fn names_are_judged_by_their_addresses() {
    let server = Faulty::start(|_, _| whole(b"x")).await;
    let by_name = file(format!("http://localhost:{}/a", server.port), b"x");
    let by_address = file(server.url("/a"), b"x");
    let strict = FetchOptions { egress: Egress::of_controller(), ..options() };
    for revision in [&by_name, &by_address] {
        Host::new().fetch(revision, &options()).await.unwrap();
        let error = Host::new().fetch(revision, &strict).await.unwrap_err();
        assert_eq!(error.reason(), "EgressRefused", "{error}");
    }
    let allowed = vec!["127.0.0.0/8".parse().unwrap()];
    let exempt = FetchOptions { egress: Egress { allowed, ..Egress::of_controller() }, ..options() };
    Host::new().fetch(&by_address, &exempt).await.unwrap();
}
