//! Stops while a hook runs, before the traffic moves and after it, each with a rollback and without one, and stops that come too late.
//! Those in BeforeInstall and in AfterAllowTestTraffic are in `stops`.

use kube::api::Patch;
use serde_json::{Value, json};

use super::ends::test_is_back;
use super::refusals::{Refusal, dry_run};
use super::stops::{begin_hook, message, no_rollback_follows};
use super::{TASK_SET, begin, size, task_set, task_set_of, went_back};
use crate::checks;
use crate::manifests::ROLLS_BACK;
use crate::record::share;
use crate::service_manifests::{SOON, group};
use crate::story::{DEPLOYMENT, ROUTE, Story};

/// Stops the Deployment while the hook of `event` runs: the stop waits for the hook, and no further event starts.
async fn stopped_in(story: &Story, event: &str, more: &str) -> Value {
    begin_hook(story, event, more).await;
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {}}})).await;
    let is_pending = |d: &Value| d["status"]["stop"]["status"] == "Pending";
    let pending = story.until(DEPLOYMENT, "to-2", "the stop waits for the hook", is_pending).await;
    let said = pending["status"]["stop"]["message"].as_str().unwrap_or_default();
    assert!(said.contains(event), "{said}");
    assert_eq!(pending["status"]["phase"], "InProgress");
    assert_eq!(checks::event(&pending, event)["status"], "InProgress");
    let stopped = story.phase("to-2", "Stopped").await;
    assert_eq!(stopped["status"]["errorInformation"]["code"], "ManualStop");
    assert_eq!(stopped["status"]["stop"]["status"], "Succeeded", "{}", stopped["status"]["stop"]);
    let course = checks::course(&stopped);
    let position = course.iter().position(|(name, _)| name == event).expect("the event");
    for (index, (name, status)) in course.iter().enumerate() {
        let expected = if index <= position { "Succeeded" } else { "Skipped" };
        assert_eq!(status, expected, "{name} of {course:?}");
    }
    stopped
}

/// Both sides are as large as they were, and the message names what stands and where the test listener points.
async fn is_left(story: &Story, stopped: &Value, said: &[&str]) {
    no_rollback_follows(stopped);
    let stays = "hello-test, the test listener, stays where it points";
    for words in said.iter().chain(&[stays]) {
        assert!(message(stopped).contains(words), "{words}: {}", message(stopped));
    }
    assert_eq!(size(story, &task_set_of(stopped)).await, 2, "the replacement is left as it is");
    assert_eq!(task_set(story, "hello-a").await["spec"]["replicas"], 2, "and the original, too");
}

async fn test_points_at(story: &Story, target_group: &str) {
    let test = story.get(ROUTE, "hello-test").await;
    assert_eq!(share(&test["spec"]["rules"][0], target_group), 100, "{}", test["spec"]);
}

/// A stop in a hook before any production traffic has moved takes everything back.
async fn is_taken_back_from(mut story: Story, event: &str) {
    stopped_in(&story, event, ROLLS_BACK).await;
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The same without rollback leaves everything where it is; the test listener sends to `tested`.
async fn is_left_in(mut story: Story, event: &str, tested: &str) {
    let stopped = stopped_in(&story, event, "").await;
    is_left(&story, &stopped, &["All traffic is on hello-a", &task_set_of(&stopped)]).await;
    test_points_at(&story, tested).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0]);
}

/// The task set stands and nobody was sent to it: it goes.
pub async fn in_after_install(story: Story) {
    is_taken_back_from(story, "AfterInstall").await;
}

/// The task set stays; the test listener never knew of it.
pub async fn in_after_install_without_rollback(story: Story) {
    is_left_in(story, "AfterInstall", "hello-a").await;
}

/// The last moment before traffic moves: test traffic goes back, then the replacement goes.
pub async fn in_before_traffic(story: Story) {
    is_taken_back_from(story, "BeforeAllowTraffic").await;
}

/// The replacement stays with its test traffic.
pub async fn in_before_traffic_without_rollback(story: Story) {
    is_left_in(story, "BeforeAllowTraffic", "hello-b").await;
}

/// All traffic had moved: it goes back at once, and the replacement after the drain.
pub async fn in_after_traffic(mut story: Story) {
    let stopped = stopped_in(&story, "AfterAllowTraffic", ROLLS_BACK).await;
    checks::steps_are(&stopped, &[100]);
    went_back(&story, "to-2").await;
    test_is_back(&story).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100, 0]);
}

/// All traffic stays on the replacement, and the original stands.
pub async fn in_after_traffic_without_rollback(mut story: Story) {
    let stopped = stopped_in(&story, "AfterAllowTraffic", "").await;
    let back = "To go back, deploy PodTemplate web-1 again";
    is_left(&story, &stopped, &["All traffic stays on hello-b", back]).await;
    test_points_at(&story, "hello-b").await;
    story.end_on(Some("hello-b"), Some(2)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}

/// Lets nobody scale a task set to 0.
async fn no_end(story: &Story) -> Refusal {
    let original = task_set(story, "hello-a").await;
    let name = original["metadata"]["name"].as_str().expect("a name");
    let nobody = Patch::Merge(json!({"spec": {"replicas": 0}}));
    let task_sets = story.api(TASK_SET);
    let trial = async || task_sets.patch(name, &dry_run(), &nobody).await;
    Refusal::begin(story, ("apps", &["replicasets"]), "object.spec.replicas > 0", trial).await
}

/// The original's end is on record: a stop says that it is too late, whatever it asks for, and the Deployment succeeds. After that
/// the API server takes none.
pub async fn too_late(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, ROLLS_BACK)).await;
    let refusal = no_end(&story).await;
    begin(&story, &[]).await;
    let is_ending = |d: &Value| d["status"]["terminationTime"].is_string();
    let ending = story.until(DEPLOYMENT, "to-2", "the original's end is on record", is_ending).await;
    assert_eq!(ending["status"]["phase"], "InProgress");
    story.patch(DEPLOYMENT, "to-2", &json!({"spec": {"stop": {"autoRollback": true}}})).await;
    let is_told = |d: &Value| d["status"]["stop"]["status"] == "Error";
    let told = story.until(DEPLOYMENT, "to-2", "the stop comes too late", is_told).await;
    assert_eq!(told["status"]["phase"], "InProgress", "it goes on");
    refusal.end().await;

    let deployed = story.phase("to-2", "Succeeded").await;
    let stop = &deployed["status"]["stop"];
    assert_eq!(*stop, json!({"status": "Error", "message": "too late: the original is being terminated"}));
    no_rollback_follows(&deployed);
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 0, "the original went");
    for late in [json!({"stop": null}), json!({"stop": {"autoRollback": false}})] {
        let refused = story.try_patch(DEPLOYMENT, "to-2", &json!({"spec": late})).await;
        let refused = refused.expect_err("it has ended").to_string();
        assert!(refused.contains("already completed"), "{refused}");
    }
    story.end_on(Some("hello-b"), Some(2)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}

/// Nobody stopped it in time: the API server refuses the first stop of what has ended, and the original stays gone.
pub async fn after_the_end(mut story: Story) {
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, ROLLS_BACK)).await;
    begin(&story, &[]).await;
    story.phase("to-2", "Succeeded").await;
    let late = json!({"spec": {"stop": {"autoRollback": true}}});
    let refused = story.try_patch(DEPLOYMENT, "to-2", &late).await.expect_err("it has ended").to_string();
    assert!(refused.contains("already completed: stop, continue and hookResults come too late"), "{refused}");
    story.end_on(Some("hello-b"), Some(2)).await;
    let deployed = story.get(DEPLOYMENT, "to-2").await;
    assert!(deployed["spec"].get("stop").is_none() && deployed["status"].get("stop").is_none());
    no_rollback_follows(&deployed);
    assert_eq!(story.list(DEPLOYMENT).await.len(), 2, "no rollback was made");
    assert_eq!(story.record.shares("hello-b"), [0, 100]);
}
