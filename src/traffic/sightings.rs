//! Since when the gateway has been at which generation: seen by us, or read from the route's own status after a restart.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::http_route::HttpRoute;
use crate::engine::facts::{GatewayFact, Sighting};

/// Enough to outlive a few edits by others during one interval.
const KEPT: usize = 4;

/// What was seen of each route, by uid.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: Mutex<HashMap<String, Vec<Sighting>>>,
}

impl Sightings {
    /// Notes how `route` stands now, and answers all that is remembered of it.
    ///
    /// Of a route that is looked at for the first time, the API server's own record tells when the gateway last wrote
    /// its status, to the second: rounded up, it is never early, and a new leader need not begin the interval again.
    pub fn note(&self, route: &HttpRoute, now: Timestamp) -> Vec<Sighting> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let uid = route.uid().unwrap_or_default();
        let generation = route.metadata.generation.unwrap_or_default();
        let is_first = !seen.contains_key(&uid);
        let known = seen.entry(uid).or_default();
        let is_known = known.last().is_some_and(|s| s.generation >= generation);
        if route.gateway() == GatewayFact::Taken && !is_known {
            let wrote = route.gateway_wrote.filter(|_| is_first);
            let time = wrote.map_or(now, |t| (t + SignedDuration::from_secs(1)).min(now));
            known.push(Sighting { generation, time });
            if known.len() > KEPT {
                known.remove(0);
            }
        }
        known.clone()
    }

    /// Forgets a route that nobody looks at any more.
    pub fn forget(&self, uid: &str) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(uid);
    }
}
