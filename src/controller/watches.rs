//! The permanent watches: each fills a cache, and wakes whoever depends on what changed.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::context::Context;
use super::deployment;
use crate::api::{
    Application, DEPLOYMENT_LABEL, Deployment, DeploymentConfig, DeploymentGroup, LifecycleHook,
};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::slim::{FromParts, Slim};
use crate::cluster::view::{Service, prune, prune_hard};
use crate::traffic::http_route::HttpRoute;

/// The CRD whose presence starts the watch of routes.
const ROUTE_CRD: &str = "httproutes.gateway.networking.k8s.io";

/// The writing ends of the caches.
pub struct Writers {
    /// Applications.
    pub applications: Writer<Application>,
    /// DeploymentConfigs.
    pub configs: Writer<DeploymentConfig>,
    /// LifecycleHooks.
    pub hooks: Writer<LifecycleHook>,
    /// DeploymentGroups.
    pub groups: Writer<DeploymentGroup>,
    /// Deployments.
    pub deployments: Writer<Deployment>,
    /// HTTPRoutes.
    pub routes: Writer<HttpRoute>,
    /// Services.
    pub services: Writer<Service>,
    /// Jobs.
    pub jobs: Writer<Job>,
}

/// What a change means beyond waking those who looked: the object as it is, as it was, and whether it is still there.
type Meaning<K> = fn(&Context, &ObjectKey, &K, Option<&K>, bool);

/// A watch that reads objects as `W` and keeps them as `K`.
struct Watch<W, K> {
    kind: &'static str,
    api: Api<W>,
    config: watcher::Config,
    read: fn(W) -> K,
    prune: fn(&mut K),
    meaning: Meaning<K>,
}

/// Where to look: one namespace, or all.
pub fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    namespace.map_or_else(|| Api::all(client.clone()), |n| Api::namespaced(client.clone(), n))
}

/// Starts every permanent watch.
pub fn start(context: &Arc<Context>, writers: Writers, namespace: Option<&str>) {
    spawn_own(context, "Application", writers.applications, own, namespace);
    spawn_own(context, "DeploymentConfig", writers.configs, own, namespace);
    spawn_own(context, "LifecycleHook", writers.hooks, own, namespace);
    spawn_own(context, "DeploymentGroup", writers.groups, group, namespace);
    spawn_own(context, "Deployment", writers.deployments, run_of, namespace);
    let client = context.stream_client("Service");
    let run = Watch {
        kind: "Service",
        api: api(client, namespace),
        config: lists(),
        read: as_it_is,
        prune: prune_hard,
        meaning: nothing,
    };
    tokio::spawn(run.follow(Arc::clone(context), writers.services));
    let run = Watch {
        kind: "Job",
        api: api(client, namespace),
        config: lists().labels(DEPLOYMENT_LABEL),
        read: as_it_is,
        prune: prune_job,
        meaning: job,
    };
    tokio::spawn(run.follow(Arc::clone(context), writers.jobs));
    tokio::spawn(await_routes(Arc::clone(context), writers.routes, namespace.map(str::to_owned)));
}

/// A kind of ours, read without its managed fields.
fn spawn_own<K>(
    context: &Arc<Context>,
    kind: &'static str,
    writer: Writer<K>,
    meaning: Meaning<K>,
    namespace: Option<&str>,
) where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + FromParts
        + Clone
        + Debug
        + Send
        + Sync
        + 'static,
{
    let api = api::<Slim<K>>(context.stream_client(kind), namespace);
    let run = Watch { kind, api, config: lists(), read: |slim: Slim<K>| slim.0, prune, meaning };
    tokio::spawn(run.follow(Arc::clone(context), writer));
}

fn lists() -> watcher::Config {
    watcher::Config::default().streaming_lists()
}

fn as_it_is<K>(object: K) -> K {
    object
}

/// Starts the watch of routes as soon as the Gateway API is installed.
async fn await_routes(context: Arc<Context>, writer: Writer<HttpRoute>, namespace: Option<String>) {
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
    let api = api(context.stream_client("HTTPRoute"), namespace.as_deref());
    let (read, prune, meaning) = (as_it_is, HttpRoute::prune, route);
    let run = Watch { kind: "HTTPRoute", api, config: lists(), read, prune, meaning };
    run.follow(Arc::clone(&context), writer).await;
}

impl<W, K> Watch<W, K>
where
    W: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
{
    async fn follow(self, context: Arc<Context>, mut writer: Writer<K>) {
        let store = writer.as_reader();
        let (read, prune) = (self.read, self.prune);
        let keep = |object: W| {
            let mut object = read(object);
            prune(&mut object);
            object
        };
        let mut events = std::pin::pin!(watcher(self.api.clone(), self.config.clone()).default_backoff());
        while let Some(event) = events.next().await {
            let event = match event {
                Ok(event) => map(event, keep),
                Err(error) => {
                    tracing::warn!(%error, kind = self.kind, "watch failed; trying again");
                    continue;
                }
            };
            let before = match &event {
                watcher::Event::Apply(object) => store.get(&ObjectRef::from_obj(object)),
                _ => None,
            };
            let swapped = matches!(event, watcher::Event::InitDone).then(|| store.state());
            writer.apply_watcher_event(&event);
            match &event {
                watcher::Event::Apply(object) => {
                    touch(&context, self.kind, object, before.as_deref(), true, self.meaning);
                }
                watcher::Event::Delete(object) => {
                    touch(&context, self.kind, object, None, false, self.meaning);
                }
                // Only now does the cache hold what was listed: a look before would have seen the past.
                watcher::Event::InitDone => self.touch_listed(&context, &store, &swapped.unwrap_or_default()),
                watcher::Event::Init | watcher::Event::InitApply(_) => {}
            }
        }
    }

    /// Tells of everything that a list brought, and of what it silently took away.
    fn touch_listed(&self, context: &Context, store: &Store<K>, before: &[Arc<K>]) {
        for gone in before.iter().filter(|o| store.get(&ObjectRef::from_obj(o.as_ref())).is_none()) {
            touch(context, self.kind, gone.as_ref(), None, false, self.meaning);
        }
        for object in store.state() {
            touch(context, self.kind, object.as_ref(), None, true, self.meaning);
        }
        if self.kind == "HTTPRoute" {
            context.routes_are_listed.store(true, Ordering::Relaxed);
            context.interest.lookers_of_kind(self.kind).iter().for_each(|l| context.queues.wake(l));
        }
    }
}

fn map<W, K>(event: watcher::Event<W>, keep: impl Fn(W) -> K) -> watcher::Event<K> {
    match event {
        watcher::Event::Apply(object) => watcher::Event::Apply(keep(object)),
        watcher::Event::Delete(object) => watcher::Event::Delete(keep(object)),
        watcher::Event::Init => watcher::Event::Init,
        watcher::Event::InitApply(object) => watcher::Event::InitApply(keep(object)),
        watcher::Event::InitDone => watcher::Event::InitDone,
    }
}

fn touch<K: Resource<DynamicType = ()>>(
    context: &Context,
    kind: &'static str,
    object: &K,
    before: Option<&K>,
    is_there: bool,
    meaning: Meaning<K>,
) {
    let key = ObjectKey::new(kind, &object.namespace().unwrap_or_default(), &object.name_any());
    context.interest.lookers(&key).iter().for_each(|l| context.queues.wake(l));
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

fn nothing<K>(_: &Context, _: &ObjectKey, _: &K, _: Option<&K>, _: bool) {}

fn own<K>(context: &Context, key: &ObjectKey, _: &K, _: Option<&K>, is_there: bool) {
    if is_there {
        context.queues.wake(key);
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
        context.queues.wake(key);
        context.by_application.insert(&key.namespace, application, &key.name)
    } else {
        context.interest.note(key, BTreeSet::new());
        context.refused_creations.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        context.by_application.remove(&key.namespace, application, &key.name)
    };
    if is_news {
        context.queues.wake(&ObjectKey::new("Application", &key.namespace, application));
    }
}

fn run_of(
    context: &Context,
    key: &ObjectKey,
    deployment: &Deployment,
    before: Option<&Deployment>,
    is_there: bool,
) {
    let group = &deployment.spec.deployment_group_ref.name;
    if is_there {
        context.by_group.insert(&key.namespace, group, &key.name);
        context.queues.wake(key);
    } else {
        context.by_group.remove(&key.namespace, group, &key.name);
        deployment::forget(context, key);
        orphan_jobs(context, key);
    }
    if !(is_there && before.is_some_and(|b| goes_on(b, deployment))) {
        context.queues.wake(&ObjectKey::new("DeploymentGroup", &key.namespace, group));
    }
}

/// True if a Deployment was running and is running: how far it got is nothing to its group.
fn goes_on(before: &Deployment, now: &Deployment) -> bool {
    let (was, is) = (&before.metadata, &now.metadata);
    let is_same = was.uid == is.uid
        && was.deletion_timestamp == is.deletion_timestamp
        && was.finalizers == is.finalizers
        && was.annotations == is.annotations
        && was.owner_references == is.owner_references;
    is_same && before.phase().is_running() && now.phase().is_running()
}

/// The Jobs of a Deployment that is gone are looked at once more.
fn orphan_jobs(context: &Context, key: &ObjectKey) {
    let is_of =
        |job: &Job| job.owner_references().iter().any(|o| o.kind == "Deployment" && o.name == key.name);
    let jobs = context
        .stores
        .jobs
        .state_filter(|job| job.metadata.namespace.as_deref() == Some(&key.namespace) && is_of(job));
    jobs.iter().for_each(|j| context.queues.wake(&ObjectKey::new("Job", &key.namespace, &j.name_any())));
}

fn job(context: &Context, key: &ObjectKey, job: &Job, _: Option<&Job>, is_there: bool) {
    if is_there {
        context.queues.wake(key);
    }
    let owners = job.owner_references().iter().filter(|o| o.kind == "Deployment");
    owners.for_each(|o| context.queues.wake(&ObjectKey::new("Deployment", &key.namespace, &o.name)));
}

/// A Job's template is not looked at again; its status and our marks are.
fn prune_job(job: &mut Job) {
    prune(job);
    job.spec = None;
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
