//! The Service platform: blue/green task sets behind two target groups.

pub mod autoscaling;
pub mod crashes;
pub mod ends;
pub mod foreground;
pub mod holds;
pub mod inputs;
pub mod losses;
pub mod phases;
pub mod refusals;
pub mod stops;
pub mod swaps;
pub mod takeovers;

use serde_json::Value;

use crate::checks;
use crate::manifests::deployment;
use crate::service_manifests::app_spec;
use crate::story::{DEPLOYMENT, GROUP, Kind, Story};

/// ReplicaSet.
pub const TASK_SET: Kind = ("apps/v1", "ReplicaSet");
/// core/v1 Service.
pub const SERVICE: Kind = ("v1", "Service");
/// core/v1 Pod.
pub const POD: Kind = ("v1", "Pod");

/// Deploys PodTemplate `web-2` as Deployment `to-2`.
pub async fn begin(story: &Story, hooks: &[(&str, &str)]) {
    story.apply(&deployment("to-2", &app_spec(2, hooks), "")).await;
}

/// The task set that stands behind a target group.
pub async fn task_set(story: &Story, target_group: &str) -> Value {
    let service = story.get(SERVICE, target_group).await;
    let name = service["spec"]["selector"]["sluice.dev/task-set"].as_str().expect("a task set");
    story.get(TASK_SET, name).await
}

/// The task set of a Deployment, by its snapshot.
pub fn task_set_of(deployment: &Value) -> String {
    let name = &deployment["status"]["resolved"]["service"]["replacement"]["taskSet"];
    name.as_str().expect("a task set").to_owned()
}

/// How many pods a task set is wanted to have.
pub async fn size(story: &Story, name: &str) -> i64 {
    story.get(TASK_SET, name).await["spec"]["replicas"].as_i64().expect("a number")
}

/// The Deployment failed or was stopped, and another one went back: `web-1` on `hello-a` at full scale, the replacement gone.
pub async fn went_back(story: &Story, name: &str) -> Value {
    let failed = story.get(DEPLOYMENT, name).await;
    let rollback =
        failed["status"]["rollbackInfo"]["rollbackDeployment"].as_str().expect("the rollback's name");
    let back = story.phase(rollback, "Succeeded").await;
    assert_eq!(back["status"]["creator"], "AutoRollback");
    assert_eq!(back["status"]["rollbackInfo"]["rollbackTriggeringDeployment"], name);
    assert_eq!(back["status"]["resolved"]["deploymentConfigName"], "CodeDeployDefault.ECSAllAtOnce");
    let own = [("Install", "Succeeded"), ("AllowTestTraffic", "Succeeded"), ("AllowTraffic", "Succeeded")];
    checks::service_course_is(&back, "Skipped", &own);
    let is_told = |g: &Value| g["status"]["phase"] == "RolledBack";
    story.until(GROUP, "hello", "it says that it was rolled back", is_told).await;
    assert_eq!(size(story, &task_set_of(&failed)).await, 0, "the replacement is gone");
    let original = task_set(story, "hello-a").await;
    assert_eq!(original["spec"]["replicas"], 2, "the original stands at full scale");
    assert_eq!(original["status"]["readyReplicas"], 2);
    assert_eq!(story.list(TASK_SET).await.len(), 2, "no new task set was made");
    back
}
