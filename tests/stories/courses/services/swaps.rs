//! Swaps that go well, and what may happen meanwhile.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{POD, SERVICE, TASK_SET, begin, size, task_set, task_set_of};
use crate::checks;
use crate::courses::stops::has_share;
use crate::load::LAG;
use crate::manifests::deployment;
use crate::service_manifests::{SOON, STANDS, app_spec, group, pod_template};
use crate::story::{DEPLOYMENT, GROUP, ROUTE, Story};

/// `web-2` serves from `hello-b`; the original went after its wait.
pub(super) async fn swapped(story: &mut Story, steps: &[i64]) -> Value {
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::service_course_is(&deployed, "Succeeded", &[]);
    checks::steps_are(&deployed, steps);
    checks::traffic_is(&deployed, ("hello-a", 0), ("hello-b", 100));
    let route = story.get(ROUTE, "hello").await;
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().cloned().unwrap_or_default();
    let weight = |name: &str| backends.iter().find(|b| b["name"] == name).and_then(|b| b["weight"].as_i64());
    assert_eq!(weight("hello-a"), Some(0), "both stay on the route: {backends:?}");
    assert!(weight("hello-b").is_some_and(|w| w > 0), "{backends:?}");
    let original = task_set(story, "hello-a").await;
    assert_eq!(original["spec"]["replicas"], 0, "the original is terminated, not deleted");
    let new = task_set(story, "hello-b").await;
    assert_eq!(new["metadata"]["annotations"]["sluice.dev/task-definition"], "web-2");
    assert_eq!(new["status"]["readyReplicas"], 2);
    assert!(new["metadata"].get("ownerReferences").is_none(), "owned by label");
    let ended = checks::event(&deployed, "AfterAllowTraffic")["endTime"].as_str().expect("a time");
    let went = deployed["status"]["terminationTime"].as_str().expect("a time");
    let (ended, went): (jiff::Timestamp, jiff::Timestamp) =
        (ended.parse().expect("a time"), went.parse().expect("a time"));
    assert!(went >= ended + SignedDuration::from_secs(5), "terminated at {went}, the wait began at {ended}");
    let is_told = |g: &Value| g["status"]["lastSuccessfulDeployment"]["name"] == "to-2";
    let group = story.until(GROUP, "hello", "it knows its last success", is_told).await;
    assert_eq!(checks::conditions(&group), [("Ready", "True")]);
    let selector = format!("sluice.dev/task-set={}", task_set_of(&deployed));
    assert_eq!(group["status"]["selector"], selector, "the scale subresource counts the side that serves");
    story.end_on(Some("hello-b"), Some(2)).await;
    deployed
}

/// All traffic in one step; the test listener reached the replacement before any production request did.
pub async fn all_at_once(mut story: Story) {
    begin(&story, &[]).await;
    let deployed = swapped(&mut story, &[100]).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
    let tested = &deployed["status"]["testTraffic"];
    let first = checks::steps(&deployed)[0].time;
    let at: jiff::Timestamp = tested["servedTime"].as_str().expect("a time").parse().expect("a time");
    assert!(at <= first, "the test listener at {at}, production at {first}");
    let test = story.get(ROUTE, "hello-test").await;
    assert_eq!(crate::record::share(&test["spec"]["rules"][0], "hello-b"), 100);
}

/// A quarter, then all.
pub async fn canary(mut story: Story) {
    story.apply(&group("canary", SOON, "")).await;
    begin(&story, &[]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    let steps = checks::steps(&deployed);
    let span = (steps[0].served.expect("served") + LAG, steps[1].time);
    swapped(&mut story, &[25, 100]).await;
    assert!(span.1 > span.0, "the canary had its share for a while: {span:?}");
    assert_eq!(story.record.shares("hello-b"), [0, 25, 100]);
}

/// Ten steps, none skipped.
pub async fn linear(mut story: Story) {
    story.apply(&group("linear", SOON, "")).await;
    begin(&story, &[]).await;
    swapped(&mut story, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]).await;
    assert_eq!(story.record.shares("hello-b"), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
}

/// Test requests reach the replacement while it waits for somebody's word; production moves only then.
pub async fn ready_wait(mut story: Story) {
    let waits =
        "deploymentReady: {actionOnTimeout: StopDeployment, wait: 10m}, terminateOriginal: {wait: 10m}";
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", waits, "")).await;
    begin(&story, &[]).await;
    let ready = story.phase("to-2", "Ready").await;
    assert_eq!(checks::reason(&ready), "WaitingForContinue");
    assert_eq!(ready["status"]["overview"]["ready"], 1);
    assert_eq!(story.record.shares("hello-b"), [0], "no production traffic yet");
    answers(&story, "2").await;
    story.plugin(&["continue-deployment", "to-2"]).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    let moved = story.until(DEPLOYMENT, "to-2", "the original stands", waits).await;
    assert_eq!(moved["status"]["phase"], "InProgress");
    checks::steps_are(&moved, &[100]);
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 2, "at full scale");
    story.plugin(&["continue-deployment", "to-2", "--deployment-wait-type", "TERMINATION_WAIT"]).await;
    story.phase("to-2", "Succeeded").await;
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 0);
    story.end_on(Some("hello-b"), Some(2)).await;
}

/// The test listener answers with that version, ten times in a row.
async fn answers(story: &Story, version: &str) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    for _ in 0..10 {
        let answer = client.get(&story.test).header("host", &story.host).send().await.expect("an answer");
        let text = answer.text().await.expect("a text");
        assert!(text.contains(version), "the test listener answers {text}");
    }
}

/// There and back again: the roles of the two target groups change with each deployment.
pub async fn roles_twice(mut story: Story) {
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    story.apply(&(pod_template(3) + &deployment("to-3", &app_spec(3, &[]), ""))).await;
    let third = story.phase("to-3", "Succeeded").await;
    checks::traffic_is(&third, ("hello-b", 0), ("hello-a", 100));
    story.apply(&deployment("to-1", &app_spec(1, &[]), "")).await;
    let back = story.phase("to-1", "Succeeded").await;
    checks::traffic_is(&back, ("hello-a", 0), ("hello-b", 100));
    assert_eq!(story.list(TASK_SET).await.len(), 4, "each Deployment has a task set of its own");
    story.end_on(Some("hello-b"), Some(1)).await;
}

/// The original is kept alive, and goes when the next deployment needs its target group.
pub async fn keep_alive(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", "terminateOriginal: {action: KeepAlive}", "")).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    let kept = task_set(&story, "hello-a").await;
    assert_eq!(kept["spec"]["replicas"], 2);
    story.apply(&(pod_template(3) + &deployment("to-3", &app_spec(3, &[]), ""))).await;
    story.phase("to-3", "Succeeded").await;
    assert_eq!(size(&story, kept["metadata"]["name"].as_str().expect("a name")).await, 0);
    story.end_on(Some("hello-a"), Some(3)).await;
}

/// A higher count goes to both sides at once, a lower one waits for the end.
pub async fn scaled(mut story: Story) {
    story.apply(&group("slow-canary", STANDS, "")).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 30).await;
    let name = task_set_of(&story.get(DEPLOYMENT, "to-2").await);
    let original = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    scale(&story, 3).await;
    for side in [&name, &original] {
        story.until(TASK_SET, side, "it has three pods", |t| t["status"]["readyReplicas"] == 3).await;
    }
    scale(&story, 1).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    story.until(DEPLOYMENT, "to-2", "the original stands", waits).await;
    for side in [&name, &original] {
        assert_eq!(size(&story, side).await, 3, "a lower count waits for the end");
    }
    story.plugin(&["continue-deployment", "to-2", "--deployment-wait-type", "TERMINATION_WAIT"]).await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::steps_are(&deployed, &[30, 100]);
    story.until(TASK_SET, &name, "it has one pod at the end", |t| t["status"]["readyReplicas"] == 1).await;
    let told = |g: &Value| g["status"]["replicas"] == 1;
    story.until(GROUP, "hello", "the scale subresource says so", told).await;
    story.end_on(Some("hello-b"), Some(2)).await;
}

/// Scales as an HPA does: by the group's scale subresource.
async fn scale(story: &Story, replicas: i64) {
    let patch = kube::api::Patch::Merge(json!({"spec": {"replicas": replicas}}));
    let groups = story.api(GROUP);
    groups.patch_scale("hello", &kube::api::PatchParams::default(), &patch).await.expect("scaled");
}

/// Pods of both sides are killed, one after the other, while traffic moves.
pub async fn pods_crash(mut story: Story) {
    story.apply(&group("linear", SOON, "")).await;
    begin(&story, &[]).await;
    story.step("to-2", 20).await;
    for pod in story.list(POD).await.iter().take(3) {
        let name = pod["metadata"]["name"].as_str().expect("a name");
        story.delete(POD, name).await;
        story.gone(POD, name).await;
    }
    swapped(&mut story, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]).await;
}

/// Between deployments somebody scales the group; the side that serves follows, and a deleted Service is named.
pub async fn between(mut story: Story) {
    scale(&story, 3).await;
    let name = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    story.until(TASK_SET, &name, "it has three pods", |t| t["status"]["readyReplicas"] == 3).await;
    story.delete(SERVICE, "hello-b").await;
    story.until(SERVICE, "hello-b", "it is created again", |s| s["spec"]["ports"][0]["port"] == 80).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, "")).await;
    story.end_on(Some("hello-a"), Some(1)).await;
}
