//! A group that is deleted in the foreground, so that Kubernetes' garbage collector deletes its rollback first.

use kube::api::{DeleteParams, Patch};
use serde_json::{Value, json};

use super::ends::{stop, test_is_back};
use super::refusals::{Refusal, dry_run};
use super::{begin, size, task_set, task_set_of};
use crate::courses::stops::has_share;
use crate::manifests::ROLLS_BACK;
use crate::service_manifests::{STANDS, group};
use crate::story::{DEPLOYMENT, GROUP, Story};

/// Lets no rollback begin: its snapshot is the first that would be on record.
async fn no_rollback_begins(story: &Story) -> Refusal {
    let allows = "object.status.?message.orValue('') != 'trial' && \
                  (!('sluice.dev/rollback-of' in object.metadata.?annotations.orValue({})) || !has(object.status.resolved))";
    let deployments = story.api(DEPLOYMENT);
    let message = Patch::Merge(json!({"status": {"message": "trial"}}));
    let trial = async || deployments.patch_status("first", &dry_run(), &message).await;
    Refusal::begin(story, ("sluice.dev", &["deployments/status"]), allows, trial).await
}

/// The rollback is named, there, and has not begun when its group is deleted: neither of them goes before the traffic is back.
pub async fn rollback_has_not_begun(mut story: Story) {
    story.apply(&group("slow-canary", STANDS, ROLLS_BACK)).await;
    let refusal = no_rollback_begins(&story).await;
    begin(&story, &[]).await;
    has_share(&story, "hello-b", 30).await;
    let original = task_set(&story, "hello-a").await["metadata"]["name"].as_str().expect("a name").to_owned();
    let stopped = stop(&story).await;
    let rollback =
        stopped["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("a name").to_owned();
    story.until(DEPLOYMENT, &rollback, "it is there", |_| true).await;

    story.api(GROUP).delete("hello", &DeleteParams::foreground()).await.expect("deleted");
    let is_going = |o: &Value| o["metadata"]["deletionTimestamp"].is_string();
    let going = story.until(DEPLOYMENT, &rollback, "the garbage collector deletes it", is_going).await;
    assert!(going["status"].get("resolved").is_none(), "it has not begun: {}", going["status"]);
    story.measure(5).await;
    for (kind, name) in [(DEPLOYMENT, rollback.as_str()), (GROUP, "hello")] {
        assert!(is_going(&story.get(kind, name).await), "{name} is held");
    }
    assert_eq!(story.record.shares("hello-b"), [0, 30], "the traffic is not back yet");
    refusal.end().await;

    story.gone(DEPLOYMENT, &rollback).await;
    story.gone(GROUP, "hello").await;
    has_share(&story, "hello-b", 0).await;
    test_is_back(&story).await;
    assert_eq!(size(&story, &original).await, 2, "the original serves on, and is nobody's");
    assert_eq!(size(&story, &task_set_of(&stopped)).await, 0, "the replacement was scaled down");
    let ended = story.record.of(DEPLOYMENT, &rollback);
    let last = ended.last().map(|(_, d)| d["status"]["phase"].clone());
    assert_eq!(last, Some("Succeeded".into()), "it went on to its end");
    story.end_on(Some("hello-a"), Some(1)).await;
    assert_eq!(story.record.shares("hello-b"), [0, 30, 0]);
}
