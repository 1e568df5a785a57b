//! A HorizontalPodAutoscaler of Kubernetes' own on the group, while a deployment runs.

use serde_json::Value;

use super::{SERVICE, TASK_SET, begin, size, task_set, task_set_of};
use crate::checks;
use crate::load::Load;
use crate::service_manifests::group;
use crate::story::{DEPLOYMENT, GROUP, Kind, Story};

const AUTOSCALER: Kind = ("autoscaling/v2", "HorizontalPodAutoscaler");
/// Requests a second beside the story's 60: what two pods of 40 cannot take, and four can.
const MORE: u32 = 80;
/// Within so many seconds the autoscaler has looked, at figures of nothing but now.
const LOOKS: u64 = 9;

/// Two pods at 60 requests a second, four at 140.
fn autoscaler() -> &'static str {
    r"
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: hello}
spec:
  scaleTargetRef: {apiVersion: sluice.dev/v1alpha1, kind: DeploymentGroup, name: hello}
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - {type: Pods, pods: {metric: {name: requests_per_second}, target: {type: AverageValue, averageValue: '40'}}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 15}}
"
}

/// More load than two pods can take comes while the replacement waits: both sides grow, and no more than one of them needs.
/// It goes before the original does: the lower number waits for the end.
pub async fn mid_deployment(mut story: Story) {
    let waits =
        "deploymentReady: {actionOnTimeout: StopDeployment, wait: 10m}, terminateOriginal: {wait: 10m}";
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", waits, "")).await;
    story.apply(autoscaler()).await;
    let is_content = |a: &Value| a["status"]["currentMetrics"][0]["pods"].is_object() && wanted(a) == 2;
    story.until(AUTOSCALER, "hello", "it counts two pods and wants no other number", is_content).await;
    begin(&story, &[]).await;
    let ready = story.phase("to-2", "Ready").await;
    let replacement = task_set_of(&ready);
    let original = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    story.measure(LOOKS).await;
    counts_one_side(&story, 2).await;

    let more = Load::start_at(MORE, &story.production, &story.host, "service-autoscaled-more").await;
    story.until(GROUP, "hello", "the autoscaler wants four", |g| g["spec"]["service"]["replicas"] == 4).await;
    for side in [&original, &replacement] {
        story.until(TASK_SET, side, "it has four pods", |t| t["status"]["readyReplicas"] == 4).await;
    }
    story.measure(LOOKS).await;
    counts_one_side(&story, 4).await;
    story.plugin(&["continue-deployment", "to-2"]).await;
    let waits = |d: &Value| checks::reason(d) == "WaitingForTermination";
    let moved = story.until(DEPLOYMENT, "to-2", "the original stands", waits).await;
    assert!(moved["status"]["terminationWaitEndTime"].is_string(), "the end of the wait is told");
    let selector = format!("sluice.dev/task-set={replacement}");
    let follows = |g: &Value| g["status"]["selector"] == selector.as_str();
    story.until(GROUP, "hello", "the scale subresource speaks of the replacement", follows).await;

    more.stop().await.is_lossless();
    story.until(GROUP, "hello", "the autoscaler wants two", |g| g["spec"]["service"]["replicas"] == 2).await;
    story.measure(5).await;
    let sizes = (size(&story, &original).await, size(&story, &replacement).await);
    assert_eq!(sizes, (4, 4), "the lower number waits for the end");
    story.plugin(&["continue-deployment", "to-2", "--deployment-wait-type", "TERMINATION_WAIT"]).await;
    let ended = story.phase("to-2", "Succeeded").await;
    assert!(ended["status"]["terminationWaitEndTime"].is_null(), "there is no wait any more");
    story.until(TASK_SET, &replacement, "it has two pods", |t| t["status"]["replicas"] == 2).await;
    assert_eq!(size(&story, &original).await, 0);

    let service = story.get(SERVICE, "hello-b").await;
    assert_eq!(service["spec"]["selector"]["sluice.dev/task-set"], replacement.as_str());
    // On the way it may stop at three, while its figures still speak of seconds before.
    let set = sizes_set(&story).await;
    assert_eq!((set.iter().max(), set.last()), (Some(&4), Some(&2)), "no more than one side needs: {set:?}");
    story.end_on(Some("hello-b"), Some(2)).await;
}

/// It knows of that many pods, each with the load of a pod that serves: beside as many that do not, the average would be half.
async fn counts_one_side(story: &Story, pods: i64) {
    let autoscaler = story.get(AUTOSCALER, "hello").await;
    assert_eq!(autoscaler["status"]["currentReplicas"], pods, "{autoscaler:#}");
    let average = autoscaler["status"]["currentMetrics"][0]["pods"]["current"]["averageValue"].as_str();
    let average = average.and_then(|value| match value.strip_suffix('m') {
        Some(thousandths) => thousandths.parse::<f64>().ok().map(|n| n / 1e3),
        None => value.parse().ok(),
    });
    assert!(
        average.is_some_and(|a| a > 22.0),
        "{average:?} requests a second on each of {pods}: {autoscaler:#}"
    );
}

/// How many pods the autoscaler wants.
fn wanted(autoscaler: &Value) -> i64 {
    autoscaler["status"]["desiredReplicas"].as_i64().unwrap_or(0)
}

/// The sizes that the autoscaler has set, in order, by its own Events.
async fn sizes_set(story: &Story) -> Vec<i64> {
    let mut events = story.events(AUTOSCALER, "hello").await;
    events.retain(|e| e["reason"] == "SuccessfulRescale");
    events.sort_by_key(|e| e["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
    let size = |e: &Value| e["note"].as_str()?.strip_prefix("New size: ")?.split(';').next()?.parse().ok();
    events.iter().map(|e| size(e).unwrap_or_else(|| panic!("no size in {e}"))).collect()
}
