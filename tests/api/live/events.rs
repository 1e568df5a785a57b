//! Events: which, how many, of which object, and none twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::parts;
use super::world::{QUICK, World, in_world, split, weights};
use crate::server::eventually;

/// The reasons of the Events of exactly that object, in order of time.
async fn reasons(world: &World, object: &Value) -> Vec<String> {
    let uid = &object["metadata"]["uid"];
    let mut events: Vec<_> =
        world.list("Event").await.into_iter().filter(|e| e["regarding"]["uid"] == *uid).collect();
    events.sort_by_key(|e| e["eventTime"].as_str().unwrap_or_default().to_owned());
    for event in &events {
        let regarding = &event["regarding"];
        assert_eq!(regarding["apiVersion"], "sluice.dev/v1alpha1", "{event:#}");
        assert_eq!(regarding["kind"], object["kind"], "{event:#}");
        assert_eq!(regarding["name"], object["metadata"]["name"], "{event:#}");
        assert_eq!(event["reportingController"], "sluice.dev/controller", "{event:#}");
        assert!(event["note"].as_str().is_some_and(|note| !note.is_empty()), "{event:#}");
    }
    events.iter().map(|e| e["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Events are written beside the line: waits for the last one.
async fn reasons_with(world: &World, object: &Value, last: &str) -> Vec<String> {
    eventually(&format!("the Event {last}"), || async {
        Some(reasons(world, object).await).filter(|all| all.iter().any(|r| r == last))
    })
    .await
}

#[test]
fn a_deployment_tells_of_its_start_and_its_end_and_a_group_of_a_roll_back() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.deploy("good", "hello", "2", json!({"deploymentConfigName": QUICK})).await;
        let good = world.until_settled("good", "Succeeded").await;
        assert_eq!(
            reasons_with(&world, &good, "DeploymentSuccess").await,
            ["DeploymentStart", "DeploymentSuccess"]
        );

        world
            .create(parts::deployment(
                "back",
                "hello",
                parts::revision("hello", "1", &[]),
                json!({"deploymentConfigName": "slow"}),
            ))
            .await;
        let moved = |r: &Value| weights(r) == split("hello", 10, 90);
        world.until("HTTPRoute", "hello", "the first step back", moved).await;
        world.merge("Deployment", "back", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        let stopped = world.until_settled("back", "Stopped").await;
        assert_eq!(
            reasons_with(&world, &stopped, "DeploymentStop").await,
            ["DeploymentStart", "DeploymentStop"]
        );
        let name =
            stopped["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback").to_owned();
        let rollback = world.until_settled(&name, "Succeeded").await;
        assert_eq!(
            reasons_with(&world, &rollback, "DeploymentSuccess").await,
            ["DeploymentStart", "DeploymentSuccess"]
        );
        let group = world.get("DeploymentGroup", "hello").await;
        assert_eq!(reasons_with(&world, &group, "RolledBack").await, ["RolledBack"]);
    });
}

#[test]
fn a_controller_that_is_killed_again_and_again_tells_nothing_twice_and_takes_each_step_once() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let routes = world.record("HTTPRoute").await;
        let made = world.deploy("hard", "hello", "2", json!({"deploymentConfigName": QUICK})).await;
        let step = |n: usize| {
            move |d: &Value| d["status"]["traffic"]["steps"].as_array().is_some_and(|s| s.len() >= n)
        };
        let running = |d: &Value| d["status"]["phase"] == "InProgress";
        world.until("Deployment", "hard", "it runs", running).await;
        world.kill_and_restart("one");
        for n in 1..=4 {
            world.until("Deployment", "hard", &format!("step {n}"), step(n)).await;
            world.kill_and_restart("one");
        }
        let done = world.until_phase("hard", "Succeeded").await;
        world.kill_and_restart("one");
        world.until_settled("hard", "Succeeded").await;
        let steps: Vec<_> = done["status"]["traffic"]["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .map(|s| s["weight"].as_i64())
            .collect();
        assert_eq!(steps, [25, 50, 75, 100].map(Some));
        let mut shares: Vec<_> = routes.of("hello").iter().map(weights).collect();
        shares.dedup();
        let expected: Vec<_> = [25, 50, 75, 100].map(|n| split("hello", 100 - n, n)).into();
        assert_eq!(shares[1..], expected, "each step once, in order");
        let told = reasons(&world, &made).await;
        let mut times = BTreeMap::<&str, usize>::new();
        told.iter().for_each(|reason| *times.entry(reason).or_default() += 1);
        assert!(times.values().all(|n| *n == 1) && told.len() <= 6, "{told:?}");
    });
}
