//! What a believer keeps in memory only and loses in a crash: sightings of the gateway, readiness, HTTP calls, its own writes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sluice::engine::facts::{CallFact, CreationRefused, Sighting};
use sluice::engine::server::facts::{EndpointFact, Stand};

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
    /// By host: whether it stands ready in a slice, and since when that was seen.
    pub endpoints: BTreeMap<String, EndpointFact>,
    /// When each Deployment's status was written last.
    pub written: BTreeMap<String, Timestamp>,
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
        memory.note_endpoints(cache, now);
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
            _ if matches!(key.0, Kind::HostSlice | Kind::Instance) => self.note_endpoints(cache, now),
            None if key.0 == Kind::Route => {
                self.sightings.remove(&key.1);
            }
            None if matches!(key.0, Kind::Service | Kind::Slice) => self.note_ready(&key.1, false, now),
            _ => {}
        }
    }

    /// Where every host stands behind its Service: not there is not ready.
    fn note_endpoints(&mut self, cache: &Cache, now: Timestamp) {
        let slices: Vec<_> = cache.all(Kind::HostSlice).filter_map(Object::host_slice).collect();
        for (_, name) in cache.objects.keys().filter(|k| k.0 == Kind::Instance) {
            let mut all = slices.iter().flat_map(|s| &s.endpoints);
            let stand = match all.find(|e| e.host == *name).map(|e| e.is_ready) {
                Some(true) => Stand::Ready,
                Some(false) => Stand::Draining,
                None => Stand::Absent,
            };
            let known = self.endpoints.entry(name.clone());
            let known = known.or_insert(EndpointFact { stand, since: now });
            if known.stand != stand {
                *known = EndpointFact { stand, since: now };
            }
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
