//! One DeploymentGroup: observe → decide → record → act.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::{Api, Resource, ResourceExt};

use super::context::Context;
use super::deployment::{build, tell};
use super::named::State;
use super::queue::Action;
use super::{clock, named, server_group, service_group, services};
use crate::api::{Deployment, DeploymentGroup, predefined};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, request, write};
use crate::engine::facts::{CreationRefused, RevisionFact};
use crate::engine::group::{GroupAct, GroupFacts, decide};
use crate::engine::plan::{ACT_EXPIRY, NewDeployment};
use crate::engine::{group_drift, group_service};
use crate::{source, traffic};

/// How long a stale cache is given before it is asked again.
const STALE: std::time::Duration = std::time::Duration::from_secs(5);

/// Looks after one group.
pub async fn reconcile(group: Arc<DeploymentGroup>, context: Arc<Context>) -> Result<Action, Error> {
    let key = ObjectKey::new("DeploymentGroup", &group.namespace().unwrap_or_default(), &group.name_any());
    let now = clock::now();
    let Some(facts) = observe(&context, &key, &group, now).await? else { return Ok(Action::requeue(STALE)) };
    let plan = decide(&facts, now);
    if !context.is_leading() {
        return Err(Error::LeaseLost);
    }
    let mut version = None;
    if let Some(status) = &plan.record {
        version = write::replace_status(&context.client, group.as_ref(), status.as_ref()).await?;
        context.expectations.note(key.clone(), version.as_deref(), clock::now());
        context.metrics.count_write("deploymentgroups/status");
    }
    for act in &plan.acts {
        let is_creation = matches!(act, GroupAct::Create(_));
        if is_creation && plan.record.is_none() {
            write::confirm(&context.client, group.as_ref()).await?;
        }
        if !context.is_leading() || clock::now().duration_since(now) >= ACT_EXPIRY {
            return Err(Error::Conflict { what: format!("an act of {}", key.name) });
        }
        carry_out(&context, &key, &write::Seen::new(group.as_ref(), version.clone()), &group, act).await?;
    }
    tell(&context, group.as_ref(), plan.notes);
    Ok(plan.wake.map_or_else(Action::await_change, |at| Action::requeue(clock::until(at, clock::now()))))
}

/// The facts, or `None` while a cache has not seen yet what we wrote ourselves.
async fn observe(
    context: &Arc<Context>,
    key: &ObjectKey,
    group: &Arc<DeploymentGroup>,
    now: Timestamp,
) -> Result<Option<GroupFacts>, Error> {
    if !context.expectations.is_met(key, group.metadata.resource_version.as_deref(), now) {
        return Ok(None);
    }
    let (namespace, kinds) = (key.namespace.as_ref(), &context.kinds);
    let mut looked = BTreeSet::new();
    let mut look = |kind, name: &str| looked.insert(ObjectKey::new(kind, namespace, name));
    look("Application", &group.spec.application_ref.name);
    let application = kinds.applications.get(namespace, &group.spec.application_ref.name);
    let named = group.spec.deployment_config_name.as_deref().filter(|n| !predefined::is_reserved(n));
    let config = named.and_then(|name| {
        look("DeploymentConfig", name);
        kinds.configs.get(namespace, name)
    });
    let Some(deployments) = deployments(context, key, group, now) else { return Ok(None) };
    let revision = revision(context, namespace, group, &mut looked);
    let mut facts = GroupFacts {
        group: Arc::clone(group),
        application,
        config,
        is_grant_checked: is_grant_checked(context, namespace, group, &deployments).await?,
        deployments,
        revision,
        refused: refused(context, key),
        route: None,
        test_route: None,
        services: BTreeMap::new(),
        task_sets: BTreeMap::new(),
        server: Default::default(),
        rivals: vec![],
    };
    let is_fresh = match (&group.spec.service, &group.spec.server) {
        (Some(target), _) => service_group::look(context, key, target, &mut facts, &mut looked, now),
        (_, Some(target)) => server_group::look(context, key, target, &mut facts, &mut looked, now),
        _ => serving(context, namespace, &mut facts, &mut looked, now),
    };
    rivals(context, key, &mut facts, &mut looked);
    context.interest.note(key, looked);
    Ok(is_fresh.then_some(facts))
}

/// The other groups with which this one could share traffic.
fn rivals(context: &Context, key: &ObjectKey, facts: &mut GroupFacts, looked: &mut BTreeSet<ObjectKey>) {
    let group = Arc::clone(&facts.group);
    let is_rival = |g: &DeploymentGroup| group_service::may_share(g, &group) && g.name_any() != *key.name;
    facts.rivals = context.kinds.groups.cache.filter(&key.namespace, is_rival);
    looked.extend(facts.rivals.iter().map(|r| ObjectKey::of("DeploymentGroup", r.as_ref())));
}

/// Every Deployment of the group; `None` while one that we created has not shown up.
fn deployments(
    context: &Context,
    key: &ObjectKey,
    group: &DeploymentGroup,
    now: Timestamp,
) -> Option<Vec<Arc<Deployment>>> {
    let find = |name: &str| context.kinds.deployments.get(&key.namespace, name);
    if let Some(desired) = group.status.as_ref().and_then(|s| s.desired.as_ref()).filter(|d| !d.created) {
        let found = find(&desired.deployment);
        let own = ObjectKey::new("Deployment", &key.namespace, &desired.deployment);
        let version = found.as_ref().and_then(|d| d.metadata.resource_version.clone());
        if !context.expectations.is_met(&own, version.as_deref(), now) {
            return None;
        }
    }
    let names = context.by_group.names(&key.namespace, &key.name);
    let found = names.iter().filter_map(|name| find(name));
    Some(found.filter(|d| *d.spec.deployment_group_ref.name == *key.name).collect())
}

/// A grant whose holder no cache knows is taken back only when the API server says that it is gone.
async fn is_grant_checked(
    context: &Context,
    namespace: &str,
    group: &DeploymentGroup,
    deployments: &[Arc<Deployment>],
) -> Result<bool, Error> {
    let Some(active) = group.status.as_ref().and_then(|s| s.active_deployment.as_ref()) else {
        return Ok(true);
    };
    if deployments.iter().any(|d| d.uid() == active.uid) {
        return Ok(true);
    }
    let found = request::metadata::<Deployment>(&context.client, namespace, &active.name).await?;
    Ok(found.is_none_or(|d| d.uid.as_ref() != Some(&active.uid)))
}

fn revision(
    context: &Arc<Context>,
    namespace: &str,
    group: &DeploymentGroup,
    looked: &mut BTreeSet<ObjectKey>,
) -> RevisionFact {
    let Some(wanted) = &group.spec.revision else { return RevisionFact::NotRead };
    if let Some(text) = &wanted.app_spec_content {
        return RevisionFact::Content(text.content.clone());
    }
    let Some(config_map) = &wanted.config_map else { return RevisionFact::NotRead };
    looked.insert(ObjectKey::new(named::KIND, namespace, &config_map.name));
    named::watch(context, namespace, &config_map.name);
    match context.config_maps.state(namespace, &config_map.name) {
        State::Unknown => RevisionFact::NotRead,
        State::Absent => source::content(config_map, None),
        State::Present(found) => source::content(config_map, Some(&found)),
    }
}

fn refused(context: &Context, key: &ObjectKey) -> Option<CreationRefused> {
    context.refused_creations.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

/// The route that the last success left its traffic on, and the endpoints of those who have it unduly. False if stale.
fn serving(
    context: &Arc<Context>,
    namespace: &str,
    facts: &mut GroupFacts,
    looked: &mut BTreeSet<ObjectKey>,
    now: Timestamp,
) -> bool {
    let status = facts.group.status.clone().unwrap_or_default();
    let Some(serving) = status.last_successful_deployment.as_ref().and_then(|d| d.serving.clone()) else {
        return true;
    };
    let own = ObjectKey::new("HTTPRoute", namespace, &serving.route);
    let route = context.kinds.routes.get(namespace, &serving.route);
    let version = route.as_ref().and_then(|r| r.metadata.resource_version.clone());
    let is_fresh = context.expectations.is_met(&own, version.as_deref(), now);
    looked.insert(own);
    facts.route = route.map(|r| Arc::new(r.fact(vec![])));
    let mut suspects = group_drift::suspects(facts, &status);
    if !suspects.is_empty() {
        suspects.push(serving.service);
    }
    for name in suspects {
        let fact = services::look_at(context, namespace, &name, looked);
        facts.services.insert(name, fact);
    }
    is_fresh
}

async fn carry_out(
    context: &Arc<Context>,
    key: &ObjectKey,
    seen: &write::Seen,
    group: &DeploymentGroup,
    act: &GroupAct,
) -> Result<(), Error> {
    match act {
        // Rare and large: it need not have room in every reconcile.
        GroupAct::Create(new) => Box::pin(create(context, key, group, new)).await,
        GroupAct::Prune { name, uid } => prune(context, &key.namespace, name, uid).await,
        GroupAct::Restore(change) => {
            let version = traffic::http_route::set(&context.client, &key.namespace, change).await?;
            context.metrics.count_write("httproutes");
            let route = ObjectKey::new("HTTPRoute", &key.namespace, &change.route);
            context.expectations.note(route, version.as_deref(), clock::now());
            Ok(())
        }
        _ => service_group::carry_out(context, key, seen, group, act).await,
    }
}

async fn create(
    context: &Context,
    key: &ObjectKey,
    group: &DeploymentGroup,
    new: &NewDeployment,
) -> Result<(), Error> {
    let owner = group.controller_owner_ref(&());
    let uid = group.uid();
    let is_ours =
        |meta: &ObjectMeta| meta.owner_references.iter().flatten().any(|o| Some(&o.uid) == uid.as_ref());
    let deployment = build(new, owner);
    let outcome = write::create(&context.client, &key.namespace, &deployment, is_ours).await;
    context.metrics.count_write("deployments");
    let words = match outcome {
        Ok(version) => {
            context.refused_creations.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            let created = ObjectKey::new("Deployment", &key.namespace, &new.name);
            context.expectations.note(created, version.as_deref(), clock::now());
            return Ok(());
        }
        Err(Error::Refused { message, .. }) => Some(message),
        Err(Error::NameTaken { .. }) => None,
        Err(error) => return Err(error),
    };
    refuse(context, key, &new.name, words);
    Ok(())
}

/// Not an error of ours: the next look says it in the group's status, and when it is tried again.
fn refuse(context: &Context, key: &ObjectKey, name: &str, words: Option<String>) {
    tracing::warn!(group = &*key.name, deployment = name, words, "a desired revision cannot be created");
    let refused = CreationRefused { deployment: name.into(), time: clock::now(), words };
    let mut all = context.refused_creations.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(key.clone(), refused);
    drop(all);
    context.kinds.wake(key);
}

async fn prune(context: &Context, namespace: &str, name: &str, uid: &str) -> Result<(), Error> {
    let preconditions = Preconditions { uid: Some(uid.into()), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match Api::<Deployment>::namespaced(context.client.clone(), namespace).delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(error) => match Error::from_kube(request::describe::<Deployment>(namespace, name), error) {
            Error::Gone { .. } | Error::Conflict { .. } => Ok(()),
            error => Err(error),
        },
    }
}
