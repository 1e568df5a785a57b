//! DeploymentConfig.

use serde_json::{Value, json};
use sluice::api::DeploymentConfig;

use super::{is_required, wait_bounds};
use crate::case::{Case, accepts, judge, refuses, with};

fn routing(routing: Value) -> Value {
    json!({"computePlatform": "Function", "trafficRouting": routing})
}

fn canary() -> Value {
    routing(json!({"type": "TimeBasedCanary", "canary": {"percentage": 20, "interval": "2m"}}))
}

fn linear() -> Value {
    routing(json!({"type": "TimeBasedLinear", "linear": {"percentage": 10, "interval": "1m"}}))
}

fn all_at_once() -> Value {
    routing(json!({"type": "AllAtOnce"}))
}

fn hosts(type_: &str, value: i64) -> Value {
    json!({"computePlatform": "Server", "minimumHealthyHosts": {"type": type_, "value": value}})
}

fn zonal(config: Value) -> Value {
    with(hosts("HostCount", 1), "zonalConfig", config)
}

/// Of a canary's and a linear shift's increment, at `path` of `spec`.
fn increment_cases(spec: &Value, path: &'static str, fields: [&'static str; 2]) -> Vec<Case> {
    let percentage = |value: i64| with(spec.clone(), &format!("{path}.percentage"), json!(value));
    let interval = |value: &str| with(spec.clone(), &format!("{path}.interval"), json!(value));
    let of_nothing = with(spec.clone(), path, json!({}));
    let [share, time] = fields;
    let cure = "interval must be a duration such as 90s, 5m or 1h30m, longer than 0s and at most 48h";
    let mut cases = vec![
        accepts("1 %", percentage(1)),
        accepts("99 %", percentage(99)),
        refuses("0 %", percentage(0), share, "greater than or equal to 1"),
        refuses("100 %", percentage(100), share, "less than or equal to 99"),
        refuses(
            "a percentage in words",
            with(spec.clone(), &format!("{path}.percentage"), json!("20%")),
            share,
            "integer",
        ),
        refuses("no percentage", of_nothing.clone(), share, "Required value"),
        refuses("no interval", of_nothing, time, "Required value"),
        refuses(
            "an interval beyond 32 characters",
            interval(&format!("{}1m", "0".repeat(31))),
            time,
            "Too long",
        ),
        refuses("an interval of words", interval("5 minutes"), time, "should match"),
    ];
    for text in ["90s", "5m", "1h30m", "1.5m", "250ms", "48h", "47h59m60s"] {
        cases.push(accepts("a Go duration", interval(text)));
    }
    cases.push(accepts("an interval of 32 characters", interval(&format!("{}1m", "0".repeat(30)))));
    for text in ["0s", "0h0m", "48h1ms", "49h", "5 minutes", "-5m", "5", "5d", "", "9999999999999999h"] {
        cases.push(refuses("an interval that is none", interval(text), time, cure));
    }
    cases
}

fn routing_cases() -> Vec<Case> {
    let field = "spec.trafficRouting";
    let step = json!({"percentage": 10, "interval": "1m"});
    let only_canary = "type TimeBasedCanary takes canary and no linear";
    let only_linear = "type TimeBasedLinear takes linear and no canary";
    let neither = "type AllAtOnce takes neither canary nor linear";
    let mut cases = vec![
        accepts("all at once", all_at_once()),
        accepts("a canary", canary()),
        accepts("a service's canary", with(canary(), "computePlatform", json!("Service"))),
        accepts("a linear shift", linear()),
        refuses(
            "a canary without its numbers",
            routing(json!({"type": "TimeBasedCanary"})),
            field,
            only_canary,
        ),
        refuses(
            "a canary that is also linear",
            with(canary(), "trafficRouting.linear", step.clone()),
            field,
            only_canary,
        ),
        refuses(
            "a linear shift without its numbers",
            routing(json!({"type": "TimeBasedLinear"})),
            field,
            only_linear,
        ),
        refuses(
            "a linear shift with a canary",
            with(linear(), "trafficRouting.canary", step.clone()),
            field,
            only_linear,
        ),
        refuses(
            "all at once, with a canary",
            with(all_at_once(), "trafficRouting.canary", step.clone()),
            field,
            neither,
        ),
        refuses("all at once, in steps", with(all_at_once(), "trafficRouting.linear", step), field, neither),
        refuses(
            "an unknown type",
            routing(json!({"type": "Canary"})),
            "spec.trafficRouting.type",
            "\"TimeBasedCanary\"",
        ),
        refuses("no type", routing(json!({})), "spec.trafficRouting.type", "Required value"),
    ];
    let canary_fields = ["spec.trafficRouting.canary.percentage", "spec.trafficRouting.canary.interval"];
    let linear_fields = ["spec.trafficRouting.linear.percentage", "spec.trafficRouting.linear.interval"];
    cases.extend(increment_cases(&canary(), "trafficRouting.canary", canary_fields));
    cases.extend(increment_cases(&linear(), "trafficRouting.linear", linear_fields));
    cases
}

/// Of a floor of healthy hosts, the fleet's or a zone's; `floor` makes the spec, `fields` are the floor, its type and its value.
fn floor_cases(floor: impl Fn(Value) -> Value, fields: [&'static str; 3]) -> Vec<Case> {
    let hosts = |type_: &str, value: i64| floor(json!({"type": type_, "value": value}));
    let [field, type_, value] = fields;
    let percent = "value of type FleetPercent must be 0 to 99";
    vec![
        accepts("no host", hosts("HostCount", 0)),
        accepts("a million hosts", hosts("HostCount", 1_000_000)),
        accepts("0 % of the fleet", hosts("FleetPercent", 0)),
        accepts("99 % of the fleet", hosts("FleetPercent", 99)),
        refuses("100 % of the fleet", hosts("FleetPercent", 100), field, percent),
        refuses("fewer than no hosts", hosts("HostCount", -1), value, "greater than or equal to 0"),
        refuses("more than a million hosts", hosts("HostCount", 1_000_001), value, "less than or equal to"),
        refuses("AWS's spelling", hosts("FLEET_PERCENT", 50), type_, "\"HostCount\", \"FleetPercent\""),
        refuses("no type", floor(json!({"value": 1})), type_, "Required value"),
        refuses("no value", floor(json!({"type": "HostCount"})), value, "Required value"),
    ]
}

fn server_cases() -> Vec<Case> {
    let of_server = "computePlatform Server takes minimumHealthyHosts and no trafficRouting";
    let of_others = "computePlatform Function and Service take trafficRouting and neither minimumHealthyHosts nor zonalConfig";
    let floor = json!({"type": "HostCount", "value": 1});
    let mut cases = vec![
        refuses("a server without a floor", json!({"computePlatform": "Server"}), "spec", of_server),
        refuses(
            "a server with traffic",
            with(canary(), "computePlatform", json!("Server")),
            "spec",
            of_server,
        ),
        refuses("a function without traffic", json!({"computePlatform": "Function"}), "spec", of_others),
        refuses("a service without traffic", json!({"computePlatform": "Service"}), "spec", of_others),
        refuses(
            "a function with a floor",
            with(canary(), "minimumHealthyHosts", floor.clone()),
            "spec",
            of_others,
        ),
        refuses("a function with zones", with(canary(), "zonalConfig", json!({})), "spec", of_others),
    ];
    let fleet =
        ["spec.minimumHealthyHosts", "spec.minimumHealthyHosts.type", "spec.minimumHealthyHosts.value"];
    cases.extend(floor_cases(|value| with(hosts("HostCount", 1), "minimumHealthyHosts", value), fleet));
    let zone = [
        "spec.zonalConfig.minimumHealthyHostsPerZone",
        "spec.zonalConfig.minimumHealthyHostsPerZone.type",
        "spec.zonalConfig.minimumHealthyHostsPerZone.value",
    ];
    cases.extend(floor_cases(|value| zonal(json!({"minimumHealthyHostsPerZone": value})), zone));
    cases
}

fn zone_cases() -> Vec<Case> {
    let mut cases = vec![
        accepts("no zonal wait", zonal(json!({}))),
        accepts("zonal waits", zonal(json!({"firstZoneMonitorDuration": "5m", "monitorDuration": "0s"}))),
    ];
    for name in ["firstZoneMonitorDuration", "monitorDuration"] {
        cases.extend(wait_bounds(&zonal(json!({})), &format!("zonalConfig.{name}"), true));
    }
    cases
}

fn whole_cases() -> Vec<Case> {
    let reserved =
        "metadata.name: the prefix CodeDeployDefault. is reserved for the predefined configurations";
    let immutable = "spec is immutable: create another DeploymentConfig and name it in the group";
    vec![
        refuses("a reserved name", canary(), "", reserved).named("codedeploydefault.mine"),
        refuses("a reserved name, as AWS writes it", canary(), "metadata.name", "lowercase RFC 1123")
            .named("CodeDeployDefault.Mine"),
        accepts("a name that only looks reserved", canary()).named("codedeploydefault-mine"),
        refuses("no spec", Value::Null, "spec", "Required value"),
        refuses(
            "an unknown platform",
            with(canary(), "computePlatform", json!("ECS")),
            "spec.computePlatform",
            "\"Service\"",
        ),
        is_required(&canary(), "computePlatform", "spec.computePlatform"),
        accepts("the same again", canary()).changing(canary()),
        refuses("another pace", json!({"trafficRouting": {"canary": {"percentage": 30}}}), "spec", immutable)
            .changing(canary()),
        refuses("another platform", json!({"computePlatform": "Service"}), "spec", immutable)
            .changing(canary()),
        refuses("zones afterwards", json!({"zonalConfig": {}}), "spec", immutable)
            .changing(hosts("HostCount", 1)),
    ]
}

#[test]
fn every_rule_and_bound_of_a_deployment_config_holds() {
    judge::<DeploymentConfig>(
        [whole_cases(), routing_cases(), server_cases(), zone_cases()].into_iter().flatten().collect(),
    );
}
