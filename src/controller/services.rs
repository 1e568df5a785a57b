//! A Service and the endpoints behind it, as both decisions see them.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::context::Context;
use super::endpoints;
use crate::cluster::expectations::ObjectKey;
use crate::engine::facts::{ServiceFact, TaskSetFact};
use crate::platform::task_set::TaskSet;

/// What the caches say of a Service; that it was looked at is noted in `looked`.
pub fn look_at(
    context: &Arc<Context>,
    namespace: &str,
    name: &str,
    looked: &mut BTreeSet<ObjectKey>,
) -> ServiceFact {
    let found = context.kinds.services.get(namespace, name);
    looked.insert(ObjectKey::new("Service", namespace, name));
    looked.insert(ObjectKey::new(endpoints::KIND, namespace, name));
    endpoints::watch(context, namespace);
    let ready = context.endpoints.ready(namespace, name);
    let since = ready.as_ref().and_then(|r| r.since);
    let count = ready.as_ref().map(|r| r.count);
    let mut fact = ServiceFact { ready: count, ready_since: since, ..ServiceFact::default() };
    fact.has_unready = ready.as_ref().is_some_and(|r| r.has_unready);
    fact.ready_of = ready.map(|r| r.of).unwrap_or_default();
    let Some(service) = found else { return fact };
    ServiceFact {
        exists: true,
        ports: service.spec.ports.iter().map(|p| p.port).collect(),
        target_ports: service.spec.ports.iter().map(crate::cluster::view::ServicePort::leads_to).collect(),
        uid: service.uid().unwrap_or_default(),
        version: service.resource_version().unwrap_or_default(),
        group: service.group.clone(),
        group_uid: service.group_uid.clone(),
        selector: service.spec.selector.clone(),
        ..fact
    }
}

/// A task set with what holds its pods back.
pub fn fact_of(context: &Context, namespace: &str, task_set: &TaskSet) -> TaskSetFact {
    let name = task_set.name_any();
    let is_held = |pod: &crate::platform::pods::TaskPod| pod.task_set() == name && pod.problem().is_some();
    let pods = context.kinds.pods.cache.filter(namespace, is_held);
    task_set.fact(pods.first().and_then(|p| p.problem().map(str::to_owned)))
}
