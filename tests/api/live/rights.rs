//! A release that is told to watch one namespace has its rights there alone; they are enough too.

use serde_json::json;

use super::callee::Callee;
use super::deletion::start_job;
use super::parts;
use super::world::World;
use crate::server::{create_namespace, eventually, with_namespace};

#[test]
fn a_release_that_watches_one_namespace_deploys_calls_rolls_back_and_prunes_there() {
    with_namespace(|client, namespace| async move {
        let home = create_namespace(&client).await;
        let world = World::new(client, namespace.clone(), home, Some(&namespace)).await;
        world.start("one");
        world.until_led_by("one").await;
        let callee = Callee::start(400, "no").await;
        world.apply(&parts::http_hook("check", &callee.url, None)).await;
        world.apply(&parts::job_hook("unused", "probe")).await;
        let rollback = json!({"enabled": true, "events": ["DeploymentFailure"]});
        world.prepare("hello", json!({"autoRollback": rollback, "revisionHistoryLimit": 0})).await;
        let revision = parts::revision("hello", "2", &[("AfterAllowTraffic", "check")]);
        world.create(parts::deployment("bad", "hello", revision, json!({}))).await;
        let failed = world.until_settled("bad", "Failed").await;
        let name = failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback");
        world.until_settled(name, "Succeeded").await;
        world
            .merge(
                "DeploymentGroup",
                "hello",
                json!({"spec": {"revision": parts::revision("hello", "2", &[])}}),
            )
            .await;
        world.until_gone("Deployment", name).await;
        let done = || async {
            let all = world.list("Deployment").await;
            all.iter()
                .any(|d| d["status"]["creator"] == "DesiredRevision" && d["status"]["phase"] == "Succeeded")
                .then_some(())
        };
        eventually("the desired revision serves", done).await;
        world.expect_enough_rights();
    });
}

#[test]
fn a_watched_namespace_goes_though_it_loses_its_roles_before_what_is_held_in_it() {
    with_namespace(|client, namespace| async move {
        let home = create_namespace(&client).await;
        let world = World::new(client, namespace.clone(), home, Some(&namespace)).await;
        world.start("one");
        world.until_led_by("one").await;
        world.prepare("hello", json!({})).await;
        world.prepare("other", json!({})).await;
        world.apply(&parts::job_hook("check", "probe")).await;
        world.start_slow("running", "other").await;
        start_job(&world, "checking").await;
        // The order in which a namespace is emptied is nobody's: this one is the worst.
        for kind in ["RoleBinding", "Role"] {
            for object in world.list(kind).await {
                world.delete(kind, object["metadata"]["name"].as_str().expect("a name")).await;
            }
        }
        let has_lost = || async { (!world.may_create("batch", "jobs").await).then_some(()) };
        eventually("the rights are gone", has_lost).await;
        world.delete("Namespace", &namespace).await;
        world.until_gone("Namespace", &namespace).await;
    });
}
