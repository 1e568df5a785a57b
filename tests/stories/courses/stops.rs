//! Stops, and more than one Deployment of a group: replaced, refused, queued, deleted.

use serde_json::{Value, json};

use super::hooks::was_rolled_back;
use crate::checks;
use crate::manifests::{app_spec, deployment, group, job_hook, versions};
use crate::story::{DEPLOYMENT, GROUP, ROUTE, Story};

/// Starts a canary of 30 % that would last 25 s more, and waits until it has its share.
async fn begin_canary(story: &Story, policy: &str) {
    story.apply(&group("slow-canary", policy)).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(story, "hello-2", 30).await;
}

/// Waits until the route gives a Service that share and the gateway has taken it.
pub async fn has_share(story: &Story, service: &str, percent: i64) {
    let has = |r: &Value| {
        let rules = r["spec"]["rules"].as_array().cloned().unwrap_or_default();
        let seen = r.pointer("/status/parents/0/conditions/0/observedGeneration");
        rules.iter().all(|rule| crate::record::share(rule, service) == percent)
            && seen == r["metadata"].get("generation")
    };
    story.until(ROUTE, "hello", &format!("{percent} % on {service}"), has).await;
}

fn was_stopped(stopped: &Value) {
    assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
    assert_eq!(checks::reason(stopped), "ManualStop");
    assert_eq!(stopped["status"]["stop"]["status"], "Succeeded", "{}", stopped["status"]["stop"]);
}

/// A stop that asks for a rollback: a new Deployment puts the traffic back.
pub async fn with_rollback(mut story: Story) {
    begin_canary(&story, "").await;
    story.plugin(&["stop-deployment", "to-2", "--auto-rollback-enabled"]).await;
    let stopped = story.phase("to-2", "Stopped").await;
    was_stopped(&stopped);
    checks::steps_are(&stopped, &[30]);
    checks::course_is(&stopped, ["Succeeded", "Failed", "Skipped"]);
    checks::traffic_is(&stopped, ("hello-1", 70), ("hello-2", 30));
    was_rolled_back(&story, "to-2").await;
    let late = json!({"spec": {"continue": {"readyWait": true}}});
    let refused = story.try_patch(DEPLOYMENT, "to-2", &late).await.expect_err("too late").to_string();
    assert!(refused.contains("already completed"), "{refused}");
    story.end(Some(1)).await;
    assert_eq!(story.record.shares("hello-2"), [0, 30, 0]);
}

/// A stop without rollback leaves the split and says how to repair it; the repair works.
pub async fn without_rollback(mut story: Story) {
    begin_canary(&story, "").await;
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {}}})).await;
    let stopped = story.phase("to-2", "Stopped").await;
    was_stopped(&stopped);
    checks::traffic_is(&stopped, ("hello-1", 70), ("hello-2", 30));
    assert!(stopped["status"]["rollbackInfo"].get("rollbackDeployment").is_none());
    let message = stopped["status"]["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("70 % on hello-1, 30 % on hello-2")
            && message.contains("kubectl edit httproute hello"),
        "{message}"
    );
    let group = story.until(GROUP, "hello", "it is stopped", |g| g["status"]["phase"] == "Stopped").await;
    assert_eq!(checks::conditions(&group), [("Ready", "False"), ("Stalled", "True")]);
    let split = story.measure(5).await;
    let load = story.end(None).await;
    let told = load.share_is(2, 30, split);
    assert!(told >= 100, "only {told} requests");
    assert_eq!(story.list(DEPLOYMENT).await.len(), 1, "no rollback was created");
    assert_eq!(story.record.shares("hello-2"), [0, 30]);
}

/// A stop while a hook runs is pending until the hook has ended; then nothing more starts.
pub async fn while_hook_runs(mut story: Story) {
    story.apply(&job_hook("check", &["sleep", "8s", "0"])).await;
    story.apply(&group("CodeDeployDefault.LambdaAllAtOnce", "")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[("BeforeAllowTraffic", "check")]), "")).await;
    let runs = |d: &Value| d["status"]["lifecycleEvents"][0]["started"] == true;
    story.until(DEPLOYMENT, "to-2", "its hook runs", runs).await;
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {}}})).await;
    let is_pending = |d: &Value| d["status"]["stop"]["status"] == "Pending";
    let pending = story.until(DEPLOYMENT, "to-2", "the stop is pending", is_pending).await;
    assert_eq!(pending["status"]["phase"], "InProgress");
    let stopped = story.phase("to-2", "Stopped").await;
    was_stopped(&stopped);
    checks::course_is(&stopped, ["Succeeded", "Skipped", "Skipped"]);
    story.end(Some(1)).await;
    assert_eq!(story.record.shares("hello-2"), [0]);
}

/// `Replace`: the newer one takes over after the older one's traffic went back.
pub async fn replace(mut story: Story) {
    story.apply(&versions(&[3])).await;
    story.await_version(3).await;
    begin_canary(&story, "  concurrencyPolicy: Replace").await;
    story.apply(&deployment("to-3", &app_spec(None, 3, &[]), "  deploymentConfigName: canary")).await;
    let replaced = story.phase("to-2", "Stopped").await;
    assert_eq!(replaced["status"]["errorInformation"]["code"], "ManualStop");
    let message = replaced["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("replaced by to-3"), "{message}");
    assert_eq!(checks::weights(&replaced), [30, 0]);
    checks::traffic_is(&replaced, ("hello-1", 100), ("hello-2", 0));
    let deployed = story.phase("to-3", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    checks::traffic_is(&deployed, ("hello-1", 0), ("hello-3", 100));
    story.end(Some(3)).await;
    assert_eq!(story.list(DEPLOYMENT).await.len(), 2, "no rollback object");
    assert_eq!(story.record.shares("hello-2"), [0, 30, 0]);
    assert_eq!(story.record.shares("hello-3"), [0, 25, 100]);
}

/// `Reject`: the second one fails at once and names the first; the first goes on.
pub async fn reject(mut story: Story) {
    story.apply(&group("canary", "  concurrencyPolicy: Reject")).await;
    story.apply(&deployment("to-2", &app_spec(Some(1), 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.apply(&deployment("again", &app_spec(None, 2, &[]), "")).await;
    let refused = story.phase("again", "Failed").await;
    assert_eq!(refused["status"]["errorInformation"]["code"], "DeploymentLimitExceeded");
    let message = refused["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("to-2"), "{message}");
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[25, 100]);
    story.end(Some(2)).await;
}

/// Three at once: one runs, two wait, in the order of their creation.
pub async fn queue(mut story: Story) {
    story.apply(&versions(&[3])).await;
    story.await_version(3).await;
    story.apply(&group("canary", "")).await;
    story.apply(&deployment("first", &app_spec(None, 2, &[]), "")).await;
    has_share(&story, "hello-2", 25).await;
    story.apply(&deployment("second", &app_spec(None, 3, &[]), "")).await;
    story.phase("second", "Queued").await;
    story
        .apply(&deployment(
            "third",
            &app_spec(None, 1, &[]),
            "  deploymentConfigName: CodeDeployDefault.LambdaAllAtOnce",
        ))
        .await;
    let queued = story.phase("third", "Queued").await;
    assert_eq!(checks::conditions(&queued), [("Ready", "False"), ("Reconciling", "True")]);
    let group = story.get(GROUP, "hello").await;
    let waiting: Vec<_> = group["status"]["queuedDeployments"]
        .as_array()
        .expect("a queue")
        .iter()
        .map(|q| &q["name"])
        .collect();
    assert_eq!(waiting, ["second", "third"]);
    let mut ended = None;
    for name in ["first", "second", "third"] {
        let deployment = story.phase(name, "Succeeded").await;
        let begun = deployment["status"]["startTime"].as_str().map(str::to_owned);
        assert!(begun > ended, "{name} began at {begun:?}, the one before ended at {ended:?}");
        ended = deployment["status"]["completeTime"].as_str().map(str::to_owned);
    }
    story.end(Some(1)).await;
}

/// A running Deployment that is deleted puts the traffic back before it goes.
pub async fn delete(mut story: Story) {
    begin_canary(&story, "").await;
    story.delete(DEPLOYMENT, "to-2").await;
    story.gone(DEPLOYMENT, "to-2").await;
    let route = story.get(ROUTE, "hello").await;
    assert_eq!(
        crate::record::share(&route["spec"]["rules"][1], "hello-1"),
        100,
        "the traffic is back before it is gone"
    );
    let is_free = |g: &Value| g["status"].get("activeDeployment").is_none();
    story.until(GROUP, "hello", "it is free again", is_free).await;
    story
        .apply(&deployment(
            "to-2",
            &app_spec(Some(1), 2, &[]),
            "  deploymentConfigName: CodeDeployDefault.LambdaAllAtOnce",
        ))
        .await;
    story.phase("to-2", "Succeeded").await;
    story.end(Some(2)).await;
    assert_eq!(story.record.shares("hello-2"), [0, 30, 0, 100]);
}
