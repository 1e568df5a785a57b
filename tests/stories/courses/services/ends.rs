//! Ends other than success: a hook fails at each event, a stop comes at each phase, Install never ends.

use serde_json::{Value, json};

use super::{TASK_SET, begin, size, task_set, task_set_of, went_back};
use crate::checks;
use crate::courses::stops::has_share;
use crate::manifests::{ROLLS_BACK, deployment, http_hook, job_hook};
use crate::service_manifests::{SOON, STANDS, app_spec, group, pod_template_of};
use crate::story::{DEPLOYMENT, GROUP, ROUTE, Story};

/// Deploys with a hook that says Failed at `event`; answers the failed Deployment.
async fn fail_at(story: &Story, event: &str) -> Value {
    story.apply(&http_hook("check", "fail", "1m")).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, ROLLS_BACK)).await;
    begin(story, &[(event, "check")]).await;
    let failed = story.phase("to-2", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "HookExecutionFailure");
    assert_eq!(checks::event(&failed, event)["status"], "Failed");
    failed
}

/// Nothing was made yet, so that nothing is rolled back.
pub async fn before_install(mut story: Story) {
    let failed = fail_at(&story, "BeforeInstall").await;
    assert!(failed["status"]["rollbackInfo"].get("rollbackDeployment").is_none(), "{}", failed["status"]);
    assert_eq!(story.list(TASK_SET).await.len(), 1);
    story.end_on(Some("hello-a"), Some(1)).await;
}

/// The replacement stands, and goes.
pub async fn after_install(mut story: Story) {
    fail_at(&story, "AfterInstall").await;
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The test listener goes back as well.
pub async fn after_test_traffic(mut story: Story) {
    fail_at(&story, "AfterAllowTestTraffic").await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The last word before traffic moves.
pub async fn before_traffic(mut story: Story) {
    fail_at(&story, "BeforeAllowTraffic").await;
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// All traffic had moved: it goes back at once, and the replacement after the drain.
pub async fn after_traffic(mut story: Story) {
    fail_at(&story, "AfterAllowTraffic").await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100, 0]);
}

pub(super) async fn test_is_back(story: &Story) {
    let test = story.get(ROUTE, "hello-test").await;
    assert_eq!(crate::record::share(&test["spec"]["rules"][0], "hello-a"), 100, "{}", test["spec"]);
}

pub(super) async fn stop(story: &Story) -> Value {
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {}}})).await;
    let stopped = story.phase("to-2", "Stopped").await;
    assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
    stopped
}

/// Stopped while traffic moves: the weights go back at once.
pub async fn stopped_mid_shift(mut story: Story) {
    story.apply(&group("slow-canary", STANDS, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 30).await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 30, 0]);
}

/// Stopped while the original still stands: it takes over within a step.
pub async fn stopped_in_termination_wait(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    story.until(DEPLOYMENT, "to-2", "the original stands", waits).await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100, 0]);
}

/// Stopped while it waits for somebody's word, without rollback: everything stays as it is, and the message says what stands where.
pub async fn stopped_while_ready(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", "deploymentReady: {wait: 10m}", "")).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Ready").await;
    let stopped = stop(&story).await;
    let message = stopped["status"]["message"].as_str().unwrap_or_default();
    let name = task_set_of(&stopped);
    assert!(message.contains("All traffic is on hello-a") && message.contains(&name), "{message}");
    assert_eq!(size(&story, &name).await, 2, "it is left as it is");
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// An image that cannot be pulled: named within seconds, a Timeout in the end, and the original was never touched.
pub async fn install_times_out(mut story: Story) {
    story.apply(&pod_template_of(2, "sluice/nowhere:none")).await;
    let more = format!("    installTimeout: 25s\n{ROLLS_BACK}");
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, &more)).await;
    begin(&story, &[]).await;
    let is_named = |d: &Value| {
        let message = d["status"]["message"].as_str().unwrap_or_default();
        message.contains("cannot pull its image sluice/nowhere:none")
    };
    let held = story.until(DEPLOYMENT, "to-2", "it says what holds the pods back", is_named).await;
    assert_eq!(held["status"]["phase"], "InProgress", "long before the time is over: {}", held["status"]);
    let failed = story.phase("to-2", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "Timeout");
    assert!(is_named(&failed), "{}", failed["status"]);
    went_back(&story, "to-2").await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// Deleted mid-way: traffic goes back, the replacement goes, then the object.
pub async fn deleted_mid_shift(mut story: Story) {
    story.apply(&group("slow-canary", SOON, "")).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 30).await;
    let name = task_set_of(&story.get(DEPLOYMENT, "to-2").await);
    story.delete(DEPLOYMENT, "to-2").await;
    story.gone(DEPLOYMENT, "to-2").await;
    test_is_back(&story).await;
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 2);
    story.gone(TASK_SET, &name).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 30, 0]);
}

/// Sets the weights of the pair, sees the Deployment refused for it, and sets them back.
async fn split_by_hand(story: &Story, name: &str, (a, b): (i32, i32), reason: &str) {
    let set = async |backends: Value| {
        let rule = |index: u32| json!({"op": "replace", "path": format!("/spec/rules/{index}/backendRefs"), "value": backends});
        story.edit(ROUTE, "hello", json!([rule(0), rule(1)])).await;
    };
    let backend = |service: &str, weight: i32| json!({"name": service, "port": 80, "weight": weight});
    set(json!([backend("hello-a", a), backend("hello-b", b)])).await;
    story.apply(&deployment(name, &app_spec(2, &[]), "")).await;
    let failed = story.phase(name, "Failed").await;
    let message = failed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains(reason) && message.contains("No traffic was moved"), "{message}");
    set(json!([backend("hello-a", 1)])).await;
}

/// A group that wants no pods: the Deployment says so, and makes nothing.
async fn without_replicas(story: &Story) {
    let made = story.list(TASK_SET).await.len();
    story.patch(GROUP, "hello", &json!({"spec": {"service": {"replicas": 0}}})).await;
    story.apply(&deployment("nobody", &app_spec(2, &[]), "")).await;
    let waits = |d: &Value| checks::reason(d) == "NoReplicas";
    story.until(DEPLOYMENT, "nobody", "it says that nobody could take traffic", waits).await;
    assert_eq!(story.list(TASK_SET).await.len(), made, "nothing was made");
    story.delete(DEPLOYMENT, "nobody").await;
    story.gone(DEPLOYMENT, "nobody").await;
    story.patch(GROUP, "hello", &json!({"spec": {"service": {"replicas": 2}}})).await;
}

/// What cannot be deployed is refused by name, and nothing moves.
pub async fn bad_input(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, "")).await;
    let refused = |port: u32| app_spec(2, &[]).replace("8080", &port.to_string());
    story.apply(&deployment("port", &refused(9090), "")).await;
    let failed = story.phase("port", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidServiceConfiguration");
    let message = failed["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("has no containerPort 9090"), "{message}");
    story.apply(&deployment("aws", "version: 0.0\nResources: [{TargetService: {Type: AWS::ECS::Service, Properties: {TaskDefinition: \"arn:aws:ecs:eu-west-1:1:task-definition/web:2\", LoadBalancerInfo: {ContainerName: sample, ContainerPort: 8080}}}}]", "")).await;
    let failed = story.phase("aws", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "InvalidRevision");
    // What follows costs requests by the user's own hand.
    story.pause_load().await;
    split_by_hand(&story, "split", (60, 40), "SplitTraffic").await;
    split_by_hand(&story, "neither", (0, 0), "NotServed").await;
    without_replicas(&story).await;
    let serving = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    story.until(TASK_SET, &serving, "it is back", |t| t["status"]["readyReplicas"] == 2).await;
    story.resume_load().await;
    story.apply(&deployment("missing", &app_spec(7, &[]), "")).await;
    let is_named = |d: &Value| checks::reason(d) == "PodTemplateMissing";
    story.until(DEPLOYMENT, "missing", "it names what is missing", is_named).await;
    story.apply(&crate::service_manifests::pod_template(7)).await;
    story.phase("missing", "Succeeded").await;
    story.apply(&job_hook("unused", &["exit", "0"])).await;
    story.end_on(Some("hello-b"), Some(7)).await;
}
