//! Stops at the phases beside the shift, each with a rollback and without one, and the wait that nobody continues.

use serde_json::{Value, json};

use super::ends::{stop, test_is_back};
use super::{TASK_SET, begin, size, task_set, task_set_of, went_back};
use crate::checks;
use crate::manifests::{ROLLS_BACK, job_hook};
use crate::service_manifests::{STANDS, group, pod_template_of};
use crate::story::{DEPLOYMENT, ROUTE, Story};

/// Deploys with a hook at `event` that takes a while, and waits until it runs.
pub(super) async fn begin_hook(story: &Story, event: &str, more: &str) {
    story.apply(&job_hook("check", &["sleep", "8s", "0"])).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, more)).await;
    begin(story, &[(event, "check")]).await;
    let runs = |d: &Value| {
        let events = d["status"]["lifecycleEvents"].as_array().cloned().unwrap_or_default();
        events.iter().any(|e| e["name"] == *event && e["started"] == true)
    };
    story.until(DEPLOYMENT, "to-2", "the hook runs", runs).await;
}

pub(super) fn no_rollback_follows(stopped: &Value) {
    assert!(stopped["status"]["rollbackInfo"].get("rollbackDeployment").is_none(), "{}", stopped["status"]);
}

pub(super) fn message(deployment: &Value) -> &str {
    deployment["status"]["message"].as_str().unwrap_or_default()
}

/// The hook ends first; nothing was made, so that nothing is rolled back.
pub async fn in_before_install(mut story: Story) {
    begin_hook(&story, "BeforeInstall", ROLLS_BACK).await;
    let stopped = stop(&story).await;
    no_rollback_follows(&stopped);
    assert_eq!(checks::event(&stopped, "Install")["status"], "Skipped");
    assert_eq!(story.list(TASK_SET).await.len(), 1, "no task set was made");
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// Deploys an image that cannot be pulled, and waits until Install says so.
async fn begin_install(story: &Story, more: &str) {
    story.apply(&pod_template_of(2, "sluice/nowhere:none")).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, more)).await;
    begin(story, &[]).await;
    let is_held = |d: &Value| message(d).contains("cannot pull its image");
    story.until(DEPLOYMENT, "to-2", "Install waits for its pods", is_held).await;
}

/// The replacement goes; no weight was ever moved.
pub async fn in_install(mut story: Story) {
    begin_install(&story, ROLLS_BACK).await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The task set stays, and the message says which.
pub async fn in_install_without_rollback(mut story: Story) {
    begin_install(&story, "").await;
    let stopped = stop(&story).await;
    no_rollback_follows(&stopped);
    let name = task_set_of(&stopped);
    assert!(message(&stopped).contains(&name), "{}", message(&stopped));
    assert_eq!(size(&story, &name).await, 2, "it is left as it is");
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// Only test traffic had moved: it goes back, then the replacement goes.
pub async fn while_tested(mut story: Story) {
    begin_hook(&story, "AfterAllowTestTraffic", ROLLS_BACK).await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The test listener stays on the replacement, which stays as well.
pub async fn while_tested_without_rollback(mut story: Story) {
    begin_hook(&story, "AfterAllowTestTraffic", "").await;
    let stopped = stop(&story).await;
    no_rollback_follows(&stopped);
    assert!(message(&stopped).contains("hello-test, the test listener, stays"), "{}", message(&stopped));
    let test = story.get(ROUTE, "hello-test").await;
    assert_eq!(crate::record::share(&test["spec"]["rules"][0], "hello-b"), 100, "{}", test["spec"]);
    assert_eq!(size(&story, &task_set_of(&stopped)).await, 2);
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// All traffic stays on the replacement, and the original stands.
pub async fn in_termination_wait_without_rollback(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, "")).await;
    begin(&story, &[]).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    story.until(DEPLOYMENT, "to-2", "the original stands", waits).await;
    let stopped = stop(&story).await;
    no_rollback_follows(&stopped);
    assert!(
        message(&stopped).contains("To go back, deploy PodTemplate web-1 again"),
        "{}",
        message(&stopped)
    );
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 2, "the original stands");
    story.end_on(Some("hello-b"), Some(2)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}

/// The split stays, both sides stand, and the message says what stands where.
pub async fn mid_shift_without_rollback(mut story: Story) {
    story.apply(&group("slow-canary", STANDS, "")).await;
    begin(&story, &[]).await;
    crate::courses::stops::has_share(&story, "hello-b", 30).await;
    let stopped = stop(&story).await;
    no_rollback_follows(&stopped);
    for said in ["70 % on hello-a, 30 % on hello-b", "PodTemplate web-1 behind", "PodTemplate web-2 behind"] {
        assert!(message(&stopped).contains(said), "{}", message(&stopped));
    }
    assert_eq!(size(&story, &task_set_of(&stopped)).await, 2);
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 2);
    story.end_on(None, None).await.is_lossless();
    assert_eq!(story.record.shares("hello-b"), [0, 30]);
}

/// Stopped while it waits for somebody's word: test traffic goes back, then the replacement goes.
pub async fn while_ready_with_rollback(mut story: Story) {
    let waits =
        "deploymentReady: {actionOnTimeout: StopDeployment, wait: 10m}, terminateOriginal: {wait: 10m}";
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", waits, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Ready").await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// Nobody continues it: it is stopped at the wait's end, and cleaned up.
pub async fn ready_wait_expires(mut story: Story) {
    let waits = "deploymentReady: {actionOnTimeout: StopDeployment, wait: 6s}, terminateOriginal: {wait: 5s}";
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", waits, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Ready").await;
    let stopped = story.phase("to-2", "Stopped").await;
    assert_eq!(stopped["status"]["errorInformation"]["code"], "Timeout");
    assert!(message(&stopped).contains("nobody continued the deployment within 6s"), "{}", message(&stopped));
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The Application goes while traffic moves: the rollback runs all the same.
pub async fn without_its_application(mut story: Story) {
    story.apply(&group("slow-canary", STANDS, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    crate::courses::stops::has_share(&story, "hello-b", 30).await;
    story.delete(("sluice.dev/v1alpha1", "Application"), "web").await;
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {}}})).await;
    story.phase("to-2", "Stopped").await;
    went_back(&story, "to-2").await;
    story.apply(&crate::service_manifests::settings()).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 30, 0]);
}
