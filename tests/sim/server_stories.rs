//! The golden stories of the Server platform.

mod courses;
mod ends;
mod inputs;
mod mishaps;
mod traffic;

use serde_json::{Value, json};
use sluice::api::{EventName, EventStatus, Phase};

use super::agents::{Loss, What};
use super::objects::{Kind, Object};
use super::server_setup::*;
use super::setup::{at_once, delete, edit_named_group, stop};
use super::store::Actor;
use super::stories::Story;
use super::world::{Pace, World};

const ALL: &str = "CodeDeployDefault.AllAtOnce";
const HALF: &str = "CodeDeployDefault.HalfAtATime";
const ONE: &str = "CodeDeployDefault.OneAtATime";

/// Every story.
pub fn stories() -> Vec<Story> {
    [courses::stories(), ends::stories(), inputs::stories(), mishaps::stories(), traffic::stories()]
        .into_iter()
        .flatten()
        .collect()
}

/// A group of that configuration.
fn config(name: &str) -> Value {
    json!({"deploymentConfigName": name})
}

/// The same, with rollbacks.
fn rolling_back(name: &str) -> Value {
    let events = ["DeploymentFailure", "DeploymentStopOnRequest"];
    json!({"deploymentConfigName": name, "autoRollback": {"enabled": true, "events": events}})
}

/// So many hosts with version 1.
fn plain(hosts: usize, group: Value) -> World {
    standing(1, Pace::calm(), &names(hosts), group, json!({}))
}

/// The first of six hosts in two zones and in none.
fn in_zones(count: usize) -> Vec<(String, &'static str)> {
    let zones = ["eu-1b", "eu-1a", "", "eu-1a", "eu-1b", ""];
    names(count).into_iter().zip(zones).map(|((name, _), zone)| (name, zone)).collect()
}

/// So many hosts with version 1 behind a load balancer.
fn behind(hosts: usize, group: Value) -> World {
    let mut w = standing(1, Pace::calm(), &names(hosts), group, balanced("10s"));
    service(&mut w);
    w
}

fn deploys(world: &mut World, name: &'static str, version: &'static str) {
    deploys_with(world, name, version, json!({}));
}

fn deploys_with(world: &mut World, name: &'static str, version: &'static str, more: Value) {
    let told = if more == json!({}) { String::new() } else { format!(" with {more}") };
    world.then(format!("creates Deployment {name} of version {version}{told}"), at_once, 1_000, move |w| {
        deploy(w, name, version, more);
    });
}
