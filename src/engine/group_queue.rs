//! Turns: one Deployment of a group runs at a time, rollbacks go first, the others in order of creation.

use std::sync::Arc;

use super::group::{GroupAct, GroupFacts, GroupPlan, phase_after};
use super::production::Production;
use crate::api::deployment_group::{AttemptedDeployment, DeploymentRef, Serving, SuccessfulDeployment};
use crate::api::deployment_status::Resolved;
use crate::api::{Deployment, DeploymentGroupStatus, GroupPhase, Phase};

/// The queue's bound.
pub const MAX_QUEUED: usize = 100;

fn reference(deployment: &Deployment) -> DeploymentRef {
    DeploymentRef { name: deployment.name().into(), uid: deployment.uid().into() }
}

fn find<'a>(facts: &'a GroupFacts, uid: &str) -> Option<&'a Arc<Deployment>> {
    facts.deployments.iter().find(|d| d.uid() == uid)
}

/// True if the group made that Deployment: one of the derived name that somebody else made carries nothing for it.
pub fn is_own(facts: &GroupFacts, deployment: &Deployment) -> bool {
    let group_uid = facts.group.metadata.uid.as_deref();
    let owners = deployment.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|o| Some(o.uid.as_str()) == group_uid)
}

fn is_waiting(deployment: &Deployment) -> bool {
    matches!(deployment.phase(), Phase::Created | Phase::Queued) && !is_gone(deployment)
}

/// True if it is being deleted. A rollback, which is held before it begins, still takes its turn.
fn is_gone(deployment: &Deployment) -> bool {
    deployment.metadata.deletion_timestamp.is_some() && !deployment.is_held()
}

/// Takes the grant back from a Deployment that has ended or is gone, and notes how it ended. True if one ended.
pub fn release(facts: &GroupFacts, status: &mut DeploymentGroupStatus) -> bool {
    status.queued_deployments.retain(|q| find(facts, &q.uid).is_some_and(|d| is_waiting(d)));
    end_active(facts, status)
}

fn end_active(facts: &GroupFacts, status: &mut DeploymentGroupStatus) -> bool {
    let Some(active) = status.active_deployment.clone() else { return false };
    match find(facts, &active.uid) {
        Some(deployment) if deployment.phase().has_ended() => {
            note_end(status, deployment);
            status.active_deployment = None;
            true
        }
        Some(deployment) if !deployment.phase().is_running() && is_gone(deployment) => {
            status.active_deployment = None;
            status.phase = settled_phase(status);
            true
        }
        None if facts.is_grant_checked => {
            status.active_deployment = None;
            status.phase = settled_phase(status);
            true
        }
        _ => false,
    }
}

/// How the group stands when a Deployment vanished without an end on record.
pub fn settled_phase(status: &DeploymentGroupStatus) -> Option<GroupPhase> {
    let last = status.last_attempted_deployment.as_ref();
    Some(last.map_or(GroupPhase::Ready, |l| phase_after(l.phase, l.rollback_of.is_some())))
}

fn note_end(status: &mut DeploymentGroupStatus, deployment: &Deployment) {
    let Some(own) = &deployment.status else { return };
    let is_rollback = own.is_rollback();
    let info = own.rollback_info.as_ref();
    let rollback = info.and_then(|i| i.rollback_deployment.clone()).filter(|_| !is_rollback);
    status.phase = Some(phase_after(own.phase, is_rollback));
    if let (false, Some(revision)) = (is_rollback, &own.revision) {
        status.target_revision = Some(revision.clone());
    }
    status.last_attempted_deployment = Some(AttemptedDeployment {
        name: deployment.name().into(),
        uid: deployment.uid().into(),
        phase: own.phase,
        create_time: own.create_time,
        complete_time: own.complete_time,
        revision: own.revision.as_ref().map(|r| super::draft::clip(r.to_string(), 500)),
        rollback,
        rollback_of: info.and_then(|i| i.rollback_triggering_deployment.clone()).filter(|_| is_rollback),
        message: Some(super::draft::clip(own.message.clone(), 2_000)),
    });
    if let (Phase::Succeeded, Some(revision), Some(complete_time)) =
        (own.phase, &own.revision, own.complete_time)
    {
        let serving = own.resolved.as_ref().and_then(serving);
        let (name, revision) = (deployment.name().into(), revision.clone());
        let server = own.resolved.as_ref().and_then(|r| r.server.as_deref());
        let file_exists_behavior = server.map(|s| s.file_exists_behavior);
        status.last_successful_deployment =
            Some(SuccessfulDeployment { name, revision, complete_time, file_exists_behavior, serving });
    }
}

/// What serves once a Deployment has succeeded; `None` behind a front Service, whose selector says it, and on hosts.
fn serving(resolved: &Resolved) -> Option<Serving> {
    if resolved.server.is_some() {
        return None;
    }
    let production = Production::of(resolved);
    let function = resolved.function.as_ref();
    (!production.is_service).then(|| Serving {
        function: function.map(|f| f.name.clone()).unwrap_or_default(),
        version: function.map(|f| f.target_version.clone()).unwrap_or_default(),
        route: production.listener.into(),
        service: production.pair.replacement.into(),
        rules: production.scope.rules.to_vec(),
        rule_count: production.scope.count,
        rule_keys: production.scope.keys.to_vec(),
        previous_service: (!production.is_still()).then(|| production.pair.original.into()),
    })
}

/// Gives the turn to the next one and queues the others.
pub fn grant(facts: &GroupFacts, status: &mut DeploymentGroupStatus) {
    let mut waiting: Vec<&Arc<Deployment>> = facts.deployments.iter().filter(|d| is_waiting(d)).collect();
    waiting.sort_by_key(|d| (d.metadata.creation_timestamp.as_ref().map(|t| t.0), d.name().to_owned()));
    for deployment in &waiting {
        let is_known = status.queued_deployments.iter().any(|q| q.uid == deployment.uid())
            || status.active_deployment.as_ref().is_some_and(|a| a.uid == deployment.uid());
        // A rollback does not queue: its turn is kept for it, and in the queue it would look like somebody's replacement.
        let is_rollback = awaited_rollback(facts, status).is_some_and(|name| name == deployment.name());
        if !is_known && !is_rollback && status.queued_deployments.len() < MAX_QUEUED {
            status.queued_deployments.push(reference(deployment));
        }
    }
    if status.active_deployment.is_none() {
        status.active_deployment = owed(facts, status, status.queued_deployments.first());
    }
    settle(facts, status);
    mark_created(facts, status);
}

/// Gives the turn to what has begun, or is to take back what has; nobody else gets it, and nobody queues for it.
pub fn grant_owed(facts: &GroupFacts, status: &mut DeploymentGroupStatus) {
    if status.active_deployment.is_none() {
        status.active_deployment = owed(facts, status, None);
    }
    settle(facts, status);
}

/// Says whose turn it is, or that it is kept for a rollback.
fn settle(facts: &GroupFacts, status: &mut DeploymentGroupStatus) {
    if let Some(active) = &status.active_deployment {
        let uid = active.uid.clone();
        status.queued_deployments.retain(|q| q.uid != uid);
        status.phase = Some(GroupPhase::Deploying);
    } else if awaited_rollback(facts, status).is_some() {
        status.phase = Some(GroupPhase::Deploying);
    }
}

/// A desired revision's Deployment that was seen is not created a second time, whatever becomes of it.
fn mark_created(facts: &GroupFacts, status: &mut DeploymentGroupStatus) {
    if let Some(desired) = &mut status.desired
        && facts.deployments.iter().any(|d| d.name() == desired.deployment && is_own(facts, d))
    {
        desired.created = true;
    }
}

/// Whose turn comes before everybody else's; `first` if there is no such.
fn owed(
    facts: &GroupFacts,
    status: &DeploymentGroupStatus,
    first: Option<&DeploymentRef>,
) -> Option<DeploymentRef> {
    // One that runs without a grant on record was granted by an earlier group of this name: it keeps its turn.
    let running = facts.deployments.iter().find(|d| d.phase().is_running());
    if let Some(deployment) = running {
        return Some(reference(deployment));
    }
    if let Some(rollback) = awaited_rollback(facts, status) {
        let seen = facts.deployments.iter().find(|d| d.name() == rollback && is_waiting(d));
        return seen.map(|d| reference(d));
    }
    first.cloned()
}

/// The rollback that the last attempt named and that has not run yet; until it is seen the turn is kept for it.
pub fn awaited_rollback(facts: &GroupFacts, status: &DeploymentGroupStatus) -> Option<String> {
    let last = status.last_attempted_deployment.as_ref()?;
    let rollback = last.rollback.clone()?;
    match facts.deployments.iter().find(|d| d.name() == rollback) {
        Some(deployment) => is_waiting(deployment).then_some(rollback),
        None => {
            let triggering = find(facts, &last.uid)?;
            triggering.is_held().then_some(rollback)
        }
    }
}

/// Deletes finished Deployments over the limit: only those that the group made or whose name was generated.
pub fn prune(facts: &GroupFacts, status: &DeploymentGroupStatus, plan: &mut GroupPlan) {
    let last_good = status.last_successful_deployment.as_ref().map(|d| d.name.as_str());
    let is_ours = |d: &Deployment| is_own(facts, d) || d.metadata.generate_name.is_some();
    let is_over = |d: &Deployment| {
        d.phase().has_ended()
            && d.metadata.deletion_timestamp.is_none()
            && d.metadata.finalizers.as_deref().unwrap_or_default().is_empty()
    };
    let mut finished: Vec<_> = facts.deployments.iter().filter(|d| is_over(d) && is_ours(d)).collect();
    finished.sort_by_key(|d| {
        std::cmp::Reverse((d.status.as_ref().and_then(|s| s.complete_time), d.name().to_owned()))
    });
    let limit = usize::try_from(facts.group.spec.revision_history_limit).unwrap_or(0);
    for deployment in finished.into_iter().skip(limit).filter(|d| Some(d.name()) != last_good) {
        let (name, uid) = (deployment.name().into(), deployment.uid().into());
        plan.acts.push(GroupAct::Prune { name, uid });
    }
}
