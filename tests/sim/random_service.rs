//! Random worlds of the Service platform.

use serde_json::{Value, json};
use sluice::api::{ConcurrencyPolicy, DeploymentGroup, TASK_SET_LABEL};

use super::believer::Believer;
use super::objects::{Kind, Object};
use super::random::{CALLS, JOBS, NAMES, delete_group, pace, shuffle};
use super::rng::Rng;
use super::script::beat;
use super::service_setup::*;
use super::setup::{
    at_once, delete, delete_rollbacks, deploy_to, edit_named_group, http_hook, job_hook, read, stop,
};
use super::store::Actor;
use super::world::{Pace, World};

const EVENTS: [&str; 5] =
    ["BeforeInstall", "AfterInstall", "AfterAllowTestTraffic", "BeforeAllowTraffic", "AfterAllowTraffic"];

fn service_pace(rng: &mut Rng) -> Pace {
    Pace {
        replicas: (10, rng.pick(&[100, 2_000])),
        kubelet: (500, rng.pick(&[3_000, 30_000])),
        endpoints: (10, rng.pick(&[200, 5_000])),
        ..pace(rng)
    }
}

fn group(rng: &mut Rng, is_fronted: bool) -> Value {
    let config = rng.pick(&["linear-25", "linear-40", "canary-20", "CodeDeployDefault.ECSAllAtOnce"]);
    let config = if is_fronted { "CodeDeployDefault.ECSAllAtOnce" } else { config };
    let policy = rng.pick(&["Queue", "Queue", "Reject", "Replace"]);
    let ready = rng.pick(&[
        json!({"actionOnTimeout": "ContinueDeployment", "wait": "0s"}),
        json!({"actionOnTimeout": "ContinueDeployment", "wait": "30s"}),
        json!({"actionOnTimeout": "StopDeployment", "wait": "60s"}),
    ]);
    let terminate = rng.pick(&[
        json!({"action": "Terminate", "wait": "0s"}),
        json!({"action": "Terminate", "wait": "40s"}),
        json!({"action": "KeepAlive", "wait": "0s"}),
    ]);
    let mut spec = json!({
        "deploymentConfigName": config,
        "concurrencyPolicy": policy,
        "deletionPolicy": rng.pick(&["Orphan", "Delete"]),
        "blueGreen": {"deploymentReady": ready, "terminateOriginal": terminate},
    });
    if rng.one_in(2) {
        let events = json!(["DeploymentFailure", "DeploymentStopOnRequest"]);
        spec["autoRollback"] = json!({"enabled": true, "events": events});
    }
    if rng.one_in(4) {
        spec["revisionHistoryLimit"] = json!(rng.between(0, 2));
    }
    spec
}

fn content(rng: &mut Rng) -> String {
    let template = rng.pick(&["web-1", "web-2", "web-2", "web-3", "web-4", "web-5"]);
    let mut hooks = vec![];
    for event in EVENTS {
        if rng.one_in(5) {
            let is_good = rng.one_in(2);
            let is_job = rng.one_in(2);
            let plan = match (is_good, is_job) {
                (true, _) => "passes",
                (_, true) => rng.pick(&JOBS),
                (_, false) => rng.pick(&CALLS),
            };
            hooks.push((event, format!("{}-{plan}", if is_job { "job" } else { "call" })));
        }
    }
    let hooks: Vec<(&str, &str)> = hooks.iter().map(|(e, h)| (*e, h.as_str())).collect();
    appspec(template, &hooks)
}

fn deed(world: &mut World, rng: &mut Rng) {
    let name = rng.pick(&NAMES[..3]);
    let after = rng.between(0, 90_000);
    match rng.between(0, 30) {
        0..=2 => {
            let asked = rng.pick(&[None, Some(true), Some(false)]);
            world.then(format!("stops {name} ({asked:?})"), at_once, after, move |w| stop(w, name, asked));
        }
        3 => {
            world.then(format!("deletes {name}"), at_once, after, move |w| delete(w, name));
        }
        4 => {
            world.then(format!("continues {name}"), at_once, after, move |w| go_on(w, name));
        }
        5 => {
            let route = rng.pick(&[ROUTE, TEST_ROUTE]);
            world.then(format!("edits the filters of {route}"), at_once, after, move |w| {
                edit_route(w, route, |r| r.rules[0].filters.push('+'));
            });
        }
        6 => {
            let weight = i32::try_from(rng.between(0, 100)).unwrap();
            let route = rng.pick(&[ROUTE, ROUTE, TEST_ROUTE]);
            world.then(format!("gives {weight} of {route} to web-b"), at_once, after, move |w| {
                set_backends(w, route, &[(A, 100 - weight), (B, weight)]);
            });
        }
        7 => {
            let policy = rng.pick(&[ConcurrencyPolicy::Queue, ConcurrencyPolicy::Replace]);
            world.then(format!("sets the policy to {policy:?}"), at_once, after, move |w| {
                edit_named_group(w, GROUP, |g| g.spec.concurrency_policy = policy);
            });
        }
        8 => {
            let content = content(rng);
            world.then("changes spec.revision", at_once, after, move |w| {
                let revision = read(json!({"appSpecContent": {"content": content}}));
                edit_named_group(w, GROUP, |g| g.spec.revision = Some(revision));
            });
        }
        9 | 10 => {
            let replicas = rng.pick(&[0, 1, 3, 4]);
            world.then(format!("wants {replicas} replicas"), at_once, after, move |w| resize(w, replicas));
        }
        kind => breakage(world, rng, kind, after),
    }
}

/// Somebody or something breaks a side.
fn breakage(world: &mut World, rng: &mut Rng, kind: i64, after: i64) {
    let side = rng.pick(&[A, B]);
    match kind {
        11 | 12 => {
            world.then(format!("evicts the pods of {side}"), at_once, after, move |w| evict(w, side, None));
        }
        13 | 14 => {
            let down = rng.between(100, 200_000);
            world.then(format!("the pods of {side} cease"), at_once, after, move |w| flap(w, side, false));
            world.then("brings them back", at_once, down, move |w| flap(w, side, true));
        }
        15 => {
            world.then(format!("the pods of {side} crash"), at_once, after, move |w| {
                evict(w, side, Some("crash"));
            });
        }
        16 => {
            world.then(format!("deletes the task set of {side}"), at_once, after, move |w| {
                delete_behind(w, side);
            });
        }
        17 => {
            world.then(format!("points {side} elsewhere"), at_once, after, move |w| {
                edit_service(w, side, |s| s.selector = labels(&[("app", "else")]));
            });
        }
        18 => {
            world.then(format!("deletes Service {side}"), at_once, after, move |w| {
                w.store.delete(&Actor::User, &(Kind::Service, side.into()));
            });
        }
        19 => {
            let plan = rng.pick(&["starts", "pull", "crash", "slow", "quota"]);
            world.then(format!("makes web-2 one that {plan}"), at_once, after, move |w| {
                pod_template(w, "web-2", plan);
            });
        }
        kind => outage(world, rng, kind, after),
    }
}

/// Something breaks, and mostly comes back.
fn outage(world: &mut World, rng: &mut Rng, kind: i64, after: i64) {
    match kind {
        20 => {
            let silence = rng.between(1_000, 200_000);
            world.then("silences the gateway", at_once, after, |w| w.gateway_is_silent = true);
            world.then("lets the gateway speak", at_once, silence, World::gateway_recovers);
        }
        21 => {
            world.then("lets the gateway refuse", at_once, after, |w| w.gateway_refuses = Some("no".into()));
            world.then("lets it accept again", at_once, 30_000, World::gateway_recovers);
        }
        22 => {
            let gone = rng.between(1_000, 90_000);
            let spec = spec(json!({"deploymentConfigName": "linear-40"}), json!({}));
            delete_group(world, rng, GROUP, after);
            world.then("brings the group back", at_once, gone, move |w| {
                let group = Object::Group(DeploymentGroup::new(GROUP, read(spec)).into());
                let _ = w.store.create(&Actor::User, group);
            });
        }
        29 | 30 => {
            world.ambush = Some(beat("deletes every rollback", at_once, after / 1_000, delete_rollbacks));
        }
        25 | 26 => {
            let node = rng.index(2);
            world.then(format!("node {node} is lost"), at_once, after, move |w| lose_node(w, node));
        }
        27 | 28 => {
            let place = rng.index(2);
            world.then("adds a rule that sends elsewhere", at_once, after, move |w| {
                edit_route(w, ROUTE, |r| r.rules.insert(place, super::setup::rule("/else", "else")));
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

fn ground(rng: &mut Rng) -> World {
    let pace = service_pace(rng);
    let kind = rng.between(0, 7);
    let group = group(rng, kind == 0);
    let (seed, wait) = (rng.next(), rng.pick(&["40s", "5m"]));
    let listener = if rng.one_in(4) { json!({"testListener": null}) } else { json!({}) };
    let mut service = json!({"installTimeout": wait, "drain": rng.pick(&["0s", "10s", "30s"])});
    super::setup::merge(&mut service, listener);
    match kind {
        0 => fronted(seed, pace, group),
        1 => empty(seed, pace, group, service),
        2 => foreign(seed, pace, group, service),
        _ => standing(seed, pace, group, service),
    }
}

/// The world of a seed.
pub fn world(seed: u64) -> World {
    let mut rng = Rng::new(seed);
    let mut world = ground(&mut rng);
    for plan in JOBS {
        job_hook(&mut world, &format!("job-{plan}"), plan);
    }
    for plan in CALLS {
        http_hook(&mut world, &format!("call-{plan}"), plan);
    }
    if rng.one_in(4) {
        let plan = rng.pick(&["pull", "crash", "slow", "quota"]);
        pod_template(&mut world, "web-2", plan);
    }
    if rng.one_in(8) && world.store.service(A).is_some_and(|s| s.selector.contains_key(TASK_SET_LABEL)) {
        set_backends(&mut world, ROUTE, &[(A, 50), (B, 0), ("shadow", 50)]);
    }
    if rng.one_in(3) {
        world.believers.push(Believer::started(&world.store));
    }
    let (deployments, deeds) = (rng.index(3) + 1, rng.index(5));
    for index in 0..deployments + deeds {
        if let Some(&name) = NAMES[..deployments].get(index) {
            let (content, after) = (content(&mut rng), rng.between(0, 90_000));
            world.then(format!("creates {name}"), at_once, after, move |w| {
                deploy_to(w, GROUP, name, &content, json!({}));
            });
        } else {
            deed(&mut world, &mut rng);
        }
    }
    shuffle(&mut world, &mut rng);
    world.crash_at = Some(rng.index(250) + 1);
    world
}
