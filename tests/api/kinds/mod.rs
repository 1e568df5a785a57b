//! One table a kind: what the API server accepts, what it refuses, and in which words.

mod application;
mod deployment;
mod deployment_config;
mod deployment_group;
mod lifecycle_hook;

use serde_json::{Value, json};

use crate::case::{Case, accepts, refuses, text, with, without};

/// The bounds of a revision, wherever one stands; `spec` holds `{"appSpecContent": …}` as its `revision`.
fn revision_bounds(spec: &Value) -> Vec<Case> {
    let content =
        |path: &str, value: Value| with(spec.clone(), &format!("revision.appSpecContent.{path}"), value);
    let config_map = |map: Value| with(spec.clone(), "revision", json!({"configMap": map}));
    let both = with(spec.clone(), "revision.configMap", json!({"name": "a", "key": "b"}));
    let one_source = "exactly one source must be given: appSpecContent or configMap";
    let text_field = "spec.revision.appSpecContent.content";
    let digest_field = "spec.revision.appSpecContent.sha256";
    vec![
        accepts("a revision of one character", content("content", json!("x"))),
        accepts("a revision of 64 KiB", content("content", json!(text(65_536)))),
        refuses(
            "a revision without characters",
            content("content", json!("")),
            text_field,
            "at least 1 chars",
        ),
        refuses("a revision beyond 64 KiB", content("content", json!(text(65_537))), text_field, "Too long"),
        refuses(
            "no content",
            with(spec.clone(), "revision.appSpecContent", json!({})),
            text_field,
            "Required value",
        ),
        accepts("a digest", content("sha256", json!("0aF9".repeat(16)))),
        refuses(
            "a digest of other letters",
            content("sha256", json!("g".repeat(64))),
            digest_field,
            "should match",
        ),
        refuses("a short digest", content("sha256", json!("0".repeat(63))), digest_field, "should match"),
        refuses("a long digest", content("sha256", json!("0".repeat(65))), digest_field, "Too long"),
        accepts("a short config map", config_map(json!({"name": "a", "key": "b"}))),
        accepts("a long config map", config_map(json!({"name": text(253), "key": text(253)}))),
        refuses("no name", config_map(json!({"key": "b"})), "spec.revision.configMap.name", "Required value"),
        refuses("no key", config_map(json!({"name": "a"})), "spec.revision.configMap.key", "Required value"),
        refuses(
            "an empty name and an empty key",
            config_map(json!({"name": "", "key": ""})),
            "spec.revision.configMap.name",
            "at least 1 chars",
        ),
        refuses(
            "names beyond what Kubernetes has",
            config_map(json!({"name": text(254), "key": text(254)})),
            "spec.revision.configMap.key",
            "Too long",
        ),
        refuses("two sources", both, "spec.revision", one_source),
        refuses("no source", with(spec.clone(), "revision", json!({})), "spec.revision", one_source),
    ]
}

/// The bounds of automatic rollbacks, wherever they stand.
fn auto_rollback_bounds(spec: &Value) -> Vec<Case> {
    let rollback = |value: Value| with(spec.clone(), "autoRollback", value);
    let all = json!(["DeploymentFailure", "DeploymentStopOnAlarm", "DeploymentStopOnRequest"]);
    let names_events = "enabled needs at least one of events: DeploymentFailure";
    let field = "spec.autoRollback";
    let event = "spec.autoRollback.events[0]";
    let events = "spec.autoRollback.events";
    vec![
        accepts("rollback after every end", rollback(json!({"enabled": true, "events": all}))),
        accepts("no rollback", rollback(json!({"enabled": false}))),
        accepts("no rollback, with events", rollback(json!({"enabled": false, "events": all}))),
        refuses("rollback after nothing", rollback(json!({"enabled": true})), field, names_events),
        refuses(
            "rollback after an empty list",
            rollback(json!({"enabled": true, "events": []})),
            field,
            names_events,
        ),
        refuses(
            "rollback, perhaps",
            rollback(json!({"events": all})),
            "spec.autoRollback.enabled",
            "Required value",
        ),
        refuses(
            "an unknown event",
            rollback(json!({"enabled": true, "events": ["Boredom"]})),
            event,
            "Unsupported value",
        ),
        refuses(
            "an event twice",
            rollback(json!({"enabled": true, "events": ["DeploymentFailure", "DeploymentFailure"]})),
            "spec.autoRollback.events[1]",
            "Duplicate value",
        ),
        refuses(
            "more events than there are",
            with(
                rollback(json!({"enabled": true, "events": all})),
                "autoRollback.events",
                json!(vec!["DeploymentFailure"; 4]),
            ),
            events,
            "Too many",
        ),
    ]
}

/// The bounds of a field that names an object: 1 to 253 characters.
fn name_bounds(spec: &Value, path: &'static str, field: &'static str) -> Vec<Case> {
    let name = |length| with(spec.clone(), path, json!(text(length)));
    vec![
        accepts("the shortest name", name(1)),
        accepts("the longest name", name(253)),
        refuses("an empty name", name(0), field, "at least 1 chars"),
        refuses("a name beyond 253 characters", name(254), field, "Too long"),
    ]
}

/// A required field that is left out.
fn is_required(spec: &Value, path: &'static str, field: &'static str) -> Case {
    refuses("a required field that is left out", without(spec.clone(), path), field, "Required value")
}

/// The bounds of a wait: a Go duration of at most 48h, which may be nothing only where `may_be_nothing`.
fn wait_bounds(spec: &Value, path: &str, may_be_nothing: bool) -> Vec<Case> {
    let field: &'static str = format!("spec.{}", path.replace(".0.", "[0].")).leak();
    let name = path.rsplit('.').next().unwrap_or_default();
    let least = if may_be_nothing { "" } else { "longer than 0s and " };
    let cure: &'static str =
        format!("{name} must be a duration such as 90s, 5m or 1h30m, {least}at most 48h").leak();
    let wait = |text: &str| with(spec.clone(), path, json!(text));
    let mut cases = vec![
        accepts("the longest wait", wait("48h")),
        accepts("a wait of 32 characters", wait(&format!("{}1m", "0".repeat(30)))),
        refuses("a wait beyond 32 characters", wait(&format!("{}1m", "0".repeat(31))), field, "Too long"),
        refuses("a wait in words", wait("5 minutes"), field, "should match"),
    ];
    for text in ["5 minutes", "48h1s", "-1s", "9999999999999999999999999999999h"] {
        cases.push(refuses("a wait that is none", wait(text), field, cure));
    }
    cases.push(if may_be_nothing {
        accepts("no wait", wait("0s"))
    } else {
        refuses("no wait", wait("0s"), field, cure)
    });
    cases
}
