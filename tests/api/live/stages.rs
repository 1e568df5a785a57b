//! What kstatus makes of a deployment and its group, in every state that they go through.

use serde_json::{Value, json};

use super::kstatus::{KStatus, kstatus};
use super::world::{SLOW, in_world};

fn check(states: &[Value], of_phase: impl Fn(&str) -> KStatus) {
    let with_status: Vec<_> = states.iter().filter(|s| !s["status"]["phase"].is_null()).collect();
    assert!(!with_status.is_empty(), "it was looked at");
    for state in with_status {
        let is_seen = state["status"]["observedGeneration"] == state["metadata"]["generation"];
        let phase = state["status"]["phase"].as_str().unwrap_or_default();
        let expected = if is_seen { of_phase(phase) } else { KStatus::InProgress };
        if state["metadata"]["deletionTimestamp"].is_null() {
            assert_eq!(kstatus(state), expected, "{state:#}");
        }
        let conditions = state["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let has = |type_: &str| conditions.iter().any(|c| c["type"] == type_);
        assert!(has("Ready") && !(has("Reconciling") && has("Stalled")), "{state:#}");
        let is_true = |type_: &str| conditions.iter().all(|c| c["type"] != type_ || c["status"] == "True");
        assert!(is_true("Reconciling") && is_true("Stalled"), "there only while true: {state:#}");
    }
}

fn of_deployment(phase: &str) -> KStatus {
    match phase {
        "Succeeded" => KStatus::Current,
        "Failed" | "Stopped" => KStatus::Failed,
        _ => KStatus::InProgress,
    }
}

fn of_group(phase: &str) -> KStatus {
    match phase {
        "Ready" => KStatus::Current,
        "Failed" | "Stopped" | "RolledBack" => KStatus::Failed,
        _ => KStatus::InProgress,
    }
}

fn phases(states: &[Value]) -> Vec<String> {
    let mut phases: Vec<_> =
        states.iter().filter_map(|s| s["status"]["phase"].as_str().map(str::to_owned)).collect();
    phases.dedup();
    phases
}

#[test]
fn kstatus_sees_in_progress_until_the_end_then_current_or_failed() {
    in_world(|world| async move {
        let (deployments, groups) = (world.record("Deployment").await, world.record("DeploymentGroup").await);
        world.prepare("hello", json!({})).await;
        let ready = |g: &Value| kstatus(g) == KStatus::Current && g["status"]["phase"] == "Ready";
        world.until("DeploymentGroup", "hello", "Ready before the first deployment", ready).await;
        world.start_slow("first", "hello").await;
        world.deploy("second", "hello", "2", json!({})).await;
        world.until_phase("second", "Queued").await;
        world.merge("Deployment", "first", json!({"spec": {"stop": {"autoRollback": true}}})).await;
        world.until_settled("first", "Stopped").await;
        world.until_settled("second", "Succeeded").await;
        world
            .deploy("third", "hello", "7", json!({"deploymentConfigName": "CodeDeployDefault.ECSAllAtOnce"}))
            .await;
        world.until_settled("third", "Failed").await;
        let failed = |g: &Value| kstatus(g) == KStatus::Failed;
        world.until("DeploymentGroup", "hello", "Failed after the third deployment", failed).await;
        for name in ["first", "second", "third"] {
            check(&deployments.of(name), of_deployment);
        }
        check(&groups.of("hello"), of_group);
        assert_eq!(phases(&deployments.of("first")), ["InProgress", "Stopped"]);
        assert_eq!(phases(&deployments.of("second")), ["Queued", "InProgress", "Succeeded"]);
        let stages = phases(&groups.of("hello"));
        assert_eq!(stages.first().map(String::as_str), Some("Ready"), "{stages:?}");
        assert_eq!(stages.last().map(String::as_str), Some("Failed"), "{stages:?}");
    });
}

#[test]
fn the_small_kinds_are_current_once_they_were_looked_at() {
    in_world(|world| async move {
        world.prepare("hello", json!({})).await;
        for (kind, name) in [("Application", "hello"), ("DeploymentConfig", SLOW)] {
            let looked_at = |o: &Value| o["status"]["observedGeneration"] == o["metadata"]["generation"];
            let seen = world.until(kind, name, "it was looked at", looked_at).await;
            assert_eq!(kstatus(&seen), KStatus::Current, "{kind}");
        }
        let counted = |a: &Value| a["status"]["deploymentGroups"] == 1;
        world.until("Application", "hello", "its group is counted", counted).await;
    });
}
