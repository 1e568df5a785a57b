//! The permanent watches: each fills a cache, and wakes whoever depends on what changed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Arc, PoisonError};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PartialObjectMeta;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::context::Context;
use super::hosts;
use super::kinds::{Kind, Kinds};
use crate::api::{DEPLOYMENT_LABEL, Deployment, DeploymentGroup, INSTANCE_LABEL, TASK_SET_LABEL};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::slim::{FromParts, Slim};
use crate::cluster::view::{Job, Service, prune, prune_hard};
use crate::platform::heartbeat::Lease;
use crate::platform::instance::Host;
use crate::platform::pod_template::PodTemplate;
use crate::platform::pods::TaskPod;
use crate::platform::task_set::TaskSet;
use crate::traffic::endpoint_slices::{HostSlice, MANAGED_BY};
use crate::traffic::http_route::HttpRoute;

/// The CRD whose presence starts the watch of routes.
const ROUTE_CRD: &str = "httproutes.gateway.networking.k8s.io";

/// The kind under which looks at the pods of a task set are noted, by its name.
pub const PODS: &str = "Pods";

/// What a change means beyond waking those who looked: the object as it is, as it was, and whether it is still there.
type Meaning<K> = fn(&Context, &ObjectKey, &K, Option<&K>, bool);

/// A watch that reads objects as `W` and keeps them as `K`.
struct Watch<W, K> {
    kind: fn(&Kinds) -> &Kind<K>,
    config: watcher::Config,
    keep: fn(W) -> K,
    meaning: Meaning<K>,
}

/// Starts every permanent watch, in one namespace or in all.
pub fn start(context: &Arc<Context>, namespace: Option<&str>) {
    own(|kinds| &kinds.applications, |Slim(object)| prune(object), wake).start(context, namespace);
    own(|kinds| &kinds.configs, |Slim(object)| prune(object), wake).start(context, namespace);
    own(|kinds| &kinds.hooks, |Slim(object)| prune(object), wake).start(context, namespace);
    own(|kinds| &kinds.groups, keep_group, group).start(context, namespace);
    own(|kinds| &kinds.deployments, keep_deployment, deployment).start(context, namespace);
    let services =
        Watch { kind: |kinds| &kinds.services, config: lists(), keep: Service::pruned, meaning: service };
    services.start(context, namespace);
    task_sets(context, namespace);
    let jobs = Watch {
        kind: |kinds| &kinds.jobs,
        config: lists().labels(DEPLOYMENT_LABEL),
        keep: prune::<Job>,
        meaning: job,
    };
    jobs.start(context, namespace);
    hosts(context, namespace);
    tokio::spawn(await_routes(Arc::clone(context), namespace.map(str::to_owned)));
}

/// What the Service platform makes, and what it makes it from.
fn task_sets(context: &Arc<Context>, namespace: Option<&str>) {
    let pod_templates = Watch {
        kind: |kinds| &kinds.pod_templates,
        config: lists(),
        keep: prune_hard::<PodTemplate>,
        meaning: nothing,
    };
    pod_templates.start(context, namespace);
    let made = || lists().labels(TASK_SET_LABEL);
    let (keep, meaning) = (prune::<TaskSet>, task_set as Meaning<TaskSet>);
    Watch { kind: |kinds| &kinds.task_sets, config: made(), keep, meaning }.start(context, namespace);
    let (keep, meaning) = (TaskPod::pruned, pod as Meaning<TaskPod>);
    Watch { kind: |kinds| &kinds.pods, config: made(), keep, meaning }.start(context, namespace);
}

/// What the Server platform looks at.
fn hosts(context: &Arc<Context>, namespace: Option<&str>) {
    let (keep, meaning) = (Host::keep, hosts::changed as Meaning<Host>);
    Watch { kind: |kinds| &kinds.instances, config: lists(), keep, meaning }.start(context, namespace);
    let (config, keep) = (lists().labels(INSTANCE_LABEL), Lease::pruned as fn(Lease) -> Lease);
    Watch { kind: |kinds| &kinds.leases, config, keep, meaning: hosts::lease }.start(context, namespace);
    let (config, keep) = (lists().labels(MANAGED_BY), HostSlice::pruned as fn(HostSlice) -> HostSlice);
    Watch { kind: |kinds| &kinds.host_slices, config, keep, meaning: hosts::slice }.start(context, namespace);
}

/// A kind of ours, read without its managed fields.
fn own<K: FromParts>(
    kind: fn(&Kinds) -> &Kind<K>,
    keep: fn(Slim<K>) -> K,
    meaning: Meaning<K>,
) -> Watch<Slim<K>, K> {
    Watch { kind, config: lists(), keep, meaning }
}

/// A list that was read has room for four at least; thousands of objects are kept, most with lists of one or two.
fn keep_group(Slim(mut group): Slim<DeploymentGroup>) -> DeploymentGroup {
    group.spec.function.iter_mut().for_each(|function| function.aliases.shrink_to_fit());
    if let Some(status) = &mut group.status {
        status.queued_deployments.shrink_to_fit();
        status.conditions.shrink_to_fit();
    }
    prune(group)
}

/// See [`keep_group`].
fn keep_deployment(Slim(mut deployment): Slim<Deployment>) -> Deployment {
    if let Some(status) = &mut deployment.status {
        status.lifecycle_events.shrink_to_fit();
        status.conditions.shrink_to_fit();
        status.traffic.iter_mut().for_each(|traffic| traffic.steps.shrink_to_fit());
    }
    prune(deployment)
}

fn lists() -> watcher::Config {
    watcher::Config::default().streaming_lists()
}

/// Starts the watch of routes as soon as the Gateway API is installed.
async fn await_routes(context: Arc<Context>, namespace: Option<String>) {
    let crds = Api::<PartialObjectMeta<CustomResourceDefinition>>::all(context.client.clone());
    let config = watcher::Config::default().fields(&format!("metadata.name={ROUTE_CRD}"));
    let mut events = std::pin::pin!(watcher(crds, config).default_backoff().applied_objects());
    while let Some(event) = events.next().await {
        match event {
            Ok(_) => break,
            Err(error) => tracing::warn!(%error, "failed to look for the Gateway API; trying again"),
        }
    }
    tracing::info!("the Gateway API is installed; watching HTTPRoutes");
    let routes =
        Watch { kind: |kinds| &kinds.routes, config: lists(), keep: HttpRoute::pruned, meaning: route };
    routes.start(&context, namespace.as_deref());
}

impl<W, K> Watch<W, K>
where
    W: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + 'static,
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    /// Watches in a task of its own, until the process ends.
    fn start(self, context: &Arc<Context>, namespace: Option<&str>) {
        let client = context.stream_client((self.kind)(&context.kinds).name).clone();
        let api = match namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::all(client),
        };
        tokio::spawn(self.follow(Arc::clone(context), api));
    }

    async fn follow(self, context: Arc<Context>, api: Api<W>) {
        let kind = (self.kind)(&context.kinds);
        let mut listed = Vec::new();
        let mut events = std::pin::pin!(watcher(api, self.config).default_backoff());
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Apply(object)) => {
                    let (now, before) = kind.cache.put((self.keep)(object));
                    touch(&context, kind.name, now.as_ref(), before.as_deref(), true, self.meaning);
                }
                Ok(watcher::Event::Delete(object)) => {
                    let gone = (self.keep)(object);
                    kind.cache.remove(&gone);
                    touch(&context, kind.name, &gone, None, false, self.meaning);
                }
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => listed.push(Arc::new((self.keep)(object))),
                // Only now does the cache hold what was listed: a look before would have seen the past.
                Ok(watcher::Event::InitDone) => {
                    relist(&context, kind, std::mem::take(&mut listed), self.meaning);
                }
                Err(error) => tracing::warn!(%error, kind = kind.name, "watch failed; trying again"),
            }
        }
    }
}

/// Takes a list in: tells of everything that it brought, and of what it silently took away.
fn relist<K: Resource>(context: &Context, kind: &Kind<K>, listed: Vec<Arc<K>>, meaning: Meaning<K>) {
    for gone in kind.cache.replace(listed) {
        touch(context, kind.name, gone.as_ref(), None, false, meaning);
    }
    for object in kind.cache.all() {
        touch(context, kind.name, object.as_ref(), None, true, meaning);
    }
    // Whoever looks at what is not there knows now that it is not.
    context.interest.lookers_of_kind(kind.name).iter().for_each(|looker| context.kinds.wake(looker));
}

fn touch<K: Resource>(
    context: &Context,
    kind: &'static str,
    object: &K,
    before: Option<&K>,
    is_there: bool,
    meaning: Meaning<K>,
) {
    let key = ObjectKey::of(kind, object);
    context.wake_lookers(&key);
    meaning(context, &key, object, before, is_there);
}

/// A route that is gone is forgotten.
fn route(context: &Context, key: &ObjectKey, route: &HttpRoute, _: Option<&HttpRoute>, is_there: bool) {
    if !is_there {
        context.sightings.forget(&route.uid().unwrap_or_default());
        context.refused_writes.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        context.refused_routes.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// A task set's group looks after it, from the first time on that it is seen.
fn task_set(context: &Context, key: &ObjectKey, task_set: &TaskSet, _: Option<&TaskSet>, _: bool) {
    if let Some(group) = task_set.group() {
        context.kinds.wake(&ObjectKey::new("DeploymentGroup", &key.namespace, group));
    }
}

/// A pod is news only to who waits for its task set, and only when another thing holds it back than before.
fn pod(context: &Context, key: &ObjectKey, pod: &TaskPod, before: Option<&TaskPod>, _: bool) {
    if before.and_then(TaskPod::problem) != pod.problem() {
        context.wake_lookers(&ObjectKey::new(PODS, &key.namespace, pod.task_set()));
    }
}

/// A Service that a group made is that group's, also while the group has not looked at it.
fn service(context: &Context, key: &ObjectKey, service: &Service, _: Option<&Service>, _: bool) {
    if let Some(group) = &service.group {
        context.kinds.wake(&ObjectKey::new("DeploymentGroup", &key.namespace, group));
    }
}

fn nothing<K>(_: &Context, _: &ObjectKey, _: &K, _: Option<&K>, _: bool) {}

fn wake<K>(context: &Context, key: &ObjectKey, _: &K, _: Option<&K>, is_there: bool) {
    if is_there {
        context.kinds.wake(key);
    }
}

fn group(
    context: &Context,
    key: &ObjectKey,
    group: &DeploymentGroup,
    _: Option<&DeploymentGroup>,
    is_there: bool,
) {
    let application = &group.spec.application_ref.name;
    let is_news = if is_there {
        context.kinds.wake(key);
        context.by_application.insert(&key.namespace, application, &key.name)
    } else {
        context.interest.note(key, BTreeSet::new());
        hosts::group_gone(context, key);
        context.refused_creations.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        context.by_application.remove(&key.namespace, application, &key.name)
    };
    if is_news {
        context.kinds.wake(&ObjectKey::new("Application", &key.namespace, application));
    }
}

fn deployment(
    context: &Context,
    key: &ObjectKey,
    deployment: &Deployment,
    before: Option<&Deployment>,
    is_there: bool,
) {
    let group = &deployment.spec.deployment_group_ref.name;
    if is_there {
        context.by_group.insert(&key.namespace, group, &key.name);
        context.kinds.wake(key);
    } else {
        context.by_group.remove(&key.namespace, group, &key.name);
        super::deployment::forget(context, key);
        orphan_jobs(context, key);
    }
    if !(is_there && before.is_some_and(|b| goes_on(b, deployment))) {
        context.kinds.wake(&ObjectKey::new("DeploymentGroup", &key.namespace, group));
    }
}

/// True if a Deployment was running and is running in the same phase: how far it got is nothing to its group.
fn goes_on(before: &Deployment, now: &Deployment) -> bool {
    let (was, is) = (&before.metadata, &now.metadata);
    let is_same = was.uid == is.uid
        && was.deletion_timestamp == is.deletion_timestamp
        && was.finalizers == is.finalizers
        && was.annotations == is.annotations
        && was.owner_references == is.owner_references;
    is_same && before.phase() == now.phase() && now.phase().is_running()
}

/// The Jobs of a Deployment that is gone are looked at once more.
fn orphan_jobs(context: &Context, key: &ObjectKey) {
    let is_of =
        |job: &Job| job.owner_references().iter().any(|o| o.kind == "Deployment" && *o.name == *key.name);
    let jobs = context.kinds.jobs.cache.filter(&key.namespace, is_of);
    jobs.iter().for_each(|job| context.kinds.wake(&ObjectKey::of("Job", job.as_ref())));
}

fn job(context: &Context, key: &ObjectKey, job: &Job, _: Option<&Job>, is_there: bool) {
    if is_there {
        context.kinds.wake(key);
    }
    let owners = job.owner_references().iter().filter(|o| o.kind == "Deployment");
    owners.for_each(|o| context.kinds.wake(&ObjectKey::new("Deployment", &key.namespace, &o.name)));
}

/// Ends the watches that no decision depends on any more.
pub fn prune_unneeded(context: &Context) {
    context
        .endpoints
        .prune(|namespace| context.interest.is_looked_at(super::endpoints::KIND, namespace, None));
    context
        .config_maps
        .prune(|namespace, name| context.interest.is_looked_at(super::named::KIND, namespace, Some(name)));
}
