//! What a Server group looks at beyond the others: the hosts of its namespace, and the endpoints of its Service.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::context::Context;
use super::hosts;
use crate::api::ServerTarget;
use crate::cluster::expectations::ObjectKey;
use crate::engine::facts::ServiceFact;
use crate::engine::group::GroupFacts;
use crate::engine::server;
use crate::engine::server::facts::ServerGroupFacts;
use crate::traffic::endpoint_slices::{self, HostSlice};

/// Adds hosts, Service and slices to the facts. False if a cache has not seen yet what we wrote.
pub fn look(
    context: &Arc<Context>,
    key: &ObjectKey,
    target: &ServerTarget,
    facts: &mut GroupFacts,
    looked: &mut BTreeSet<ObjectKey>,
    now: Timestamp,
) -> bool {
    let namespace = &*key.namespace;
    let all = context.kinds.instances.cache.filter(namespace, |_| true);
    let own = facts.group.metadata.uid.clone();
    let balancer = server::group::balancer(target, &facts.deployments).cloned();
    let balancer = balancer.as_ref();
    let name = balancer.map(|b| b.service.name.as_str());
    let is_own = |s: &HostSlice| s.group_uid() == own.as_deref() || name == Some(s.service());
    let slices = context.kinds.host_slices.cache.filter(namespace, is_own);
    let mut is_fresh = true;
    for slice in &slices {
        let key = ObjectKey::of("EndpointSlice", slice.as_ref());
        is_fresh &= context.expectations.is_met(&key, slice.metadata.resource_version.as_deref(), now);
        looked.insert(key);
    }
    let service = name.and_then(|name| context.kinds.services.get(namespace, name));
    if let Some(name) = name {
        looked.insert(ObjectKey::new("Service", namespace, name));
        looked.insert(ObjectKey::new(hosts::ENDPOINTS, namespace, name));
    }
    let ports = service.as_ref().zip(balancer);
    facts.server = ServerGroupFacts {
        hosts: all.iter().map(|h| (h.fact.name.clone(), Arc::clone(&h.fact))).collect(),
        ports: ports.map(|(s, b)| endpoint_slices::ports(s, b.service.port)).unwrap_or_default(),
        service: balancer.map(|_| {
            service.as_ref().map_or_else(ServiceFact::default, |s| ServiceFact {
                exists: true,
                selector: s.spec.selector.clone(),
                uid: s.uid().unwrap_or_default(),
                ..ServiceFact::default()
            })
        }),
        slices: slices.iter().map(|s| s.fact()).collect(),
    };
    is_fresh
}
