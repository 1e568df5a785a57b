//! What a believer keeps in memory only and loses in a crash: sightings of the gateway, readiness, HTTP calls, its own writes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice::engine::facts::{CallFact, CreationRefused, Sighting};

use super::cache::Cache;
use super::objects::{Key, Kind, Object};

/// One process' memory.
#[derive(Default)]
pub struct Memory {
    pub sightings: BTreeMap<String, Vec<Sighting>>,
    pub ready_since: BTreeMap<String, Timestamp>,
    pub calls: BTreeMap<String, CallFact>,
    /// By route: the generation of the last refused write.
    pub refused: BTreeMap<String, i64>,
    /// By group: how the creation of its desired revision was refused.
    pub refused_creations: BTreeMap<String, CreationRefused>,
    /// By Deployment's uid: how the creation of its task set was refused.
    pub refused_task_sets: BTreeMap<String, String>,
    own: BTreeMap<Key, u64>,
}

impl Memory {
    /// What a process knows right after its first lists: of the gateway only what its status write says.
    pub fn after_start(cache: &Cache, now: Timestamp) -> Self {
        let mut memory = Self::default();
        for route in cache.all(Kind::Route).filter_map(Object::route) {
            let Some(status) = route.status.as_ref().filter(|s| s.refused.is_none()) else { continue };
            let second = Timestamp::from_second(status.written.as_second()).unwrap();
            let sighting =
                Sighting { generation: status.generation, time: second + SignedDuration::from_secs(1) };
            memory.sightings.insert(route.name.clone(), vec![sighting]);
        }
        for key in cache.objects.keys() {
            memory.look(cache, key, now);
        }
        memory
    }

    /// Notes what the arrival of `key` shows.
    pub fn look(&mut self, cache: &Cache, key: &Key, now: Timestamp) {
        match cache.get(key.0, &key.1) {
            Some(Object::Route(route)) => {
                let Some(status) = route.status.as_ref().filter(|s| s.refused.is_none()) else { return };
                let seen = self.sightings.entry(key.1.clone()).or_default();
                if seen.iter().all(|s| s.generation < status.generation) {
                    seen.push(Sighting { generation: status.generation, time: now });
                }
            }
            Some(Object::Service(service)) => {
                if let Some(ready) = service.ready {
                    self.note_ready(&key.1, ready > 0, now);
                }
            }
            Some(Object::Slice(slice)) => self.note_ready(&key.1, !slice.pods.is_empty(), now),
            None if key.0 == Kind::Route => {
                self.sightings.remove(&key.1);
            }
            None if matches!(key.0, Kind::Service | Kind::Slice) => self.note_ready(&key.1, false, now),
            _ => {}
        }
    }

    fn note_ready(&mut self, service: &str, is_ready: bool, now: Timestamp) {
        if is_ready {
            self.ready_since.entry(service.into()).or_insert(now);
        } else {
            self.ready_since.remove(service);
        }
    }

    /// Remembers a write of its own.
    pub fn wrote(&mut self, key: Key, version: u64) {
        self.own.insert(key, version);
    }

    /// True if the cache has all of its own writes to `key`.
    pub fn is_current(&self, cache: &Cache, key: &Key) -> bool {
        self.own.get(key).is_none_or(|version| cache.seen(key.0) >= *version)
    }
}
