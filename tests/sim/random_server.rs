//! Random worlds of the Server platform.

use serde_json::{Value, json};
use sluice::api::{ConcurrencyPolicy, EventName};

use super::agents::{Loss, What};
use super::believer::Believer;
use super::objects::{Kind, Object};
use super::random::{NAMES, pace, shuffle};
use super::rng::Rng;
use super::server_setup::*;
use super::setup::{at_once, delete, edit_named_group, read, stop};
use super::store::Actor;
use super::world::{Pace, World};

const VERSIONS: [&str; 4] = ["1", "2", "3", "4"];
const EVENTS: [EventName; 9] = [
    EventName::BeforeBlockTraffic,
    EventName::ApplicationStop,
    EventName::DownloadBundle,
    EventName::BeforeInstall,
    EventName::Install,
    EventName::ApplicationStart,
    EventName::ValidateService,
    EventName::BeforeAllowTraffic,
    EventName::AfterAllowTraffic,
];
const CONFIGS: [&str; 7] = [
    "CodeDeployDefault.AllAtOnce",
    "CodeDeployDefault.HalfAtATime",
    "CodeDeployDefault.OneAtATime",
    "keep-2",
    "keep-8",
    "keep-all",
    "zones",
];

fn server_pace(rng: &mut Rng) -> Pace {
    Pace {
        agent: (10, rng.pick(&[100, 3_000, 20_000])),
        script: (50, rng.pick(&[1_000, 20_000])),
        ..pace(rng)
    }
}

fn group(rng: &mut Rng) -> Value {
    let policy = rng.pick(&["Queue", "Queue", "Reject", "Replace"]);
    let mut spec = json!({"deploymentConfigName": rng.pick(&CONFIGS), "concurrencyPolicy": policy});
    if rng.one_in(2) {
        let events = json!(["DeploymentFailure", "DeploymentStopOnRequest"]);
        spec["autoRollback"] = json!({"enabled": true, "events": events});
    }
    if rng.one_in(4) {
        spec["revisionHistoryLimit"] = json!(rng.between(0, 2));
    }
    spec
}

fn revision_of(rng: &mut Rng) -> Value {
    let version = rng.pick(&VERSIONS);
    if rng.one_in(8) {
        json!({"s3": {"bucket": "b", "key": format!("shop/{version}")}})
    } else {
        revision(version)
    }
}

fn more(rng: &mut Rng) -> Value {
    let mut more = json!({"revision": revision_of(rng)});
    if rng.one_in(6) {
        more["updateOutdatedInstancesOnly"] = true.into();
    }
    if rng.one_in(4) {
        more["ignoreApplicationStopFailures"] = true.into();
    }
    if rng.one_in(8) {
        more = json!({"revision": null, "deploymentMode": "Restart"});
    }
    if rng.one_in(4) {
        more["deploymentConfigName"] = rng.pick(&CONFIGS).into();
    }
    more
}

fn scripts(world: &mut World, rng: &mut Rng, hosts: &[(String, &str)]) {
    for _ in 0..rng.index(5) {
        let what = match rng.between(0, 9) {
            0..=5 => What::Fails,
            6..=8 => What::Takes(rng.between(100, 400_000)),
            _ => What::Hangs,
        };
        let everywhere = ("*".to_owned(), "");
        let host = if rng.one_in(3) {
            &everywhere
        } else {
            hosts.get(rng.index(hosts.len().max(1))).unwrap_or(&everywhere)
        };
        let (version, event) = (rng.pick(&VERSIONS), rng.pick(&EVENTS));
        fate(world, version, &host.0, event, what);
    }
}

fn deed(world: &mut World, rng: &mut Rng, hosts: &[(String, &str)]) {
    let name = rng.pick(&NAMES[..3]);
    let after = rng.between(0, 120_000);
    let host = hosts.get(rng.index(hosts.len().max(1))).map_or_else(|| "h01".to_owned(), |h| h.0.clone());
    match rng.between(0, 15) {
        0..=2 => {
            let asked = rng.pick(&[None, Some(true), Some(false)]);
            world.then(format!("stops {name} ({asked:?})"), at_once, after, move |w| stop(w, name, asked));
        }
        3 => {
            world.then(format!("deletes {name}"), at_once, after, move |w| delete(w, name));
        }
        4 => {
            let policy = rng.pick(&[ConcurrencyPolicy::Queue, ConcurrencyPolicy::Replace]);
            world.then(format!("sets the policy to {policy:?}"), at_once, after, move |w| {
                edit_named_group(w, GROUP, |g| g.spec.concurrency_policy = policy);
            });
        }
        5 | 6 => {
            let wanted = revision_of(rng);
            world.then("changes spec.revision", at_once, after, move |w| {
                edit_named_group(w, GROUP, |g| g.spec.revision = Some(read(wanted)));
            });
        }
        7..=9 => {
            let down = rng.between(100, 900_000);
            world.then(format!("{host} loses its network"), at_once, after, {
                let host = host.clone();
                move |w| w.unplug(&host)
            });
            world.then(format!("brings {host}'s network back"), at_once, down, move |w| w.plug(&host));
        }
        10 | 11 => {
            let (down, loss) =
                (rng.between(100, 900_000), rng.pick(&[Loss::Process, Loss::Power, Loss::Disk]));
            world.then(format!("ends the agent of {host} ({loss:?})"), at_once, after, move |w| {
                w.kill_agent(&host, down, loss)
            });
        }
        kind => outage(world, rng, kind, after, host),
    }
}

/// Something is taken away, and mostly comes back.
fn outage(world: &mut World, rng: &mut Rng, kind: i64, after: i64, host: String) {
    match kind {
        12 => {
            let is_anew = rng.one_in(2);
            world.then(format!("deletes {host}"), at_once, after, move |w| {
                delete_host(w, &host);
                if is_anew {
                    super::server_setup::host(w, &host, 1, "");
                }
            });
        }
        13 => {
            world.then("another object lies in S3", at_once, after, |w| {
                w.s3_content = format!("sha256:{}", "6".repeat(64));
            });
        }
        14 => {
            let gone = rng.between(1_000, 90_000);
            let group = spec(group(rng), json!({}));
            world.then("deletes the group", at_once, after, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            world.then("brings the group back", at_once, gone, move |w| {
                let group = Object::Group(sluice::api::DeploymentGroup::new(GROUP, read(group)).into());
                let _ = w.store.create(&Actor::User, group);
            });
        }
        _ => {
            let down = rng.between(1_000, 600_000);
            let index = rng.index(world.believers.len());
            world.then("kills a controller", at_once, after, move |w| {
                if w.believers[index].is_alive {
                    w.crash(index, down);
                }
            });
        }
    }
}

/// The world of a seed.
pub fn world(seed: u64) -> World {
    let mut rng = Rng::new(seed);
    let pace = server_pace(&mut rng);
    let group = group(&mut rng);
    let count = rng.pick(&[0, 1, 2, 3, 5, 9, 10]);
    let zones = rng.pick(&[["", "", ""], ["a", "b", "c"], ["a", "a", "b"]]);
    let hosts: Vec<(String, &str)> = (1..=count).map(|n| (format!("h{n:02}"), zones[n % 3])).collect();
    let is_balanced = rng.one_in(2);
    let server = if is_balanced { balanced(rng.pick(&["0s", "10s", "30s"])) } else { json!({}) };
    let make = if rng.one_in(4) { empty } else { standing };
    let mut world = make(rng.next(), pace, &hosts, group, server);
    if is_balanced {
        service(&mut world);
    }
    scripts(&mut world, &mut rng, &hosts);
    if rng.one_in(3) {
        world.believers.push(Believer::started(&world.store));
    }
    let (deployments, deeds) = (rng.index(4) + 1, rng.index(6));
    for index in 0..deployments + deeds {
        if let Some(&name) = NAMES[..deployments].get(index) {
            let (more, after) = (more(&mut rng), rng.between(0, 90_000));
            world.then(format!("creates {name}"), at_once, after, move |w| deploy(w, name, "2", more));
        } else {
            deed(&mut world, &mut rng, &hosts);
        }
    }
    shuffle(&mut world, &mut rng);
    world.crash_at = Some(rng.index(300) + 1);
    world
}
