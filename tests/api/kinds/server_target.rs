//! The Server platform's block of a DeploymentGroup.

use serde_json::{Value, json};

use super::{field_of, length_bounds, wait_bounds, word_bounds};
use crate::case::{Case, accepts, refuses, text, with, without};

fn server_group() -> Value {
    json!({"applicationRef": {"name": "web"}, "server": {
        "tagSets": [[{"key": "env", "value": "prod", "type": "KeyAndValue"}], [{"key": "web", "type": "KeyOnly"}]],
        "fleets": ["web"],
        "deploymentStyle": {"type": "InPlace", "option": "WithTrafficControl"},
        "loadBalancer": {"service": {"name": "web", "port": 8080}, "drain": "10s"},
        "outdatedInstancesStrategy": "Update",
    }})
}

fn server(path: &str, value: Value) -> Value {
    with(server_group(), &format!("server.{path}"), value)
}

/// Every rule and bound of `spec.server`.
pub fn server_cases() -> Vec<Case> {
    let mut cases = member_cases();
    cases.extend(filter_cases());
    cases.extend(style_cases());
    cases.extend(load_balancer_cases());
    cases.extend(wait_bounds(&server_group(), "server.eventTimeout", false));
    cases.extend(wait_bounds(&server_group(), "server.loadBalancer.drain", true));
    cases.extend(word_bounds(&server_group(), "server.outdatedInstancesStrategy", &["Update", "Ignore"]));
    cases
}

fn member_cases() -> Vec<Case> {
    let nobody = "give tagSets, fleets or both: without them no host belongs to the group";
    let only = |members: Value| with(server_group(), "server", members);
    let fleets = |count: usize| {
        let names: Vec<_> = (0..count).map(|i| format!("fleet-{i}")).collect();
        only(json!({"fleets": names}))
    };
    let list = "spec.server.fleets";
    let mut cases = vec![
        accepts("as the API's page has it", server_group()),
        accepts("tags alone", only(json!({"tagSets": [[{"key": "env", "value": "prod"}]]}))),
        accepts("fleets alone", only(json!({"fleets": ["web"]}))),
        refuses("nobody", only(json!({})), "spec.server", nobody),
        refuses("nobody, twice", only(json!({"tagSets": [], "fleets": []})), "spec.server", nobody),
        accepts("ten fleets", fleets(10)),
        refuses("eleven fleets", fleets(11), list, "Too many"),
        refuses(
            "a fleet twice",
            only(json!({"fleets": ["a", "a"]})),
            "spec.server.fleets[1]",
            "Duplicate value",
        ),
    ];
    cases.extend(length_bounds(&server_group(), "server.fleets.0", 1, 63));
    cases
}

fn filter_cases() -> Vec<Case> {
    let filter = |filter: Value| server("tagSets", json!([[filter]]));
    let sets = |count: usize| server("tagSets", json!(vec![json!([{"key": "a", "type": "KeyOnly"}]); count]));
    let filters =
        |count: usize| server("tagSets", json!([vec![json!({"key": "a", "type": "KeyOnly"}); count]]));
    let field = "spec.server.tagSets[0][0]";
    let mut cases = vec![
        accepts("three sets", sets(3)),
        refuses("four sets", sets(4), "spec.server.tagSets", "Too many"),
        accepts("a set of ten", filters(10)),
        accepts("a set of one", filters(1)),
        refuses("a set of eleven", filters(11), "spec.server.tagSets[0]", "Too many"),
        refuses("a set of none", filters(0), "spec.server.tagSets[0]", "at least 1 items"),
        accepts("key and value, unsaid", filter(json!({"key": "env", "value": "prod"}))),
        accepts("a key", filter(json!({"key": "env", "type": "KeyOnly"}))),
        accepts("a value", filter(json!({"value": "prod", "type": "ValueOnly"}))),
        accepts("an empty value", filter(json!({"key": "web", "value": "", "type": "KeyAndValue"}))),
        refuses(
            "AWS's spelling",
            filter(json!({"key": "env", "type": "KEY_ONLY"})),
            field_of("server.tagSets.0.0.type"),
            "\"KeyOnly\", \"ValueOnly\", \"KeyAndValue\"",
        ),
    ];
    for (title, wrong, says) in [
        ("nothing", json!({}), "type KeyOnly and KeyAndValue need key"),
        ("an empty key", json!({"key": "", "type": "KeyOnly"}), "type KeyOnly and KeyAndValue need key"),
        ("a key alone", json!({"key": "env"}), "type ValueOnly and KeyAndValue need value"),
        ("a value that is none", json!({"type": "ValueOnly"}), "type ValueOnly and KeyAndValue need value"),
        (
            "a value that nobody reads",
            json!({"key": "env", "value": "prod", "type": "KeyOnly"}),
            "type KeyOnly takes no value",
        ),
        (
            "a key that nobody reads",
            json!({"key": "env", "value": "prod", "type": "ValueOnly"}),
            "type ValueOnly takes no key",
        ),
    ] {
        cases.push(refuses(title, filter(wrong), field, says));
    }
    for (name, most) in [("key", 128), ("value", 256)] {
        let path = format!("server.tagSets.0.0.{name}");
        cases.push(accepts("the longest text", with(server_group(), &path, json!(text(most)))));
        let long = with(server_group(), &path, json!(text(most + 1)));
        cases.push(refuses("a long text", long, field_of(&path), "Too long"));
    }
    cases
}

fn style_cases() -> Vec<Case> {
    let style = |style: Value| server("deploymentStyle", style);
    let blind = without(server_group(), "server.loadBalancer");
    let traffic = "deploymentStyle.option WithTrafficControl needs loadBalancer";
    let mut cases = vec![
        accepts("a style unsaid", style(json!({}))),
        accepts("traffic that is left alone", with(blind.clone(), "server.deploymentStyle", json!({}))),
        refuses("traffic of nobody", blind, "spec.server", traffic),
        refuses(
            "hosts beside hosts",
            style(json!({"type": "BlueGreen"})),
            "spec.server.deploymentStyle",
            "type BlueGreen is not driven yet on Server: use InPlace",
        ),
        refuses(
            "another style",
            style(json!({"type": "IN_PLACE"})),
            "spec.server.deploymentStyle.type",
            "Unsupported value",
        ),
    ];
    let options = ["WithTrafficControl", "WithoutTrafficControl"];
    cases.extend(word_bounds(&server_group(), "server.deploymentStyle.option", &options));
    cases
}

fn load_balancer_cases() -> Vec<Case> {
    let port = |port: i64| server("loadBalancer.service.port", json!(port));
    let field = "spec.server.loadBalancer.service.port";
    let service = "spec.server.loadBalancer.service";
    let nothing = server("loadBalancer.service", json!({}));
    let mut cases = vec![
        refuses("a load balancer of nothing", server("loadBalancer", json!({})), service, "Required value"),
        refuses("no name", nothing.clone(), "spec.server.loadBalancer.service.name", "Required value"),
        refuses("no port", nothing, field, "Required value"),
        accepts("the first port", port(1)),
        accepts("the last port", port(65_535)),
        refuses("port 0", port(0), field, "greater than or equal to 1"),
        refuses("a port beyond the last", port(65_536), field, "less than or equal to 65535"),
    ];
    cases.extend(length_bounds(&server_group(), "server.loadBalancer.service.name", 1, 63));
    cases
}
