//! A believer's picture of the store: one watch a kind, each late by its own delays, each able to break and to list again.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::objects::{Key, Kind, Object};
use super::store::{Commit, Store, Stored};

struct Delivery {
    due: Timestamp,
    key: Key,
    version: u64,
    object: Option<Object>,
}

#[derive(Default)]
struct Watch {
    queue: VecDeque<Delivery>,
    /// Everything up to here was seen.
    seen: u64,
    /// Broken until then: nothing is delivered, and then everything is listed.
    lists_at: Option<Timestamp>,
}

/// What one believer has seen.
#[derive(Default)]
pub struct Cache {
    pub objects: BTreeMap<Key, Stored>,
    watches: BTreeMap<Kind, Watch>,
}

impl Cache {
    /// Everything as it is now: a process that starts lists first.
    pub fn listed(store: &Store) -> Self {
        let mut cache = Self { objects: store.objects.clone(), ..Self::default() };
        let last = store.commits.last().map_or(0, |c| c.version);
        for kind in ALL {
            cache.watches.insert(kind, Watch { seen: last, ..Watch::default() });
        }
        cache
    }

    /// A commit goes on its way.
    pub fn send(&mut self, commit: &Commit, due: Timestamp) {
        let watch = self.watches.entry(commit.key.0).or_default();
        if watch.lists_at.is_some() || commit.version <= watch.seen {
            return;
        }
        let due = watch.queue.back().map_or(due, |d| d.due.max(due));
        let (key, version) = (commit.key.clone(), commit.version);
        watch.queue.push_back(Delivery { due, key, version, object: commit.after.clone() });
    }

    /// A watch breaks; what was on its way is lost.
    pub fn lose(&mut self, kind: Kind, lists_at: Timestamp) {
        let watch = self.watches.entry(kind).or_default();
        watch.queue.clear();
        watch.lists_at = Some(watch.lists_at.map_or(lists_at, |at| at.max(lists_at)));
    }

    /// When something arrives next.
    pub fn due(&self) -> Option<Timestamp> {
        self.watches.values().filter_map(|w| w.lists_at.or(w.queue.front().map(|d| d.due))).min()
    }

    /// Takes what has arrived by now on one watch. Answers what changed, if anything arrived.
    pub fn receive(&mut self, store: &Store) -> Option<Vec<Key>> {
        let now = store.now;
        let is_due = |w: &Watch| w.lists_at.or(w.queue.front().map(|d| d.due)).is_some_and(|d| d <= now);
        let (kind, watch) = self.watches.iter_mut().find(|(_, w)| is_due(w))?;
        if watch.lists_at.take().is_some() {
            watch.seen = store.commits.last().map_or(0, |c| c.version);
            let kind = *kind;
            let old = self.objects.iter().filter(|((k, _), _)| *k == kind);
            let mut changed: Vec<Key> =
                old.filter(|(k, s)| store.objects.get(*k) != Some(*s)).map(|(k, _)| k.clone()).collect();
            self.objects.retain(|(k, _), _| *k != kind);
            for (key, stored) in store.objects.iter().filter(|((k, _), _)| *k == kind) {
                self.objects.insert(key.clone(), stored.clone());
                changed.push(key.clone());
            }
            return Some(changed);
        }
        let delivery = watch.queue.pop_front()?;
        watch.seen = delivery.version;
        match delivery.object {
            Some(object) => {
                self.objects.insert(delivery.key.clone(), Stored { version: delivery.version, object });
            }
            None => {
                self.objects.remove(&delivery.key);
            }
        }
        Some(vec![delivery.key])
    }

    /// Up to which version a kind was seen.
    pub fn seen(&self, kind: Kind) -> u64 {
        self.watches.get(&kind).map_or(0, |w| w.seen)
    }

    /// The object of that key.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&(kind, name.to_owned())).map(|s| &s.object)
    }

    /// All objects of a kind.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> + Clone {
        self.objects.iter().filter(move |((k, _), _)| *k == kind).map(|(_, s)| &s.object)
    }
}

/// Every kind that is watched.
pub const ALL: [Kind; 15] = [
    Kind::Deployment,
    Kind::Group,
    Kind::Application,
    Kind::Config,
    Kind::Hook,
    Kind::Route,
    Kind::Service,
    Kind::Job,
    Kind::ConfigMap,
    Kind::Slice,
    Kind::TaskSet,
    Kind::Pod,
    Kind::PodTemplate,
    Kind::Instance,
    Kind::HostSlice,
];
