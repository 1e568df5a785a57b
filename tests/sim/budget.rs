//! What an undisturbed run costs: at most 2·steps+6 writes, and one status write a step.

use sluice::api::Phase;

use super::objects::{Kind, Object};
use super::store::Actor;
use super::stories::find;
use super::world::World;

fn run(name: &str) -> World {
    let mut world = find(name);
    world.run().unwrap();
    assert_eq!(world.store.deployment("d1").unwrap().phase(), Phase::Succeeded);
    world
}

/// Writes of the controller, from the Deployment's creation on.
fn writes(world: &World) -> Vec<&super::store::Commit> {
    let all = world.store.commits.iter();
    let since = all.skip_while(|c| c.key.1 != "d1");
    since.filter(|c| matches!(c.by, Actor::Controller(..))).collect()
}

#[test]
fn an_undisturbed_shift_costs_two_writes_a_step_and_six_more() {
    for (story, steps) in [("linear", 10), ("canary", 2), ("all_at_once", 1)] {
        let world = run(story);
        let writes = writes(&world);
        assert!(writes.len() <= 2 * steps + 6, "{story}: {} writes\n{:?}", writes.len(), keys(&writes));
    }
}

#[test]
fn a_step_costs_one_status_write_and_one_write_of_the_route() {
    let world = run("linear");
    let writes = writes(&world);
    let routes = writes.iter().filter(|c| c.key.0 == Kind::Route).count();
    let count = |o: &Option<Object>| {
        let status = o.as_ref().and_then(Object::deployment).and_then(|d| d.status.clone());
        status.and_then(|s| s.traffic).map_or(0, |t| t.steps.len())
    };
    let between =
        writes.iter().filter(|c| c.key.0 == Kind::Deployment && (1..10).contains(&count(&c.before))).count();
    assert_eq!((routes, between), (10, 9), "{:?}", keys(&writes));
}

fn keys<'a>(writes: &[&'a super::store::Commit]) -> Vec<&'a super::objects::Key> {
    writes.iter().map(|c| &c.key).collect()
}
