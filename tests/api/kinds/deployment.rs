//! Deployment.

use serde_json::{Value, json};
use sluice::api::Deployment;

use super::revision::revision_bounds;
use super::{auto_rollback_bounds, is_required, name_bounds, word_bounds};
use crate::case::{Case, accepts, judge, refuses, text, with, without};

fn deployment() -> Value {
    json!({"deploymentGroupRef": {"name": "hello-prod"}, "revision": {"appSpecContent": {"content": "version: 0.0"}}})
}

fn answers(count: usize) -> Value {
    let answers: Vec<_> = (0..count).map(|i| answer(&format!("execution-{i}"))).collect();
    with(deployment(), "hookResults", json!(answers))
}

fn answer(execution: &str) -> Value {
    json!({"executionId": execution, "status": "Succeeded"})
}

/// Each field that was given once and for all: a change of it, and giving or taking it afterwards.
fn immutable_cases() -> Vec<Case> {
    let rollback = json!({"enabled": true, "events": ["DeploymentFailure"]});
    let mut cases = Vec::new();
    for (field, says, one, other) in [
        ("description", "spec.description is immutable: create another Deployment", json!("a"), json!("b")),
        (
            "deploymentConfigName",
            "spec.deploymentConfigName is immutable: create another Deployment",
            json!("CodeDeployDefault.LambdaAllAtOnce"),
            json!("mine"),
        ),
        (
            "autoRollback",
            "spec.autoRollback is immutable: create another Deployment, or say spec.stop.autoRollback when stopping",
            rollback,
            json!({"enabled": false}),
        ),
    ] {
        let given = with(deployment(), field, one.clone());
        cases.push(
            refuses("a field that changes", json!({field: other}), "spec", says).changing(given.clone()),
        );
        cases.push(
            refuses("a field that comes", json!({field: one.clone()}), "spec", says).changing(deployment()),
        );
        cases.push(refuses("a field that goes", json!({field: null}), "spec", says).changing(given.clone()));
        cases.push(accepts("a field that is said again", json!({field: one})).changing(given));
    }
    let revision = "spec.revision is immutable: create another Deployment";
    let other_source = json!({"revision": {"appSpecContent": null, "configMap": {"name": "a", "key": "b"}}});
    let group = "spec.deploymentGroupRef is immutable: create another Deployment";
    cases.extend([
        refuses("other text", json!({"revision": {"appSpecContent": {"content": "x"}}}), "spec", revision)
            .changing(deployment()),
        refuses("another source", other_source, "spec", revision).changing(deployment()),
        refuses("another group", json!({"deploymentGroupRef": {"name": "other"}}), "spec", group)
            .changing(deployment()),
    ]);
    cases
}

/// What a Deployment on Server does, and that it goes on doing so.
#[allow(clippy::too_many_lines)] // a table
fn mode_cases() -> Vec<Case> {
    let restart = json!({"deploymentGroupRef": {"name": "web-prod"}, "deploymentMode": "Restart"});
    let needs = "revision must be given, except with deploymentMode Restart";
    let immutable = "spec: what a Deployment does is immutable (deploymentMode, ";
    let outdated = "deploymentMode Restart and updateOutdatedInstancesOnly exclude each other";
    let mut cases = vec![
        accepts("a restart", restart.clone()),
        accepts("the usual", with(deployment(), "deploymentMode", json!("Standard"))),
        refuses("no revision", without(deployment(), "revision"), "spec", needs),
        refuses(
            "a restart of another revision",
            with(restart.clone(), "revision", deployment()["revision"].clone()),
            "spec",
            needs,
        ),
        refuses(
            "another mode",
            with(deployment(), "deploymentMode", json!("Resume")),
            "spec.deploymentMode",
            "\"Standard\", \"Restart\"",
        ),
        accepts("only what is outdated", with(deployment(), "updateOutdatedInstancesOnly", json!(true))),
        refuses(
            "a restart of what is outdated",
            with(restart.clone(), "updateOutdatedInstancesOnly", json!(true)),
            "spec",
            outdated,
        ),
        accepts("stops that may fail", with(deployment(), "ignoreApplicationStopFailures", json!(true))),
        refuses(
            "a restart afterwards",
            json!({"revision": null, "deploymentMode": "Restart"}),
            "spec",
            immutable,
        )
        .changing(deployment()),
        accepts("a restart that is said again", restart.clone()).changing(restart),
    ];
    for (field, one, other) in [
        ("ignoreApplicationStopFailures", json!(false), json!(true)),
        ("updateOutdatedInstancesOnly", json!(true), json!(false)),
        ("fileExistsBehavior", json!("Disallow"), json!("Retain")),
    ] {
        let given = with(deployment(), field, one.clone());
        let changed = json!({field: other});
        cases.push(
            refuses("a field that changes", changed.clone(), "spec", immutable).changing(given.clone()),
        );
        cases.push(accepts("a field that is said again", json!({field: one})).changing(given));
        cases.push(
            refuses(
                "a field that comes",
                with(json!({}), field, if other.is_boolean() { json!(true) } else { other }),
                "spec",
                immutable,
            )
            .changing(deployment()),
        );
    }
    let kept = with(deployment(), "fileExistsBehavior", json!("Disallow"));
    cases.push(
        refuses("a field that goes", json!({"fileExistsBehavior": null}), "spec", immutable).changing(kept),
    );
    let behaviors = ["Disallow", "Overwrite", "Retain"];
    cases.extend(word_bounds(&deployment(), "fileExistsBehavior", &behaviors));
    cases
}

fn stop_cases() -> Vec<Case> {
    let stopped = with(deployment(), "stop", json!({"autoRollback": true}));
    let says = "spec.stop cannot be taken back or changed: create another Deployment";
    vec![
        accepts("a stop", json!({"stop": {}})).changing(deployment()),
        accepts("a stop with rollback", json!({"stop": {"autoRollback": true}})).changing(deployment()),
        accepts("a stop at birth", stopped.clone()),
        accepts("the same stop again", json!({"stop": {"autoRollback": true}})).changing(stopped.clone()),
        refuses("a stop that is taken back", json!({"stop": null}), "spec", says).changing(stopped.clone()),
        refuses("a stop that changes its mind", json!({"stop": {"autoRollback": false}}), "spec", says)
            .changing(stopped.clone()),
        refuses("a stop that forgets the rollback", json!({"stop": {"autoRollback": null}}), "spec", says)
            .changing(stopped),
        refuses("a plain stop that adds a rollback", json!({"stop": {"autoRollback": true}}), "spec", says)
            .changing(with(deployment(), "stop", json!({}))),
        accepts("a continuation", json!({"continue": {"readyWait": true}})).changing(deployment()),
        accepts("both continuations", json!({"continue": {"terminationWait": true}})).changing(with(
            deployment(),
            "continue",
            json!({"readyWait": true}),
        )),
    ]
}

fn answer_cases() -> Vec<Case> {
    let says = "spec.hookResults: an answer that was given cannot be changed or removed";
    let two = answers(2);
    let given = |list: Value| json!({"hookResults": list});
    let execution = |length| with(answers(1), "hookResults.0.executionId", json!(text(length)));
    let message = |length| with(answers(1), "hookResults.0.message", json!(text(length)));
    let failed = json!([{"executionId": "execution-0", "status": "Failed"}, answer("execution-1")]);
    let explained = with(two.clone(), "hookResults.0.message", json!("late"));
    vec![
        accepts("16 answers", answers(16)),
        refuses("17 answers", answers(17), "spec.hookResults", "must have at most 16 items"),
        refuses(
            "two answers to one execution",
            with(deployment(), "hookResults", json!([answer("a"), answer("a")])),
            "spec.hookResults[1]",
            "Duplicate value",
        ),
        accepts("the shortest id", execution(1)),
        accepts("the longest id", execution(64)),
        refuses("an empty id", execution(0), "spec.hookResults[0].executionId", "at least 1 chars"),
        refuses("a long id", execution(65), "spec.hookResults[0].executionId", "Too long"),
        accepts("the longest message", message(2048)),
        refuses("a long message", message(2049), "spec.hookResults[0].message", "Too long"),
        accepts("a failure", with(answers(1), "hookResults.0.status", json!("Failed"))),
        refuses(
            "a shrug",
            with(answers(1), "hookResults.0.status", json!("Skipped")),
            "spec.hookResults[0].status",
            "\"Failed\"",
        ),
        refuses(
            "no status",
            with(deployment(), "hookResults", json!([{"executionId": "a"}])),
            "spec.hookResults[0].status",
            "Required value",
        ),
        refuses(
            "no id",
            with(deployment(), "hookResults", json!([{"status": "Failed"}])),
            "spec.hookResults[0].executionId",
            "Required value",
        ),
        accepts("a further answer", given(answers(3)["hookResults"].clone())).changing(two.clone()),
        accepts("answers in another order", given(json!([answer("execution-1"), answer("execution-0")])))
            .changing(two.clone()),
        refuses("an answer that changes", given(failed), "spec", says).changing(two.clone()),
        refuses(
            "an answer that is explained afterwards",
            given(explained["hookResults"].clone()),
            "spec",
            says,
        )
        .changing(two.clone()),
        refuses("an answer that goes", given(answers(1)["hookResults"].clone()), "spec", says)
            .changing(two.clone()),
        refuses("all answers gone", given(Value::Null), "spec", says).changing(two),
    ]
}

/// What is asked of a Deployment that has ended comes too late; labels do not.
fn ended_cases() -> Vec<Case> {
    let late = "the Deployment has already completed: stop, continue and hookResults come too late; create another Deployment";
    let mut cases = Vec::new();
    for request in [
        json!({"stop": {}}),
        json!({"continue": {"readyWait": true}}),
        json!({"hookResults": [answer("a")]}),
        json!({"description": "b"}),
    ] {
        for phase in ["Succeeded", "Failed", "Stopped"] {
            let status = json!({"phase": phase});
            cases.push(
                refuses("too late", request.clone(), "", late)
                    .changing(deployment())
                    .whose_status_is(status.clone()),
            );
            cases.push(accepts("nothing new", deployment()).changing(deployment()).whose_status_is(status));
        }
    }
    for phase in ["Created", "Queued", "InProgress", "Ready", "Baking"] {
        let request = json!({"stop": {}, "continue": {"readyWait": true}, "hookResults": [answer("a")]});
        cases.push(
            accepts("in time", request).changing(deployment()).whose_status_is(json!({"phase": phase})),
        );
    }
    cases
}

fn cases() -> Vec<Case> {
    vec![
        accepts("the least", deployment()),
        refuses("no spec", Value::Null, "spec", "Required value"),
        is_required(&deployment(), "deploymentGroupRef", "spec.deploymentGroupRef"),
        is_required(&deployment(), "deploymentGroupRef.name", "spec.deploymentGroupRef.name"),
        accepts("the longest description", with(deployment(), "description", json!(text(256)))),
        refuses(
            "a long description",
            with(deployment(), "description", json!(text(257))),
            "spec.description",
            "Too long",
        ),
    ]
}

#[test]
fn every_rule_and_bound_of_a_deployment_holds() {
    let mut cases = cases();
    cases.extend(immutable_cases());
    cases.extend(mode_cases());
    cases.extend(stop_cases());
    cases.extend(answer_cases());
    cases.extend(ended_cases());
    cases.extend(name_bounds(&deployment(), "deploymentGroupRef.name", "spec.deploymentGroupRef.name"));
    cases.extend(name_bounds(&deployment(), "deploymentConfigName", "spec.deploymentConfigName"));
    cases.extend(revision_bounds(&deployment(), "revision"));
    cases.extend(auto_rollback_bounds(&deployment()));
    judge::<Deployment>(cases);
}
