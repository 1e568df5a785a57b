//! The queue's bound: what comes beyond it waits outside, says so, and comes in in its turn.

use std::sync::Arc;

use serde_json::json;
use sluice::api::Phase;
use sluice::engine::{decide, group};

use super::believer::Believer;
use super::objects::{Kind, Object};
use super::observe;
use super::setup::*;
use super::store::Actor;
use super::world::{Pace, World};

fn name(number: usize) -> String {
    format!("d{number:03}")
}

/// Lets the group decide until it rests, as a believer does that sees everything.
fn settle(world: &mut World) {
    let key = (Kind::Group, GROUP.to_owned());
    loop {
        let believer = Believer::started(&world.store);
        let facts = observe::group(&believer.cache, &believer.memory, &world.store, GROUP).unwrap();
        let Some(status) = group::decide(&facts, world.store.now).record else { return };
        let version = world.store.objects[&key].version;
        world.store.write_group(&Actor::Controller(0, key.clone()), &key, version, &status).unwrap();
    }
}

/// Lets a Deployment decide once; answers the reason that it then gives.
fn look(world: &mut World, name: &str) -> String {
    let key = (Kind::Deployment, name.to_owned());
    let believer = Believer::started(&world.store);
    let facts = observe::deployment(&believer.cache, &believer.memory, &world.store, name).unwrap();
    if let Some(status) = decide(&facts, world.store.now).record {
        let version = world.store.objects[&key].version;
        world.store.write_status(&Actor::Controller(0, key.clone()), &key, version, &status).unwrap();
    }
    let status = world.store.deployment(name).and_then(|d| d.status.clone());
    status.and_then(|s| s.conditions.first().map(|c| c.reason.clone())).unwrap_or_default()
}

/// The one whose turn it is, and those in the queue.
fn turns(world: &World) -> (String, Vec<String>) {
    let group = world.store.get(Kind::Group, GROUP).and_then(Object::group).unwrap();
    let status = group.status.clone().unwrap();
    let queued = status.queued_deployments.into_iter().map(|q| q.name).collect();
    (status.active_deployment.unwrap().name, queued)
}

fn end(world: &mut World, name: &str) {
    let _ = world.store.change(&Actor::User, &(Kind::Deployment, name.into()), |o| {
        if let Object::Deployment(d) = o {
            let status = Arc::make_mut(d).status.get_or_insert_default();
            status.phase = Phase::Stopped;
        }
    });
}

#[test]
fn the_hundred_and_first_that_waits_says_that_the_queue_is_full_and_comes_in_as_soon_as_one_has_its_turn() {
    let mut w = shop(1, Pace::calm(), json!({}));
    for number in 0..103 {
        deploy(&mut w, &name(number), &appspec("2", None, &[]), json!({}));
    }
    settle(&mut w);
    let (active, queued) = turns(&w);
    assert_eq!((active, queued.len()), (name(0), 100));
    assert_eq!(queued, (1..=100).map(name).collect::<Vec<_>>(), "in the order of creation");
    assert_eq!(look(&mut w, &name(100)), "Queued");
    for number in [101, 102] {
        assert_eq!(look(&mut w, &name(number)), "QueueFull");
        assert_eq!(w.store.deployment(&name(number)).unwrap().phase(), Phase::Created);
    }

    end(&mut w, &name(0));
    settle(&mut w);
    let (active, queued) = turns(&w);
    assert_eq!((active, queued.len()), (name(1), 100));
    assert_eq!(queued.last(), Some(&name(101)));
    assert_eq!(look(&mut w, &name(101)), "Queued");
    assert_eq!(look(&mut w, &name(102)), "QueueFull");

    stop(&mut w, &name(102), None);
    assert_eq!(look(&mut w, &name(102)), "ManualStop", "outside the queue it can be stopped, too");
}
