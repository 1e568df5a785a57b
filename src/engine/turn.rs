//! Before a Deployment runs: who made it, whether it has its turn, and its start.

use jiff::SignedDuration;

use super::draft::{Draft, PATIENCE};
use super::ending::{self, End};
use super::facts::Facts;
use super::group::SHARED;
use super::group_queue::MAX_QUEUED;
use super::orphaned;
use super::production::Production;
use super::resolve::{self, Found, Obstacle, Spec};
use super::server::closing::WITHHELD;
use super::{server, shift, weights, words};
use crate::api::condition::{Condition, Verdict, find};
use crate::api::deployment_status::RollbackInfo;
use crate::api::{
    ComputePlatform, ConcurrencyPolicy, Creator, Deployment, DeploymentGroup, EventName, EventStatus,
    LifecycleEvent, Phase, ROLLBACK_OF_ANNOTATION,
};

/// How long a Deployment that has its turn waits for pods, ports and hosts to be ready for it (CodeDeploy: an event must start
/// within 5 minutes). An object that it refers to is waited for for as long as it takes.
pub const START_PATIENCE: SignedDuration = SignedDuration::from_secs(300);

/// The reason while the group itself is at fault.
const BARRED: &str = "DeploymentGroupNotReady";

/// How long a look-up may take before the object says that it goes on.
const LOOK_UP: SignedDuration = SignedDuration::from_secs(10);

/// Who asked for the Deployment: derived from what others have on record, never from its own labels.
pub fn creator(facts: &Facts) -> Creator {
    let (deployment, name) = (&facts.deployment, facts.deployment.name());
    if facts.triggering.as_ref().is_some_and(|t| t.is_rolled_back_by(deployment)) {
        return Creator::AutoRollback;
    }
    let desired = facts.group.as_ref().and_then(|g| g.status.as_ref()).and_then(|s| s.desired.as_ref());
    if desired.is_some_and(|d| d.deployment == name) && is_owned(facts) {
        return Creator::DesiredRevision;
    }
    deployment.status.as_ref().and_then(|s| s.creator).unwrap_or(Creator::User)
}

fn claims_rollback(facts: &Facts) -> bool {
    facts.deployment.metadata.annotations.as_ref().is_some_and(|a| a.contains_key(ROLLBACK_OF_ANNOTATION))
}

fn is_owned(facts: &Facts) -> bool {
    let group_uid = facts.group.as_ref().and_then(|g| g.metadata.uid.as_deref());
    let owners = facts.deployment.metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().any(|o| o.controller == Some(true) && Some(o.uid.as_str()) == group_uid)
}

/// Carries a Deployment that is Created or Queued as far as its start.
pub fn await_turn(draft: &mut Draft<'_>) {
    let facts = draft.facts;
    draft.status.create_time = facts.deployment.metadata.creation_timestamp.as_ref().map(|t| t.0);
    if facts.group.is_none() && facts.deployment.spec.stop.is_some() {
        ending::end(draft, &End::stopped("stopped on request before it began"));
        return;
    }
    let own = orphaned::begins_by(&facts.deployment, facts.group.as_ref(), facts.triggering.as_deref());
    let Some(group) = facts.group.clone().or_else(|| own.clone()) else {
        let name = &facts.deployment.spec.deployment_group_ref.name;
        draft.wait(
            "DeploymentGroupMissing",
            format!("there is no DeploymentGroup {name}; create it, and this Deployment takes its turn"),
        );
        return;
    };
    let creator = creator(facts);
    draft.status.creator = Some(creator);
    if facts.deployment.spec.stop.is_some() {
        ending::end(draft, &End::stopped("stopped on request before it began; nothing was touched"));
        return;
    }
    if is_granted(&facts.deployment, &group) {
        // What it waits for may never come: neither a newer desired revision nor the group's end waits with it.
        if let Some(newer) = superseded_by(facts, &group) {
            return supersede(draft, newer);
        }
        if group.metadata.deletion_timestamp.is_some() && !creator.is_rollback() {
            let message = "its DeploymentGroup was deleted before it began; nothing was touched";
            return ending::end(draft, &End::stopped(message));
        }
        start(draft, &group, creator);
    } else if own.is_some() && !is_barred(draft, &group) {
        start(draft, &group, creator);
    } else if facts.group.is_none() {
        draft.wait(BARRED, draft.status.message.clone());
    } else {
        queue(draft, &group, creator);
    }
}

/// True if the group's grant names the Deployment.
pub fn is_granted(deployment: &Deployment, group: &DeploymentGroup) -> bool {
    let active = group.status.as_ref().and_then(|s| s.active_deployment.as_ref());
    active.is_some_and(|a| a.uid == deployment.uid())
}

/// True if another group may have moved the same traffic since: that its own group goes changes nothing of it.
fn is_barred(draft: &Draft<'_>, group: &DeploymentGroup) -> bool {
    let has_waited = draft.status.waiting.as_ref().is_some_and(|w| w.reason == BARRED);
    has_waited || group.status.as_ref().and_then(unfit).is_some_and(|c| c.reason == SHARED)
}

fn queue(draft: &mut Draft<'_>, group: &DeploymentGroup, creator: Creator) {
    let facts = draft.facts;
    let status = group.status.clone().unwrap_or_default();
    let rival = facts.rival.as_ref().filter(|r| !r.phase().has_ended());
    let position = status.queued_deployments.iter().position(|q| q.uid == facts.deployment.uid());
    let newer = position.and_then(|p| status.queued_deployments.get(p + 1..)).and_then(|rest| rest.last());
    if !creator.is_rollback() {
        if let (ConcurrencyPolicy::Reject, Some(rival)) = (group.spec.concurrency_policy, rival) {
            let message = format!(
                "Deployment {} of group {} is still running and the group's concurrencyPolicy is Reject; create it again when that one has ended",
                rival.name(),
                group.metadata.name.as_deref().unwrap_or_default()
            );
            ending::end(draft, &End::failed("DeploymentLimitExceeded", message));
            return;
        }
        if let (ConcurrencyPolicy::Replace, Some(newer)) = (group.spec.concurrency_policy, newer) {
            ending::end(draft, &End::stopped(format!("replaced by {} before it began", newer.name)));
            return;
        }
    }
    if let Some(newer) = superseded_by(facts, group).filter(|_| position.is_some()) {
        return supersede(draft, newer);
    }
    // A rollback that is owed waits with nothing else that its group lacks.
    let holds_up = |c: &&Condition| c.reason == SHARED || !orphaned::is_owed(draft, group);
    if let Some(cause) = unfit(&status).filter(|_| status.active_deployment.is_none()).filter(holds_up) {
        let message = format!(
            "DeploymentGroup {} cannot deploy: {}",
            group.metadata.name.as_deref().unwrap_or_default(),
            cause.message
        );
        draft.wait(BARRED, message);
        return;
    }
    let was_waiting = draft.status.waiting.take().is_some();
    if position.is_none() && !creator.is_rollback() && status.queued_deployments.len() >= MAX_QUEUED {
        return draft.say(Verdict::Reconciling, "QueueFull", queue_full());
    }
    // A rollback says at once whose it is, as long as the Deployment that it rolls back is there to say so.
    if position.is_none() && !was_waiting && facts.deployment.status.is_none() && !creator.is_rollback() {
        return draft.keep_silent();
    }
    if was_waiting || facts.deployment.status.is_none() {
        draft.say(Verdict::Reconciling, "Created", "waiting for the group to grant its turn");
    }
    if position.is_some() {
        let before = status.active_deployment.as_ref().map_or("its turn", |a| a.name.as_str());
        draft.status.phase = Phase::Queued;
        draft.say(
            Verdict::Reconciling,
            "Queued",
            format!("waiting for {before} to end; one Deployment of a group runs at a time"),
        );
    }
}

/// The Deployment that carries a newer desired revision than this one, which the group made for an older one. Only a group that
/// knows this one already says so: a picture from before its creation names the one before it.
fn superseded_by<'a>(facts: &Facts, group: &'a DeploymentGroup) -> Option<&'a str> {
    let desired = group.status.as_ref()?.desired.as_ref().map(|d| d.deployment.as_str());
    desired.filter(|d| *d != facts.deployment.name() && is_owned(facts) && !claims_rollback(facts))
}

fn supersede(draft: &mut Draft<'_>, newer: &str) {
    ending::end(
        draft,
        &End::stopped(format!("superseded by {newer}, which carries a newer desired revision")),
    );
}

fn queue_full() -> String {
    format!(
        "{MAX_QUEUED} Deployments of the group wait already, which is as many as its queue holds; this one queues behind them as soon as one of them has its turn"
    )
}

/// What the group says of itself while it is at fault itself, and not merely its last Deployment.
fn unfit(status: &crate::api::DeploymentGroupStatus) -> Option<&Condition> {
    find(&status.conditions, "Ready").filter(|c| super::group::UNFIT.contains(&c.reason.as_str()))
}

fn start(draft: &mut Draft<'_>, group: &DeploymentGroup, creator: Creator) {
    draft.status.phase = Phase::InProgress;
    draft.status.start_time = draft.status.start_time.or(Some(draft.now));
    draft.status.lifecycle_events = course(group.spec.platform());
    let before = group.status.as_ref().and_then(|s| s.last_successful_deployment.as_ref());
    draft.status.previous_revision = before.map(|d| d.revision.clone());
    if creator.is_rollback()
        && let Some(triggering) = draft.facts.triggering.clone()
    {
        draft.status.rollback_info = Some(RollbackInfo {
            rollback_triggering_deployment: Some(triggering.name().into()),
            rollback_message: format!("rolls back {}", triggering.name()),
            ..RollbackInfo::default()
        });
    }
    let found = match wanted(draft.facts, group, creator) {
        Ok(found) => found,
        Err(obstacle) => return hinder(draft, obstacle),
    };
    draft.status.revision = Some(found.revision.clone());
    match resolve::snapshot(draft.facts, group, &found, creator) {
        Ok(resolved) => {
            draft.status.waiting = None;
            if let Some(side) = words::unmade(&resolved) {
                draft.status.revision.iter_mut().for_each(|r| r.summary = Some(side.clone()));
            }
            if let Some(server) = &resolved.server {
                draft.status.targets = "P".repeat(server.targets.len());
            } else {
                let route = draft.facts.route.as_ref().map(|r| Production::of(&resolved).scope.apply(r));
                let has = route.and_then(|r| weights::share(&r, shift::pair(&resolved)));
                draft.status.traffic = Some(words::traffic(None, &resolved, has.unwrap_or(0)));
            }
            let message = words::started(&resolved, &found.revision, draft.status.rollback_info.as_ref());
            draft.note("DeploymentStart", message.clone());
            draft.say(Verdict::Reconciling, "InProgress", message);
            for warning in found.spec.warnings().iter().take(1) {
                draft.warn("AppSpecWarning", warning.clone());
            }
            skip_hookless(draft, &resolved, creator);
            draft.status.resolved = Some(resolved);
            if !draft.facts.deployment.is_held() {
                draft.act(super::Act::Hold);
            }
        }
        Err(obstacle) => hinder(draft, obstacle),
    }
}

/// What is deployed: what the spec names, the last success again, or, on the way back, what was there before.
fn wanted(facts: &Facts, group: &DeploymentGroup, creator: Creator) -> Result<Found, Obstacle> {
    let is_server = group.spec.server.is_some();
    let bundle = |revision| Ok(Found { revision, spec: Spec::Bundle });
    let triggering = facts.triggering.as_ref().and_then(|t| t.status.as_ref());
    let before = triggering.and_then(|s| s.previous_revision.clone());
    match (&facts.deployment.spec.revision, before) {
        (Some(named), Some(before)) if is_server && creator.is_rollback() && before.source == *named => {
            bundle(before)
        }
        (Some(named), _) => resolve::revision(group.spec.platform(), named, &facts.revision),
        (None, _) if is_server => bundle(server::snapshot::last_good(group)?),
        (None, _) => {
            let message = "deploymentMode Restart is for the Server platform: give a revision".into();
            Err(Obstacle::Invalid("InvalidRevision", message))
        }
    }
}

/// Passes a first event that has no hook in the write that starts the Deployment: it costs no write of its own.
fn skip_hookless(
    draft: &mut Draft<'_>,
    resolved: &crate::api::deployment_status::Resolved,
    creator: Creator,
) {
    let now = draft.now;
    let Some(first) = draft.status.lifecycle_events.first().map(|e| e.name) else { return };
    if resolved.hooks.iter().any(|h| h.event == first) {
        return;
    }
    let event = draft.event(0);
    event.status = if creator.is_rollback() { EventStatus::Skipped } else { EventStatus::Succeeded };
    event.start_time = Some(now);
    event.end_time = Some(now);
}

fn hinder(draft: &mut Draft<'_>, obstacle: Obstacle) {
    match obstacle {
        Obstacle::Unknown => {
            // A cache that is filling answers within moments: worth no write, unless it takes long.
            let created =
                draft.facts.deployment.metadata.creation_timestamp.as_ref().map_or(draft.now, |t| t.0);
            let was_running = draft.facts.deployment.phase().is_running();
            if !was_running && draft.now.duration_since(created) < LOOK_UP {
                draft.wake_at(created + LOOK_UP);
                return draft.keep_silent();
            }
            hinder(
                draft,
                Obstacle::Missing(
                    "LookingUp",
                    "looking up what the revision refers to; the controller cannot list it yet".into(),
                ),
            );
        }
        Obstacle::Missing(reason, message) => {
            let lasted = draft.wait(reason, message.clone());
            if lasted >= PATIENCE {
                let name = draft.facts.deployment.name();
                let turn = format!(
                    "the deployment starts by itself when it is there, and keeps the group's turn until then or until it is stopped (kubectl sluice stop-deployment {name})"
                );
                draft.say(Verdict::Stalled, reason, format!("{message}; {turn}"));
            }
            if WITHHELD.contains(&reason) {
                // A Secret that is granted is no news that a watch would bring.
                draft.wake_at(draft.now + (lasted / 4).clamp(LOOK_UP, START_PATIENCE));
            }
        }
        Obstacle::NotReady(reason, message) => {
            let lasted = draft.wait(reason, message.clone());
            if lasted >= START_PATIENCE {
                ending::end(draft, &End::failed(reason, message));
            } else if let Some(waiting) = &draft.status.waiting {
                let at = waiting.since + START_PATIENCE;
                draft.wake_at(at);
            }
        }
        Obstacle::Invalid(code, message) => ending::end(draft, &End::failed(code, message)),
    }
}

/// The course of a platform's deployments, nothing begun; a Server's is on its hosts.
fn course(platform: ComputePlatform) -> Vec<LifecycleEvent> {
    if platform == ComputePlatform::Server {
        return vec![];
    }
    let function = [EventName::BeforeAllowTraffic, EventName::AllowTraffic, EventName::AfterAllowTraffic];
    let service = [
        EventName::BeforeInstall,
        EventName::Install,
        EventName::AfterInstall,
        EventName::AllowTestTraffic,
        EventName::AfterAllowTestTraffic,
    ];
    let before = if platform == ComputePlatform::Service { service.as_slice() } else { &[] };
    before
        .iter()
        .chain(&function)
        .copied()
        .map(|name| LifecycleEvent {
            name,
            status: EventStatus::Pending,
            start_time: None,
            end_time: None,
            execution_id: None,
            started: false,
            diagnostics: None,
        })
        .collect()
}
