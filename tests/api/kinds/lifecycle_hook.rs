//! LifecycleHook.

use serde_json::{Value, json};
use sluice::api::LifecycleHook;

use super::{is_required, name_bounds};
use crate::case::{Case, accepts, judge, refuses, text, with};

fn http() -> Value {
    json!({"http": {"url": "http://probe.tools/verify", "headersFrom": {"secretRef": {"name": "probe-auth"}}}})
}

fn job() -> Value {
    let container = json!({"name": "probe", "image": "probe:1", "args": ["--once"]});
    json!({"job": {"template": {"spec": {"backoffLimit": 0, "template": {"spec": {"containers": [container]}}}}}})
}

fn timeout_cases() -> Vec<Case> {
    let field = "spec.timeout";
    let cure = "timeout must be a duration such as 90s, 5m or 1h30m, longer than 0s and at most 48h";
    let timeout = |text: &str| with(http(), "timeout", json!(text));
    let mut cases = vec![
        accepts("a timeout", timeout("1h30m")),
        accepts("the longest timeout", timeout("48h")),
        accepts("a timeout of 32 characters", timeout(&format!("{}1m", "0".repeat(30)))),
        refuses(
            "a timeout beyond 32 characters",
            timeout(&format!("{}1m", "0".repeat(31))),
            field,
            "Too long",
        ),
        refuses("a timeout in words", timeout("5 minutes"), field, "should match"),
    ];
    for text in ["0s", "48h1s", "5 minutes", "-5m", "600", "9999999999999999999999999999999h"] {
        cases.push(refuses("a timeout that is none", timeout(text), field, cure));
    }
    cases
}

fn cases() -> Vec<Case> {
    let one = "exactly one of job and http must be given";
    let url = |url: &str| with(http(), "http.url", json!(url));
    let field = "spec.http.url";
    let mut cases = vec![
        accepts("a call", http()),
        accepts("a job", job()),
        refuses("neither", json!({}), "spec", one),
        refuses("both", with(job(), "http", http()["http"].clone()), "spec", one),
        refuses("no spec", Value::Null, "spec", "Required value"),
        refuses("a job without template", json!({"job": {}}), "spec.job.template", "Required value"),
        refuses("a template in words", json!({"job": {"template": "probe"}}), "spec.job.template", "object"),
        accepts("the shortest URL", url("http://a")),
        accepts("a URL with TLS", url("https://probe.tools:8443/verify?deep=1")),
        accepts("the longest URL", url(&format!("http://{}", text(2041)))),
        refuses("a long URL", url(&format!("http://{}", text(2042))), field, "Too long"),
        refuses("a short URL", url("http://"), field, "at least 8 chars"),
        refuses("another scheme", url("ftp://probe.tools"), field, "should match"),
        refuses("a URL with a space", url("http://probe tools"), field, "should match"),
        is_required(&http(), "http.url", field),
        is_required(&http(), "http.headersFrom.secretRef", "spec.http.headersFrom.secretRef"),
        is_required(&http(), "http.headersFrom.secretRef.name", "spec.http.headersFrom.secretRef.name"),
        accepts("a call that becomes a job", with(job(), "http", Value::Null)).changing(http()),
    ];
    cases.extend(name_bounds(
        &http(),
        "http.headersFrom.secretRef.name",
        "spec.http.headersFrom.secretRef.name",
    ));
    cases.extend(timeout_cases());
    cases
}

#[test]
fn every_rule_and_bound_of_a_lifecycle_hook_holds() {
    judge::<LifecycleHook>(cases());
}
