//! What every reconcile shares: the client, the caches, the looks on record, the queues.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::batch::v1::Job;
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};
use tokio::sync::{mpsc, watch};

use super::calls::Calls;
use super::endpoints::Endpoints;
use super::interest::Interest;
use super::metrics::Metrics;
use super::named::ConfigMaps;
use crate::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, LifecycleHook};
use crate::cluster::expectations::{Expectations, ObjectKey};
use crate::cluster::view::Service;
use crate::engine::facts::CreationRefused;
use crate::remote::Http;
use crate::traffic::http_route::HttpRoute;
use crate::traffic::sightings::Sightings;

/// The caches, one a kind.
#[derive(Clone)]
pub struct Stores {
    /// Applications.
    pub applications: Store<Application>,
    /// DeploymentConfigs.
    pub configs: Store<DeploymentConfig>,
    /// LifecycleHooks.
    pub hooks: Store<LifecycleHook>,
    /// DeploymentGroups.
    pub groups: Store<DeploymentGroup>,
    /// Deployments.
    pub deployments: Store<Deployment>,
    /// HTTPRoutes; empty as long as the Gateway API is not installed.
    pub routes: Store<HttpRoute>,
    /// Services.
    pub services: Store<Service>,
    /// The Jobs of hooks.
    pub jobs: Store<Job>,
}

/// The queues, one a reconciled kind.
#[derive(Clone)]
pub struct Queues {
    /// Applications.
    pub applications: mpsc::UnboundedSender<ObjectKey>,
    /// DeploymentConfigs.
    pub configs: mpsc::UnboundedSender<ObjectKey>,
    /// LifecycleHooks.
    pub hooks: mpsc::UnboundedSender<ObjectKey>,
    /// DeploymentGroups.
    pub groups: mpsc::UnboundedSender<ObjectKey>,
    /// Deployments.
    pub deployments: mpsc::UnboundedSender<ObjectKey>,
    /// The Jobs of hooks.
    pub jobs: mpsc::UnboundedSender<ObjectKey>,
    /// False before we lead: nobody drains the queues, and taking the lead looks at everything.
    pub are_open: Arc<AtomicBool>,
}

impl Queues {
    /// Asks for a look at `key`. A queue that is closed belongs to a controller that is ending.
    pub fn wake(&self, key: &ObjectKey) {
        if !self.are_open.load(Ordering::Relaxed) {
            return;
        }
        let queue = match key.kind {
            "Application" => &self.applications,
            "DeploymentConfig" => &self.configs,
            "LifecycleHook" => &self.hooks,
            "DeploymentGroup" => &self.groups,
            "Deployment" => &self.deployments,
            "Job" => &self.jobs,
            _ => return,
        };
        let _ = queue.send(key.clone());
    }
}

/// Names by owner: the Deployments of a group, the groups of an application.
#[derive(Debug, Default)]
pub struct Index {
    names: Mutex<BTreeMap<(String, String), BTreeSet<String>>>,
}

impl Index {
    /// Notes that `name` belongs to `owner`. True if that is news.
    pub fn insert(&self, namespace: &str, owner: &str, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.entry((namespace.into(), owner.into())).or_default().insert(name.into())
    }

    /// Forgets `name`. True if it was known.
    pub fn remove(&self, namespace: &str, owner: &str, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), owner.to_owned());
        let Some(set) = names.get_mut(&key) else { return false };
        let was_known = set.remove(name);
        if set.is_empty() {
            names.remove(&key);
        }
        was_known
    }

    /// The names of `owner`, in order.
    pub fn names(&self, namespace: &str, owner: &str) -> Vec<String> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&(namespace.into(), owner.into())).into_iter().flatten().cloned().collect()
    }
}

/// Everything a reconcile may use.
pub struct Context {
    /// The client that writes.
    pub client: Client,
    /// The caches.
    pub stores: Stores,
    /// True once HTTPRoutes were listed: before, a route that is not in the cache may well exist.
    pub routes_are_listed: AtomicBool,
    /// The queues.
    pub queues: Queues,
    /// Who looked at what.
    pub interest: Interest,
    /// What was written and not yet seen.
    pub expectations: Expectations,
    /// Since when gateways have been where.
    pub sightings: Sightings,
    /// Ready endpoints, by Service.
    pub endpoints: Endpoints,
    /// ConfigMaps that groups desire.
    pub config_maps: ConfigMaps,
    /// HTTP hooks under way.
    pub calls: Calls,
    /// Jobs that the API server refused, by name: its words.
    pub refusals: Mutex<HashMap<String, String>>,
    /// By route: the last generation on which a write of ours was refused. Lost in a crash: the engine then knows less.
    pub refused_writes: Mutex<HashMap<ObjectKey, i64>>,
    /// Routes whose weights the API server refused to take: its words.
    pub refused_routes: Mutex<HashMap<ObjectKey, String>>,
    /// By group: how the creation of a desired revision's Deployment was refused. Lost in a crash: it is then tried anew.
    pub refused_creations: Mutex<HashMap<ObjectKey, CreationRefused>>,
    /// Names of Deployments by group.
    pub by_group: Index,
    /// Names of groups by application.
    pub by_application: Index,
    /// For calls of hooks.
    pub http: Http,
    /// Counters.
    pub metrics: Metrics,
    /// Our ServiceAccount as `namespace:name`, for sentences that say how to grant it something.
    pub service_account: String,
    /// Clients for the permanent watches; each has a connection of its own.
    pub stream_clients: Vec<Client>,
    /// Clients for watches that come and go; each has a connection of its own.
    pub watch_clients: Vec<Client>,
    /// Our own name, for Events.
    pub instance: String,
    /// True while we hold the Lease.
    pub leads: watch::Receiver<bool>,
}

impl Context {
    /// The client for the permanent watch of `kind`.
    pub fn stream_client(&self, kind: &str) -> &Client {
        let shard = usize::from(kind != "Deployment");
        self.stream_clients.get(shard).unwrap_or(&self.client)
    }

    /// The client for the watches of `shard`; beyond the last one they share.
    pub fn watch_client(&self, shard: usize) -> Client {
        let last = self.watch_clients.len().saturating_sub(1);
        self.watch_clients.get(shard.min(last)).unwrap_or(&self.client).clone()
    }

    /// Opens the queues and asks for a look at everything that is in the caches.
    pub fn look_at_everything(&self) {
        self.queues.are_open.store(true, Ordering::Relaxed);
        let s = &self.stores;
        self.wake_all("Application", &s.applications);
        self.wake_all("DeploymentConfig", &s.configs);
        self.wake_all("LifecycleHook", &s.hooks);
        self.wake_all("DeploymentGroup", &s.groups);
        self.wake_all("Deployment", &s.deployments);
        self.wake_all("Job", &s.jobs);
    }

    fn wake_all<K: Resource<DynamicType = ()> + Clone>(&self, kind: &'static str, store: &Store<K>) {
        for object in store.state() {
            let namespace = object.namespace().unwrap_or_default();
            self.queues.wake(&ObjectKey::new(kind, &namespace, &object.name_any()));
        }
    }

    /// True while we hold the Lease: nothing is written otherwise.
    pub fn is_leading(&self) -> bool {
        *self.leads.borrow()
    }
}
