//! Target groups that are not there: created with the ports that the listeners name.
//!
//! One that somebody deleted while a side stood behind it comes back with that side's selector: without it the requests
//! that the route still sends there would find nobody.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::clip;
use super::facts::TaskSetFact;
use super::group::{GroupAct, GroupFacts, GroupPlan};
use super::group_service;
use super::plan::Note;
use super::service::snapshot::selector_text;
use super::service::task_set;
use crate::api::deployment_snapshot::{ResolvedService, ResolvedSide};
use crate::api::service_target::ServiceTarget;
use crate::api::{Deployment, DeploymentGroupStatus, EventName, EventStatus, LifecycleEvent};

/// A Service to create: a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTargetGroup {
    /// Its name.
    pub name: String,
    /// Its ports.
    pub ports: Vec<i32>,
    /// Whom it selects: nobody, until the first Install points it at pods; or who stood behind one that was deleted.
    pub selector: BTreeMap<String, String>,
    /// Where its ports lead; to their own numbers if that is not known.
    pub target_port: Option<String>,
    /// The group's name.
    pub group: String,
    /// The group's uid.
    pub group_uid: String,
}

/// Creates the target groups that are not there. Answers what one lacks: reason, sentence, and whether it may come by itself.
pub fn create_absent(
    facts: &GroupFacts,
    target: &ServiceTarget,
    status: &DeploymentGroupStatus,
    plan: &mut GroupPlan,
) -> Option<(&'static str, String, bool)> {
    let is_absent = |name: &&String| facts.services.get(*name).is_some_and(|s| !s.exists);
    let absent: Vec<&String> = target.target_groups.iter().filter(is_absent).collect();
    for name in &absent {
        let mut ports = ports_named(facts, name);
        if ports.is_empty() {
            let other = target.other_than(name).unwrap_or_default();
            ports = ports_of(facts, target, other);
        }
        if ports.is_empty() {
            return Some(lacks_ports(facts, target, name));
        }
        let Behind { selector, target_port } = behind(facts, target, status, name).unwrap_or_default();
        if !selector.is_empty() {
            plan.notes.push(restored(name, &selector));
        }
        plan.acts.push(GroupAct::CreateTargetGroup(NewTargetGroup {
            name: (*name).clone(),
            ports,
            selector,
            target_port,
            group: facts.group.metadata.name.clone().unwrap_or_default(),
            group_uid: facts.group.metadata.uid.clone().unwrap_or_default(),
        }));
    }
    None
}

fn lacks_ports(facts: &GroupFacts, target: &ServiceTarget, name: &str) -> (&'static str, String, bool) {
    if let Some(front) = &target.production_listener.service {
        let message = format!(
            "there is no Service {}, the production listener; create it with the port that clients use",
            front.name
        );
        return ("ServiceMissing", message, true);
    }
    let route = target.production_listener.http_route.as_ref().map_or("", |r| r.name.as_str());
    if facts.route.is_none() {
        let message = format!(
            "there is no HTTPRoute {route}, the production listener; create it with a backendRef to Service {name}"
        );
        return ("HTTPRouteMissing", message, true);
    }
    let message = format!(
        "HTTPRoute {route} names neither of the target groups {} with a port; add a backendRef to one of them",
        target.target_groups.join(" and ")
    );
    ("NotServed", message, true)
}

/// The ports that the listeners' backendRefs name for a Service.
fn ports_named(facts: &GroupFacts, name: &str) -> Vec<i32> {
    let routes = facts.route.iter().chain(&facts.test_route);
    let backends = routes.flat_map(|r| &r.rules).flat_map(|r| &r.backends);
    let ports = backends.filter(|b| b.service.as_deref() == Some(name)).filter_map(|b| b.port);
    ports.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ports under which the other target group, or the front Service, is reached.
fn ports_of(facts: &GroupFacts, target: &ServiceTarget, other: &str) -> Vec<i32> {
    let named = ports_named(facts, other);
    if !named.is_empty() {
        return named;
    }
    let front = target.production_listener.service.as_ref();
    front.and_then(|s| facts.services.get(&s.name)).map(|s| s.ports.clone()).unwrap_or_default()
}

/// Whom a Service selected, and at which port.
#[derive(Default)]
struct Behind {
    selector: BTreeMap<String, String>,
    target_port: Option<String>,
}

fn restored(name: &str, selector: &BTreeMap<String, String>) -> Note {
    let message = format!(
        "Service {name}, a target group, was deleted while pods stood behind it; it is created again and selects {}",
        selector_text(selector)
    );
    Note { is_warning: true, reason: "TargetGroupRestored", message: clip(message, 1_000) }
}

/// Who stood behind a target group, if they still stand: by what the last Deployment that had to do with it has on
/// record, else the one task set of the group that nobody sends to.
fn behind(
    facts: &GroupFacts,
    target: &ServiceTarget,
    status: &DeploymentGroupStatus,
    name: &str,
) -> Option<Behind> {
    let mut deployments: Vec<_> = facts.deployments.iter().collect();
    deployments.sort_by_key(|d| std::cmp::Reverse(started(d)));
    let recorded = deployments.into_iter().find_map(|d| side_at(d, name));
    let Some(side) = recorded else { return lone(facts, target, status, name) };
    let stands = match &side.task_set {
        Some(task_set) => facts.task_sets.get(task_set).is_some_and(|t| is_up(facts, t)),
        None => true,
    };
    let behind = Behind { selector: side.selector.clone(), target_port: side.target_port.clone() };
    stands.then_some(behind)
}

fn started(deployment: &Deployment) -> Option<jiff::Timestamp> {
    deployment.status.as_ref().and_then(|s| s.start_time)
}

/// The side that stands behind a target group by a Deployment's record. Before its Install has ended the replacement's is
/// Install's own work.
fn side_at<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a ResolvedSide> {
    let status = deployment.status.as_ref()?;
    let service: &ResolvedService = status.resolved.as_ref()?.service.as_deref()?;
    let is_installed =
        |e: &LifecycleEvent| e.name == EventName::Install && e.status == EventStatus::Succeeded;
    let replacement = Some(&service.replacement).filter(|_| status.lifecycle_events.iter().any(is_installed));
    replacement.into_iter().chain(&service.original).find(|side| side.target_group == name)
}

fn is_up(facts: &GroupFacts, task_set: &TaskSetFact) -> bool {
    task_set::is_of_group(task_set, &facts.group) && !task_set.is_going && task_set.replicas > 0
}

/// Behind the Service that serves: the one task set of the group that has pods and that no Service sends to. While a
/// Deployment runs it may be making another.
fn lone(
    facts: &GroupFacts,
    target: &ServiceTarget,
    status: &DeploymentGroupStatus,
    name: &str,
) -> Option<Behind> {
    let serves = group_service::serving(facts, target).is_some_and(|s| s == name);
    if !serves || status.active_deployment.is_some() {
        return None;
    }
    let is_alone = |task_set: &str| !group_service::is_selected(facts, target, task_set);
    let mut alone = facts.task_sets.iter().filter(|(name, t)| is_up(facts, t) && is_alone(name));
    let (task_set, found) = alone.next().filter(|_| alone.next().is_none())?;
    let target_port = found.container.as_ref().map(|(_, port)| port.to_string());
    Some(Behind { selector: task_set::selector(task_set), target_port })
}
