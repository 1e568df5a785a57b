//! Each golden story is as it is written down, and ends the same however its controller crashes.

use std::fmt::Write;
use std::path::PathBuf;

use sluice::api::TASK_SET_LABEL;

use super::objects::{Kind, Object};
use super::parallel::in_parallel;
use super::stories::{Story, stories};
use super::world::World;

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "sim", "stories", &format!("{name}.golden")].iter().collect()
}

/// The story so far, for people.
pub fn told(world: &World) -> String {
    world.log.lines.join("\n") + "\n"
}

/// How a run ended: every phase, every weight, how the group stands; no times.
pub fn end_of(world: &World) -> String {
    let mut end = String::new();
    for object in world.store.all(Kind::Deployment).filter_map(Object::deployment) {
        let letters = object.status.as_ref().map(|s| s.targets.clone()).unwrap_or_default();
        let _ = writeln!(end, "{} {} {letters}", object.name(), object.phase());
    }
    for route in world.store.all(Kind::Route).filter_map(Object::route) {
        for backend in route.rules.iter().flat_map(|r| &r.backends) {
            let _ = writeln!(end, "{} {} {}", route.name, backend.service, backend.weight);
        }
    }
    let mut task_sets: Vec<_> = world.store.all(Kind::TaskSet).filter_map(Object::task_set).collect();
    task_sets.sort_by_key(|t| t.task_definition.clone());
    for task_set in task_sets {
        let _ = writeln!(end, "a task set of {:?} {}", task_set.task_definition, task_set.replicas);
    }
    for service in world.store.all(Kind::Service).filter_map(Object::service) {
        // Names of task sets follow the order in which other things were made.
        let own = service.selector.get(TASK_SET_LABEL).and_then(|name| world.store.task_set(name));
        match own {
            Some(own) => writeln!(end, "{} sends to {:?}", service.name, own.task_definition),
            None => writeln!(end, "{} selects {:?}", service.name, service.selector),
        }
        .unwrap();
    }
    for instance in world.store.all(Kind::Instance).filter_map(Object::instance) {
        let status = instance.status.clone().unwrap_or_default();
        let name = instance.metadata.name.as_deref().unwrap_or_default();
        let had: Vec<_> = status.installed.iter().map(|i| i.deployment.as_str()).collect();
        let said: Vec<_> = status.assignments.iter().map(|a| (&a.deployment, a.status)).collect();
        let _ = writeln!(end, "{name} has {had:?}, says {said:?}");
    }
    let slices = world.store.all(Kind::HostSlice).filter_map(Object::host_slice);
    let mut ready: Vec<_> =
        slices.flat_map(|s| &s.endpoints).filter(|e| e.is_ready).map(|e| &e.host).collect();
    ready.sort();
    if !ready.is_empty() {
        let _ = writeln!(end, "behind the load balancer: {ready:?}");
    }
    for group in world.store.all(Kind::Group).filter_map(Object::group) {
        let status = group.status.clone().unwrap_or_default();
        let reasons: Vec<_> = status.conditions.iter().map(|c| format!("{}={}", c.type_, c.reason)).collect();
        let _ = writeln!(end, "group {:?} {}", status.phase, reasons.join(" "));
    }
    end
}

#[test]
fn every_golden_story_is_as_it_is_written_down() {
    let mut wrong = vec![];
    for Story { name, tell } in &stories() {
        let mut world = tell();
        let outcome = world.run();
        let mut told = told(&world);
        if let Err(breach) = outcome {
            let _ = writeln!(told, "BREACH {breach}");
            wrong.push(format!("{name}: {breach}"));
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(path(name), &told).unwrap();
        } else if std::fs::read_to_string(path(name)).unwrap_or_default() != told {
            wrong.push(format!("{name} differs; UPDATE_GOLDEN=1 writes it anew. It went:\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A Service story crashes at so many of its sub-steps, spread evenly; `SIM_CRASHES=all` takes every one.
const CRASHES: usize = 16;

/// What goes wrong first in a story whose controller crashes before each of its sub-steps in turn.
fn crashed(Story { name, tell }: &Story) -> Option<String> {
    let mut calm = tell();
    if let Err(breach) = calm.run() {
        return Some(format!("{name}: {breach}"));
    }
    let wanted = end_of(&calm);
    let is_sampled = name.contains('/') && std::env::var_os("SIM_CRASHES").is_none();
    let stride = if is_sampled { (calm.sub_steps / CRASHES).max(1) } else { 1 };
    // Stories that begin alike crash at different sub-steps.
    let first = 1 + name.len() % stride;
    (first..=calm.sub_steps).step_by(stride).find_map(|at| {
        let mut world = tell();
        world.crash_at = Some(at);
        let outcome = world.run();
        let end = end_of(&world);
        match outcome {
            Err(breach) => Some(format!("{name}, crash at {at}: {breach}\n{}", told(&world))),
            Ok(()) if end != wanted => {
                Some(format!("{name}, crash at {at}: ended\n{end}and not\n{wanted}{}", told(&world)))
            }
            Ok(()) => None,
        }
    })
}

#[test]
fn every_golden_story_ends_the_same_after_a_crash_at_any_sub_step() {
    let wrong: Vec<String> = in_parallel(&stories(), crashed).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_stories_on_disk_are_those_that_are_told() {
    let mut names: Vec<_> = stories().iter().map(|s| path(&s.name)).collect();
    names.sort();
    let in_folder = |name: &str| {
        let folder = path(name).parent().unwrap().to_owned();
        std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).filter(|p| p.is_file())
    };
    let mut files: Vec<_> =
        in_folder("x").chain(in_folder("service/x")).chain(in_folder("server/x")).collect();
    files.sort();
    assert_eq!(files, names);
}
