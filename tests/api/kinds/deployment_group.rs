//! DeploymentGroup.

use serde_json::{Value, json};
use sluice::api::DeploymentGroup;

use super::revision::revision_bounds;
use super::server_target::server_cases;
use super::{auto_rollback_bounds, is_required, name_bounds, wait_bounds};
use crate::case::{Case, accepts, judge, refuses, text, with, without};

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
        refuses("no platform's block", without(group(), "function"), "spec", ONE_BLOCK),
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

const ONE_BLOCK: &str = "exactly one of function, service and server must be given";

fn service_group() -> Value {
    json!({"applicationRef": {"name": "web"}, "service": {
        "targetGroups": ["web-a", "web-b"],
        "productionListener": {"httpRoute": {"name": "web"}},
        "testListener": {"httpRoute": {"name": "web-test"}},
    }})
}

fn service(path: &str, value: Value) -> Value {
    with(service_group(), &format!("service.{path}"), value)
}

fn service_cases() -> Vec<Case> {
    let replicas = |n: i64| service("replicas", json!(n));
    let both = with(group(), "service", service_group()["service"].clone());
    let hosts = with(group(), "server", json!({"fleets": ["web"]}));
    vec![
        accepts("a service", service_group()),
        refuses("two platforms", both, "spec", ONE_BLOCK),
        refuses("two other platforms", hosts, "spec", ONE_BLOCK),
        accepts("no pods", replicas(0)),
        accepts("many pods", replicas(100_000)),
        refuses("fewer than no pods", replicas(-1), "spec.service.replicas", "greater than or equal to 0"),
        refuses("too many pods", replicas(100_001), "spec.service.replicas", "less than or equal to 100000"),
        accepts("the longest group", service_group()).named(LONGEST),
        refuses(
            "a group whose name is no label",
            service_group(),
            "",
            "the name of a service group becomes a label",
        )
        .named(LONG),
    ]
}

fn target_group_cases() -> Vec<Case> {
    let field = "spec.service.targetGroups";
    let first = "spec.service.targetGroups[0]";
    let groups = |names: Value| service("targetGroups", names);
    let different = "targetGroups must be two different Services";
    vec![
        is_required(&service_group(), "service.targetGroups", field),
        refuses("one target group", groups(json!(["a"])), field, "at least 2 items"),
        refuses("three target groups", groups(json!(["a", "b", "c"])), field, "at most 2 items"),
        accepts("the longest target group", groups(json!([text(63), "b"]))),
        refuses("a long target group", groups(json!([text(64), "b"])), first, "Too long"),
        refuses("an empty target group", groups(json!(["", "b"])), first, "at least 1 chars"),
        refuses("one target group twice", groups(json!(["a", "a"])), "spec.service", different),
    ]
}

fn listener_cases() -> Vec<Case> {
    let field = "spec.service.productionListener";
    let production = |listener: Value| service("productionListener", listener);
    let front = |name: &str| production(json!({"service": {"name": name}}));
    let both = production(json!({"httpRoute": {"name": "web"}, "service": {"name": "web"}}));
    let one = "exactly one of httpRoute and service must be given";
    let test = |path: &str, value: Value| service(&format!("testListener{path}"), value);
    let route = "spec.service.productionListener.httpRoute.name";
    let tested = "spec.service.testListener.httpRoute.name";
    vec![
        accepts("a front Service", front("web")),
        is_required(&service_group(), "service.productionListener", field),
        refuses("no listener", production(json!({})), field, one),
        refuses("two listeners", both, field, one),
        refuses("a route without name", production(json!({"httpRoute": {}})), route, "Required value"),
        refuses(
            "a Service without name",
            production(json!({"service": {}})),
            "spec.service.productionListener.service.name",
            "Required value",
        ),
        refuses(
            "a front that is a target group",
            front("web-a"),
            "spec.service",
            "productionListener.service must be another Service than the targetGroups",
        ),
        refuses(
            "one route for both",
            test(".httpRoute.name", json!("web")),
            "spec.service",
            "testListener must name another HTTPRoute",
        ),
        refuses(
            "a test listener of nothing",
            test("", json!({})),
            "spec.service.testListener.httpRoute",
            "Required value",
        ),
        refuses("a test route without name", test(".httpRoute", json!({})), tested, "Required value"),
    ]
}

const LONGEST: &str = "a-name-that-is-as-long-as-a-label-may-be-which-is-63-characters";
const LONG: &str = "a-name-that-is-longer-than-a-label-may-be-which-is-63-characters";

fn blue_green_cases() -> Vec<Case> {
    let block = |value: Value| with(service_group(), "blueGreen", value);
    let ready = |action: &str, wait: &str| {
        block(json!({"deploymentReady": {"actionOnTimeout": action, "wait": wait}}))
    };
    let end = |action: &str| block(json!({"terminateOriginal": {"action": action}}));
    vec![
        accepts("the defaults", block(json!({}))),
        accepts("going on", ready("ContinueDeployment", "0s")),
        accepts("stopping", ready("StopDeployment", "1s")),
        refuses(
            "stopping at once",
            ready("StopDeployment", "0s"),
            "spec.blueGreen.deploymentReady",
            "needs a wait longer than 0s",
        ),
        refuses(
            "another action",
            ready("Wait", "1s"),
            "spec.blueGreen.deploymentReady.actionOnTimeout",
            "Unsupported value",
        ),
        accepts("termination", end("Terminate")),
        accepts("keeping", end("KeepAlive")),
        refuses("another end", end("Keep"), "spec.blueGreen.terminateOriginal.action", "Unsupported value"),
        refuses(
            "waits of a function",
            with(group(), "blueGreen", json!({})),
            "spec",
            "blueGreen is for service groups",
        ),
        refuses(
            "waits of hosts",
            json!({"applicationRef": {"name": "web"}, "server": {"fleets": ["web"]}, "blueGreen": {}}),
            "spec",
            "a server group's hosts are updated in place",
        ),
        accepts("what serves stays", with(service_group(), "deletionPolicy", json!("Orphan"))),
        accepts("what serves goes", with(service_group(), "deletionPolicy", json!("Delete"))),
        refuses(
            "another policy",
            with(service_group(), "deletionPolicy", json!("Retain")),
            "spec.deletionPolicy",
            "Unsupported value",
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
    cases.extend(service_cases());
    cases.extend(server_cases());
    cases.extend(target_group_cases());
    cases.extend(listener_cases());
    cases.extend(blue_green_cases());
    for path in ["service.productionListener.httpRoute.name", "service.testListener.httpRoute.name"] {
        cases.extend(name_bounds(&service_group(), path, format!("spec.{path}").leak()));
    }
    let fronted = with(service_group(), "service.productionListener", json!({"service": {"name": "web"}}));
    let path = "service.productionListener.service.name";
    cases.extend(name_bounds(&fronted, path, format!("spec.{path}").leak()));
    for path in ["service.drain", "blueGreen.deploymentReady.wait", "blueGreen.terminateOriginal.wait"] {
        cases.extend(wait_bounds(&service_group(), path, true));
    }
    cases.extend(wait_bounds(&service_group(), "service.installTimeout", false));
    cases.extend(name_bounds(&group(), "applicationRef.name", "spec.applicationRef.name"));
    cases.extend(name_bounds(&group(), "deploymentConfigName", "spec.deploymentConfigName"));
    cases.extend(name_bounds(
        &group(),
        "function.aliases.0.httpRoute.name",
        "spec.function.aliases[0].httpRoute.name",
    ));
    cases.extend(revision_bounds(&desired, "revision"));
    cases.extend(auto_rollback_bounds(&group()));
    judge::<DeploymentGroup>(cases);
}
