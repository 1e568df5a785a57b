//! The Server platform: real agents on hosts of their own, and what they do with bundles.

pub mod balancers;
pub mod eyes;
pub mod failures;
pub mod fleets;
pub mod mishaps;
pub mod rules;

use serde_json::{Value, json};

use crate::checks;
use crate::hosts::{EVENTS, Fleet, Host, INSTANCE, PLAIN};
use crate::server_manifests::{Bundle, deployment, group, settings};
use crate::story::{DEPLOYMENT, GROUP, Story};

/// Every host at once.
pub const ALL: &str = "CodeDeployDefault.AllAtOnce";
/// A rollback follows a failure.
pub const ROLLS_BACK: &str =
    "autoRollback: {enabled: true, events: [DeploymentFailure, DeploymentStopOnRequest]}";

/// The hosts of a fleet.
pub const SIX: [Host; 6] = [PLAIN; 6];

/// Six hosts and a group `web` of them, on which version `1` is installed.
pub async fn installed(story: &Story, config: &str, spec: &str) -> (Fleet, Bundle) {
    installed_on(story, &SIX, config, spec).await
}

/// The same on other hosts.
pub async fn installed_on(story: &Story, hosts: &[Host], config: &str, spec: &str) -> (Fleet, Bundle) {
    let fleet = Fleet::start(story, hosts).await;
    story.apply(&settings()).await;
    story.apply(&group("web", ALL, "web", spec, "")).await;
    let first = fleet.notes("1", &[]);
    story.apply(&deployment("first", "web", &first, "")).await;
    let deployed = story.phase("first", "Succeeded").await;
    assert_eq!(counts(&deployed), [i64::try_from(hosts.len()).expect("few"), 0, 0, 0]);
    configured(story, config, spec).await;
    (fleet, first)
}

/// Gives the group `web` another configuration.
pub async fn configured(story: &Story, config: &str, spec: &str) {
    story.apply(&group("web", config, "web", spec, "")).await;
    let is_seen = |g: &Value| g["status"]["observedGeneration"] == g["metadata"]["generation"];
    story.until(GROUP, "web", "its configuration is seen", is_seen).await;
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

/// Five of six hosts have done well with a Deployment, which is enough for it; answers the event that failed on the other one.
pub async fn fails_on(story: &Story, fleet: &Fleet, name: &str, host: usize) -> Value {
    let ended = story.phase(name, "Succeeded").await;
    assert_eq!(counts(&ended), [5, 1, 0, 0], "{name}");
    let failed = &ended["status"]["failedTargets"];
    assert_eq!((&failed[0]["name"], &failed[1]), (&json!(fleet.names[host]), &Value::Null), "{name}");
    for other in fleet.others(host) {
        let standing = standing(story, &fleet.names[other], "web").await;
        let told = (&standing["deployment"], &standing["status"]);
        assert_eq!(told, (&json!(name), &json!("Succeeded")), "{name} on {}", fleet.names[other]);
    }
    event_of_failed(story, &failed[0]).await
}

/// No host has done well with a Deployment; answers the events that failed, in the hosts' order.
pub async fn fails_everywhere(story: &Story, fleet: &Fleet, name: &str) -> Vec<Value> {
    let ended = story.phase(name, "Failed").await;
    assert_eq!(counts(&ended), [0, 6, 0, 0], "{name}");
    assert_eq!(ended["status"]["errorInformation"]["code"], "HealthConstraints", "{name}");
    let mut failed = ended["status"]["failedTargets"].as_array().cloned().expect("failed targets");
    failed.sort_by_key(|target| fleet.position(&target["name"]));
    let named: Vec<_> = failed.iter().map(|target| target["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(named, fleet.names, "{name}");
    let mut events = vec![];
    for target in &failed {
        events.push(event_of_failed(story, target).await);
    }
    events
}

/// The host itself says of its failure what the Deployment says.
async fn event_of_failed(story: &Story, target: &Value) -> Value {
    let host = target["name"].as_str().expect("a name");
    let event = failed_event(&standing(story, host, "web").await);
    assert_eq!(target["event"], event["name"], "{host}");
    assert_eq!(target["diagnostics"]["errorCode"], event["diagnostics"]["errorCode"], "{host}");
    event
}

/// One host has failed, which the configuration does not bear: the other five are left alone, with all that version 1 noted there and nothing
/// else. Answers the number of the one that failed, and what is said of it.
pub fn five_are_left_alone(fleet: &Fleet, failed: &Value) -> (usize, Value) {
    assert_eq!(counts(failed), [0, 1, 5, 0], "{}", failed["metadata"]["name"]);
    let targets = failed["status"]["failedTargets"].as_array().cloned().unwrap_or_default();
    assert_eq!(targets.len(), 1, "{targets:?}");
    let host = fleet.position(&targets[0]["name"]);
    for other in fleet.others(host) {
        assert_eq!(fleet.trail(other), whole("1"), "{} was not touched", fleet.names[other]);
    }
    (host, targets[0].clone())
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
