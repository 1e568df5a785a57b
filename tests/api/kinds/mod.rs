//! One table a kind: what the API server accepts, what it refuses, and in which words.

mod application;
mod deployment;
mod deployment_config;
mod deployment_group;
mod instance;
mod lifecycle_hook;
mod revision;
mod server_target;

use serde_json::{Value, json};

use crate::case::{Case, accepts, refuses, text, with, without};

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

/// The path of a field as the API server names it: `assignments.0.course` is `spec.assignments[0].course`.
fn field_of(path: &str) -> &'static str {
    let mut field = String::from("spec");
    for step in path.split('.') {
        match step.parse::<usize>() {
            Ok(index) => field += &format!("[{index}]"),
            Err(_) => field += &format!(".{step}"),
        }
    }
    field.leak()
}

/// The bounds of a text's length: at least `least` characters (0: an empty one is taken), at most `most`.
fn length_bounds(spec: &Value, path: &str, least: usize, most: usize) -> Vec<Case> {
    let field = field_of(path);
    let of = |length| with(spec.clone(), path, json!(text(length)));
    let mut cases = vec![
        accepts("the shortest text", of(least)),
        accepts("the longest text", of(most)),
        refuses("a text that is too long", of(most + 1), field, "Too long"),
    ];
    if least > 0 {
        cases.push(refuses("a text that is too short", of(least - 1), field, "chars"));
    }
    cases
}

/// Every word of an enumeration, and a word that is none.
fn word_bounds(spec: &Value, path: &str, words: &[&str]) -> Vec<Case> {
    let word = |word: &str| with(spec.clone(), path, json!(word));
    let mut cases: Vec<_> = words.iter().map(|one| accepts("a word of the list", word(one))).collect();
    cases.push(refuses("a word that is none", word("Sideways"), field_of(path), "Unsupported value"));
    cases
}

/// The bounds of a wait: a Go duration of at most 48h, which may be nothing only where `may_be_nothing`.
fn wait_bounds(spec: &Value, path: &str, may_be_nothing: bool) -> Vec<Case> {
    let field = field_of(path);
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
