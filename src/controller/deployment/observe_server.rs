//! What a Server deployment looks at: its hosts, from the cache, and what is remembered of them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use kube::ResourceExt;

use super::observe::Look;
use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::{DeploymentGroup, EventName};
use crate::cluster::Error;
use crate::cluster::expectations::ObjectKey;
use crate::controller::{hosts, secrets};
use crate::engine::facts::{ServerFacts, ServiceFact};
use crate::engine::server::advance::snapshot;
use crate::engine::server::facts::Stand;
use crate::engine::server::host::HostFact;

impl Look<'_> {
    /// The facts of the Server platform; nothing of them on the others. `has_turn` is true for a start that is granted.
    ///
    /// Errors: a host that the cache lacks cannot be asked for.
    pub(super) async fn server(
        &mut self,
        group: Option<&DeploymentGroup>,
        has_turn: bool,
    ) -> Result<ServerFacts, Error> {
        let deployment = Arc::clone(self.deployment);
        if snapshot(&deployment).is_some() {
            let is_over = deployment.phase().has_ended() && deployment.finalizers().is_empty();
            return if is_over { Ok(ServerFacts::default()) } else { self.running().await };
        }
        let Some(target) = group.filter(|_| has_turn).and_then(|g| g.spec.server.as_deref()) else {
            return Ok(ServerFacts::default());
        };
        let namespace = &self.key.namespace;
        let all = self.context.kinds.instances.cache.filter(namespace, |_| true);
        let service = target.load_balancer.as_ref().map(|b| self.balancer(&b.service.name));
        let secret = deployment.spec.revision.as_ref().and_then(|r| r.secret());
        let secret_withheld = match secret {
            Some(name) => secrets::withheld(self.context, namespace, secrets::OF_REVISION, name).await,
            None => None,
        };
        Ok(ServerFacts {
            hosts: all.iter().map(|h| (h.fact.name.clone(), Arc::clone(&h.fact))).collect(),
            service,
            secret_withheld,
            ..ServerFacts::default()
        })
    }

    fn balancer(&mut self, name: &str) -> ServiceFact {
        let found = self.get(&self.context.kinds.services, name);
        found.map_or_else(ServiceFact::default, |s| ServiceFact {
            exists: true,
            selector: s.spec.selector.clone(),
            ..ServiceFact::default()
        })
    }

    async fn running(&mut self) -> Result<ServerFacts, Error> {
        let deployment = Arc::clone(self.deployment);
        let Some((_, server)) = snapshot(&deployment) else { return Ok(ServerFacts::default()) };
        let letters = deployment.status.as_ref().map(|s| s.targets.as_bytes()).unwrap_or_default();
        let hosts = self.targets(server, letters).await?;
        let has_traffic = server.course.contains(&EventName::BlockTraffic);
        let balancer = server.load_balancer.as_ref().filter(|_| has_traffic);
        let endpoints = balancer.map(|b| {
            self.looked.insert(ObjectKey::new(hosts::ENDPOINTS, &self.key.namespace, &b.service.name));
            let behind = hosts::behind(self.context, &self.key.namespace, &b.service.name);
            let group = &deployment.spec.deployment_group_ref.name;
            let is_new = |name: &String| hosts.get(name).is_some_and(|h| h.entry(group).is_none());
            let worked_on = server.targets.iter().zip(letters);
            let worked_on =
                worked_on.filter(|(name, letter)| **letter == b'I' || (**letter == b'P' && is_new(name)));
            let stands = worked_on
                .map(|(name, _)| (name.as_str(), behind.get(name).copied().unwrap_or(Stand::Absent)));
            self.context.endpoint_sightings.note(self.key, stands, self.now)
        });
        let remembered = |memory: &std::sync::Mutex<_>| -> Option<_> {
            let memory: std::sync::MutexGuard<'_, std::collections::HashMap<ObjectKey, _>> =
                memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.get(self.key).cloned()
        };
        let secret = self.context.withheld_secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let secret_withheld = secret.get(self.key).cloned();
        drop(secret);
        let written = self.context.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = written.get(self.key).copied();
        Ok(ServerFacts {
            hosts,
            endpoints: endpoints.unwrap_or_default(),
            secret_withheld,
            refused: remembered(&self.context.refused_assignments).unwrap_or_default(),
            written,
            service: None,
        })
    }

    /// The hosts of the snapshot. A cache that lacks one that is there, or what we wrote there, speaks of the past.
    async fn targets(
        &mut self,
        server: &ResolvedServer,
        letters: &[u8],
    ) -> Result<BTreeMap<String, Arc<HostFact>>, Error> {
        let kind = &self.context.kinds.instances;
        let found = kind.cache.get_all(&self.key.namespace, &server.targets);
        let mut hosts = BTreeMap::<String, Arc<HostFact>>::new();
        for (index, host) in found.into_iter().enumerate() {
            let (name, uid) = (&server.targets[index], server.uids.get(index).map_or("", String::as_str));
            let letter = letters.get(index).copied().unwrap_or(b'P');
            if matches!(letter, b'I' | b'F') {
                let key = ObjectKey::new(kind.name, &self.key.namespace, name);
                let version = host.as_ref().and_then(|h| h.metadata.resource_version.as_deref());
                self.is_fresh &= self.context.expectations.is_met(&key, version, self.now);
            }
            let is_missing = host.as_ref().is_none_or(|h| h.fact.uid != uid);
            // One that lags behind is not believed in anything: no more need be asked.
            if self.is_fresh && is_missing && matches!(letter, b'P' | b'I' | b'S') {
                let gone = &self.context.departures;
                self.is_fresh = gone.is_gone(&self.context.client, self.key, name, uid).await?;
            }
            hosts.extend(host.map(|h| (name.clone(), Arc::clone(&h.fact))));
        }
        Ok(hosts)
    }
}
