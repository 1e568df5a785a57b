//! What a Service group looks at beyond a Function's, and what it does: its target groups, its task sets, its finalizer.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use super::context::Context;
use super::{clock, services};
use crate::api::DeploymentGroup;
use crate::api::service_target::ServiceTarget;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::view::Service;
use crate::cluster::{Error, write};
use crate::engine::facts::RouteFact;
use crate::engine::group::{GroupAct, GroupFacts};
use crate::engine::group_service::Made;
use crate::platform::task_set::TaskSet;
use crate::platform::{target_group, task_set};
use crate::traffic::endpoint_slices;

/// One look under way.
struct Look<'a> {
    context: &'a Arc<Context>,
    namespace: &'a str,
    looked: &'a mut BTreeSet<ObjectKey>,
    now: Timestamp,
    is_fresh: bool,
}

/// Adds listeners, target groups, task sets and rivals to the facts. False if a cache has not seen yet what we wrote.
pub fn look(
    context: &Arc<Context>,
    key: &ObjectKey,
    target: &ServiceTarget,
    facts: &mut GroupFacts,
    looked: &mut BTreeSet<ObjectKey>,
    now: Timestamp,
) -> bool {
    let mut look = Look { context, namespace: &key.namespace, looked, now, is_fresh: true };
    let production = &target.production_listener;
    facts.route = production.http_route.as_ref().and_then(|r| look.route(&r.name));
    facts.test_route = target.test_listener.as_ref().and_then(|t| look.route(&t.http_route.name));
    let front = production.service.iter().map(|s| &s.name);
    for name in target.target_groups.iter().chain(front) {
        let found = context.kinds.services.get(look.namespace, name);
        look.check("Service", name, found.as_deref());
        let fact = services::look_at(context, look.namespace, name, look.looked);
        facts.services.insert(name.clone(), fact);
    }
    let is_mine = |t: &TaskSet| t.group() == Some(&*key.name);
    for found in context.kinds.task_sets.cache.filter(look.namespace, is_mine) {
        look.check("ReplicaSet", &found.name_any(), Some(found.as_ref()));
        facts.task_sets.insert(found.name_any(), services::fact_of(context, look.namespace, &found));
    }
    look.is_fresh
}

impl Look<'_> {
    fn check<K: Resource>(&mut self, kind: &'static str, name: &str, found: Option<&K>) {
        let key = ObjectKey::new(kind, self.namespace, name);
        let version = found.and_then(|f| f.meta().resource_version.as_deref());
        self.is_fresh &= self.context.expectations.is_met(&key, version, self.now);
        self.looked.insert(key);
    }

    fn route(&mut self, name: &str) -> Option<Arc<RouteFact>> {
        let found = self.context.kinds.routes.get(self.namespace, name);
        self.check("HTTPRoute", name, found.as_deref());
        found.map(|r| Arc::new(r.fact(vec![])))
    }
}

/// Does what a Service group has on record, or what needs none: each act tests what it was decided on.
pub async fn carry_out(
    context: &Arc<Context>,
    key: &ObjectKey,
    seen: &write::Seen,
    group: &DeploymentGroup,
    act: &GroupAct,
) -> Result<(), Error> {
    let (client, namespace) = (&context.client, &*key.namespace);
    let note = |resource, kind, name: &str, version: Option<String>| {
        context.metrics.count_write(resource);
        let written = ObjectKey::new(kind, namespace, name);
        context.expectations.note(written, version.as_deref(), clock::now());
    };
    match act {
        GroupAct::Hold => {
            let version =
                write::add_finalizer::<DeploymentGroup>(client, seen, group.spec.finalizer()).await?;
            note("deploymentgroups", "DeploymentGroup", &key.name, version);
        }
        GroupAct::Release => {
            write::remove_finalizer::<DeploymentGroup>(client, seen, group.spec.finalizer()).await?;
            context.metrics.count_write("deploymentgroups");
        }
        GroupAct::CreateTargetGroup(new) => {
            let version = target_group::create(client, namespace, new).await?;
            note("services", "Service", &new.name, version);
        }
        GroupAct::Adopt(Made::TaskSet, name, uid) => {
            let own = group.uid().unwrap_or_default();
            let version = task_set::adopt::<TaskSet>(client, namespace, name, uid, &own).await?;
            note("replicasets", "ReplicaSet", name, version);
        }
        GroupAct::Adopt(Made::TargetGroup, name, uid) => {
            let own = group.uid().unwrap_or_default();
            let version = task_set::adopt::<Service>(client, namespace, name, uid, &own).await?;
            note("services", "Service", name, version);
        }
        GroupAct::ScaleTaskSet(change) => {
            let version = task_set::scale(client, namespace, change).await?;
            note("replicasets", "ReplicaSet", &change.name, version);
        }
        GroupAct::Delete(Made::TaskSet, name, uid) => {
            task_set::delete::<TaskSet>(client, namespace, name, uid).await?;
        }
        GroupAct::Delete(Made::TargetGroup, name, uid) => {
            task_set::delete::<Service>(client, namespace, name, uid).await?;
        }
        GroupAct::Orphan(Made::TaskSet, name, uid) => {
            let version = task_set::orphan::<TaskSet>(client, namespace, name, uid).await?;
            note("replicasets", "ReplicaSet", name, version);
        }
        GroupAct::Orphan(Made::TargetGroup, name, uid) => {
            let version = task_set::orphan::<Service>(client, namespace, name, uid).await?;
            note("services", "Service", name, version);
        }
        GroupAct::SetSlice(set) => {
            let version = endpoint_slices::set(client, namespace, set).await?;
            note("endpointslices", "EndpointSlice", &set.name, version);
        }
        GroupAct::Create(_) | GroupAct::Prune { .. } | GroupAct::Restore(_) => {}
    }
    Ok(())
}
