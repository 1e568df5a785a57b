//! The end of a run: everything has come to rest, and looking again changes nothing.

use sluice::api::condition::is_true;
use sluice::api::{Deployment, Phase};

use super::believer::Believer;
use super::invariants::{Breach, Holds};
use super::objects::{Kind, Object};
use super::observe;
use super::world::World;

/// Checks the world after its last move.
pub fn check(world: &World) -> Holds {
    for deployment in world.store.all(Kind::Deployment).filter_map(Object::deployment) {
        every_run_ends(world, deployment)?;
    }
    no_job_is_left_held(world)?;
    super::invariants::sides::nothing_is_left_running(&world.store)?;
    super::invariants::hosts::no_host_is_left_working(&world.store)?;
    a_quiet_world_plans_nothing(world)
}

/// A Deployment ends, or says that it is Stalled for something that is missing, or waits behind one that says so.
fn every_run_ends(world: &World, deployment: &Deployment) -> Holds {
    let is_stalled = |d: &Deployment| d.status.as_ref().is_some_and(|s| is_true(&s.conditions, "Stalled"));
    if deployment.phase().has_ended() || is_stalled(deployment) {
        return Ok(());
    }
    let group =
        world.store.get(Kind::Group, &deployment.spec.deployment_group_ref.name).and_then(Object::group);
    let active = group.and_then(|g| g.status.as_ref()).and_then(|s| s.active_deployment.as_ref());
    let first = active.and_then(|a| world.store.deployment(&a.name));
    if matches!(deployment.phase(), Phase::Created | Phase::Queued)
        && first.is_some_and(|d| !d.phase().has_ended() && is_stalled(d))
    {
        return Ok(());
    }
    let message = deployment.status.as_ref().map(|s| s.message.clone()).unwrap_or_default();
    let what = format!("{} rests in {}: {message}", deployment.name(), deployment.phase());
    Err(Breach::new("every_run_ends", what))
}

/// Our finalizers are gone from Jobs and from Deployments that have ended, but for one that its rollback needs to begin, and from
/// everything that is being deleted.
fn no_job_is_left_held(world: &World) -> Holds {
    let held = world.store.all(Kind::Job).filter_map(Object::job).find(|j| j.is_held);
    if let Some(job) = held {
        return Err(Breach::new("nothing_is_left_held", format!("Job {}", job.name)));
    }
    let mut deployments = world.store.all(Kind::Deployment).filter_map(Object::deployment);
    let is_held = |d: &Deployment| !d.metadata.finalizers.as_deref().unwrap_or_default().is_empty();
    let is_needed = |d: &Deployment| {
        let mut all = world.store.all(Kind::Deployment).filter_map(Object::deployment);
        d.metadata.deletion_timestamp.is_none()
            && all.any(|r| {
                d.is_rolled_back_by(r)
                    && r.status.as_ref().is_none_or(|s| s.resolved.is_none())
                    && !r.phase().has_ended()
            })
    };
    let is_left = |d: &Deployment| {
        d.metadata.deletion_timestamp.is_some() || d.phase().has_ended() && is_held(d) && !is_needed(d)
    };
    match deployments.find(|d| is_left(d)) {
        Some(d) => Err(Breach::new("nothing_is_left_held", format!("Deployment {}", d.name()))),
        None => Ok(()),
    }
}

/// A process that starts in a quiet world, and sees everything as it is, finds nothing to do.
fn a_quiet_world_plans_nothing(world: &World) -> Holds {
    let believer = Believer::started(&world.store);
    let broken =
        |name: &str, what: String| Err(Breach::new("a_quiet_world_plans_nothing", format!("{name}: {what}")));
    for key in believer.queue.keys() {
        if key.0 == Kind::Deployment {
            let Some(facts) = observe::deployment(&believer.cache, &believer.memory, &world.store, &key.1)
            else {
                continue;
            };
            let plan = (world.minds.deployment)(&facts, world.store.now);
            if !plan.is_quiet() {
                return broken(&key.1, format!("{plan:?}"));
            }
        } else if key.0 == Kind::Group {
            let facts = observe::group(&believer.cache, &believer.memory, &world.store, &key.1);
            let Some(facts) = facts else { continue };
            let plan = (world.minds.group)(&facts, world.store.now);
            if plan.record.is_some() || !plan.acts.is_empty() || !plan.notes.is_empty() {
                return broken(&key.1, format!("{plan:?}"));
            }
        }
    }
    Ok(())
}
