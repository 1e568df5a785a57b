//! What was written and not yet seen in a cache: until it is, the cache speaks of the past.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use kube::Resource;

/// After this long without being seen, an expectation is given up: the object was taken away unseen.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// An object: kind, namespace, name. Copies share the words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The kind.
    pub kind: &'static str,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// A key.
    pub fn new(kind: &'static str, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The key of `object`.
    pub fn of<K: Resource>(kind: &'static str, object: &K) -> Self {
        let meta = object.meta();
        Self::new(
            kind,
            meta.namespace.as_deref().unwrap_or_default(),
            meta.name.as_deref().unwrap_or_default(),
        )
    }
}

/// The versions that caches must reach before they are believed.
#[derive(Debug, Default)]
pub struct Expectations {
    written: Mutex<HashMap<ObjectKey, (u64, Timestamp)>>,
}

impl Expectations {
    /// Notes that `key` was written and is now at `version`.
    pub fn note(&self, key: ObjectKey, version: Option<&str>, now: Timestamp) {
        let version = parse(version);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let known = written.entry(key).or_insert((version, now));
        if known.0 <= version {
            *known = (version, now);
        }
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// True if a cache that holds `key` at `cached` (`None`: not at all) has seen all that was written.
    pub fn is_met(&self, key: &ObjectKey, cached: Option<&str>, now: Timestamp) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((version, since)) = written.get(key) else { return true };
        let is_met =
            cached.is_some_and(|c| parse(Some(c)) >= *version) || now.duration_since(*since) > PATIENCE;
        if is_met {
            written.remove(key);
        }
        is_met
    }
}

/// Resource versions are opaque, but ordered numbers on every API server there is (and by contract since 1.35).
fn parse(version: Option<&str>) -> u64 {
    version.and_then(|v| v.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_believed_only_once_it_has_what_was_written() {
        let expectations = Expectations::default();
        let (key, now) = (ObjectKey::new("HTTPRoute", "a", "b"), Timestamp::UNIX_EPOCH);
        assert!(expectations.is_met(&key, Some("7"), now));
        expectations.note(key.clone(), Some("10"), now);
        assert!(!expectations.is_met(&key, Some("9"), now));
        assert!(!expectations.is_met(&key, None, now));
        assert!(expectations.is_met(&key, Some("10"), now));
        assert!(expectations.is_met(&key, Some("9"), now), "met expectations are forgotten");
    }

    #[test]
    fn an_object_that_was_taken_away_unseen_is_not_waited_for_forever() {
        let expectations = Expectations::default();
        let (key, now) = (ObjectKey::new("Job", "a", "b"), Timestamp::UNIX_EPOCH);
        expectations.note(key.clone(), Some("10"), now);
        assert!(expectations.is_met(&key, None, now + SignedDuration::from_secs(61)));
    }
}
