//! One Deployment, one step further: [`decide`] and the course of a running Deployment.

use std::sync::Arc;

use jiff::Timestamp;

use super::draft::Draft;
use super::ending::{self, End};
use super::facts::Facts;
use super::plan::{Act, Plan};
use super::production::Production;
use super::service::ready_wait::{self, Wait};
use super::service::{install, task_set, terminate, test_traffic, undo};
use super::{front, hooks, orphaned, restore, server, shift, shift_follow, shift_kept, turn, words};
use crate::api::condition::Verdict;
use crate::api::deployment_status::{Resolved, StopState, StopStatus};
use crate::api::{ConcurrencyPolicy, EventName, EventStatus, Phase};

/// Why the traffic goes back when no rollback could get a turn.
pub const GROUP_GONE: &str = "its DeploymentGroup was deleted, so that no rollback could follow";

/// What to record and do about one Deployment, given what is known at `now`.
pub fn decide(facts: &Facts, now: Timestamp) -> Plan {
    match scoped(facts) {
        Some(scoped) => decide_scoped(&scoped, now),
        None => decide_scoped(facts, now),
    }
}

/// The facts with a route of which only the rules in the snapshot's scope are seen, or with the front Service that
/// stands for one, if that makes a difference.
fn scoped(facts: &Facts) -> Option<Facts> {
    let resolved = facts.deployment.status.as_ref()?.resolved.as_ref()?;
    if let Some(service) = resolved.service.as_deref().filter(|s| s.production.is_service) {
        return Some(Facts { route: front::route(facts, service), ..facts.clone() });
    }
    let route = facts.route.as_ref()?;
    let seen = Production::of(resolved).scope.apply(route);
    (!Arc::ptr_eq(&seen, route)).then(|| Facts { route: Some(seen), ..facts.clone() })
}

fn decide_scoped(facts: &Facts, now: Timestamp) -> Plan {
    let mut draft = Draft::new(facts, now);
    let is_going = facts.deployment.metadata.deletion_timestamp.is_some();
    if draft.status.phase.has_ended() {
        ending::settle(&mut draft);
    } else if draft.status.phase.is_running() && server::advance::snapshot(&facts.deployment).is_some() {
        let by = replaced_by(&draft);
        server::advance::run(&mut draft, is_going, by);
    } else if let (true, Some(resolved)) = (draft.status.phase.is_running(), draft.status.resolved.clone()) {
        run(&mut draft, &resolved, is_going);
    } else {
        begin(&mut draft, is_going);
    }
    draft.finish()
}

/// What has not begun: it begins when its turn comes, unless it is replaced or deleted before.
fn begin(draft: &mut Draft<'_>, is_going: bool) {
    if is_going && !orphaned::still_begins(draft) {
        return orphaned::give_up(draft);
    }
    // Who made it may not be on record yet.
    if let Some(by) = replaced_by(draft).filter(|_| !turn::creator(draft.facts).is_rollback()) {
        return ending::end(draft, &End::stopped(format!("replaced by {by}")));
    }
    turn::await_turn(draft);
    if is_going {
        orphaned::give_up_waiting(draft);
    }
}

fn run(draft: &mut Draft<'_>, resolved: &Resolved, is_going: bool) {
    if !ending::is_held(draft) {
        if is_going {
            return;
        }
        return draft.act(Act::Hold);
    }
    release_finished_jobs(draft, resolved);
    task_set::follow_wanted(draft, resolved);
    if is_going && draft.status.is_rollback() && has_route(draft) {
        // The way back from a rollback would lead to what it rolls back: it goes on to its end, unless that is not in sight.
        if draft.status.waiting.is_some() {
            return ending::end(draft, &End::stopped("deleted while it was waiting"));
        }
    } else if is_going && !is_past_return(draft) {
        return take_back(draft, resolved, "deleted while it was running", false);
    }
    if let Some(by) = replaced_by(draft).filter(|_| !is_past_return(draft)) {
        return take_back(draft, resolved, &format!("replaced by {by}"), true);
    }
    if restore::is_under_way(draft) {
        // Whatever began the way back may have changed since: what is on record is walked to its end.
        let why = if draft.facts.group.is_some() { "replaced" } else { GROUP_GONE };
        return take_back(draft, resolved, why, true);
    }
    if draft.facts.deployment.spec.stop.is_some() && running_hook(draft).is_none() {
        return if is_past_return(draft) { too_late(draft, resolved) } else { stop(draft, resolved) };
    }
    course(draft, resolved);
}

fn has_route(draft: &Draft<'_>) -> bool {
    draft.facts.route.as_ref().is_some_and(|r| !r.is_going) && !draft.facts.namespace_is_going
}

/// The Deployment at the end of the queue, if it replaces this one.
fn replaced_by(draft: &Draft<'_>) -> Option<String> {
    let group = draft.facts.group.as_ref()?;
    let status = group.status.as_ref()?;
    let is_mine = status.active_deployment.as_ref().is_some_and(|a| a.uid == draft.facts.deployment.uid());
    let replaces =
        group.spec.concurrency_policy == ConcurrencyPolicy::Replace && is_mine && !draft.status.is_rollback();
    status.queued_deployments.last().filter(|_| replaces).map(|q| q.name.clone())
}

fn release_finished_jobs(draft: &mut Draft<'_>, resolved: &Resolved) {
    for hook in &resolved.hooks {
        let has_ended = draft.status.lifecycle_events.iter().any(|e| {
            e.name == hook.event && !matches!(e.status, EventStatus::Pending | EventStatus::InProgress)
        });
        if has_ended {
            hooks::release(draft, hook.event);
        }
    }
}

/// Puts the traffic back, then ends Stopped without a rollback.
fn take_back(draft: &mut Draft<'_>, resolved: &Resolved, why: &str, awaits_hook: bool) {
    // However the hook judges, its event is over then and the traffic goes back.
    if let Some(index) = running_hook(draft).filter(|_| awaits_hook) {
        let name = draft.event(index).name;
        let own = resolved.hooks.iter().find(|h| h.event == name);
        if own.is_some_and(|h| hooks::advance(draft, index, h) == hooks::Verdict::Running) {
            return;
        }
    }
    if finish_steps(draft, resolved) {
        return;
    }
    if restore::advance(draft, resolved, why) && undo::advance(draft, resolved, why) {
        ending::end(draft, &End::stopped(why));
        let facts = draft.facts;
        for event in facts.jobs.keys() {
            hooks::release(draft, *event);
        }
    }
}

/// True while a step on record, of either listener, still has to be written.
fn finish_steps(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    shift_follow::finish_step(draft, resolved) || test_traffic::finish_step(draft, resolved)
}

fn running_hook(draft: &Draft<'_>) -> Option<usize> {
    let events = &draft.status.lifecycle_events;
    events.iter().position(|e| e.status == EventStatus::InProgress && e.name.is_scriptable())
}

/// True once the original's end is on record: what would be gone back to is going.
fn is_past_return(draft: &Draft<'_>) -> bool {
    let is_done = |s: EventStatus| matches!(s, EventStatus::Succeeded | EventStatus::Skipped);
    draft.status.termination_time.is_some()
        && draft.status.lifecycle_events.iter().all(|e| is_done(e.status))
        && !restore::is_under_way(draft)
}

fn too_late(draft: &mut Draft<'_>, resolved: &Resolved) {
    let message = "too late: the original is being terminated".into();
    draft.status.stop = Some(StopState { status: StopStatus::Error, message });
    course(draft, resolved);
}

fn stop(draft: &mut Draft<'_>, resolved: &Resolved) {
    if finish_steps(draft, resolved) {
        let message = "the step on record is still being written".into();
        draft.status.stop = Some(StopState { status: StopStatus::Pending, message });
        return;
    }
    let asked = draft.facts.deployment.spec.stop.as_ref().and_then(|s| s.auto_rollback);
    ending::end(draft, &End::on_request(asked));
}

/// Walks the course until something has to be waited for, or it ends.
fn course(draft: &mut Draft<'_>, resolved: &Resolved) {
    for index in 0..draft.status.lifecycle_events.len() {
        let event = draft.status.lifecycle_events[index].clone();
        if matches!(event.status, EventStatus::Succeeded | EventStatus::Skipped) {
            continue;
        }
        if event.name == EventName::BeforeAllowTraffic && !may_move_traffic(draft, resolved) {
            return;
        }
        let goes_on = match event.name {
            EventName::Install => pass(draft, index, |d| install::advance(d, index, resolved)),
            EventName::AllowTestTraffic => pass(draft, index, |d| test_traffic::advance(d, index, resolved)),
            EventName::AllowTraffic => pass(draft, index, |d| shift::advance(d, index, resolved)),
            _ => hook(draft, index, resolved),
        };
        if !goes_on {
            return;
        }
        // No event starts once a stop is asked for.
        if draft.facts.deployment.spec.stop.is_some() && !is_past_return(draft) {
            return stop(draft, resolved);
        }
    }
    succeed(draft, resolved);
}

/// False while the wait before traffic moves is on, or has ended the deployment.
fn may_move_traffic(draft: &mut Draft<'_>, resolved: &Resolved) -> bool {
    let Some(service) = &resolved.service else { return true };
    match ready_wait::look(draft, service) {
        Wait::Over => true,
        Wait::On => false,
        Wait::Expired(end) => {
            ending::end(draft, &end);
            false
        }
    }
}

/// Carries an event that is Sluice's own work. True when it has ended well.
fn pass(draft: &mut Draft<'_>, index: usize, advance: impl FnOnce(&mut Draft<'_>) -> shift::Verdict) -> bool {
    match advance(draft) {
        shift::Verdict::Running => false,
        shift::Verdict::Failed(code, message) => {
            ending::end(draft, &End::failed(code, message));
            false
        }
        shift::Verdict::Done => {
            let now = draft.now;
            let event = draft.event(index);
            event.status = EventStatus::Succeeded;
            event.start_time = event.start_time.or(Some(now));
            event.end_time = Some(now);
            draft.status.waiting = None;
            true
        }
    }
}

fn hook(draft: &mut Draft<'_>, index: usize, resolved: &Resolved) -> bool {
    let name = draft.event(index).name;
    let now = draft.now;
    let Some(hook) = resolved.hooks.iter().find(|h| h.event == name).cloned() else {
        let is_rollback = draft.status.is_rollback();
        let event = draft.event(index);
        event.status = if is_rollback { EventStatus::Skipped } else { EventStatus::Succeeded };
        event.start_time = Some(now);
        event.end_time = Some(now);
        return true;
    };
    let noticed = shift_kept::noticed(draft).filter(|_| name == EventName::AfterAllowTraffic);
    match hooks::advance(draft, index, &hook) {
        hooks::Verdict::Running => {
            let is_stopping = draft.facts.deployment.spec.stop.is_some();
            let message = if is_stopping {
                format!("stopping: {name} is still running (hook {}); no further event starts", hook.name)
            } else {
                format!("{name}: waiting for hook {} (at most {})", hook.name, hook.timeout)
            };
            if is_stopping {
                draft.status.stop = Some(StopState {
                    status: StopStatus::Pending,
                    message: format!("{name} is still running"),
                });
            }
            if name == EventName::AfterAllowTraffic && !is_stopping {
                shift_kept::notice(draft, resolved, name, noticed);
            }
            if draft.status.waiting.is_none() {
                draft.say(Verdict::Reconciling, &name.to_string(), message);
            }
            false
        }
        hooks::Verdict::Passed => {
            // What was made of the listener meanwhile is looked at next, and has lasted since then.
            draft.status.waiting = noticed;
            draft.say(
                Verdict::Reconciling,
                &name.to_string(),
                format!("{name}: hook {} succeeded", hook.name),
            );
            true
        }
        hooks::Verdict::Failed(_) if draft.facts.deployment.spec.stop.is_some() => {
            stop(draft, resolved);
            false
        }
        hooks::Verdict::Failed(message) => {
            ending::end(draft, &End::failed("HookExecutionFailure", message));
            false
        }
    }
}

/// What follows the last event: the original's end, then success.
fn succeed(draft: &mut Draft<'_>, resolved: &Resolved) {
    draft.status.traffic = Some(words::traffic(draft.status.traffic.as_ref(), resolved, 100));
    if draft.status.is_rollback() && !test_traffic::is_back(draft, resolved) {
        return;
    }
    let verdict = match terminate::advance(draft, resolved) {
        // Once the original's end is on record, the traffic was looked at for it.
        shift::Verdict::Done if draft.status.termination_time.is_none() => {
            shift_kept::advance(draft, resolved)
        }
        verdict => verdict,
    };
    match verdict {
        shift::Verdict::Running => return,
        shift::Verdict::Failed(code, message) => return ending::end(draft, &End::failed(code, message)),
        shift::Verdict::Done => {}
    }
    draft.status.phase = Phase::Succeeded;
    draft.status.complete_time = Some(draft.now);
    draft.status.waiting = None;
    let message = words::succeeded(resolved);
    draft.note("DeploymentSuccess", message.clone());
    draft.say(Verdict::Ready, "Succeeded", message);
}
