//! What every reconcile shares: the clients, the watched kinds, the looks on record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use kube::Client;
use tokio::sync::{Semaphore, watch};

use super::calls::Calls;
use super::departures::Departures;
use super::endpoints::Endpoints;
use super::hosts::{EndpointSightings, Heartbeats};
use super::interest::Interest;
use super::kinds::Kinds;
use super::metrics::Metrics;
use super::named::ConfigMaps;
use super::revisions::Revisions;
use crate::cluster::expectations::{Expectations, ObjectKey};
use crate::engine::facts::CreationRefused;
use crate::remote::{Egress, Http};
use crate::traffic::sightings::Sightings;

/// Names in order; most owners have one or two.
type Names = Vec<Box<str>>;

/// Names by owner: the Deployments of a group, the groups of an application.
#[derive(Debug, Default)]
pub struct Index {
    names: Mutex<BTreeMap<(String, String), Names>>,
}

impl Index {
    /// Notes that `name` belongs to `owner`. True if that is news.
    pub fn insert(&self, namespace: &str, owner: &str, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.entry((namespace.into(), owner.into())).or_default();
        let place = names.binary_search_by(|known| known.as_ref().cmp(name));
        place.inspect_err(|place| names.insert(*place, name.into())).is_err()
    }

    /// Forgets `name`. True if it was known.
    pub fn remove(&self, namespace: &str, owner: &str, name: &str) -> bool {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (namespace.to_owned(), owner.to_owned());
        let Some(known) = names.get_mut(&key) else { return false };
        let place = known.binary_search_by(|known| known.as_ref().cmp(name));
        let was_known = place.map(|place| known.remove(place)).is_ok();
        if known.is_empty() {
            names.remove(&key);
        }
        was_known
    }

    /// The names of `owner`, in order.
    pub fn names(&self, namespace: &str, owner: &str) -> Names {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(&(namespace.into(), owner.into())).into_iter().flatten().cloned().collect()
    }
}

/// Everything a reconcile may use.
pub struct Context {
    /// The client that writes.
    pub client: Client,
    /// The watched kinds: caches and queues.
    pub kinds: Kinds,
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
    /// AppSpecs that are fetched from outside of the cluster.
    pub revisions: Revisions,
    /// Which addresses sources may have.
    pub egress: Egress,
    /// HTTP hooks under way.
    pub calls: Calls,
    /// Jobs that the API server refused, by name: its words.
    pub refusals: Mutex<HashMap<String, String>>,
    /// By route: the last generation on which a write of ours was refused. Lost in a crash: the engine then knows less.
    pub refused_writes: Mutex<HashMap<ObjectKey, i64>>,
    /// Routes whose weights the API server refused to take: its words.
    pub refused_routes: Mutex<HashMap<ObjectKey, String>>,
    /// By Deployment: the API server's words, if it refused the task set.
    pub refused_task_sets: Mutex<HashMap<ObjectKey, String>>,
    /// By group: how the creation of a desired revision's Deployment was refused. Lost in a crash: it is then tried anew.
    pub refused_creations: Mutex<HashMap<ObjectKey, CreationRefused>>,
    /// When hosts were heard of.
    pub heartbeats: Heartbeats,
    /// Hosts that are gone for certain.
    pub departures: Departures,
    /// Since when hosts' endpoints stand as they do.
    pub endpoint_sightings: EndpointSightings,
    /// By Deployment, and by host: the API server's words to an assignment that it refused.
    pub refused_assignments: Mutex<HashMap<ObjectKey, BTreeMap<String, String>>>,
    /// By Deployment: how the Secret of its revision is granted, while it may not be read.
    pub withheld_secrets: Mutex<HashMap<ObjectKey, (&'static str, String)>>,
    /// By Server deployment: when its status was written last. Lost in a crash: it is then written at once.
    pub written: Mutex<HashMap<ObjectKey, Timestamp>>,
    /// Names of Deployments by group.
    pub by_group: Index,
    /// Names of groups by application.
    pub by_application: Index,
    /// For calls of hooks.
    pub http: Http,
    /// Turns to publish Events: they must not get in the way of writes.
    pub events: Semaphore,
    /// Turns to write assignments, of all fleets together: no more hosts begin at once than an API server takes beside its other work,
    /// and each begins with a report of its own.
    pub assignments: Semaphore,
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

    /// Asks for a look at everybody whose decision depended on `object`.
    pub fn wake_lookers(&self, object: &ObjectKey) {
        self.interest.lookers(object).iter().for_each(|looker| self.kinds.wake(looker));
    }

    /// True while we hold the Lease: nothing is written otherwise.
    pub fn is_leading(&self) -> bool {
        *self.leads.borrow()
    }
}
