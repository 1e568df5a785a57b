//! The replacement's containers end while traffic moves: the kubelet starts them again, or they end again and again.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::swaps::swapped;
use super::{POD, begin, task_set_of, went_back};
use crate::checks;
use crate::courses::stops::has_share;
use crate::load::LAG;
use crate::manifests::ROLLS_BACK;
use crate::service_manifests::{SOON, STANDS, group, restartable_pod_template};
use crate::story::{DEPLOYMENT, Story};

/// How long a container still serves once it is not ready: three failed probes, a second apart, and what the gateway needs.
const GRACEFUL: &str = "?after=7s";

/// The names of the pods of the Deployment's task set.
async fn replacement_pods(story: &Story, deployment: &Value) -> Vec<String> {
    let task_set = task_set_of(deployment);
    let pods = story.list(POD).await;
    let own = pods.iter().filter(|p| p["metadata"]["labels"]["sluice.dev/task-set"] == task_set.as_str());
    own.map(|p| p["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}

/// Has a pod's container end with 1.
async fn crash(story: &Story, pod: &str, how: &str) {
    let address = story.get(POD, pod).await["status"]["podIP"].as_str().expect("an address").to_owned();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let answer = client.post(format!("http://{address}:8080/crash{how}")).send().await.expect("an answer");
    assert_eq!(answer.status(), 202, "{pod} crashes");
}

/// True once the pod's container ended with 1, was started again and is ready.
fn came_back(pod: &Value) -> bool {
    let container = &pod["status"]["containerStatuses"][0];
    container["restartCount"].as_i64().is_some_and(|times| times >= 1)
        && container["lastState"]["terminated"]["exitCode"] == 1
        && container["ready"] == true
}

/// One container after the other ends and is started again: no step is taken while one is missed, none is skipped, and nothing
/// is lost.
pub async fn once(mut story: Story) {
    story.apply(&restartable_pod_template(2)).await;
    story.apply(&group("linear", SOON, "")).await;
    begin(&story, &[]).await;
    let moving = story.step("to-2", 20).await;
    let pods = replacement_pods(&story, &moving).await;
    assert_eq!(pods.len(), 2, "{pods:?}");
    for pod in &pods {
        crash(&story, pod, GRACEFUL).await;
        story.until(POD, pod, "its container was started again", came_back).await;
    }
    let moving = story.get(DEPLOYMENT, "to-2").await;
    assert_eq!(moving["status"]["phase"], "InProgress", "both crashed in the middle of the shift");
    swapped(&mut story, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]).await;
    let left = replacement_pods(&story, &moving).await;
    assert_eq!(left, pods, "the same pods serve: their containers were started again");
    let said: Vec<String> =
        story.record.of(DEPLOYMENT, "to-2").iter().filter_map(|(_, d)| waits(d)).collect();
    assert!(said.iter().any(|m| m.contains("1 of 2 pods")), "it says what the next step waits for: {said:?}");
}

/// What a Deployment says while pods are missed.
fn waits(deployment: &Value) -> Option<String> {
    let message = deployment["status"]["message"].as_str()?;
    (checks::reason(deployment) == "PodsNotReady").then(|| message.to_owned())
}

/// All containers end and never come back: named at once, given up after a minute, and the traffic goes back. What was lost is no
/// more than the replacement's share, from the crash until the way back.
pub async fn for_good(mut story: Story) {
    story.apply(&restartable_pod_template(2)).await;
    story.apply(&group("slow-canary", STANDS, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 30).await;
    let pods = replacement_pods(&story, &story.get(DEPLOYMENT, "to-2").await).await;
    for pod in &pods {
        story.patch(POD, pod, &json!({"metadata": {"annotations": {"crash": "yes"}}})).await;
    }
    let crashed = Timestamp::now();
    for pod in &pods {
        crash(&story, pod, "").await;
    }
    let is_named = |d: &Value| checks::reason(d) == "NoReadyEndpoints";
    let held = story.until(DEPLOYMENT, "to-2", "it says that nobody answers", is_named).await;
    let named = Timestamp::now().duration_since(crashed);
    assert!(named < SignedDuration::from_secs(15), "named only after {named:#}");
    let message = held["status"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("Service hello-b has no ready endpoint"), "{message}");
    let failed = story.phase("to-2", "Failed").await;
    assert_eq!(failed["status"]["errorInformation"]["code"], "CustomerApplicationUnhealthy");
    checks::steps_are(&failed, &[30]);
    let back = went_back(&story, "to-2").await;
    let served = checks::steps(&back)[0].served.expect("the gateway took the way back");
    let lost = (crashed - LAG, served + LAG);
    story.end_judged(Some("hello-a"), Some(1), |load| load.is_lossless_but_in(30, lost)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 30, 0]);
}
