//! The Server platform: real agents on hosts of their own, and what they do with bundles.

pub mod balancers;
pub mod eyes;
pub mod failures;
pub mod fleets;
pub mod mishaps;
pub mod rules;

use serde_json::Value;

use crate::checks;
use crate::hosts::{EVENTS, Fleet, Host, INSTANCE, PLAIN};
use crate::server_manifests::{Bundle, deployment, group, settings};
use crate::story::{DEPLOYMENT, GROUP, Story};

/// Every host at once.
pub const ALL: &str = "CodeDeployDefault.AllAtOnce";
/// A rollback follows a failure.
pub const ROLLS_BACK: &str =
    "autoRollback: {enabled: true, events: [DeploymentFailure, DeploymentStopOnRequest]}";

/// `count` plain hosts and a group `web` of them, on which version `1` is installed.
pub async fn installed(story: &Story, count: usize, config: &str, spec: &str) -> (Fleet, Bundle) {
    let fleet = Fleet::start(story, &vec![PLAIN; count]).await;
    story.apply(&settings()).await;
    story.apply(&group("web", ALL, "web", spec, "")).await;
    let first = fleet.notes("1", &[]);
    story.apply(&deployment("first", "web", &first, "")).await;
    story.phase("first", "Succeeded").await;
    story.apply(&group("web", config, "web", spec, "")).await;
    let is_seen = |g: &Value| g["status"]["observedGeneration"] == g["metadata"]["generation"];
    story.until(GROUP, "web", "its configuration is seen", is_seen).await;
    (fleet, first)
}

/// How a group's assignment stands on a host.
pub async fn standing(story: &Story, host: &str, group: &str) -> Value {
    let instance = story.get(INSTANCE, host).await;
    let all = instance["status"]["assignments"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|a| a["deploymentGroup"] == *group).unwrap_or_default()
}

/// Names and statuses of the agent's events on a host.
pub fn events(standing: &Value) -> Vec<(String, String)> {
    let all = standing["events"].as_array().cloned().unwrap_or_default();
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    all.iter().map(|e| (text(&e["name"]), text(&e["status"]))).collect()
}

/// The event that failed on a host, with its diagnostics.
pub fn failed_event(standing: &Value) -> Value {
    let all = standing["events"].as_array().cloned().unwrap_or_default();
    all.into_iter().find(|e| e["status"] == "Failed").unwrap_or_default()
}

/// The trail of one version's whole course.
pub fn whole(version: &str) -> Vec<String> {
    EVENTS[1..].iter().map(|event| format!("{event} {version}")).collect()
}

/// The counts of an overview.
pub fn counts(deployment: &Value) -> [i64; 4] {
    let overview = &deployment["status"]["overview"];
    ["succeeded", "failed", "skipped", "pending"].map(|key| overview[key].as_i64().unwrap_or(0))
}

/// Ends a story without load: every Deployment says in every way how it ended.
pub async fn end(story: &Story) {
    for found in story.list(DEPLOYMENT).await {
        let name = found["metadata"]["name"].as_str().unwrap_or_default();
        let found = story.released(name).await;
        checks::is_rounded_off(&found);
    }
}

/// A host in a zone.
pub const fn in_zone(zone: &'static str) -> Host {
    Host { zone: Some(zone), ..PLAIN }
}
