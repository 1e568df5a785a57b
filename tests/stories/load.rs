//! The steady load, and what may be concluded from its counts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::process::{Child, Command};

use crate::cluster::{folder, root};

/// Requests a second.
const RATE: u32 = 60;
/// How long the route may take to be served at first.
const FIRST_ANSWER: Duration = Duration::from_secs(60);
/// So many answers in a row say that every backend with a share of 5 % or more is served.
const IN_A_ROW: usize = 40;
/// How far the gateway's traffic may lag behind its word: it says that it accepted a route before it serves it.
pub const LAG: SignedDuration = SignedDuration::from_millis(1_000);
/// A count that chance alone brings about more rarely than this is an error.
const CHANCE: f64 = 1e-7;

/// A load generator under way.
pub struct Load {
    child: Child,
    file: PathBuf,
}

/// What a load generator saw.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    started_at: Timestamp,
    /// How many requests were sent.
    pub total: u64,
    failures: u64,
    by_error: BTreeMap<String, u64>,
    by_second: Vec<Second>,
}

#[derive(Debug, Deserialize)]
struct Second {
    t: i64,
    versions: BTreeMap<String, u64>,
    errors: u64,
}

impl Load {
    /// Sends requests for `host`, half of them on new connections, from the moment on that one is answered.
    pub async fn start(url: &str, host: &str, story: &str) -> Self {
        Self::start_at(RATE, url, host, story).await
    }

    /// The same with so many requests a second; `name` is the file's.
    pub async fn start_at(rate: u32, url: &str, host: &str, name: &str) -> Self {
        is_served(url, host).await;
        let file = folder().join(format!("{name}.load.json"));
        let tools =
            std::env::var_os("SLUICE_TOOLS").map_or_else(|| root().join("target/tools/bin"), PathBuf::from);
        let mut command = Command::new(tools.join("load"));
        command
            .args(["-url", url, "-host", host, "-duration", "0", "-rps", &rate.to_string(), "-out"])
            .arg(&file);
        let child =
            command.stdout(Stdio::null()).kill_on_drop(true).spawn().expect("load: run `make up` first");
        Self { child, file }
    }

    /// Ends the load; answers what it saw.
    pub async fn stop(mut self) -> Summary {
        let pid = self.child.id().expect("the load runs to the end of its story").to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill");
        assert!(told.success(), "the load ended by itself");
        self.child.wait().await.expect("an end");
        let text = std::fs::read(&self.file).expect("what the load saw");
        serde_json::from_slice(&text).expect("a summary")
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client")
}

/// Waits until the gateway answers for `host` many times in a row: each side that has weight is then known to it.
async fn is_served(url: &str, host: &str) {
    let client = client();
    let served = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let mut in_a_row = 0;
        while in_a_row < IN_A_ROW {
            let answer = client.get(url).header("host", host).send().await;
            if answer.is_ok_and(|a| a.status().is_success()) {
                in_a_row += 1;
            } else {
                in_a_row = 0;
                ticks.tick().await;
            }
        }
    };
    let served = tokio::time::timeout(FIRST_ANSWER, served).await;
    served.unwrap_or_else(|_| panic!("the gateway does not serve {host} within {FIRST_ANSWER:?}"));
}

/// Waits until the gateway knows nothing of `host` any more: before that, what it answers may be of a route that is gone.
pub async fn is_forgotten(url: &str, host: &str) {
    let client = client();
    let forgotten = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while client.get(url).header("host", host).send().await.map(|a| a.status().as_u16()).ok() != Some(404)
        {
            ticks.tick().await;
        }
    };
    let forgotten = tokio::time::timeout(FIRST_ANSWER, forgotten).await;
    forgotten.unwrap_or_else(|_| panic!("the gateway still serves {host} after {FIRST_ANSWER:?}"));
}

impl Summary {
    /// Not one request was lost.
    pub fn is_lossless(&self) {
        assert!(self.total > 0, "no request was sent");
        assert_eq!(self.failures, 0, "of {} requests some failed: {:?}", self.total, self.by_error);
    }

    /// How many requests were lost.
    pub fn lost(&self) -> u64 {
        self.failures
    }

    /// Requests were lost in that span alone, and of those sent in it `percent` at most, as far as their count can tell.
    pub fn is_lossless_but_in(&self, percent: i64, (from, to): (Timestamp, Timestamp)) {
        let (mut lost, mut total) = (0, 0);
        for second in &self.by_second {
            let begin = self.started_at + SignedDuration::from_secs(second.t);
            if begin + SignedDuration::from_secs(1) < from || begin > to {
                assert_eq!(
                    second.errors, 0,
                    "lost at {begin}, not between {from} and {to}: {:?}",
                    self.by_error
                );
                continue;
            }
            lost += second.errors;
            total += second.errors + second.versions.values().sum::<u64>();
        }
        assert!(total > 0, "no request was sent between {from} and {to}");
        let is_less = lost * 100 <= total * u64::try_from(percent).expect("a percentage");
        assert!(
            is_less || is_likely(lost, total, percent),
            "{lost} of {total} were lost between {from} and {to}, and {percent} % were at stake: {:?}",
            self.by_error
        );
    }

    /// Answers by version in the whole seconds of a span, by the time requests were sent.
    pub fn between(&self, (from, to): (Timestamp, Timestamp)) -> BTreeMap<String, u64> {
        let mut sums = BTreeMap::new();
        for second in &self.by_second {
            let begin = self.started_at + SignedDuration::from_secs(second.t);
            if begin >= from && begin + SignedDuration::from_secs(1) <= to {
                for (version, count) in &second.versions {
                    *sums.entry(version.clone()).or_default() += count;
                }
            }
        }
        sums
    }

    /// In that span every request was answered by that version.
    pub fn all_on(&self, version: u32, span: (Timestamp, Timestamp)) {
        let seen = self.between(span);
        assert!(!seen.is_empty(), "no request in {span:?}");
        assert!(seen.keys().all(|v| *v == version.to_string()), "all on {version} in {span:?}, but {seen:?}");
    }

    /// In that span the version's share was `percent`, as far as its count can tell. Answers how many requests told.
    pub fn share_is(&self, version: u32, percent: i64, span: (Timestamp, Timestamp)) -> u64 {
        let seen = self.between(span);
        let total: u64 = seen.values().sum();
        let count = seen.get(&version.to_string()).copied().unwrap_or(0);
        assert!(
            total == 0 || is_likely(count, total, percent),
            "{percent} % on {version} in {span:?}, but {count} of {total} ({seen:?})"
        );
        total
    }
}

/// True unless `count` of `total` is rarer than [`CHANCE`] where each of `total` counts with `percent`, by Chernoff's bound.
fn is_likely(count: u64, total: u64, percent: i64) -> bool {
    let (n, p) = (total as f64, percent as f64 / 100.0);
    let q = count as f64 / n;
    let term = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    let divergence = term(q, p) + term(1.0 - q, 1.0 - p);
    2.0 * (-n * divergence).exp() > CHANCE
}
