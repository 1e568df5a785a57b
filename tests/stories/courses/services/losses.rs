//! The Service platform while the controller dies.

use serde_json::Value;

use super::{TASK_SET, begin, task_set, went_back};
use crate::checks;
use crate::controllers;
use crate::courses::disturbances::while_killed;
use crate::manifests::{ROLLS_BACK, http_hook};
use crate::service_manifests::{SOON, group};
use crate::story::Story;

/// The controller is killed every few seconds through a whole deployment, from BeforeInstall to the original's end.
pub async fn controller_killed_often(mut story: Story) {
    let pod = controllers::leader(&story.client).await;
    let before = controllers::restarts(&story.client, &pod).await;
    story.apply(&http_hook("check", "succeed", "1m")).await;
    story.apply(&group("linear", SOON, "")).await;
    let hooks = [
        ("BeforeInstall", "check"),
        ("AfterInstall", "check"),
        ("AfterAllowTestTraffic", "check"),
        ("BeforeAllowTraffic", "check"),
        ("AfterAllowTraffic", "check"),
    ];
    begin(&story, &hooks).await;
    let deployed: Value = while_killed(&pod, story.phase("to-2", "Succeeded")).await;
    assert!(controllers::restarts(&story.client, &pod).await - before >= 3, "killed too rarely");
    checks::service_course_is(&deployed, "Succeeded", &[]);
    checks::steps_are(&deployed, &[10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(story.list(TASK_SET).await.len(), 2, "one task set a Deployment");
    assert_eq!(task_set(&story, "hello-a").await["spec"]["replicas"], 0);
    story.end_on(Some("hello-b"), Some(2)).await;
    controllers::ready(&story.client).await;
}

/// The same on the way back.
pub async fn rollback_while_killed(mut story: Story) {
    let pod = controllers::leader(&story.client).await;
    story.apply(&http_hook("check", "fail", "1m")).await;
    story.apply(&group("CodeDeployDefault.ECSAllAtOnce", SOON, ROLLS_BACK)).await;
    begin(&story, &[("AfterAllowTraffic", "check")]).await;
    while_killed(&pod, story.phase("to-2", "Failed")).await;
    while_killed(&pod, went_back(&story, "to-2")).await;
    story.end_on(Some("hello-a"), Some(1)).await;
    controllers::ready(&story.client).await;
}
