//! The Gateway API comes after Sluice: on an API server of its own, since definitions are the whole cluster's.

use std::sync::Arc;

use serde_json::{Value, json};

use super::gateway::Gateway;
use super::parts;
use super::world::{World, condition, message, split, weights};
use crate::definitions;
use crate::server::{define, eventually, http_route_definition, with_own_server};

#[test]
fn without_the_gateway_api_the_controller_says_so_and_deploys_as_soon_as_it_comes() {
    with_own_server("-late-gateway", &definitions::read_all(), |client, namespace| async move {
        let world = Arc::new(World::new(client.clone(), namespace.clone(), namespace, None).await);
        world.start("one");
        world.until_led_by("one").await;
        let says = "the Gateway API is not installed";
        eventually("the controller says that routes are missing", || async {
            world.said("one").contains(says).then_some(())
        })
        .await;
        for version in 1..=2 {
            world.apply(&parts::service(&format!("hello-{version}"), 80)).await;
            world.apply(&parts::endpoints(&format!("hello-{version}"))).await;
        }
        world.apply(&parts::application("hello", "Function")).await;
        world.apply(&parts::group("hello", json!({}))).await;
        world.deploy("first", "hello", "2", json!({"deploymentConfigName": "quick"})).await;
        let waits = |d: &Value| condition(d, "Reconciling") == ("True", "HTTPRouteMissing");
        let waiting = world.until("Deployment", "first", "it waits for its route", waits).await;
        assert!(message(&waiting).contains("HTTPRoute hello"), "{waiting:#}");

        define(&client, &[http_route_definition()]).await;
        world.create(parts::route("hello")).await;
        // The watch of the world's own may be in the midst of a pause.
        let _gateway = Gateway::start(&world.client, &world.namespace);
        world.until_settled("first", "Succeeded").await;
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 0, 100));
        assert!(world.said("one").contains("watching HTTPRoutes"));
        world.expect_enough_rights();
    });
}
