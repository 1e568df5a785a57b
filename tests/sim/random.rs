//! Random worlds: everything follows from the seed. `SIM_SEEDS` of them are run; `SIM_SEED=n` replays one and prints it.

use serde_json::json;
use sluice::api::ConcurrencyPolicy;

use super::believer::Believer;
use super::goldens::told;
use super::objects::{Kind, Object};
use super::parallel::in_parallel;
use super::rng::Rng;
use super::script::beat;
use super::setup::*;
use super::store::Actor;
use super::world::{Pace, World};

pub const NAMES: [&str; 5] = ["d1", "d2", "d3", "d4", "d5"];
pub const JOBS: [&str; 4] = ["passes", "fails", "vanishes", "hangs"];
pub const CALLS: [&str; 6] = ["passes", "fails", "400", "busy", "later", "never"];

/// How late everything is.
pub fn pace(rng: &mut Rng) -> Pace {
    Pace {
        lag: (0, rng.pick(&[0, 10, 200, 3_000])),
        step: (0, rng.pick(&[0, 20, 500])),
        gateway: (20, rng.pick(&[100, 1_000, 8_000, 40_000])),
        job: (200, rng.pick(&[1_000, 60_000])),
        pauses: rng.pick(&[0, 0, 10, 40]),
        pause: (1_000, 15_000),
        losses: rng.pick(&[0, 0, 20]),
        is_shuffled: true,
        ..Pace::calm()
    }
}

/// Somebody deletes the group, in the foreground or not, and maybe as soon as a rollback is there.
pub fn delete_group(world: &mut World, rng: &mut Rng, name: &'static str, after: i64) {
    let is_foreground = rng.one_in(2);
    let text = if is_foreground { "deletes the group in the foreground" } else { "deletes the group" };
    let deed = move |w: &mut World| {
        let key = (Kind::Group, name.into());
        if is_foreground {
            w.store.delete_in_foreground(&Actor::User, &key);
        } else {
            w.store.delete(&Actor::User, &key);
        }
    };
    if rng.one_in(2) {
        world.ambush = Some(beat(text, at_once, after / 1_000, deed));
    } else {
        world.then(text, at_once, after, deed);
    }
}

fn group(rng: &mut Rng) -> serde_json::Value {
    let config = rng.pick(&["linear-25", "linear-40", "canary-20", "CodeDeployDefault.LambdaAllAtOnce"]);
    let policy = rng.pick(&["Queue", "Queue", "Reject", "Replace"]);
    let mut spec = json!({"deploymentConfigName": config, "concurrencyPolicy": policy});
    if rng.one_in(2) {
        spec["autoRollback"] =
            json!({"enabled": true, "events": ["DeploymentFailure", "DeploymentStopOnRequest"]});
    }
    if rng.one_in(4) {
        spec["revisionHistoryLimit"] = json!(rng.between(0, 2));
    }
    spec
}

fn content(rng: &mut Rng) -> String {
    let version = rng.pick(&["1", "2", "2", "3", "3", "4"]);
    let mut hooks = vec![];
    for event in ["BeforeAllowTraffic", "AfterAllowTraffic"] {
        if rng.one_in(2) {
            let kind = rng.pick(&["job", "call"]);
            let good = rng.one_in(2);
            let plan = match kind {
                _ if good => "passes",
                "job" => rng.pick(&JOBS),
                _ => rng.pick(&CALLS),
            };
            hooks.push((event, format!("{kind}-{plan}")));
        }
    }
    let hooks: Vec<(&str, &str)> = hooks.iter().map(|(e, h)| (*e, h.as_str())).collect();
    appspec(version, None, &hooks)
}

fn deed(world: &mut World, rng: &mut Rng) {
    let name = rng.pick(&NAMES[..3]);
    let after = rng.between(0, 90_000);
    match rng.between(0, 20) {
        0..=2 => {
            let asked = rng.pick(&[None, Some(true), Some(false)]);
            world.then(format!("stops {name} ({asked:?})"), at_once, after, move |w| stop(w, name, asked));
        }
        3 => {
            world.then(format!("deletes {name}"), at_once, after, move |w| delete(w, name));
        }
        4 => {
            world.then("edits the filters", at_once, after, |w| {
                edit_route(w, |r| r.rules[0].filters.push('+'));
            });
        }
        5 => {
            let weight = i32::try_from(rng.between(0, 100)).unwrap();
            world.then(format!("moves {weight} to its last backend"), at_once, after, move |w| {
                edit_route(w, |r| {
                    let backends = &mut r.rules[0].backends;
                    let last = backends.len() - 1;
                    if last > 0 {
                        (backends[0].weight, backends[last].weight) = (100 - weight, weight);
                    }
                });
            });
        }
        20 => {
            world.ambush = Some(beat("deletes every rollback", at_once, after / 1_000, delete_rollbacks));
        }
        18 => {
            let versions =
                rng.pick(&[("hello-1", "hello-2"), ("hello-2", "hello-3"), ("hello-1", "hello-3")]);
            let weight = i32::try_from(rng.between(0, 100)).unwrap();
            world.then(format!("splits the route {weight} to {}", versions.1), at_once, after, move |w| {
                set_backends(w, &[(versions.0, 100 - weight), (versions.1, weight)]);
            });
        }
        10 => {
            let policy = rng.pick(&[ConcurrencyPolicy::Queue, ConcurrencyPolicy::Replace]);
            world.then(format!("sets the policy to {policy:?}"), at_once, after, move |w| {
                set_policy(w, policy)
            });
        }
        11 | 12 => {
            let content = content(rng);
            world.then("changes spec.revision", at_once, after, move |w| desire(w, &content));
        }
        kind => outage(world, rng, kind, after),
    }
}

/// Something breaks, and mostly comes back.
fn outage(world: &mut World, rng: &mut Rng, kind: i64, after: i64) {
    match kind {
        6 | 7 => {
            let service = rng.pick(&["hello-1", "hello-2", "hello-3", "hello-4"]);
            let down = rng.between(100, 400_000);
            world.then(format!("takes {service} down"), at_once, after, move |w| set_ready(w, service, 0));
            world.then(format!("brings {service} back"), at_once, down, move |w| set_ready(w, service, 2));
        }
        8 => {
            let silence = rng.between(1_000, 200_000);
            world.then("silences the gateway", at_once, after, |w| w.gateway_is_silent = true);
            world.then("lets the gateway speak", at_once, silence, World::gateway_recovers);
        }
        9 => {
            world.then("lets the gateway refuse", at_once, after, |w| w.gateway_refuses = Some("no".into()));
            world.then("lets it accept again", at_once, 30_000, World::gateway_recovers);
        }
        13 => {
            world.then("deletes every Job", at_once, after, |w| {
                let jobs: Vec<_> = w.store.all(Kind::Job).map(Object::key).collect();
                for job in jobs {
                    w.store.delete(&Actor::User, &job);
                }
            });
        }
        14 => {
            world.then("deletes the route", at_once, after, |w| {
                w.store.delete(&Actor::User, &(Kind::Route, ROUTE.into()));
            });
            let (gone, weight) = (rng.between(0, 90_000), i32::try_from(rng.between(0, 4)).unwrap() * 25);
            world.then("brings the route back", at_once, gone, move |w| {
                let _ =
                    w.store.create(&Actor::User, route(&[("hello-1", 100 - weight), ("hello-2", weight)]));
            });
        }
        19 => {
            let gone = rng.between(1_000, 90_000);
            let spec = group(rng);
            delete_group(world, rng, GROUP, after);
            world.then("brings the group back", at_once, gone, move |w| {
                let _ = w.store.create(&Actor::User, Object::Group(group_of(spec)));
            });
        }
        15 => {
            let name = rng.pick(&["linear-25", "linear-40", "canary-20"]);
            world.then(format!("deletes config {name}"), at_once, after, move |w| {
                w.store.delete(&Actor::User, &(Kind::Config, name.into()));
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

/// The world of a seed: one of three is of the Service platform, and one of the Server platform.
pub fn world(seed: u64) -> World {
    match seed % 3 {
        1 => return super::random_service::world(seed),
        2 => return super::random_server::world(seed),
        _ => {}
    }
    let mut rng = Rng::new(seed);
    let pace = pace(&mut rng);
    let group = group(&mut rng);
    let mut world = shop(rng.next(), pace, group);
    for plan in JOBS {
        job_hook(&mut world, &format!("job-{plan}"), plan);
    }
    for plan in CALLS {
        http_hook(&mut world, &format!("call-{plan}"), plan);
    }
    if rng.one_in(4) {
        set_backends(&mut world, &[("hello-1", 50), ("shadow", 50)]);
    }
    if rng.one_in(3) {
        world.believers.push(Believer::started(&world.store));
    }
    let (deployments, deeds) = (rng.index(4) + 1, rng.index(5));
    for index in 0..deployments + deeds {
        if let Some(&name) = NAMES[..deployments].get(index) {
            let (content, after) = (content(&mut rng), rng.between(0, 60_000));
            world.then(format!("creates {name}"), at_once, after, move |w| {
                deploy(w, name, &content, json!({}))
            });
        } else {
            deed(&mut world, &mut rng);
        }
    }
    shuffle(&mut world, &mut rng);
    world.crash_at = Some(rng.index(120) + 1);
    world
}

/// Mixes creations and deeds; what comes in pairs stays in its order.
pub fn shuffle(world: &mut World, rng: &mut Rng) {
    for index in (1..world.script.len()).rev() {
        let is_pair = |w: &World, i: usize| {
            let text = &w.script[i].text;
            text.starts_with("brings")
                || text.starts_with("lets it")
                || text.starts_with("lets the gateway speak")
        };
        let other = rng.index(index + 1);
        if !is_pair(world, index) && !is_pair(world, other) && other != index {
            world.script.swap(index, other);
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_worlds_hold_every_invariant() {
    if let Some(seed) = number("SIM_SEED") {
        let mut world = world(seed);
        let outcome = world.run();
        println!("{}", told(&world));
        return assert!(outcome.is_ok(), "seed {seed}: {}", outcome.unwrap_err());
    }
    let seeds = number("SIM_SEEDS").unwrap_or(1_000);
    let all: Vec<u64> = (0..seeds).collect();
    let failed: Vec<(u64, String)> = in_parallel(&all, |seed| run(*seed)).into_iter().flatten().collect();
    let mut by_invariant = std::collections::BTreeMap::<String, Vec<u64>>::new();
    for (seed, breach) in &failed {
        by_invariant.entry(breach.split(':').next().unwrap_or_default().into()).or_default().push(*seed);
    }
    let shortest = failed.iter().min_by_key(|(_, text)| text.len());
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds break an invariant: {by_invariant:?}. The shortest is SIM_SEED={}:\n{}",
        failed.len(),
        shortest.map_or(0, |(s, _)| *s),
        shortest.map_or("", |(_, t)| t),
    );
}

fn run(seed: u64) -> Option<(u64, String)> {
    let mut world = world(seed);
    world.run().err().map(|breach| (seed, format!("{breach}\n{}", told(&world))))
}

#[test]
fn a_seed_replays_exactly() {
    let run = |seed| {
        let mut world = world(seed);
        let _ = world.run();
        told(&world)
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed));
    }
}

#[test]
fn random_worlds_are_worth_their_time() {
    let mut ends = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..300 {
        let mut world = world(seed);
        let _ = world.run();
        for deployment in world.store.all(Kind::Deployment).filter_map(Object::deployment) {
            let code = deployment.status.as_ref().and_then(|s| s.error_information.clone()).map(|e| e.code);
            let end = code.unwrap_or_else(|| deployment.phase().to_string());
            if seed % 3 > 0 {
                let platform = if seed % 3 == 1 { "service" } else { "server" };
                let is_rollback = deployment.status.as_ref().is_some_and(|s| s.is_rollback());
                let end = if is_rollback && end == "Succeeded" { "rolled back" } else { &end };
                *ends.entry(format!("{platform} {end}")).or_default() += 1;
            } else {
                *ends.entry(end).or_default() += 1;
            }
        }
    }
    let service = [
        "service CustomerApplicationUnhealthy",
        "service HookExecutionFailure",
        "service InvalidServiceConfiguration",
        "service ManualStop",
        "service Succeeded",
        "service Timeout",
        "service rolled back",
    ];
    let function = ["Succeeded", "ManualStop", "HookExecutionFailure", "NoReadyEndpoints"];
    let server = ["server Succeeded", "server HealthConstraints", "server ManualStop", "server rolled back"];
    for wanted in function.into_iter().chain(service).chain(server) {
        assert!(ends.contains_key(wanted), "{wanted} never happened: {ends:?}");
    }
}
