//! A rollback whose group is going, or gone, before it has begun: whether it still undoes, and by whose words it begins.
//!
//! Kubernetes deletes it with its group. It is held from its creation, so that the traffic goes back first.

use std::sync::Arc;

use super::draft::{Draft, PATIENCE};
use super::ending::{self, End};
use super::siblings;
use super::turn;
use crate::api::deployment_group::{Alias, FunctionTarget};
use crate::api::deployment_snapshot::{Resolved, ResolvedFunction, ResolvedService};
use crate::api::deployment_status::Waiting;
use crate::api::service_target::{Listener, ServiceTarget, TestListener};
use crate::api::{
    ComputePlatform, Deployment, DeploymentGroup, DeploymentGroupSpec, LocalRef, Phase, predefined,
};

/// The group by whose words a Deployment begins now; `None` while it has to wait for its turn.
///
/// A rollback needs no turn of a group that can give none: nobody else of that group begins then. Where there is no group at
/// all, it begins by what the Deployment that it rolls back knew of it.
pub fn begins_by(
    deployment: &Deployment,
    group: Option<&Arc<DeploymentGroup>>,
    triggering: Option<&Deployment>,
) -> Option<Arc<DeploymentGroup>> {
    if let Some(group) = group.filter(|g| turn::is_granted(deployment, g) || can_grant(g)) {
        return turn::is_granted(deployment, group).then(|| Arc::clone(group));
    }
    let cause = triggering.filter(|t| t.is_rolled_back_by(deployment))?;
    let resolved = cause.status.as_ref()?.resolved.as_ref().filter(|r| r.server.is_none())?;
    match group {
        Some(group) => Some(Arc::clone(group)),
        None => stand_in(&deployment.spec.deployment_group_ref.name, resolved).map(Arc::new),
    }
}

/// A group that is being deleted gives turns only while its finalizer holds it.
fn can_grant(group: &DeploymentGroup) -> bool {
    group.metadata.deletion_timestamp.is_none() || group.is_held()
}

/// True if its group keeps the turn for it, or will once it has noted the end that asked for it.
pub fn is_owed(draft: &Draft<'_>, group: &DeploymentGroup) -> bool {
    let Some(status) = &group.status else { return false };
    let last = status.last_attempted_deployment.as_ref().and_then(|l| l.rollback.as_deref());
    let cause = draft.facts.triggering.as_deref().map(Deployment::uid);
    let active = status.active_deployment.as_ref().map(|a| a.uid.as_str());
    match active {
        None => last == Some(draft.facts.deployment.name()),
        Some(active) => Some(active) == cause || active == draft.facts.deployment.uid(),
    }
}

/// True if a Deployment that is being deleted before it has begun still begins: only a rollback does, whose turn comes.
pub fn still_begins(draft: &Draft<'_>) -> bool {
    let facts = draft.facts;
    let group = facts.group.as_deref().filter(|g| can_grant(g));
    ending::is_held(draft)
        && !facts.namespace_is_going
        && turn::creator(facts).is_rollback()
        && facts.group.as_ref().is_none_or(|g| g.spec.platform() != ComputePlatform::Server)
        && group.is_none_or(|g| is_owed(draft, g))
}

/// Lets go of what is being deleted and has not begun, nor will.
pub fn give_up(draft: &mut Draft<'_>) {
    if ending::is_held(draft) {
        ending::end(draft, &End::stopped("deleted before it began"));
    }
}

/// The same for a rollback that waits for something: a deletion does not wait with it for long.
pub fn give_up_waiting(draft: &mut Draft<'_>) {
    let is_open = matches!(draft.status.phase, Phase::Created | Phase::Queued | Phase::InProgress)
        && draft.status.resolved.is_none();
    let waits = |w: &Waiting| draft.now.duration_since(w.since) >= PATIENCE;
    if is_open && draft.status.waiting.as_ref().is_some_and(waits) && ending::is_held(draft) {
        let message = format!("deleted before it began, while it waited: {}", draft.status.message);
        ending::end(draft, &End::stopped(message));
    }
}

/// True while the Deployment that a rollback rolls back has not seen what became of it: if it were gone before, it would be
/// created once more.
pub fn is_awaited(draft: &Draft<'_>) -> bool {
    let facts = draft.facts;
    let cause = facts.triggering.as_ref().filter(|t| t.is_rolled_back_by(&facts.deployment));
    !facts.namespace_is_going && cause.is_some_and(|t| t.phase().has_ended() && t.is_held())
}

/// The group as the snapshot of the Deployment that is rolled back has it.
fn stand_in(name: &str, resolved: &Resolved) -> Option<DeploymentGroup> {
    let function = resolved.function.as_ref();
    let service = resolved.service.as_deref();
    let platform = if function.is_some() { ComputePlatform::Function } else { ComputePlatform::Service };
    let mut group = DeploymentGroup::new(
        name,
        DeploymentGroupSpec {
            application_ref: LocalRef { name: resolved.application.clone() },
            deployment_config_name: Some(predefined::all_at_once(platform).into()),
            revision: None,
            concurrency_policy: Default::default(),
            revision_history_limit: 0,
            auto_rollback: None,
            blue_green: None,
            deletion_policy: Default::default(),
            function: match function {
                Some(function) => Some(aliases(function)?),
                None => None,
            },
            service: service.map(|s| Box::new(listeners(s))),
            server: None,
        },
    );
    group.metadata.uid = Some(resolved.group_uid.clone());
    group.metadata.generation = Some(resolved.group_generation);
    Some(group)
}

fn aliases(function: &ResolvedFunction) -> Option<FunctionTarget> {
    let (before, after) = siblings::affixes(function)?;
    let http_route = LocalRef { name: function.route.clone() };
    Some(FunctionTarget {
        version_service: format!("{before}{{version}}{after}"),
        aliases: vec![Alias { name: function.alias.clone(), http_route }],
    })
}

fn listeners(service: &ResolvedService) -> ServiceTarget {
    let production = LocalRef { name: service.production.name.clone() };
    let (route, front) = match service.production.is_service {
        true => (None, Some(production)),
        false => (Some(production), None),
    };
    let test = service.test.as_ref().map(|t| TestListener { http_route: LocalRef { name: t.name.clone() } });
    ServiceTarget {
        replicas: 1,
        target_groups: vec![service.replacement.target_group.clone(), service.other_target_group.clone()],
        production_listener: Listener { http_route: route, service: front },
        test_listener: test,
        install_timeout: service.install_timeout,
        drain: service.drain,
    }
}
