//! DeploymentGroup.

use serde_json::{Value, json};
use sluice::api::DeploymentGroup;

use super::{auto_rollback_bounds, is_required, name_bounds, revision_bounds};
use crate::case::{Case, accepts, judge, refuses, text, with};

fn group() -> Value {
    json!({"applicationRef": {"name": "hello"}, "function": {"aliases": [alias("live", "hello")]}})
}

fn alias(name: &str, route: &str) -> Value {
    json!({"name": name, "httpRoute": {"name": route}})
}

fn aliases(count: usize) -> Value {
    let aliases: Vec<_> = (0..count).map(|i| alias(&format!("alias-{i}"), "hello")).collect();
    with(group(), "function.aliases", json!(aliases))
}

fn function_cases() -> Vec<Case> {
    let list = "spec.function.aliases";
    let service = |name: &str| with(group(), "function.versionService", json!(name));
    let field = "spec.function.versionService";
    let version = "versionService must contain {version}: each version has a Service of its own";
    let alias_name = |length| with(group(), "function.aliases.0.name", json!(text(length)));
    vec![
        accepts("one alias", aliases(1)),
        accepts("16 aliases", aliases(16)),
        refuses("17 aliases", aliases(17), list, "must have at most 16 items"),
        refuses("no alias", aliases(0), list, "at least 1 items"),
        refuses(
            "an alias twice",
            with(group(), "function.aliases", json!([alias("live", "a"), alias("live", "b")])),
            "spec.function.aliases[1]",
            "Duplicate value",
        ),
        accepts("the shortest alias", alias_name(1)),
        accepts("the longest alias", alias_name(128)),
        refuses("an empty alias", alias_name(0), "spec.function.aliases[0].name", "at least 1 chars"),
        refuses("a long alias", alias_name(129), "spec.function.aliases[0].name", "Too long"),
        accepts("versions alone", service("v{version}")),
        accepts("the longest pattern", service(&format!("{{version}}{}", text(54)))),
        accepts("the shortest pattern", service("{version}")),
        refuses("a long pattern", service(&format!("{{version}}{}", text(55))), field, "Too long"),
        refuses("an empty pattern", service(""), field, version),
        refuses("one Service for all versions", service("{name}-v"), field, version),
        is_required(&group(), "function", "spec.function"),
        is_required(&group(), "function.aliases", list),
        refuses(
            "an alias without name and route",
            with(group(), "function.aliases", json!([{}])),
            "spec.function.aliases[0].httpRoute",
            "Required value",
        ),
        refuses(
            "a route without name",
            with(group(), "function.aliases.0.httpRoute", json!({})),
            "spec.function.aliases[0].httpRoute.name",
            "Required value",
        ),
    ]
}

fn cases() -> Vec<Case> {
    let history = |count: i64| with(group(), "revisionHistoryLimit", json!(count));
    let policy = |name: &str| with(group(), "concurrencyPolicy", json!(name));
    let limit = "spec.revisionHistoryLimit";
    let immutable = "spec.applicationRef is immutable: create another DeploymentGroup";
    vec![
        accepts("the least", group()),
        refuses("no spec", Value::Null, "spec", "Required value"),
        is_required(&group(), "applicationRef", "spec.applicationRef"),
        is_required(&group(), "applicationRef.name", "spec.applicationRef.name"),
        refuses(
            "another application",
            json!({"applicationRef": {"name": "other"}}),
            "spec.applicationRef",
            immutable,
        )
        .changing(group()),
        accepts(
            "another configuration",
            json!({"deploymentConfigName": "CodeDeployDefault.LambdaAllAtOnce"}),
        )
        .changing(group()),
        accepts("queue", policy("Queue")),
        accepts("reject", policy("Reject")),
        accepts("replace", policy("Replace")),
        refuses(
            "CronJob's word",
            policy("Forbid"),
            "spec.concurrencyPolicy",
            "\"Queue\", \"Reject\", \"Replace\"",
        ),
        accepts("no history", history(0)),
        accepts("the longest history", history(1000)),
        refuses("a negative history", history(-1), limit, "greater than or equal to 0"),
        refuses("a long history", history(1001), limit, "less than or equal to 1000"),
    ]
}

#[test]
fn every_rule_and_bound_of_a_deployment_group_holds() {
    let desired = with(group(), "revision", json!({"appSpecContent": {"content": "version: 0.0"}}));
    let mut cases = cases();
    cases.extend(function_cases());
    cases.extend(name_bounds(&group(), "applicationRef.name", "spec.applicationRef.name"));
    cases.extend(name_bounds(&group(), "deploymentConfigName", "spec.deploymentConfigName"));
    cases.extend(name_bounds(
        &group(),
        "function.aliases.0.httpRoute.name",
        "spec.function.aliases[0].httpRoute.name",
    ));
    cases.extend(revision_bounds(&desired));
    cases.extend(auto_rollback_bounds(&group()));
    judge::<DeploymentGroup>(cases);
}
