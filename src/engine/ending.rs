//! How a Deployment ends, whether a rollback follows, and what is still to be done once the end is on record.

use jiff::SignedDuration;

use super::draft::{Draft, clip, key};
use super::facts::RollbackFact;
use super::hooks;
use super::plan::{Act, NewDeployment};
use super::production::Production;
use super::weights;
use super::{orphaned, server, service, siblings, words};
use crate::api::condition::Verdict;
use crate::api::deployment_snapshot::{ResolvedFunction, ResolvedService};
use crate::api::deployment_status::{ErrorInformation, Resolved, RollbackInfo, StopState, StopStatus};
use crate::api::duration::Spoken;
use crate::api::{
    AutoRollback, ComputePlatform, DeploymentSpec, EventName, EventStatus, Phase, Revision, RollbackEvent,
    predefined,
};
use crate::appspec::{FunctionSpec, ServiceSpec, write_function, write_service};

/// What an end on request says.
pub const ON_REQUEST: &str = "stopped on request";

/// An end other than success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    phase: Phase,
    code: &'static str,
    message: String,
    rollback: Rollback,
}

/// Whether a rollback follows an end.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Rollback {
    /// If the settings name that event.
    On(RollbackEvent),
    /// As the request said.
    Asked(bool),
    /// Never: the traffic was put back already, or nothing was begun.
    Never,
}

impl End {
    /// A failure, by code and sentence.
    pub fn failed(code: &'static str, message: impl Into<String>) -> Self {
        let rollback = Rollback::On(RollbackEvent::DeploymentFailure);
        Self { phase: Phase::Failed, code, message: message.into(), rollback }
    }

    /// A stop after which nothing needs to be undone.
    pub fn stopped(message: impl Into<String>) -> Self {
        Self { phase: Phase::Stopped, code: "ManualStop", message: message.into(), rollback: Rollback::Never }
    }

    /// A stop as `spec.stop` asked for it.
    pub fn on_request(asked: Option<bool>) -> Self {
        let rollback = asked.map_or(Rollback::On(RollbackEvent::DeploymentStopOnRequest), Rollback::Asked);
        Self { phase: Phase::Stopped, code: "ManualStop", message: ON_REQUEST.into(), rollback }
    }

    /// Nobody said continue in time.
    pub fn not_continued(wait: SignedDuration) -> Self {
        let message = format!("nobody continued the deployment within {}", Spoken(wait));
        let rollback = Rollback::On(RollbackEvent::DeploymentStopOnRequest);
        Self { phase: Phase::Stopped, code: "Timeout", message, rollback }
    }
}

/// Puts `end` on the draft: what runs fails, what has not begun is skipped, and the rollback to come is named.
pub fn end(draft: &mut Draft<'_>, end: &End) {
    if is_orphaned(draft, end) && !goes_back(draft, end) {
        return;
    }
    draft.drop_acts();
    let has_begun = has_begun(draft);
    let percent = percent_now(draft);
    close_events(draft);
    // Who has not begun never will.
    draft.status.targets = draft.status.targets.replace('P', "K");
    draft.status.zone_since = None;
    let follow_up = follow_up(draft, end, has_begun, percent);
    let message = format!("{}. {follow_up}", end.message.trim_end_matches('.'));
    draft.status.phase = end.phase;
    draft.status.complete_time = Some(draft.now);
    draft.status.waiting = None;
    if let (Some(resolved), Some(percent)) = (draft.status.resolved.clone(), percent) {
        draft.status.traffic = Some(words::traffic(draft.status.traffic.as_ref(), &resolved, percent));
    }
    let error = clip(end.message.clone(), 4_000);
    draft.status.error_information = Some(ErrorInformation { code: end.code.into(), message: error });
    if draft.facts.deployment.spec.stop.is_some() {
        draft.status.stop =
            Some(StopState { status: StopStatus::Succeeded, message: "no further event starts".into() });
    }
    draft.say(Verdict::Stalled, end.code, message.trim_end());
    let reason = if end.phase == Phase::Failed { "DeploymentFailure" } else { "DeploymentStop" };
    draft.warn(reason, draft.status.message.clone());
}

/// True if there is something to roll back: a lifecycle event has begun, and more than Service's BeforeInstall.
fn has_begun(draft: &Draft<'_>) -> bool {
    let mut events = draft.status.lifecycle_events.iter().filter(|e| e.name != EventName::BeforeInstall);
    events.any(|e| e.status != EventStatus::Pending) || server::closing::has_touched(draft)
}

/// True if a rollback is wanted and its group is not there to give it a turn.
fn is_orphaned(draft: &Draft<'_>, end: &End) -> bool {
    let group = draft.facts.group.as_ref().filter(|g| g.metadata.deletion_timestamp.is_none());
    group.is_none() && wants_rollback(draft, end)
}

fn wants_rollback(draft: &Draft<'_>, end: &End) -> bool {
    let settings = draft.status.resolved.as_ref().map(|r| &r.auto_rollback);
    let is_wanted = match end.rollback {
        Rollback::On(event) => settings.is_some_and(|s| s.covers(event)),
        Rollback::Asked(asked) => asked,
        Rollback::Never => false,
    };
    is_wanted && !draft.status.is_rollback()
}

/// Puts the traffic back in place of a rollback. Answers true when that is done.
fn goes_back(draft: &mut Draft<'_>, end: &End) -> bool {
    let Some(resolved) = draft.status.resolved.clone() else { return true };
    let why = format!("{}; {}", end.message, super::advance::GROUP_GONE);
    super::restore::advance(draft, &resolved, &why) && service::undo::advance(draft, &resolved, &why)
}

/// The replacement's percentage as the route has it, or as it was last recorded.
fn percent_now(draft: &Draft<'_>) -> Option<i32> {
    let resolved = draft.status.resolved.as_ref()?;
    let production = Production::of(resolved);
    let recorded = draft.status.traffic.as_ref().map(|t| t.replacement.weight);
    if production.is_still() {
        return recorded;
    }
    draft.facts.route.as_deref().and_then(|r| weights::share(r, production.pair)).or(recorded)
}

/// True if the listener sends to neither side any more.
fn has_strayed(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    let production = Production::of(resolved);
    let route = draft.facts.route.as_deref().filter(|_| !production.is_still());
    route.is_some_and(|r| weights::share(r, production.pair).is_none())
}

fn close_events(draft: &mut Draft<'_>) {
    let now = draft.now;
    for event in &mut draft.status.lifecycle_events {
        match event.status {
            EventStatus::InProgress => {
                event.status = EventStatus::Failed;
                event.end_time = Some(now);
            }
            EventStatus::Pending => event.status = EventStatus::Skipped,
            _ => {}
        }
    }
}

fn follow_up(draft: &mut Draft<'_>, end: &End, has_begun: bool, percent: Option<i32>) -> String {
    let Some(resolved) = draft.status.resolved.clone() else {
        let is_server = draft.facts.group.as_ref().is_some_and(|g| g.spec.server.is_some());
        return if is_server { "No host was touched." } else { "No traffic was moved." }.into();
    };
    let wanted = wants_rollback(draft, end) && !is_orphaned(draft, end);
    let before = match &resolved.server {
        Some(_) => draft.status.previous_revision.as_ref().map(ToString::to_string),
        None => words::before(&resolved),
    };
    let is_others = is_elsewhere(draft, &resolved);
    if let Some(before) = before.as_ref().filter(|_| wanted && has_begun && !is_others) {
        let name = rollback_name(draft.facts.deployment.name(), draft.facts.deployment.uid());
        let info = draft.status.rollback_info.get_or_insert_with(RollbackInfo::default);
        info.rollback_deployment = Some(name.clone());
        info.rollback_message = format!("rolling back to {before} by Deployment {name}");
        return format!("Deployment {name} rolls back to {before}.");
    }
    let stands = service::task_set::has_begun(draft, EventName::Install)
        && draft.status.termination_time.is_none()
        && resolved.service.as_deref().is_some_and(|s| service::install::points_at_replacement(draft, s));
    let repair = match &resolved.server {
        Some(_) => server::words::repair(&draft.status),
        None if is_others => "No traffic was moved.".into(),
        None if has_strayed(draft, &resolved) => words::strayed(&resolved),
        None => words::repair(&resolved, percent.unwrap_or(0), stands),
    };
    if end.rollback != Rollback::Never {
        let why = match () {
            () if draft.status.is_rollback() => "a rollback is not itself rolled back",
            () if !has_begun && service::task_set::has_begun(draft, EventName::BeforeInstall) => {
                "only BeforeInstall had begun, which leaves nothing to undo"
            }
            () if wanted && is_others => {
                "this deployment has moved no traffic, and what the route gives now is somebody else's doing"
            }
            () if !has_begun && draft.status.targets.contains('F') => {
                "no host has said that an event had begun there"
            }
            () if !has_begun => "no lifecycle event had begun",
            () if before.is_none() && resolved.server.is_some() => {
                "the group has no earlier revision that succeeded"
            }
            () if before.is_none() => "nothing served before",
            () => "automatic rollback is off for this end",
        };
        let info = draft.status.rollback_info.get_or_insert_with(RollbackInfo::default);
        let told = if info.rollback_message.is_empty() {
            String::new()
        } else {
            format!("{}; ", info.rollback_message)
        };
        info.rollback_message = format!("{told}no rollback follows: {why}");
    }
    repair
}

/// True if somebody else moved a function's traffic before this Deployment moved any: a human, or another group's Deployment of the
/// same function. A rollback would undo what is theirs.
fn is_elsewhere(draft: &Draft<'_>, resolved: &Resolved) -> bool {
    let production = Production::of(resolved);
    let has_moved = draft.status.traffic.as_ref().is_some_and(|t| !t.steps.is_empty());
    let route = draft.facts.route.as_deref().filter(|_| resolved.function.is_some() && !has_moved);
    route.is_some_and(|route| {
        siblings::intruder(resolved, route).is_some()
            || match production.is_still() || route.rules_are_lost {
                true => weights::share(route, production.pair).is_none(),
                false => !weights::stands_at(route, production.pair, 0),
            }
    })
}

/// The rollback's name: the same for every believer, and nobody else's.
pub fn rollback_name(name: &str, uid: &str) -> String {
    let stem = name.get(..200).unwrap_or(name).trim_end_matches(['-', '.']);
    format!("{stem}-rollback-{}", key(&[uid, "rollback"], 5))
}

/// What is left to do once the end is on record. Plans nothing when all of it is done.
pub fn settle(draft: &mut Draft<'_>) {
    let facts = draft.facts;
    let held = facts.jobs.keys().filter(|e| !hooks::release(draft, **e)).count();
    if !is_held(draft) {
        return;
    }
    if orphaned::is_awaited(draft) {
        return;
    }
    if !facts.namespace_is_going && server::closing::leaves_hosts_working(draft) {
        return;
    }
    let named = draft.status.rollback_info.as_ref().and_then(|i| i.rollback_deployment.clone());
    let is_due = named.is_some() && !draft.status.is_rollback();
    match (named, facts.rollback) {
        (Some(name), RollbackFact::Absent) if is_due && !facts.namespace_is_going => {
            if let Some(spec) = rollback_spec(draft) {
                let rollback_of = Some(facts.deployment.uid().into());
                // On hosts nothing goes back by itself, so that nothing would be gained.
                let is_held = draft.status.resolved.as_ref().is_some_and(|r| r.server.is_none());
                let new = NewDeployment { name, spec, rollback_of, is_held };
                draft.act(Act::CreateRollback(Box::new(new)));
            }
        }
        _ if held > 0 || holds_grant(draft) => {}
        (Some(_), RollbackFact::Due) if is_due && !facts.namespace_is_going => {}
        (Some(name), RollbackFact::NameTaken) if is_due => {
            let message = format!(
                "NameTaken: another Deployment is named {name}; delete it, or put the traffic back by hand"
            );
            if let Some(info) = &mut draft.status.rollback_info {
                info.rollback_message = message;
            }
            draft.act(Act::Release);
        }
        _ => draft.act(Act::Release),
    }
}

/// True until the group has noted the end: one that is deleted before would vanish without a trace in the group.
fn holds_grant(draft: &Draft<'_>) -> bool {
    // A Service group notes it also while it is being deleted.
    let group = draft.facts.group.as_ref().filter(|g| {
        let is_going = g.metadata.deletion_timestamp.is_some();
        !is_going || g.spec.service.is_some() && g.is_held()
    });
    let active = group.and_then(|g| g.status.as_ref()).and_then(|s| s.active_deployment.as_ref());
    !draft.facts.namespace_is_going && active.is_some_and(|a| a.uid == draft.facts.deployment.uid())
}

/// True while our finalizer is on the Deployment.
pub fn is_held(draft: &Draft<'_>) -> bool {
    draft.facts.deployment.is_held()
}

fn rollback_spec(draft: &Draft<'_>) -> Option<DeploymentSpec> {
    let resolved: &Resolved = draft.status.resolved.as_ref()?;
    let (revision, platform) = match (&resolved.function, &resolved.service) {
        (Some(f), _) => (Revision::inline(function_back(f)), ComputePlatform::Function),
        (_, Some(s)) => (Revision::inline(service_back(s)?), ComputePlatform::Service),
        _ => (draft.status.previous_revision.as_ref()?.source.clone(), ComputePlatform::Server),
    };
    let is_server = platform == ComputePlatform::Server;
    let group = draft.facts.group.as_ref().and_then(|g| g.status.as_ref());
    let last_good = group.and_then(|s| s.last_successful_deployment.as_ref());
    Some(DeploymentSpec {
        deployment_group_ref: draft.facts.deployment.spec.deployment_group_ref.clone(),
        revision: Some(revision),
        description: Some(clip(format!("rolls back {}", draft.facts.deployment.name()), 250)),
        deployment_config_name: Some(predefined::all_at_once(platform).into()),
        auto_rollback: Some(AutoRollback::default()),
        file_exists_behavior: last_good.and_then(|d| d.file_exists_behavior),
        // The way back is not barred by a script of what it leads away from.
        ignore_application_stop_failures: is_server,
        ..DeploymentSpec::default()
    })
}

/// The failed one's versions, swapped.
fn function_back(f: &ResolvedFunction) -> String {
    write_function(&FunctionSpec {
        logical_name: f.name.clone(),
        name: f.name.clone(),
        alias: f.alias.clone(),
        current_version: Some(f.target_version.clone()),
        target_version: f.current_version.clone(),
        hooks: vec![],
        warnings: vec![],
    })
}

/// The original's task definition. What Sluice did not make has none: its target group's name stands for it, and the
/// rollback, which makes no task set while the original stands, never looks for a PodTemplate of that name.
fn service_back(service: &ResolvedService) -> Option<String> {
    let original = service.original.as_ref()?;
    let definition = original.task_definition.as_ref().unwrap_or(&original.target_group);
    Some(write_service(&ServiceSpec {
        task_definition: definition.clone(),
        container_name: service.container_name.clone(),
        container_port: u16::try_from(service.container_port).ok()?,
        hooks: vec![],
        warnings: vec![],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_rollback_is_its_own_for_each_deployment_and_never_too_long() {
        let name = rollback_name(&"d".repeat(253), "u1");
        assert!(name.len() <= 253, "{}", name.len());
        assert_ne!(rollback_name("d", "u1"), rollback_name("d", "u2"));
        assert_eq!(rollback_name("d", "u1"), rollback_name("d", "u1"));
    }
}
