//! A Service group between its deployments: its target groups exist, its size is what is wanted, its scale subresource
//! says who serves, what nobody needs any more goes, and its end is what `deletionPolicy` says.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::facts::{ServiceFact, TaskSetFact};
use super::group::{self, GroupAct, GroupFacts, GroupPlan, SHARED};
use super::plan::{Note, ScaleTaskSet};
use super::service::sides;
use super::service::snapshot::selector_text;
use super::service::task_set;
use super::{group_queue, group_target};
use crate::api::condition::Verdict;
use crate::api::service_target::ServiceTarget;
use crate::api::{DeletionPolicy, Deployment, DeploymentGroup, DeploymentGroupStatus, Phase, TASK_SET_LABEL};

/// A kind of object that a group has made.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// A ReplicaSet.
    TaskSet,
    /// A Service.
    TargetGroup,
}

impl Made {
    /// One of them, as Kubernetes calls it.
    fn described(self, name: &str) -> String {
        match self {
            Self::TaskSet => format!("ReplicaSet {name}"),
            Self::TargetGroup => format!("Service {name}"),
        }
    }
}

/// Another group that names the same target group or listener and was there first: reason and sentence.
pub fn rival(facts: &GroupFacts) -> Option<(&'static str, String)> {
    let mine = names(&facts.group);
    let age = |g: &DeploymentGroup| {
        (g.metadata.creation_timestamp.as_ref().map(|t| t.0), g.metadata.name.clone().unwrap_or_default())
    };
    let mut older = facts.rivals.iter().filter(|r| age(r) < age(&facts.group) && may_share(r, &facts.group));
    older.find_map(|rival| {
        let shared = names(rival).into_iter().find(|n| mine.contains(n))?;
        let other = rival.metadata.name.as_deref().unwrap_or_default();
        let message = format!(
            "{shared} is DeploymentGroup {other}'s already, and two groups would move each other's traffic; name another one"
        );
        Some((SHARED, message))
    })
}

/// True if two groups could move each other's traffic. Function groups may share a route, each with functions of its own in it:
/// which ones is in the AppSpecs, and what another one does to the same function is noticed by its weights.
pub fn may_share(one: &DeploymentGroup, other: &DeploymentGroup) -> bool {
    let are_functions = one.spec.function.is_some() && other.spec.function.is_some();
    has_traffic(one) && has_traffic(other) && !are_functions
}

fn has_traffic(group: &DeploymentGroup) -> bool {
    let spec = &group.spec;
    let is_balanced = spec.server.as_deref().is_some_and(|s| s.load_balancer.is_some());
    spec.function.is_some() || spec.service.is_some() || is_balanced
}

/// What no two groups may share.
fn names(group: &DeploymentGroup) -> BTreeSet<String> {
    if let Some(target) = &group.spec.function {
        return target.aliases.iter().map(|a| format!("HTTPRoute {}", a.http_route.name)).collect();
    }
    let balancer = group.spec.server.as_deref().and_then(|s| s.load_balancer.as_ref());
    let Some(target) = &group.spec.service else {
        return balancer.map(|b| format!("Service {}", b.service.name)).into_iter().collect();
    };
    let mut names: BTreeSet<String> = target.target_groups.iter().map(|t| format!("Service {t}")).collect();
    let listener = &target.production_listener;
    names.extend(listener.http_route.as_ref().map(|r| format!("HTTPRoute {}", r.name)));
    names.extend(listener.service.as_ref().map(|s| format!("Service {}", s.name)));
    names.extend(target.test_listener.as_ref().map(|t| format!("HTTPRoute {}", t.http_route.name)));
    names
}

/// Looks after a Service group. Answers what it lacks: reason, sentence, and whether it may come by itself.
pub fn look_after(
    facts: &GroupFacts,
    status: &mut DeploymentGroupStatus,
    plan: &mut GroupPlan,
) -> Option<(&'static str, String, bool)> {
    // What is another group's is not touched at all.
    let target = facts.group.spec.service.as_deref().filter(|_| rival(facts).is_none())?;
    if !facts.group.is_held() {
        plan.acts.push(GroupAct::Hold);
    }
    adopt(facts, target, plan);
    let lack = group_target::create_absent(facts, target, status, plan);
    tell_scale(facts, target, status);
    let is_idle = status.active_deployment.is_none() && status.queued_deployments.is_empty();
    // From its snapshot on a Deployment looks after both sides. While one waits, a higher number must not wait with it.
    if !has_begun(facts, status) {
        size(facts, target, status, is_idle, plan);
    }
    if is_idle {
        sweep(facts, target, status, plan);
    }
    lack
}

/// True if a Deployment runs by its snapshot, or if it is not known whether one does.
fn has_begun(facts: &GroupFacts, status: &DeploymentGroupStatus) -> bool {
    let is_running =
        |d: &Deployment| d.status.as_ref().is_some_and(|s| s.resolved.is_some()) && !d.phase().has_ended();
    let active = status.active_deployment.as_ref();
    let is_unknown = active.is_some_and(|a| facts.deployments.iter().all(|d| d.uid() != a.uid));
    is_unknown || facts.deployments.iter().any(|d| is_running(d))
}

/// Task sets that an earlier group of this name left serving become this group's, and so do its target groups.
fn adopt(facts: &GroupFacts, target: &ServiceTarget, plan: &mut GroupPlan) {
    for (name, task_set) in &facts.task_sets {
        if task_set.group_uid.is_none() && !task_set.is_going && is_selected(facts, target, name) {
            plan.acts.push(GroupAct::Adopt(Made::TaskSet, name.clone(), task_set.uid.clone()));
        }
    }
    let own = facts.group.metadata.name.as_ref();
    let left =
        |(_, s): &(&String, &ServiceFact)| s.exists && s.group_uid.is_none() && s.group.as_ref() == own;
    for (name, service) in facts.services.iter().filter(left) {
        plan.acts.push(GroupAct::Adopt(Made::TargetGroup, name.clone(), service.uid.clone()));
    }
}

/// True if one of the group's Services sends to the task set.
pub(super) fn is_selected(facts: &GroupFacts, target: &ServiceTarget, name: &str) -> bool {
    let listener = target.production_listener.service.as_ref().map(|s| &s.name);
    let mut services = target.target_groups.iter().chain(listener).filter_map(|s| facts.services.get(s));
    services.any(|s| s.selector.get(TASK_SET_LABEL).is_some_and(|t| t == name))
}

/// The Service of the side with the greater share.
pub(super) fn serving(facts: &GroupFacts, target: &ServiceTarget) -> Option<String> {
    match &target.production_listener.service {
        Some(front) => Some(front.name.clone()),
        None => sides::greater(facts.route.as_deref()?, target),
    }
}

/// True if the side that serves is that task set; while that cannot be told, if any Service sends to it.
fn serves(facts: &GroupFacts, target: &ServiceTarget, name: &str) -> bool {
    match serving(facts, target).and_then(|service| facts.services.get(&service)) {
        Some(service) => service.selector.get(TASK_SET_LABEL).is_some_and(|t| t == name),
        None => is_selected(facts, target, name),
    }
}

/// The scale subresource speaks of the side with the greater share: with both sides counted an HPA would climb.
fn tell_scale(facts: &GroupFacts, target: &ServiceTarget, status: &mut DeploymentGroupStatus) {
    let Some(service) = serving(facts, target).and_then(|name| facts.services.get(&name)) else { return };
    if service.selector.is_empty() {
        (status.replicas, status.selector) = (Some(0), None);
        return;
    }
    let own = service.selector.get(TASK_SET_LABEL).and_then(|name| facts.task_sets.get(name));
    let pods = own.map(|t| t.total).or_else(|| service.ready.and_then(|n| i32::try_from(n).ok()));
    status.replicas = pods.or(status.replicas);
    status.selector = Some(selector_text(&service.selector));
}

/// Between deployments the side that serves has as many pods as are wanted.
fn size(
    facts: &GroupFacts,
    target: &ServiceTarget,
    status: &DeploymentGroupStatus,
    is_idle: bool,
    plan: &mut GroupPlan,
) {
    let Some(service) = serving(facts, target) else { return };
    let name = facts.services.get(&service).and_then(|s| s.selector.get(TASK_SET_LABEL)).cloned();
    let Some(name) = name else { return };
    let own = |t: &&TaskSetFact| task_set::is_of_group(t, &facts.group) && !t.is_going;
    let Some(found) = facts.task_sets.get(&name).filter(own) else { return };
    // A terminated side that somebody gave the traffic back to by hand does not rise again: that is a deployment's work.
    let left = status.last_successful_deployment.as_ref().and_then(|d| d.serving.as_ref());
    if found.replicas == 0 && left.is_some_and(|s| s.service != service) {
        return;
    }
    // Only what serves already grows beside a Deployment that waits.
    let may_grow = is_idle || found.replicas > 0;
    if (may_grow && found.replicas < target.replicas) || (is_idle && found.replicas > target.replicas) {
        plan.acts.push(GroupAct::ScaleTaskSet(ScaleTaskSet {
            name,
            uid: found.uid.clone(),
            generation: found.generation,
            replicas: target.replicas,
        }));
    }
}

/// A task set that nobody sends to gets no pods. One without pods goes when its Deployment is gone: until then it is that
/// one's record.
fn sweep(facts: &GroupFacts, target: &ServiceTarget, status: &DeploymentGroupStatus, plan: &mut GroupPlan) {
    for (name, task_set) in &facts.task_sets {
        let is_known = facts.deployments.iter().any(|d| task_set::is_made_by(task_set, d));
        let is_empty = task_set.replicas == 0 && task_set.total == 0 && task_set.is_observed;
        let is_mine = task_set::is_of_group(task_set, &facts.group) && !task_set.is_going;
        let is_over = |t| is_nobodys(facts, t) || is_outlived(facts, status, name, t);
        if is_mine && task_set.replicas > 0 && is_unselected(facts, target, name) && is_over(task_set) {
            plan.acts.push(GroupAct::ScaleTaskSet(ScaleTaskSet {
                name: name.clone(),
                uid: task_set.uid.clone(),
                generation: task_set.generation,
                replicas: 0,
            }));
        }
        if is_mine && is_empty && !is_known && !serves(facts, target, name) {
            plan.acts.push(GroupAct::Delete(Made::TaskSet, name.clone(), task_set.uid.clone()));
        }
    }
}

/// True if it is known that no Service sends to the task set: a selector of somebody else's may well select its pods.
fn is_unselected(facts: &GroupFacts, target: &ServiceTarget, name: &str) -> bool {
    let front = target.production_listener.service.iter().map(|s| &s.name);
    let mut selectors = target.target_groups.iter().chain(front).map(|s| facts.services.get(s));
    let are_known = selectors
        .all(|s| s.is_some_and(|s| s.selector.is_empty() || s.selector.contains_key(TASK_SET_LABEL)));
    are_known && !is_selected(facts, target, name)
}

/// True if its Deployment has ended without having moved any traffic to it: created by a hand that was late, or left by an
/// Install that ended before it pointed anybody at it.
///
/// That no traffic was moved is on record; what the caches say of Services and routes alone may be of yesterday.
fn is_nobodys(facts: &GroupFacts, task_set: &TaskSetFact) -> bool {
    let maker = facts.deployments.iter().find(|d| task_set::is_made_by(task_set, d));
    maker.is_some_and(|d| has_moved_nothing(d))
}

/// True if it is older than the last Deployment, which succeeded and knew nothing of it: kept alive or left standing, and then
/// lost sight of because somebody pointed its Service elsewhere. On record is that all traffic lies on another one.
fn is_outlived(
    facts: &GroupFacts,
    status: &DeploymentGroupStatus,
    name: &str,
    task_set: &TaskSetFact,
) -> bool {
    let last = status.last_attempted_deployment.as_ref().filter(|l| l.phase == Phase::Succeeded);
    let last = last.and_then(|l| facts.deployments.iter().find(|d| d.uid() == l.uid));
    let resolved = last.and_then(|d| d.status.as_ref()).and_then(|s| s.resolved.as_ref());
    let (Some(last), Some(service)) = (last, resolved.and_then(|r| r.service.as_deref())) else {
        return false;
    };
    let mut sides = service.original.iter().chain(Some(&service.replacement));
    let born = last.metadata.creation_timestamp.as_ref().map(|t| t.0);
    let is_older = task_set.created.zip(born).is_some_and(|(made, born)| made < born);
    is_older && sides.all(|side| side.task_set.as_deref() != Some(name))
}

/// True for a Deployment that ended otherwise than well before it gave its replacement any traffic.
fn has_moved_nothing(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let service = status.resolved.as_ref().and_then(|r| r.service.as_deref());
    matches!(status.phase, Phase::Failed | Phase::Stopped)
        && status.traffic.as_ref().is_none_or(|t| t.steps.is_empty())
        && service.is_some_and(|s| s.original.is_some())
}

/// A Service group that is being deleted: its running Deployment ends first, then what it made goes or is let go.
pub fn retire(facts: &GroupFacts, now: Timestamp) -> GroupPlan {
    let mut plan = GroupPlan::default();
    if !facts.group.is_held() || keeps_turn(facts, &mut plan, now) {
        return plan;
    }
    let deletes = facts.group.spec.deletion_policy == DeletionPolicy::Delete;
    let made = made(facts);
    for (kind, name, uid) in &made {
        plan.acts.push(if deletes {
            GroupAct::Delete(*kind, name.clone(), uid.clone())
        } else {
            GroupAct::Orphan(*kind, name.clone(), uid.clone())
        });
    }
    if made.is_empty() {
        plan.acts.push(GroupAct::Release);
        return plan;
    }
    let names: Vec<String> = made.iter().map(|(kind, name, _)| kind.described(name)).collect();
    let what = names.join(", ");
    let message = match (deletes, made.len()) {
        (true, _) => format!("the group is deleted, and with it {what} (deletionPolicy Delete)"),
        (_, 1) => format!("the group is deleted; {what} stays and serves on (deletionPolicy Orphan)"),
        _ => format!("the group is deleted; {what} stay and serve on (deletionPolicy Orphan)"),
    };
    plan.notes.push(Note {
        is_warning: false,
        reason: "Retired",
        message: super::draft::clip(message, 1_000),
    });
    plan
}

/// True while a Deployment runs or is owed: a rollback that was named before its group was deleted still gets its turn.
fn keeps_turn(facts: &GroupFacts, plan: &mut GroupPlan, now: Timestamp) -> bool {
    let mut status = facts.group.status.clone().unwrap_or_default();
    group_queue::release(facts, &mut status);
    let mut owed = None;
    // What another group has taken over since is not waited for: it may be another group's for good.
    if rival(facts).is_none() {
        group_queue::grant_owed(facts, &mut status);
        owed = group_queue::awaited_rollback(facts, &status);
    }
    let running = facts.deployments.iter().find(|d| d.phase().is_running()).map(|d| d.name().to_owned());
    let awaited = owed.or(running);
    if facts.group.status.as_ref() != Some(&status) {
        let message = match &awaited {
            Some(name) => format!("the group is deleted when Deployment {name} has ended"),
            None => "the group is being deleted".into(),
        };
        group::say(facts, &mut status, &Verdict::Reconciling, "Deleting", &message, now);
        plan.record = Some(Box::new(status));
    }
    awaited.is_some()
}

/// What the group has made and still holds, in order of name.
fn made(facts: &GroupFacts) -> Vec<(Made, String, String)> {
    let uid = facts.group.metadata.uid.as_deref();
    let mine = |(_, t): &(&String, &TaskSetFact)| t.group_uid.as_deref() == uid && !t.is_going;
    let task_sets = facts.task_sets.iter().filter(mine);
    let target_groups = facts.services.iter().filter(|(_, s)| s.exists && s.group_uid.as_deref() == uid);
    task_sets
        .map(|(name, t)| (Made::TaskSet, name.clone(), t.uid.clone()))
        .chain(target_groups.map(|(name, s)| (Made::TargetGroup, name.clone(), s.uid.clone())))
        .collect()
}
