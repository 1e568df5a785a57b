//! Deletion: what is owned goes, what runs puts its traffic back first, and nothing is held for good.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::callee::Callee;
use super::parts;
use super::world::{World, finalizers, in_world, split, weights};
use crate::server::{create_namespace, eventually, with_namespace};

const TRAFFIC: &str = "sluice.dev/traffic";

#[test]
fn a_deployment_is_held_from_its_start_to_its_end_and_at_no_other_time() {
    in_world(|world| async move {
        let record = world.record("Deployment").await;
        world.prepare("hello", json!({})).await;
        world.start_slow("first", "hello").await;
        world.deploy("second", "hello", "2", json!({})).await;
        world.until_phase("second", "Queued").await;
        world.merge("Deployment", "first", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        world.until_settled("first", "Stopped").await;
        world.until_settled("second", "Succeeded").await;
        for name in ["first", "second"] {
            // The record comes by a watch of its own, later than what was just read.
            let whole = || async {
                Some(record.of(name)).filter(|s| s.last().is_some_and(|l| finalizers(l).is_empty()))
            };
            let states = eventually(&format!("{name} is let go of in the record"), whole).await;
            let held: Vec<_> = states.iter().map(|s| finalizers(s).iter().any(|f| f == TRAFFIC)).collect();
            let from = held.iter().position(|held| *held).expect("it was held");
            let to = held.iter().rposition(|held| *held).expect("it was held");
            assert!(held[from..=to].iter().all(|held| *held), "{name}: held without a break");
            for state in &states[..from] {
                let traffic = &state["status"]["traffic"]["steps"];
                assert!(traffic.as_array().is_none_or(Vec::is_empty), "{name}: no step before it is held");
                assert_ne!(state["status"]["phase"], "Succeeded");
            }
        }
    });
}

#[test]
fn deleting_a_group_deletes_what_it_made_and_not_what_others_made() {
    in_world(|world| async move {
        world.prepare("hello", json!({"revision": parts::revision("hello", "2", &[])})).await;
        let ready =
            |g: &Value| g["status"]["phase"] == "Ready" && !g["status"]["lastSuccessfulDeployment"].is_null();
        let group = world.until("DeploymentGroup", "hello", "its desired revision serves", ready).await;
        let made = group["status"]["lastSuccessfulDeployment"]["name"].as_str().expect("a name").to_owned();
        world.deploy("mine", "hello", "2", json!({})).await;
        world.until_settled("mine", "Succeeded").await;
        world.delete("DeploymentGroup", "hello").await;
        world.until_gone("DeploymentGroup", "hello").await;
        world.until_gone("Deployment", &made).await;
        assert!(world.find("Deployment", "mine").await.is_some(), "it was somebody's");
        assert_eq!(
            weights(&world.get("HTTPRoute", "hello").await),
            split("hello", 0, 100),
            "what serves goes on"
        );
    });
}

#[test]
fn deleting_a_running_deployment_puts_the_traffic_back_before_it_goes() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.start_slow("first", "hello").await;
        world.delete_with("Deployment", "first", &DeleteParams::foreground()).await;
        world.until_gone("Deployment", "first").await;
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 100, 0));
        let free = |g: &Value| g["status"]["activeDeployment"].is_null() && g["status"]["phase"] == "Stopped";
        world.until("DeploymentGroup", "hello", "it knows how that one ended", free).await;
        world.deploy("second", "hello", "2", json!({})).await;
        world.until_settled("second", "Succeeded").await;
    });
}

#[test]
fn a_gateway_that_keeps_silent_is_awaited_before_a_deleted_deployment_goes() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.start_slow("first", "hello").await;
        world.gateway.be_silent();
        world.delete("Deployment", "first").await;
        let back = |r: &Value| weights(r) == split("hello", 100, 0);
        world.until("HTTPRoute", "hello", "the traffic is put back", back).await;
        let way = |d: &Value| d["status"]["conditions"][0]["reason"] == "PuttingTrafficBack";
        world.until("Deployment", "first", "it says what it does", way).await;
        world.gateway.answer();
        world.until_gone("Deployment", "first").await;
    });
}

#[test]
fn a_running_deployment_whose_route_goes_too_is_let_go_at_once() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.start_slow("first", "hello").await;
        world.gateway.be_silent();
        world.delete("HTTPRoute", "hello").await;
        world.until_gone("HTTPRoute", "hello").await;
        let asked = std::time::Instant::now();
        world.delete("Deployment", "first").await;
        world.until_gone("Deployment", "first").await;
        assert!(asked.elapsed().as_secs() < 25, "it waits for no gateway: {:?}", asked.elapsed());
    });
}

#[test]
fn a_group_that_is_deleted_while_its_deployment_runs_takes_its_own_along_and_the_traffic_goes_back() {
    in_world(|world| async move {
        let revision = parts::revision("hello", "2", &[]);
        world.prepare("hello", json!({"revision": revision, "deploymentConfigName": "slow"})).await;
        let moved = |r: &Value| weights(r) == split("hello", 90, 10);
        world.until("HTTPRoute", "hello", "the first step", moved).await;
        world.delete_with("DeploymentGroup", "hello", &DeleteParams::foreground()).await;
        world.until_gone("DeploymentGroup", "hello").await;
        eventually("what it made is gone", || async {
            world.list("Deployment").await.is_empty().then_some(())
        })
        .await;
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 100, 0));
    });
}

/// The API server's garbage collector deletes a group's rollback with it: who comes too late to begin it still takes back.
#[test]
fn a_rollback_that_has_not_begun_puts_the_traffic_back_though_its_group_is_deleted_in_the_foreground() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.start_slow("first", "hello").await;
        world.merge("Deployment", "first", json!({"spec": {"stop": {"autoRollback": false}}})).await;
        let stopped = world.until_settled("first", "Stopped").await;
        world.take("one").kill();
        let rollback = name_rollback(&world, &stopped).await;
        world.delete_with("DeploymentGroup", "hello", &DeleteParams::foreground()).await;
        world.until_gone("DeploymentGroup", "hello").await;
        let is_going = |d: &Value| !d["metadata"]["deletionTimestamp"].is_null();
        world.until("Deployment", &rollback, "the garbage collector deletes it", is_going).await;
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 90, 10));

        world.start("two");
        world.until_gone("Deployment", &rollback).await;
        assert_eq!(weights(&world.get("HTTPRoute", "hello").await), split("hello", 100, 0));
        world.until_settled("first", "Stopped").await;
    });
}

/// Does what a controller would have done that was killed behind it: the end of `of` names a rollback, and that one is there.
/// Answers its name.
async fn name_rollback(world: &World, of: &Value) -> String {
    let (name, uid) = ("first", of["metadata"]["uid"].as_str().expect("a uid"));
    let rollback = sluice::engine::ending::rollback_name(name, uid);
    world.merge("Deployment", name, json!({"metadata": {"finalizers": [TRAFFIC]}})).await;
    let info = json!({"rollbackDeployment": rollback, "rollbackMessage": "rolling back to version 1"});
    let patch = kube::api::Patch::Merge(json!({"status": {"rollbackInfo": info}}));
    let named = world.api("Deployment").patch_status(name, &kube::api::PatchParams::default(), &patch).await;
    named.expect("its end");
    let content = json!({
        "version": 0.0,
        "Resources": [{"hello": {"Type": "Sluice::Function", "Properties": {
            "Name": "hello", "Alias": "live", "CurrentVersion": "2", "TargetVersion": "1",
        }}}],
    });
    let revision = json!({"appSpecContent": {"content": content.to_string()}});
    let mut made = parts::deployment(&rollback, "hello", revision, json!({}));
    let group = world.get("DeploymentGroup", "hello").await;
    made["metadata"]["annotations"] = json!({"sluice.dev/rollback-of": uid});
    made["metadata"]["finalizers"] = json!([TRAFFIC]);
    made["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "sluice.dev/v1alpha1", "kind": "DeploymentGroup", "name": "hello", "uid": group["metadata"]["uid"],
    }]);
    world.create(made).await;
    rollback
}

/// Starts a deployment and waits until the Job of its first hook is there; answers the Job's name.
pub async fn start_job(world: &World, name: &str) -> String {
    let revision = parts::revision("hello", "2", &[("BeforeAllowTraffic", "check")]);
    let made = world.create(parts::deployment(name, "hello", revision, json!({}))).await;
    let uid = made["metadata"]["uid"].as_str().expect("a uid");
    let before = sluice::api::EventName::BeforeAllowTraffic;
    let job = sluice::engine::hooks::job_name(name, uid, before, "check");
    let held = |j: &Value| finalizers(j).iter().any(|f| f == "sluice.dev/hook-result");
    world.until("Job", &job, "it is started and held", held).await;
    job
}

#[test]
fn the_jobs_of_a_deployment_go_with_it_whether_it_ran_or_had_ended() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.prepare("other", json!({})).await;
        world.apply(&parts::job_hook("check", "probe")).await;
        let job = start_job(&world, "first").await;
        world.delete("Deployment", "first").await;
        world.until_gone("Deployment", "first").await;
        world.until_gone("Job", &job).await;

        let job = start_job(&world, "second").await;
        end_job(&world, &job, "Complete").await;
        world.until_settled("second", "Succeeded").await;
        let let_go = |j: &Value| finalizers(j).is_empty();
        world.until("Job", &job, "it is let go of once its end is on record", let_go).await;
        assert!(world.find("Job", &job).await.is_some(), "it stays to be looked at");
        world.delete_with("Deployment", "second", &DeleteParams::foreground()).await;
        world.until_gone("Deployment", "second").await;
        world.until_gone("Job", &job).await;
    });
}

/// What the Job controller would write.
async fn end_job(world: &World, name: &str, end: &str) {
    let now = "2026-01-02T03:04:05Z";
    let word = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now, "lastProbeTime": now});
    let conditions = match end {
        "Complete" => json!([word("SuccessCriteriaMet"), word("Complete")]),
        _ => json!([word("FailureTarget"), word("Failed")]),
    };
    let mut status = json!({"conditions": conditions, "startTime": now});
    if end == "Complete" {
        status["completionTime"] = json!(now);
        status["succeeded"] = json!(1);
    }
    let patch = kube::api::Patch::Merge(json!({"status": status}));
    let ended = world.api("Job").patch_status(name, &kube::api::PatchParams::default(), &patch).await;
    ended.expect("its end");
}

#[test]
fn a_job_that_fails_fails_its_deployment_and_one_that_vanishes_does_too() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        world.apply(&parts::job_hook("check", "probe")).await;
        let job = start_job(&world, "first").await;
        end_job(&world, &job, "Failed").await;
        let failed = world.until_phase("first", "Failed").await;
        assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
        let job = start_job(&world, "second").await;
        world.delete("Job", &job).await;
        let failed = world.until_phase("second", "Failed").await;
        let says = failed["status"]["message"].as_str().unwrap_or_default();
        assert!(says.contains("was deleted before its end"), "{says}");
        world.until_gone("Job", &job).await;
        world.until_settled("second", "Failed").await;
    });
}

#[test]
fn a_namespace_goes_though_deployments_run_wait_and_hold_jobs_in_it() {
    with_namespace(|client, namespace| async move {
        let home = create_namespace(&client).await;
        let world = World::new(client, namespace, home, None).await;
        world.start("one");
        world.until_led_by("one").await;
        world.prepare("hello", json!({})).await;
        world.prepare("other", json!({})).await;
        world.apply(&parts::job_hook("check", "probe")).await;
        world.start_slow("running", "other").await;
        start_job(&world, "checking").await;
        world.deploy("waiting", "hello", "2", json!({})).await;
        world.until_phase("waiting", "Queued").await;
        world.delete("Namespace", &world.namespace).await;
        world.until_gone("Namespace", &world.namespace).await;
        world.expect_enough_rights();
    });
}

#[test]
fn a_hook_that_is_silent_does_not_keep_a_deleted_deployment() {
    in_world(|world| async move {
        let callee = Callee::start(202, "").await;
        world.prepare("hello", json!({})).await;
        world.apply(&parts::http_hook("later", &callee.url, None)).await;
        let revision = parts::revision("hello", "2", &[("BeforeAllowTraffic", "later")]);
        world.create(parts::deployment("first", "hello", revision, json!({}))).await;
        eventually("the hook is called", || async { (!callee.calls().is_empty()).then_some(()) }).await;
        world.delete("Deployment", "first").await;
        world.until_gone("Deployment", "first").await;
    });
}
