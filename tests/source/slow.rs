//! Servers that take their time.

use std::time::Duration;

use crate::faulty::{Faulty, Step, cut, head, ranged};
use crate::revisions::{Host, bytes, file, options};
use sluice::source::bundle::FetchOptions;

const KIB: usize = 1024;

fn hasty() -> FetchOptions {
    FetchOptions { stall: Duration::from_millis(300), pauses: vec![Duration::from_millis(1)], ..options() }
}

#[tokio::test]
async fn a_server_that_falls_silent_is_left_and_asked_for_the_rest() {
    let content = bytes(40 * KIB);
    let served = content.clone();
    let server = Faulty::start(move |request, n| match n {
        0 => {
            let mut steps = cut(ranged(request, &served, "\"one\""), 20 * KIB);
            steps.push(Step::Hang);
            steps
        }
        _ => ranged(request, &served, "\"one\""),
    })
    .await;
    let host = Host::new();
    host.fetch(&file(server.url("/a"), &content), &hasty()).await.unwrap();
    assert!(host.content() == content);
    assert_eq!(server.seen()[1].start(), Some(20 * KIB));
}

#[tokio::test]
async fn a_server_that_never_answers_is_stalled() {
    let server = Faulty::start(|_, _| vec![Step::Hang]).await;
    let error = Host::new().fetch(&file(server.url("/a"), b"x"), &hasty()).await.unwrap_err();
    assert_eq!(error.reason(), "Stalled", "{error}");
    assert_eq!(server.seen().len(), 2);
}

/// Byte by byte it would take days, and no pause between two bytes is long.
#[tokio::test]
async fn a_trickle_is_stalled_however_lively_it_looks() {
    let server = Faulty::start(|_, _| {
        let body = Step::Trickle(vec![7; KIB], Duration::from_millis(10));
        vec![head("200 OK", &[("Content-Length", "1048576"), ("ETag", "\"one\"")]), body, Step::Hang]
    })
    .await;
    let error = Host::new().fetch(&file(server.url("/a"), b"x"), &hasty()).await.unwrap_err();
    assert_eq!(error.reason(), "Stalled", "{error}");
    let server = Faulty::start(|_, _| {
        vec![Step::Trickle(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), Duration::from_millis(50)), Step::Hang]
    })
    .await;
    let error = Host::new().fetch(&file(server.url("/a"), b"x"), &hasty()).await.unwrap_err();
    assert_eq!(error.reason(), "Stalled", "{error}");
}

#[tokio::test]
async fn all_tries_together_have_an_end() {
    let server = Faulty::start(|_, _| vec![Step::Hang]).await;
    let options = FetchOptions {
        stall: Duration::from_millis(50),
        total: Duration::from_millis(400),
        pauses: vec![Duration::from_millis(1); 10_000],
        ..options()
    };
    let error = Host::new().fetch(&file(server.url("/a"), b"x"), &options).await.unwrap_err();
    assert_eq!(error.reason(), "Stalled", "{error}");
    assert!(server.seen().len() < 20);
}
