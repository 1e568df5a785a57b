//! The golden stories of the Service platform.

mod courses;
mod ends;
mod hands;
mod inputs;

use serde_json::{Value, json};
use sluice::api::{EventName, EventStatus, Phase};

use super::objects::{Kind, Object};
use super::service_setup::*;
use super::setup::{
    at_once, delete, delete_rollbacks, edit_named_group, has_rollback, http_hook, job_hook, read, stop,
};
use super::store::{Actor, Store};
use super::stories::Story;
use super::world::{Pace, World};

/// Every story.
pub fn stories() -> Vec<Story> {
    [courses::stories(), ends::stories(), hands::stories(), inputs::stories()].into_iter().flatten().collect()
}

/// A group of linear-25 that waits a minute before the original goes.
fn linear() -> Value {
    with("linear-25", json!({}))
}

/// The same, with rollbacks.
fn rolling_back() -> Value {
    let events = ["DeploymentFailure", "DeploymentStopOnRequest"];
    with("linear-25", json!({"autoRollback": {"enabled": true, "events": events}}))
}

/// A group of that configuration that waits a minute before the original goes, and more.
fn with(config: &str, more: Value) -> Value {
    let wait = json!({"terminateOriginal": {"action": "Terminate", "wait": "1m"}});
    let mut group = json!({"deploymentConfigName": config, "blueGreen": wait});
    super::setup::merge(&mut group, more);
    group
}

fn plain(group: Value) -> World {
    standing(1, Pace::calm(), group, json!({}))
}

fn deploys(world: &mut World, name: &'static str, template: &'static str) {
    hooked(world, name, template, &[]);
}

fn hooked(
    world: &mut World,
    name: &'static str,
    template: &'static str,
    hooks: &'static [(&'static str, &'static str)],
) {
    let told: String = hooks.iter().map(|(event, hook)| format!(", hook {hook} at {event}")).collect();
    world.then(
        format!("creates Deployment {name} of PodTemplate {template}{told}"),
        at_once,
        1_000,
        move |w| deploy(w, name, &appspec(template, hooks)),
    );
}
