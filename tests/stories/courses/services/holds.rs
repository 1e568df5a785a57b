//! What holds the replacement's pods back in Install: each cause is in the message within seconds, and production is not touched.
//! An image that cannot be pulled is in `ends`.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::ends::{stop, test_is_back};
use super::{begin, task_set_of, went_back};
use crate::checks;
use crate::manifests::ROLLS_BACK;
use crate::service_manifests::{
    SOON, STANDS, group, pod_template, pod_template_whose_container, pod_template_with,
};
use crate::story::{DEPLOYMENT, Kind, Story};

const QUOTA: Kind = ("v1", "ResourceQuota");
/// How long a cause may take to be told: what the scheduler, the kubelet or the API server says has to come about first.
const TOLD: SignedDuration = SignedDuration::from_secs(20);

/// Deploys that PodTemplate and waits until the Deployment says why its pods are not ready.
async fn is_told(story: &Story, template: &str, why: &[&str]) -> Value {
    story.apply(template).await;
    let from = Timestamp::now();
    begin(story, &[]).await;
    let message = |d: &Value| d["status"]["message"].as_str().unwrap_or_default().to_owned();
    let is_told = |d: &Value| why.iter().all(|words| message(d).contains(words));
    let held = story.until(DEPLOYMENT, "to-2", &format!("it says {why:?}"), is_told).await;
    let took = Timestamp::now().duration_since(from);
    assert!(took < TOLD, "told only after {took:#}: {}", message(&held));
    assert_eq!(checks::reason(&held), "TaskSetNotReady", "{held:#}");
    assert!(message(&held).contains(&task_set_of(&held)), "it names the task set: {}", message(&held));
    assert_eq!(checks::event(&held, "Install")["status"], "InProgress");
    held
}

/// It is told, it stays so until somebody stops it, and production never knew of it.
async fn never_comes(mut story: Story, template: &str, why: &[&str]) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", STANDS, ROLLS_BACK)).await;
    is_told(&story, template, why).await;
    stop(&story).await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0], "no weight was ever moved");
}

/// A container that ends as soon as it is started.
pub async fn crash_loop(story: Story) {
    let template = pod_template_whose_container(2, r#"args: ["exit", "3", "no settings"]"#);
    never_comes(story, &template, &["container sample of pod", "ends again and again (Error, exit code 3)"])
        .await;
}

/// No node has the labels that the pods ask for.
pub async fn node_selector(story: Story) {
    let template = pod_template_with(2, "    nodeSelector: {disk: none-has-this}");
    never_comes(story, &template, &["cannot be scheduled", "node affinity/selector"]).await;
}

/// No node has that much of a processor.
pub async fn resources(story: Story) {
    let template = pod_template_whose_container(2, r#"resources: {requests: {cpu: "4096"}}"#);
    never_comes(story, &template, &["cannot be scheduled", "Insufficient cpu"]).await;
}

/// The namespace's quota leaves room for one of two pods: told, and when there is room, the deployment goes on by itself.
pub async fn quota(mut story: Story) {
    story
        .apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: tight}\nspec: {hard: {pods: \"3\"}}\n")
        .await;
    let counts = |q: &Value| q["status"]["used"]["pods"] == "2";
    story.until(QUOTA, "tight", "the original's pods are counted", counts).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, ROLLS_BACK)).await;
    is_told(&story, &pod_template(2), &["pods cannot be created", "exceeded quota: tight"]).await;
    assert_eq!(story.record.shares("hello-b"), [0], "no weight is moved meanwhile");
    story.delete(QUOTA, "tight").await;
    let deployed = story.phase("to-2", "Succeeded").await;
    checks::service_course_is(&deployed, "Succeeded", &[]);
    story.end_on(Some("hello-b"), Some(2)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}
