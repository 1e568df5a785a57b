//! Invariants on what starts.

use std::sync::Arc;

use sluice::api::{Deployment, DeploymentGroup};

use super::super::objects::{Kind, Object};
use super::super::store::{Actor, Commit, Store};
use super::{Breach, Holds, Ledger};

/// A hook's Job is created once in its whole life, whatever becomes of it.
pub fn no_job_starts_twice(ledger: &Ledger, commit: &Commit) -> Holds {
    match ledger.jobs.iter().find(|(_, n)| **n > 1) {
        Some((id, n)) => {
            Err(Breach::new("no_job_starts_twice", format!("{} ({id}) {n} times", commit.key.1)))
        }
        None => Ok(()),
    }
}

/// A rollback, or a desired revision's Deployment, is made once, whatever becomes of it.
pub fn no_deployment_is_made_twice(ledger: &Ledger, commit: &Commit) -> Holds {
    match ledger.made.get(&commit.key.1) {
        Some(n) if *n > 1 => Err(Breach::new("no_deployment_is_made_twice", commit.key.1.clone())),
        _ => Ok(()),
    }
}

/// A deployment that has ended starts no Job.
pub fn the_ended_starts_no_job(ledger: &Ledger, commit: &Commit) -> Holds {
    let (Actor::Controller(_, (Kind::Deployment, name)), None) = (&commit.by, &commit.before) else {
        return Ok(());
    };
    match ledger.deployments.get(name).filter(|d| d.phase().has_ended()) {
        Some(d) => {
            let what = format!("{name} is {} and started Job {}", d.phase(), commit.key.1);
            Err(Breach::new("the_ended_starts_no_job", what))
        }
        None => Ok(()),
    }
}

/// However often a hook's URL is called, it is called under one execution id.
pub fn no_hook_has_two_execution_ids(ledger: &Ledger) -> Holds {
    match ledger.calls.iter().find(|(_, ids)| ids.len() > 1) {
        Some(((name, event), ids)) => {
            Err(Breach::new("no_hook_has_two_execution_ids", format!("{name} {event}: {ids:?}")))
        }
        None => Ok(()),
    }
}

/// At most one Deployment of a group runs.
pub fn one_runs_per_group(store: &Store) -> Holds {
    let running: Vec<&Arc<Deployment>> = store
        .all(Kind::Deployment)
        .filter_map(Object::deployment)
        .filter(|d| d.phase().is_running())
        .collect();
    for (index, one) in running.iter().enumerate() {
        let group = &one.spec.deployment_group_ref;
        if let Some(other) = running[index + 1..].iter().find(|d| d.spec.deployment_group_ref == *group) {
            let what = format!("{} and {} of {}", one.name(), other.name(), group.name);
            return Err(Breach::new("one_runs_per_group", what));
        }
    }
    Ok(())
}

/// A Deployment starts only while its group's grant names it, or as a rollback whose group can give no grant any more.
pub fn only_the_granted_starts(
    ledger: &Ledger,
    before: Option<&Arc<Deployment>>,
    after: &Deployment,
) -> Holds {
    if !after.phase().is_running() || before.is_none_or(|d| d.phase().is_running()) {
        return Ok(());
    }
    let group = ledger.groups.get(&after.spec.deployment_group_ref.name);
    let active = group.and_then(|g| g.status.as_ref()).and_then(|s| s.active_deployment.as_ref());
    if active.is_some_and(|a| a.uid == after.uid()) {
        return Ok(());
    }
    let can_grant = |g: &DeploymentGroup| g.metadata.deletion_timestamp.is_none() || g.is_held();
    let is_rollback = after.status.as_ref().is_some_and(|s| s.is_rollback());
    if is_rollback && !group.is_some_and(|g| can_grant(g)) {
        return Ok(());
    }
    Err(Breach::new("only_the_granted_starts", after.name()))
}
