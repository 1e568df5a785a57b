//! Application.

use serde_json::{Value, json};
use sluice::api::Application;

use crate::case::{Case, accepts, judge, refuses, text, with};

fn server() -> Value {
    json!({"computePlatform": "Server"})
}

fn cases() -> Vec<Case> {
    let platform = "spec.computePlatform";
    vec![
        accepts("a server's", server()),
        accepts("a function's", json!({"computePlatform": "Function"})),
        accepts("a service's", json!({"computePlatform": "Service"})),
        refuses(
            "AWS's spelling",
            json!({"computePlatform": "Lambda"}),
            platform,
            "\"Server\", \"Function\", \"Service\"",
        ),
        refuses("no platform", json!({}), platform, "Required value"),
        refuses("no spec", Value::Null, "spec", "Required value"),
        accepts("the longest description", with(server(), "description", json!(text(256)))),
        refuses(
            "a long description",
            with(server(), "description", json!(text(257))),
            "spec.description",
            "Too long",
        ),
        accepts("another description", json!({"description": "b"})).changing(with(
            server(),
            "description",
            json!("a"),
        )),
        refuses(
            "another platform",
            json!({"computePlatform": "Function"}),
            platform,
            "spec.computePlatform is immutable: create another Application",
        )
        .changing(server()),
    ]
}

#[test]
fn every_rule_and_bound_of_an_application_holds() {
    judge::<Application>(cases());
}
