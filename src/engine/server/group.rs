//! A Server group between its deployments and beside them: how many hosts it has, and the endpoints of its Service.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::advance::snapshot as snapshot_of;
use super::endpoints::Form;
use super::host::HostFact;
use super::{endpoints, snapshot, targets, words};
use crate::api::deployment_group::DeploymentRef;
use crate::api::{DeletionPolicy, Deployment, DeploymentGroupStatus, EventName, LoadBalancer, ServerTarget};
use crate::engine::group::{GroupAct, GroupFacts, GroupPlan};
use crate::engine::group_service;
use crate::engine::plan::Note;

/// Looks after a Server group. Answers what it lacks: reason, sentence, and whether it may come by itself.
pub fn look_after(
    facts: &GroupFacts,
    status: &DeploymentGroupStatus,
    plan: &mut GroupPlan,
) -> Option<(&'static str, String, bool)> {
    // What is another group's is not touched at all.
    let target = facts.group.spec.server.as_deref().filter(|_| group_service::rival(facts).is_none())?;
    let members = members(facts, target, status.active_deployment.as_ref());
    let has_endpoints = balancer(target, &facts.deployments).is_some() || !facts.server.slices.is_empty();
    match (has_endpoints, facts.group.is_held()) {
        (true, false) => plan.acts.push(GroupAct::Hold),
        (false, true) => plan.acts.push(GroupAct::Release),
        _ => {}
    }
    let lack = balance(facts, target, &members, plan);
    if members.is_empty() {
        return Some(("NoInstances", snapshot::no_instances(target), true));
    }
    lack
}

/// A Server group that is being deleted: its running Deployment ends first, traffic control included; then the endpoints go
/// or are let go.
pub fn retire(facts: &GroupFacts, target: &ServerTarget) -> GroupPlan {
    let mut plan = GroupPlan::default();
    if !facts.group.is_held() {
        return plan;
    }
    if let Some(running) = facts.deployments.iter().find(|d| d.phase().is_running()) {
        let active = DeploymentRef { name: running.name().into(), uid: running.uid().into() };
        balance(facts, target, &members(facts, target, Some(&active)), &mut plan);
        return plan;
    }
    let group_uid = facts.group.metadata.uid.as_deref().unwrap_or_default();
    let form = Form { service: "", group_uid, ports: &[] };
    let deletes = facts.group.spec.deletion_policy == DeletionPolicy::Delete;
    for slice in facts.server.slices.iter().filter(|s| s.group_uid == group_uid) {
        let mut set = if deletes { form.delete(slice) } else { form.let_go(slice) };
        set.service = slice.service.clone();
        plan.acts.push(GroupAct::SetSlice(Box::new(set)));
    }
    if plan.acts.is_empty() {
        plan.acts.push(GroupAct::Release);
        return plan;
    }
    let message = if deletes {
        "the group is deleted, and with it its hosts' endpoints (deletionPolicy Delete)"
    } else {
        "the group is deleted; its hosts' endpoints stay and serve on (deletionPolicy Orphan)"
    };
    plan.notes.push(Note { is_warning: false, reason: "Retired", message: message.into() });
    plan
}

/// The group's hosts, and those that its running deployment works on, whatever their tags say by now.
fn members<'a>(
    facts: &'a GroupFacts,
    target: &ServerTarget,
    active: Option<&DeploymentRef>,
) -> Vec<&'a Arc<HostFact>> {
    let hosts = &facts.server.hosts;
    let mut names: BTreeSet<&str> = targets::select(target, hosts).iter().map(|h| h.name.as_str()).collect();
    let running = active.and_then(|a| facts.deployments.iter().find(|d| d.uid() == a.uid));
    if let Some((_, server)) = running.and_then(|d| snapshot_of(d)) {
        names.extend(server.targets.iter().map(String::as_str));
    }
    names.into_iter().filter_map(|name| hosts.get(name)).filter(|h| !h.is_going).collect()
}

/// The load balancer that counts now: editing the group changes nothing that is under way.
pub fn balancer<'a>(
    target: &'a ServerTarget,
    deployments: &'a [Arc<Deployment>],
) -> Option<&'a LoadBalancer> {
    let mut running = deployments.iter().filter(|d| d.phase().is_running()).filter_map(|d| snapshot_of(d));
    match running.find(|(_, server)| server.course.contains(&EventName::BlockTraffic)) {
        Some((_, server)) => server.load_balancer.as_ref(),
        None => target.load_balancer.as_ref(),
    }
}

/// Brings the endpoints to where the hosts belong. Answers what the Service lacks.
fn balance(
    facts: &GroupFacts,
    target: &ServerTarget,
    members: &[&Arc<HostFact>],
    plan: &mut GroupPlan,
) -> Option<(&'static str, String, bool)> {
    let balancer = balancer(target, &facts.deployments);
    let service = balancer.map_or("", |b| b.service.name.as_str());
    if balancer.is_some() {
        let found = facts.server.service.as_ref()?;
        if let Some((reason, message)) = snapshot::lack(found, service) {
            return Some((reason, message, true));
        }
    }
    let meta = &facts.group.metadata;
    let group = meta.name.as_deref().unwrap_or_default();
    let group_uid = meta.uid.as_deref().unwrap_or_default();
    let slices = &facts.server.slices;
    let stands =
        |h: &HostFact| endpoints::wanted(h, group).or_else(|| endpoints::adopted(h, group, service, slices));
    let wanted = members.iter().filter(|_| balancer.is_some()).filter_map(|h| stands(h));
    let form = Form { service, group_uid, ports: &facts.server.ports };
    let sets = endpoints::plan(form, wanted.collect(), slices);
    plan.acts.extend(sets.into_iter().map(|set| GroupAct::SetSlice(Box::new(set))));
    None
}

/// How many hosts there are, for the group's message.
pub fn told(facts: &GroupFacts) -> String {
    let Some(target) = &facts.group.spec.server else { return String::new() };
    let count = i32::try_from(targets::select(target, &facts.server.hosts).len()).unwrap_or(i32::MAX);
    format!("; the group has {}", words::hosts(count))
}
