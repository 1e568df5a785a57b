//! Install: the replacement's task set is made, its target group pointed at it, and every pod awaited.
//!
//! Only the idle side is touched. A rollback finds its side standing and passes as soon as it can serve.

use jiff::{SignedDuration, Timestamp};

use super::{task_set, terminate};
use crate::api::EventStatus;
use crate::api::condition::Verdict as Says;
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::deployment_status::{Pointed, Resolved};
use crate::api::duration::Spoken;
use crate::engine::draft::{Draft, PATIENCE};
use crate::engine::facts::{GatewayFact, ServiceFact, TaskSetFact};
use crate::engine::plan::{Act, CreateTaskSet, PointService};
use crate::engine::production::Production;
use crate::engine::shift::Verdict;
use crate::engine::{shift, weights};

/// CodeDeploy's code for a service that cannot be deployed to.
const INVALID: &str = "InvalidServiceConfiguration";
/// How long a target group that somebody else keeps changing is left alone.
const POINT_AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// The reason while pods are held back.
const NOT_READY: &str = "TaskSetNotReady";

/// Carries Install, the event at `index`, as far as it goes now.
pub fn advance(draft: &mut Draft<'_>, index: usize, resolved: &Resolved) -> Verdict {
    let Some(service) = resolved.service.as_deref() else { return Verdict::Done };
    begin(draft, index, service);
    let deadline = draft.event(index).start_time.unwrap_or(draft.now) + service.install_timeout.length();
    let verdict = install(draft, index, resolved, service);
    if verdict == Verdict::Running && draft.now >= deadline {
        let message = format!(
            "Install did not end within {}: {}",
            Spoken(service.install_timeout.length()),
            draft.status.message.trim_start_matches("Install: ")
        );
        return Verdict::Failed("Timeout", message);
    }
    draft.wake_at(deadline);
    verdict
}

fn begin(draft: &mut Draft<'_>, index: usize, service: &ResolvedService) {
    let now = draft.now;
    let event = draft.event(index);
    if event.status == EventStatus::Pending {
        event.status = EventStatus::InProgress;
        event.start_time = Some(now);
        let side = described(&service.replacement);
        draft.say(Says::Reconciling, "Install", format!("Install: making {side} ready"));
    }
}

/// `task set web-1a2b (PodTemplate web-42) behind Service checkout-b`.
pub fn described(side: &ResolvedSide) -> String {
    let from = side.task_definition.as_ref().map(|t| format!(" (PodTemplate {t})")).unwrap_or_default();
    match &side.task_set {
        Some(name) => format!("task set {name}{from} behind Service {}", side.target_group),
        None => format!("what stands behind Service {}, which Sluice did not make", side.target_group),
    }
}

fn install(draft: &mut Draft<'_>, index: usize, resolved: &Resolved, service: &ResolvedService) -> Verdict {
    if service.pod_template.is_none() {
        return stands(draft, service);
    }
    let use_ = use_of_idle(draft, resolved, service);
    if use_ == Use::None {
        scale_leftover_down(draft, service);
    }
    let name = service.replacement.task_set.clone().unwrap_or_default();
    let Some(task_set) = draft.facts.task_sets.get(&name).cloned() else {
        return create(draft, index, service, &name);
    };
    if !task_set::is_made_by(&task_set, &draft.facts.deployment) {
        let message = format!("NameTaken: another ReplicaSet is named {name}; delete it and deploy again");
        return Verdict::Failed(INVALID, message);
    }
    draft.event(index).started = true;
    if !points_at_replacement(draft, service) {
        return point(draft, resolved, service, use_);
    }
    await_pods(draft, service, &name, &task_set)
}

/// A rollback's side stands already: it is enough that it can serve.
fn stands(draft: &mut Draft<'_>, service: &ResolvedService) -> Verdict {
    let side = &service.replacement;
    let wanted = task_set::wanted(draft);
    if let (Some(name), Some(wanted)) = (&side.task_set, wanted)
        && draft.facts.task_sets.get(name).is_some_and(|t| t.replicas < wanted)
        && let Some(act) = task_set::scale(draft, name, wanted)
    {
        draft.act(act);
    }
    match draft.facts.services.get(&side.target_group).and_then(|s| s.ready) {
        None => Verdict::Running,
        Some(0) => {
            let message = format!("Install: {} has no ready endpoint yet", described(side));
            draft.wait(NOT_READY, message);
            Verdict::Running
        }
        Some(_) => {
            draft.status.waiting = None;
            Verdict::Done
        }
    }
}

/// A task set that stood on the idle side goes.
fn scale_leftover_down(draft: &mut Draft<'_>, service: &ResolvedService) {
    let Some(leftover) = service.leftover.as_ref() else { return };
    if let Some(act) = task_set::scale(draft, leftover, 0) {
        draft.act(act);
    }
}

/// How the replacement's side is in use.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Use {
    /// It has no production traffic and has drained, or nobody answers there, or nobody else has any.
    None,
    /// It has none any more; its last requests have time until then.
    Drains(Timestamp),
    /// It has none in the route, and the gateway has not taken that yet.
    Untaken,
    /// It has some.
    Serves,
}

/// The deployment before may have ended a moment ago, with its traffic hardly moved.
fn use_of_idle(draft: &Draft<'_>, resolved: &Resolved, service: &ResolvedService) -> Use {
    let production = Production::of(resolved);
    if production.is_still() {
        return Use::None;
    }
    let side = draft.facts.services.get(&service.replacement.target_group);
    let is_dead = side.is_some_and(|s| s.ready == Some(0));
    // A rollback whose original has vanished makes it anew, whatever weight still lies there.
    if is_dead && draft.status.is_rollback() {
        return Use::None;
    }
    let Some(route) = draft.facts.route.as_ref() else { return Use::Untaken };
    if !weights::stands_at(route, production.pair, 0) {
        return Use::Serves;
    }
    if is_dead {
        return Use::None;
    }
    // A front Service does not say since when it has been switched: it was before this deployment began.
    let began = draft.status.start_time.unwrap_or(draft.now);
    let since = if production.is_service { Some(began) } else { route.served_since(route.generation) };
    let due = since.filter(|_| route.gateway == GatewayFact::Taken).map(|at| at + terminate::drain(service));
    match due {
        None => Use::Untaken,
        Some(due) if due > draft.now => Use::Drains(due),
        Some(_) => Use::None,
    }
}

fn create(draft: &mut Draft<'_>, index: usize, service: &ResolvedService, name: &str) -> Verdict {
    if draft.event(index).started {
        return gone(draft, name);
    }
    if let Some(words) = &draft.facts.task_set_refused {
        let message = format!(
            "the API server refused the task set of PodTemplate {}: {words}",
            service.task_definition
        );
        return Verdict::Failed(INVALID, message);
    }
    let group_uid = draft.status.resolved.as_ref().map(|r| r.group_uid.clone()).unwrap_or_default();
    let replicas = task_set::wanted(draft).unwrap_or(1).max(1);
    draft.act(Act::CreateTaskSet(Box::new(CreateTaskSet {
        name: name.into(),
        replicas,
        group: draft.facts.deployment.spec.deployment_group_ref.name.clone(),
        group_uid,
        deployment_uid: draft.facts.deployment.uid().into(),
        task_definition: service.task_definition.clone(),
        container: (service.container_name.clone(), service.container_port),
        template: service.pod_template.clone().unwrap_or_default(),
    })));
    Verdict::Running
}

/// Somebody saw it and it is not there: it was deleted, unless a watch lags behind.
fn gone(draft: &mut Draft<'_>, name: &str) -> Verdict {
    let message = format!("ReplicaSet {name} was deleted while it was being installed");
    if draft.wait("TaskSetMissing", format!("Install: {message}; looking again for a minute")) >= PATIENCE {
        return Verdict::Failed(INVALID, message);
    }
    Verdict::Running
}

/// True if the replacement's Service sends to its task set.
pub fn points_at_replacement(draft: &Draft<'_>, service: &ResolvedService) -> bool {
    let side = &service.replacement;
    draft.facts.services.get(&side.target_group).is_some_and(|found| points_at(found, side))
}

/// True if a Service sends to that side: its selector, and its ports.
pub fn points_at(found: &ServiceFact, side: &ResolvedSide) -> bool {
    let leads = |port: &String| side.target_port.as_ref().is_none_or(|wanted| wanted == port);
    found.selector == side.selector && found.target_ports.iter().all(leads)
}

/// Selector and target port move in one patch, and only on a side that has no production traffic.
fn point(draft: &mut Draft<'_>, resolved: &Resolved, service: &ResolvedService, use_: Use) -> Verdict {
    let side = &service.replacement;
    let Some(found) = draft.facts.services.get(&side.target_group).cloned() else { return Verdict::Running };
    if !found.exists {
        let cause = format!("Service {}, the replacement's target group, is gone", side.target_group);
        return shift::hold(draft, "ServiceMissing", cause, "create it again, or stop the deployment");
    }
    let listener = Production::of(resolved).described();
    match use_ {
        Use::None if is_contended(draft, side) => return Verdict::Running,
        Use::None => {}
        Use::Drains(due) => {
            let message =
                format!("Install: the last requests to Service {} have time to end", side.target_group);
            draft.status.waiting = None;
            draft.say(Says::Reconciling, "Install", message);
            draft.wake_at(due);
            return Verdict::Running;
        }
        Use::Untaken => {
            let cause = format!("the gateway has not taken {listener} as it is");
            let next = format!("Service {} is left alone until it has", side.target_group);
            return shift::hold(draft, "GatewaySilent", cause, &next);
        }
        Use::Serves => {
            let cause = format!("{listener} sends production traffic to Service {}", side.target_group);
            return shift::hold(draft, "WeightsChanged", cause, "its selector is moved when it has none");
        }
    }
    let times = draft.status.pointed.map_or(1, |p| p.times.saturating_add(1));
    draft.status.pointed = Some(Pointed { times, time: draft.now });
    draft.act(Act::PointService(PointService {
        service: side.target_group.clone(),
        uid: found.uid,
        version: found.version,
        selector: side.selector.clone(),
        target_port: side.target_port.clone(),
        ports: found.ports.len(),
    }));
    Verdict::Running
}

/// True while a Service that somebody else keeps pointing elsewhere is left alone. The first time may have been a
/// write of ours that did not arrive, so that it is repeated at once.
fn is_contended(draft: &mut Draft<'_>, side: &ResolvedSide) -> bool {
    let Some(pointed) = draft.status.pointed.filter(|p| p.times > 1) else { return false };
    let due = pointed.time + POINT_AGAIN;
    if draft.now >= due {
        return false;
    }
    draft.wake_at(due);
    let message = format!(
        "Install: somebody else keeps changing the selector or the target port of Service {}, where {} is to be; it is pointed there again every {} (docs/gitops.md says how Git can leave them alone)",
        side.target_group,
        side.task_set.as_deref().unwrap_or_default(),
        Spoken(POINT_AGAIN)
    );
    draft.wait("SelectorChanged", message);
    true
}

fn await_pods(
    draft: &mut Draft<'_>,
    service: &ResolvedService,
    name: &str,
    task_set: &TaskSetFact,
) -> Verdict {
    if are_all_ready(draft, service, name, task_set) {
        draft.status.waiting = None;
        let message = format!("Install: {} is ready", described(&service.replacement));
        draft.say(Says::Reconciling, "Install", message);
        return Verdict::Done;
    }
    let side = &service.replacement;
    let pods = match task_set.replicas {
        1 => "its pod".to_owned(),
        n => format!("its {n} pods"),
    };
    match &task_set.problem {
        Some(problem) => {
            let message = format!(
                "Install: {problem}; {} waits for {pods} to be ready, at most {}",
                described(side),
                Spoken(service.install_timeout.length())
            );
            draft.wait(NOT_READY, message);
        }
        None if draft.status.waiting.is_some() => {}
        None => {
            let message = format!("Install: {} waits for {pods} to be ready", described(side));
            draft.say(Says::Reconciling, "Install", message);
        }
    }
    Verdict::Running
}

/// Every pod is ready, every one is among the target group's endpoints, and nobody else is.
pub(super) fn are_all_ready(
    draft: &Draft<'_>,
    service: &ResolvedService,
    name: &str,
    task_set: &TaskSetFact,
) -> bool {
    let Ok(wanted) = usize::try_from(task_set.replicas) else { return false };
    let Some(found) = draft.facts.services.get(&service.replacement.target_group) else { return false };
    let own = found.ready_of.get(name).copied().unwrap_or(0);
    task_set.is_observed
        && !task_set.is_going
        && wanted > 0
        && task_set.ready >= task_set.replicas
        && own >= wanted
        && found.ready == Some(own)
}
