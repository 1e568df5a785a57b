//! Whose turn it is, what becomes of the others, what history keeps, and names that somebody else has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::callee::Callee;
use super::parts;
use super::world::{World, condition, in_world, message, split, untouched, weights};
use crate::server::eventually;

fn queued(group: &Value) -> Vec<&str> {
    let queue = group["status"]["queuedDeployments"].as_array();
    queue.into_iter().flatten().filter_map(|q| q["name"].as_str()).collect()
}

fn rollback_of(stopped: &Value) -> String {
    stopped["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a rollback").to_owned()
}

#[test]
fn deployments_queue_in_the_order_of_their_arrival_and_a_rollback_goes_before_them() {
    in_world(|world| async move {
        world.prepare_versions("hello", 4).await;
        world.apply(&parts::application("hello", "Function")).await;
        world.apply(&parts::group("hello", json!({}))).await;
        world.start_slow("running", "hello").await;
        let names = ["zebra", "monkey", "ape"];
        for (index, name) in names.iter().enumerate() {
            world.deploy(name, "hello", &(index + 2).to_string(), json!({})).await;
            world.until_phase(name, "Queued").await;
        }
        let group = world.get("DeploymentGroup", "hello").await;
        assert_eq!(queued(&group), names, "in order of arrival, not of name");
        assert_eq!(condition(&group, "Reconciling"), ("True", "Deploying"));
        world.merge("Deployment", "running", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        let stopped = world.until_phase("running", "Stopped").await;
        let rollback = rollback_of(&stopped);
        let mut starts = vec![];
        for name in [rollback.as_str(), names[0], names[1], names[2]] {
            let done = world.until_settled(name, "Succeeded").await;
            starts.push(done["status"]["startTime"].as_str().expect("a start").to_owned());
        }
        assert!(starts.is_sorted(), "{starts:?}");
        let back = world.get("Deployment", &rollback).await;
        assert_eq!(back["status"]["creator"], "AutoRollback");
        assert_eq!(back["status"]["rollbackInfo"]["rollbackTriggeringDeployment"], "running");
        let last = vec![("hello-4".to_owned(), 100)];
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), last);
    });
}

#[test]
fn a_group_that_rejects_fails_the_second_deployment_and_leaves_the_first_alone() {
    in_world(|world| async move {
        world.prepare("hello", json!({"concurrencyPolicy": "Reject"})).await;
        world.start_slow("first", "hello").await;
        world.deploy("second", "hello", "2", json!({})).await;
        let failed = world.until_phase("second", "Failed").await;
        assert_eq!(failed["status"]["errorInformation"]["code"], "DeploymentLimitExceeded");
        assert!(
            message(&failed).contains("Deployment first of group hello is still running"),
            "{}",
            message(&failed)
        );
        assert_eq!(world.get("Deployment", "first").await["status"]["phase"], "InProgress");
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 90, 10));
    });
}

#[test]
fn a_group_that_replaces_puts_the_traffic_back_before_the_next_one_starts() {
    in_world(|world| async move {
        let routes = world.record("HTTPRoute").await;
        world.prepare_versions("hello", 3).await;
        world.apply(&parts::application("hello", "Function")).await;
        world.apply(&parts::group("hello", json!({"concurrencyPolicy": "Replace"}))).await;
        world.start_slow("first", "hello").await;
        world.deploy("second", "hello", "3", json!({})).await;
        let stopped = world.until_settled("first", "Stopped").await;
        assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
        assert!(message(&stopped).contains("replaced by second"), "{}", message(&stopped));
        assert!(
            stopped["status"]["rollbackInfo"]["rollbackDeployment"].is_null(),
            "without a rollback object"
        );
        world.until_settled("second", "Succeeded").await;
        let mut shares: Vec<_> = routes.of("hello").iter().map(weights).collect();
        shares.dedup();
        let third = vec![("hello-3".to_owned(), 100)];
        assert_eq!(shares, [untouched("hello"), split("hello", 90, 10), split("hello", 100, 0), third]);
        assert_eq!(world.list("Deployment").await.len(), 2);
    });
}

#[test]
fn history_keeps_its_limit_the_last_good_one_and_whatever_was_applied_by_name() {
    in_world(|world| async move {
        world.prepare("hello", json!({"revisionHistoryLimit": 1})).await;
        world.deploy("applied", "hello", "2", json!({})).await;
        world.until_settled("applied", "Succeeded").await;
        let mut made = vec![];
        for target in ["1", "2", "7", "7"] {
            let more = if target == "7" {
                json!({"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"})
            } else {
                json!({})
            };
            let mut manifest = parts::deployment("", "hello", parts::revision("hello", target, &[]), more);
            manifest["metadata"] = json!({"generateName": "hello-"});
            let created = world.create(manifest).await;
            let name = created["metadata"]["name"].as_str().expect("a name").to_owned();
            let end = if target == "7" { "Failed" } else { "Succeeded" };
            let ended = |d: &Value| d["status"]["phase"] == end;
            world.until("Deployment", &name, end, ended).await;
            made.push(name);
        }
        world.until_gone("Deployment", &made[0]).await;
        world.until_gone("Deployment", &made[2]).await;
        let names: BTreeSet<_> = world
            .list("Deployment")
            .await
            .iter()
            .map(|d| d["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        let kept = ["applied".to_owned(), made[1].clone(), made[3].clone()];
        assert_eq!(names, BTreeSet::from(kept), "the applied one, the last good one, and one more");
    });
}

#[test]
fn a_group_whose_revision_goes_there_and_back_deploys_three_times() {
    in_world(|world| async move {
        world.prepare("hello", json!({"revision": parts::revision("hello", "2", &[])})).await;
        for (count, target) in [(1, "2"), (2, "1"), (3, "2")] {
            let revision = parts::revision("hello", target, &[]);
            world.merge("DeploymentGroup", "hello", json!({"spec": {"revision": revision}})).await;
            let served = vec![(format!("hello-{target}"), 100)];
            world.until("HTTPRoute", "hello", &format!("version {target}"), |r| weights(r) == served).await;
            let ready = |g: &Value| {
                g["status"]["phase"] == "Ready"
                    && g["status"]["observedGeneration"] == g["metadata"]["generation"]
            };
            let group = world.until("DeploymentGroup", "hello", "Ready", ready).await;
            let made = world.list("Deployment").await;
            assert_eq!(made.len(), count, "{made:#?}");
            let owner = |d: &Value| d["metadata"]["ownerReferences"][0]["uid"] == group["metadata"]["uid"];
            assert!(
                made.iter().all(|d| owner(d) && d["status"]["creator"] == "DesiredRevision"),
                "{made:#?}"
            );
        }
        world.merge("DeploymentGroup", "hello", json!({"spec": {"revisionHistoryLimit": 5}})).await;
        let seen = |g: &Value| g["status"]["observedGeneration"] == g["metadata"]["generation"];
        world.until("DeploymentGroup", "hello", "it has seen the edit", seen).await;
        assert_eq!(world.list("Deployment").await.len(), 3, "an edit of something else starts nothing");
    });
}

#[test]
fn a_newer_desired_revision_supersedes_one_that_waits() {
    in_world(|world| async move {
        world.prepare_versions("hello", 4).await;
        world.apply(&parts::application("hello", "Function")).await;
        world.apply(&parts::group("hello", json!({}))).await;
        world.start_slow("running", "hello").await;
        let desire = |target: &str| json!({"spec": {"revision": parts::revision("hello", target, &[])}});
        let queued_one = |g: &Value| (queued(g).len() == 1).then(|| queued(g)[0].to_owned());
        world.merge("DeploymentGroup", "hello", desire("3")).await;
        let group =
            world.until("DeploymentGroup", "hello", "the first waits", |g| queued_one(g).is_some()).await;
        let first = queued_one(&group).expect("one");
        world.merge("DeploymentGroup", "hello", desire("4")).await;
        let stopped = world.until_phase(&first, "Stopped").await;
        assert!(message(&stopped).contains("superseded by"), "{}", message(&stopped));
        world.merge("Deployment", "running", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        let served = vec![("hello-4".to_owned(), 100)];
        world.until("HTTPRoute", "hello", "version 4", |r| weights(r) == served).await;
    });
}

async fn start_silent_hook(world: &World, callee: &Callee, name: &str, more: Value) -> Value {
    world.apply(&parts::http_hook("later", &callee.url, None)).await;
    let revision = parts::revision("hello", "2", &[("BeforeAllowTraffic", "later")]);
    let made = world.create(parts::deployment(name, "hello", revision, more)).await;
    eventually("the hook is called", || async { (!callee.calls().is_empty()).then_some(()) }).await;
    made
}

#[test]
fn a_rollbacks_name_that_somebody_took_is_named_and_nothing_hangs() {
    in_world(|world| async move {
        let callee = Callee::start(202, "").await;
        let rollback = json!({"enabled": true, "events": ["DeploymentFailure"]});
        world.prepare("hello", json!({"autoRollback": rollback})).await;
        let made = start_silent_hook(&world, &callee, "bad", json!({})).await;
        let uid = made["metadata"]["uid"].as_str().expect("a uid");
        let name = sluice::engine::ending::rollback_name("bad", uid);
        world
            .create(parts::deployment(&name, "elsewhere", parts::revision("hello", "2", &[]), json!({})))
            .await;
        let running = world.get("Deployment", "bad").await;
        let id = &running["status"]["lifecycleEvents"][0]["executionId"];
        let results = json!([{"executionId": id, "status": "Failed", "message": "no"}]);
        world.merge("Deployment", "bad", json!({"spec": {"hookResults": results}})).await;
        world.until_settled("bad", "Failed").await;
        let says = |d: &Value| {
            let told = d["status"]["rollbackInfo"]["rollbackMessage"].as_str().unwrap_or_default();
            told.contains(&format!("NameTaken: another Deployment is named {name}; delete it"))
        };
        world.until("Deployment", "bad", "NameTaken", says).await;
        world.deploy("next", "hello", "2", json!({})).await;
        world.until_settled("next", "Succeeded").await;
        let other = world.get("Deployment", &name).await;
        assert_eq!(other["status"]["creator"], Value::Null, "it is nobody's rollback");
    });
}

#[test]
fn a_jobs_name_that_somebody_took_fails_the_hook_and_leaves_their_job_alone() {
    in_world(|world| async move {
        world.prepare_versions("hello", 2).await;
        world.apply(&parts::job_hook("check", "probe")).await;
        let revision = parts::revision("hello", "2", &[("BeforeAllowTraffic", "check")]);
        let made = world.create(parts::deployment("first", "hello", revision, json!({}))).await;
        let uid = made["metadata"]["uid"].as_str().expect("a uid");
        let before = sluice::api::EventName::BeforeAllowTraffic;
        let name = sluice::engine::hooks::job_name("first", uid, before, "check");
        let pod = json!({"containers": [{"name": "main", "image": "theirs"}], "restartPolicy": "Never"});
        world.create(parts::manifest("Job", &name, json!({"template": {"spec": pod}}))).await;
        world.apply(&parts::application("hello", "Function")).await;
        world.apply(&parts::group("hello", json!({}))).await;
        let failed = world.until_settled("first", "Failed").await;
        assert!(message(&failed).contains("Job"), "{}", message(&failed));
        let theirs = world.get("Job", &name).await;
        assert_eq!(theirs["spec"]["template"]["spec"]["containers"][0]["image"], "theirs");
        assert!(theirs["metadata"]["deletionTimestamp"].is_null());
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), untouched("hello"));
    });
}

#[test]
fn a_creator_cannot_be_claimed_by_labels_annotations_or_owners() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        let running = world.start_slow("running", "hello").await;
        world.deploy("honest", "hello", "2", json!({})).await;
        world.until_phase("honest", "Queued").await;
        let group = world.get("DeploymentGroup", "hello").await;
        let mut forged = parts::deployment("forged", "hello", parts::revision("hello", "2", &[]), json!({}));
        forged["metadata"]["labels"] =
            json!({"sluice.dev/creator": "AutoRollback", "sluice.dev/deployment-group": "hello"});
        forged["metadata"]["annotations"] = json!({
            "sluice.dev/rollback-of": running["metadata"]["uid"], "sluice.dev/creator": "AutoRollback",
        });
        forged["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "sluice.dev/v1alpha1", "kind": "DeploymentGroup", "name": "hello",
            "uid": group["metadata"]["uid"], "controller": true,
        }]);
        world.create(forged).await;
        let queued_forged = world.until_phase("forged", "Queued").await;
        assert_eq!(queued_forged["status"]["creator"], "User");
        assert_eq!(queued(&world.get("DeploymentGroup", "hello").await), ["honest", "forged"]);
        world.merge("Deployment", "running", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        let honest = world.until_settled("honest", "Succeeded").await;
        let forged = world.until_settled("forged", "Succeeded").await;
        assert_eq!(forged["status"]["creator"], "User");
        let start = |d: &Value| d["status"]["startTime"].as_str().unwrap_or_default().to_owned();
        assert!(start(&honest) <= start(&forged));
    });
}
