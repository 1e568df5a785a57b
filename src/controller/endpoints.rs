//! Ready endpoints, watched by namespace and only while somebody's decision depends on one of its Services.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};

use super::clock;
use super::context::Context;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::view::{EndpointSlice, ReadyEndpoints};

/// The kind under which looks at endpoints are noted, by Service.
pub const KIND: &str = "Endpoints";
/// Watches that share one connection: API servers bound the streams of a connection.
const PER_CONNECTION: usize = 50;

/// What is known of the watched namespaces.
#[derive(Default)]
pub struct Endpoints {
    namespaces: Mutex<HashMap<String, Namespace>>,
}

struct Namespace {
    task: tokio::task::AbortHandle,
    is_synced: bool,
    services: BTreeMap<String, Readiness>,
}

#[derive(Default)]
struct Readiness {
    /// Ready endpoints by slice; a Service seldom has more than one.
    slices: Vec<(Box<str>, ReadyEndpoints)>,
    since: Option<Timestamp>,
}

impl Readiness {
    fn count(&self) -> usize {
        self.slices.iter().map(|(_, ready)| ready.count).sum()
    }

    fn of(&self) -> BTreeMap<String, usize> {
        let mut of = BTreeMap::new();
        for (owner, n) in self.slices.iter().flat_map(|(_, ready)| &ready.of) {
            *of.entry(owner.to_string()).or_default() += n;
        }
        of
    }

    fn has_unready(&self) -> bool {
        self.slices.iter().any(|(_, ready)| ready.has_unready)
    }

    /// Notes a slice, or that it is gone. Answers what it was before.
    fn note(&mut self, slice: &str, ready: Option<ReadyEndpoints>) -> Option<ReadyEndpoints> {
        let place = self.slices.iter().position(|(name, _)| **name == *slice);
        let before = place.map(|place| self.slices.swap_remove(place).1);
        if let Some(ready) = ready {
            self.slices.reserve_exact(1);
            self.slices.push((slice.into(), ready));
        }
        before
    }

    /// Keeps or ends the time since when there is an endpoint.
    fn settle(&mut self, now: Timestamp) {
        let has_some = self.count() > 0;
        self.since = if has_some { self.since.or(Some(now)) } else { None };
    }
}

/// Ready endpoints of one Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// How many.
    pub count: usize,
    /// How many are pods of each ReplicaSet.
    pub of: BTreeMap<String, usize>,
    /// True if there are endpoints that are not ready.
    pub has_unready: bool,
    /// Since when there has been at least one, without a break.
    pub since: Option<Timestamp>,
}

impl Endpoints {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Namespace>) -> T) -> T {
        f(&mut self.namespaces.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ready endpoints of a Service; `None` until its namespace is watched and its state known.
    pub fn ready(&self, namespace: &str, service: &str) -> Option<Ready> {
        self.with(|all| {
            let known = all.get(namespace).filter(|n| n.is_synced)?;
            let readiness = known.services.get(service);
            let (count, of) = readiness.map_or_else(Default::default, |r| (r.count(), r.of()));
            let has_unready = readiness.is_some_and(Readiness::has_unready);
            Some(Ready { count, of, has_unready, since: readiness.and_then(|r| r.since) })
        })
    }

    /// Ends the watches of namespaces in which nobody looks at endpoints any more.
    pub fn prune(&self, is_needed: impl Fn(&str) -> bool) {
        self.with(|all| {
            all.retain(|namespace, known| {
                let stays = is_needed(namespace);
                if !stays {
                    known.task.abort();
                }
                stays
            });
        });
    }

    fn apply(
        &self,
        namespace: &str,
        slice: &EndpointSlice,
        ready: Option<ReadyEndpoints>,
        now: Timestamp,
    ) -> Option<String> {
        let service = slice.service()?.to_owned();
        self.with(|all| {
            let known = all.get_mut(namespace)?;
            let readiness = known.services.entry(service.clone()).or_default();
            let before = readiness.note(&slice.name_any(), ready.clone());
            readiness.settle(now);
            (before != ready).then_some(service)
        })
    }
}

/// Watches the endpoints of `namespace`, unless that is done already.
pub fn watch(context: &Arc<Context>, namespace: &str) {
    context.endpoints.with(|all| {
        if all.contains_key(namespace) {
            return;
        }
        let client = context.watch_client(all.len() / PER_CONNECTION);
        let task = tokio::spawn(follow(Arc::clone(context), client, namespace.to_owned())).abort_handle();
        all.insert(namespace.into(), Namespace { task, is_synced: false, services: BTreeMap::new() });
    });
}

async fn follow(context: Arc<Context>, client: Client, namespace: String) {
    let api = Api::<EndpointSlice>::namespaced(client, &namespace);
    let events = watcher(api, watcher::Config::default().streaming_lists()).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed: Vec<EndpointSlice> = vec![];
    while let Some(event) = events.next().await {
        let now = clock::now();
        let touched = match event {
            Ok(watcher::Event::Apply(slice)) => {
                context.endpoints.apply(&namespace, &slice, Some(slice.ready()), now).into_iter().collect()
            }
            Ok(watcher::Event::Delete(slice)) => {
                context.endpoints.apply(&namespace, &slice, None, now).into_iter().collect()
            }
            Ok(watcher::Event::Init) => {
                listed.clear();
                vec![]
            }
            Ok(watcher::Event::InitApply(slice)) => {
                listed.push(slice);
                vec![]
            }
            Ok(watcher::Event::InitDone) => relist(&context, &namespace, std::mem::take(&mut listed), now),
            Err(error) => {
                tracing::warn!(%error, namespace, "failed to watch EndpointSlices; trying again");
                vec![]
            }
        };
        for service in touched {
            let key = ObjectKey::new(KIND, &namespace, &service);
            context.wake_lookers(&key);
        }
    }
}

/// Since when a slice that is seen for the first time has been as it is: rounded up, it is never too early.
fn ready_since(slice: &EndpointSlice, now: Timestamp) -> Option<Timestamp> {
    let written = slice.written().filter(|_| slice.ready().count > 0)?;
    Some((written + SignedDuration::from_secs(1)).min(now))
}

/// Replaces what is known by a fresh list; since when a Service has been ready survives it.
fn relist(context: &Context, namespace: &str, listed: Vec<EndpointSlice>, now: Timestamp) -> Vec<String> {
    context.endpoints.with(|all| {
        let Some(known) = all.get_mut(namespace) else { return };
        known.is_synced = true;
        known.services.values_mut().for_each(|r| r.slices.clear());
        for slice in &listed {
            if let Some(service) = slice.service() {
                let readiness = known.services.entry(service.into()).or_default();
                readiness.note(&slice.name_any(), Some(slice.ready()));
                readiness.since = readiness.since.or_else(|| ready_since(slice, now));
            }
        }
        known.services.values_mut().for_each(|readiness| readiness.settle(now));
    });
    // Whoever looks at a Service of this namespace, known or not, has news.
    let lookers = context.interest.lookers_of_kind(KIND);
    lookers.iter().filter(|l| *l.namespace == *namespace).for_each(|l| context.kinds.wake(l));
    vec![]
}
