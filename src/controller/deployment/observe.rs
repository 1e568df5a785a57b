//! The Deployment and everything its decision depends on, frozen into one [`Facts`]. Reads only, from caches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Resource, ResourceExt};

use crate::api::{ComputePlatform, Deployment, DeploymentGroup, ROLLBACK_OF_ANNOTATION, TASK_SET_LABEL};
use crate::cluster::Error;
use crate::cluster::expectations::ObjectKey;
use crate::controller::context::Context;
use crate::controller::kinds::Kind;
use crate::controller::{hosts, revisions, services, watches};
use crate::engine::Facts;
use crate::engine::facts::{RevisionFact, RollbackFact, RouteFact, ServiceFact, TaskSetFact};
use crate::engine::needs::{self, Needs};
use crate::engine::{orphaned, turn};
use crate::source;

/// One observation under way: what was looked at is noted, so that its changes wake the Deployment again.
pub(super) struct Look<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) key: &'a ObjectKey,
    pub(super) deployment: &'a Arc<Deployment>,
    pub(super) now: Timestamp,
    pub(super) looked: BTreeSet<ObjectKey>,
    /// False once a cache lacks what we wrote: it speaks of the past.
    pub(super) is_fresh: bool,
}

/// The facts, or `None` while a cache has not seen yet what we wrote ourselves.
///
/// Errors: a revision's ConfigMap or the namespace cannot be read.
pub async fn observe(
    context: &Arc<Context>,
    key: &ObjectKey,
    deployment: &Arc<Deployment>,
    now: Timestamp,
) -> Result<Option<Facts>, Error> {
    if !context.expectations.is_met(key, deployment.metadata.resource_version.as_deref(), now) {
        return Ok(None);
    }
    let mut look = Look { context, key, deployment, now, looked: BTreeSet::new(), is_fresh: true };
    let facts = look.facts().await?;
    let is_over = deployment.phase().has_ended() && deployment.finalizers().is_empty();
    let looked =
        if is_over && facts.jobs.values().all(|j| !j.is_held) { BTreeSet::new() } else { look.looked };
    if looked.is_empty() {
        context.calls.forget(key);
        hosts::forget(context, key);
    }
    context.interest.note(key, looked);
    Ok(look.is_fresh.then_some(facts))
}

/// Forgets a Deployment that is gone.
pub fn forget(context: &Context, key: &ObjectKey) {
    context.calls.forget(key);
    hosts::forget(context, key);
    context.revisions.forget(key);
    context.expectations.forget(key);
    context.refused_task_sets.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    context.interest.note(key, BTreeSet::new());
}

impl Look<'_> {
    pub(super) fn get<K: Resource>(&mut self, kind: &Kind<K>, name: &str) -> Option<Arc<K>> {
        let key = ObjectKey::new(kind.name, &self.key.namespace, name);
        let found = kind.get(&self.key.namespace, name);
        let version = found.as_ref().and_then(|f| f.meta().resource_version.as_deref());
        self.is_fresh &= self.context.expectations.is_met(&key, version, self.now);
        self.looked.insert(key);
        found
    }

    async fn facts(&mut self) -> Result<Facts, Error> {
        let deployment = Arc::clone(self.deployment);
        let kinds = &self.context.kinds;
        let group = self.get(&kinds.groups, &deployment.spec.deployment_group_ref.name);
        let has_snapshot = deployment.status.as_ref().is_some_and(|s| s.resolved.is_some());
        let is_starting = !deployment.phase().has_ended() && !has_snapshot;
        let has_ended = deployment.phase().has_ended();
        // At its start a rollback asks what it rolls back; at its end, whether that may go before it.
        let needs_cause = if has_ended { !deployment.finalizers().is_empty() } else { !has_snapshot };
        let triggering = if needs_cause { self.triggering() } else { None };
        let (needs, revision) = if is_starting {
            let begins_by = orphaned::begins_by(&deployment, group.as_ref(), triggering.as_deref());
            self.start(begins_by.as_deref()).await?
        } else {
            self.context.revisions.forget(self.key);
            (needs::of_running(&deployment), RevisionFact::NotRead)
        };
        let application = match &group {
            Some(group) if is_starting => self.get(&kinds.applications, &group.spec.application_ref.name),
            _ => None,
        };
        let config = needs.config.as_ref().and_then(|name| self.get(&kinds.configs, name));
        let mut hooks = BTreeMap::new();
        for name in &needs.hooks {
            if let Some(hook) = self.get(&kinds.hooks, name) {
                hooks.insert(name.clone(), hook);
            }
        }
        let route = needs.route.as_ref().and_then(|name| self.route(name));
        let test_route = needs.test_route.as_ref().and_then(|name| self.route(name));
        let services: BTreeMap<_, _> =
            needs.services.iter().map(|name| (name.clone(), self.service(name))).collect();
        let named = needs.pod_template.as_ref();
        let pod_template = named.and_then(|name| self.get(&kinds.pod_templates, name));
        let mut needs = needs;
        let rival = if is_starting { self.rival(group.as_deref()) } else { None };
        let has_turn = is_starting && group.as_ref().is_some_and(|g| turn::is_granted(&deployment, g));
        let server = self.server(group.as_deref(), has_turn).await?;
        needs.task_sets.extend(triggering.as_deref().map(needs::task_sets_of).unwrap_or_default());
        Ok(Facts {
            pod_template: pod_template.map(|t| Arc::new(t.fact())),
            task_sets: self.task_sets(&needs, &services),
            task_set_refused: self.task_set_refused(),
            test_route,
            rollback: self.rollback(),
            jobs: self.jobs().await?,
            calls: self.context.calls.of(self.key),
            namespace_is_going: self.namespace_is_going().await?,
            deployment,
            group,
            application,
            config,
            hooks,
            revision,
            rival,
            triggering,
            route,
            services,
            server,
        })
    }

    /// What a start by the words of `group` needs. The revision is read only by the one that has its turn.
    async fn start(&mut self, group: Option<&DeploymentGroup>) -> Result<(Needs, RevisionFact), Error> {
        let Some(group) = group else { return Ok((Needs::default(), RevisionFact::NotRead)) };
        if group.spec.server.is_some() {
            return Ok((needs::of_start(self.deployment, group, None), RevisionFact::NotRead));
        }
        let namespace = &self.key.namespace;
        let Some(named) = &self.deployment.spec.revision else {
            return Ok((Needs::default(), RevisionFact::NotRead));
        };
        let revision = if named.is_bundle() && group.spec.platform() != ComputePlatform::Server {
            revisions::look(self.context, self.key, self.deployment, named)
        } else {
            source::read(&self.context.client, namespace, named).await?
        };
        let content = match &revision {
            RevisionFact::Content(content) => Some(content.as_str()),
            _ => None,
        };
        if let Some(config_map) = &named.config_map {
            self.looked.insert(ObjectKey::new(crate::controller::named::KIND, namespace, &config_map.name));
            crate::controller::named::watch(self.context, namespace, &config_map.name);
        }
        Ok((needs::of_start(self.deployment, group, content), revision))
    }

    fn route(&mut self, name: &str) -> Option<Arc<RouteFact>> {
        let has_snapshot = self.deployment.status.as_ref().is_some_and(|s| s.resolved.is_some());
        self.is_fresh &= !has_snapshot || self.context.kinds.routes.cache.is_filled();
        let route = self.get(&self.context.kinds.routes, name)?;
        let sightings = self.context.sightings.note(&route, self.now);
        let own = ObjectKey::new("HTTPRoute", &self.key.namespace, name);
        let refused = self.context.refused_writes.lock().unwrap_or_else(PoisonError::into_inner);
        let words = self.context.refused_routes.lock().unwrap_or_else(PoisonError::into_inner);
        let (refused_at, write_refused) = (refused.get(&own).copied(), words.get(&own).cloned());
        Some(Arc::new(RouteFact { refused_at, write_refused, ..route.fact(sightings) }))
    }

    fn service(&mut self, name: &str) -> ServiceFact {
        // Noted as a look, and refused while the cache lacks our own write.
        let _ = self.get(&self.context.kinds.services, name);
        services::look_at(self.context, &self.key.namespace, name, &mut self.looked)
    }

    /// The task sets of the snapshot, and those that a Service's selector names.
    fn task_sets(
        &mut self,
        needs: &Needs,
        services: &BTreeMap<String, ServiceFact>,
    ) -> BTreeMap<String, TaskSetFact> {
        let selected = services.values().filter_map(|s| s.selector.get(TASK_SET_LABEL));
        let names: BTreeSet<String> = needs.task_sets.iter().chain(selected).cloned().collect();
        let mut found = BTreeMap::new();
        for name in names {
            self.looked.insert(ObjectKey::new(watches::PODS, &self.key.namespace, &name));
            if let Some(task_set) = self.get(&self.context.kinds.task_sets, &name) {
                let fact = services::fact_of(self.context, &self.key.namespace, &task_set);
                found.insert(name, fact);
            }
        }
        found
    }

    fn task_set_refused(&self) -> Option<String> {
        let refused = self.context.refused_task_sets.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(self.key).cloned()
    }

    fn rival(&mut self, group: Option<&DeploymentGroup>) -> Option<Arc<Deployment>> {
        let active = group?.status.as_ref()?.active_deployment.as_ref()?;
        if active.uid == self.deployment.uid() {
            return None;
        }
        self.get(&self.context.kinds.deployments, &active.name).filter(|d| d.uid() == active.uid)
    }

    fn triggering(&mut self) -> Option<Arc<Deployment>> {
        let uid = self.deployment.annotations().get(ROLLBACK_OF_ANNOTATION)?;
        let found =
            self.context.kinds.deployments.cache.filter(&self.key.namespace, |d| d.uid() == uid).pop()?;
        self.looked.insert(ObjectKey::of("Deployment", found.as_ref()));
        Some(found)
    }

    fn rollback(&mut self) -> RollbackFact {
        let info = self.deployment.status.as_ref().and_then(|s| s.rollback_info.as_ref());
        let Some(name) = info.and_then(|i| i.rollback_deployment.clone()) else {
            return RollbackFact::Absent;
        };
        if self.deployment.finalizers().is_empty() {
            return RollbackFact::Made;
        }
        let found = self.get(&self.context.kinds.deployments, &name);
        let fact = RollbackFact::of(self.deployment, found.as_deref());
        // Before its creator is on record it needs this Deployment to say whose rollback it is.
        self.is_fresh &= fact != RollbackFact::Made || found.is_some_and(|d| d.status.is_some());
        fact
    }

    /// Asked only about a Deployment that is being deleted.
    async fn namespace_is_going(&self) -> Result<bool, Error> {
        if self.deployment.metadata.deletion_timestamp.is_none() {
            return Ok(false);
        }
        let name = &self.key.namespace;
        let found = Api::<Namespace>::all(self.context.client.clone()).get_opt(name).await;
        let found = found.map_err(|e| Error::from_kube(format!("Namespace {name}"), e))?;
        Ok(found.is_none_or(|n| n.metadata.deletion_timestamp.is_some()))
    }
}
