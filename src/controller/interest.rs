//! Who looked at what: a change of an object wakes those whose last decision depended on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::cluster::expectations::ObjectKey;

/// The looks on record, both ways round.
#[derive(Debug, Default)]
pub struct Interest {
    looks: Mutex<Looks>,
}

/// Thousands of looks are on record, most at an object that one or two look at: lists cost a fraction of sets.
#[derive(Debug, Default)]
struct Looks {
    by_object: BTreeMap<ObjectKey, Vec<ObjectKey>>,
    /// In order.
    by_looker: BTreeMap<ObjectKey, Box<[ObjectKey]>>,
}

impl Interest {
    fn with<T>(&self, f: impl FnOnce(&mut Looks) -> T) -> T {
        f(&mut self.looks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces what `looker` depends on.
    pub fn note(&self, looker: &ObjectKey, objects: BTreeSet<ObjectKey>) {
        self.with(|looks| {
            if looks.by_looker.get(looker).into_iter().flatten().eq(&objects) {
                return;
            }
            looks.drop_looker(looker);
            let objects: Box<[_]> = objects.into_iter().map(|object| looks.add(looker, object)).collect();
            if !objects.is_empty() {
                looks.by_looker.insert(looker.clone(), objects);
            }
        });
    }

    /// Those that depend on `object`.
    pub fn lookers(&self, object: &ObjectKey) -> Vec<ObjectKey> {
        self.with(|looks| looks.by_object.get(object).into_iter().flatten().cloned().collect())
    }

    /// Those that depend on any object of `kind`.
    pub fn lookers_of_kind(&self, kind: &str) -> BTreeSet<ObjectKey> {
        self.with(|looks| {
            looks.by_object.iter().filter(|(o, _)| o.kind == kind).flat_map(|(_, l)| l.clone()).collect()
        })
    }

    /// True if anybody depends on an object of `kind` in `namespace` (with `name`, if given).
    pub fn is_looked_at(&self, kind: &'static str, namespace: &str, name: Option<&str>) -> bool {
        self.with(|looks| {
            let from = ObjectKey::new(kind, namespace, name.unwrap_or_default());
            let next = looks.by_object.range(from..).next();
            next.is_some_and(|(o, _)| {
                o.kind == kind && *o.namespace == *namespace && name.is_none_or(|n| *n == *o.name)
            })
        })
    }
}

impl Looks {
    /// Notes one look. Answers the object under the key that all who look at it share.
    fn add(&mut self, looker: &ObjectKey, object: ObjectKey) -> ObjectKey {
        let entry = self.by_object.entry(object);
        let object = entry.key().clone();
        let lookers = entry.or_default();
        lookers.reserve_exact(1);
        lookers.push(looker.clone());
        object
    }

    fn drop_looker(&mut self, looker: &ObjectKey) {
        for object in self.by_looker.remove(looker).into_iter().flatten() {
            if let Some(lookers) = self.by_object.get_mut(&object) {
                lookers.retain(|l| l != looker);
                if lookers.is_empty() {
                    self.by_object.remove(&object);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_wakes_those_that_looked_and_nobody_else() {
        let interest = Interest::default();
        let (a, b) = (ObjectKey::new("Deployment", "ns", "a"), ObjectKey::new("Deployment", "ns", "b"));
        let (route, other) = (ObjectKey::new("HTTPRoute", "ns", "r"), ObjectKey::new("HTTPRoute", "ns", "o"));
        interest.note(&a, [route.clone()].into());
        interest.note(&b, [other.clone()].into());
        assert_eq!(interest.lookers(&route), vec![a.clone()]);
        assert!(
            interest.is_looked_at("HTTPRoute", "ns", None) && !interest.is_looked_at("HTTPRoute", "n", None)
        );
        interest.note(&a, BTreeSet::new());
        assert!(interest.lookers(&route).is_empty());
        assert!(!interest.is_looked_at("HTTPRoute", "ns", Some("r")));
        assert_eq!(interest.lookers_of_kind("HTTPRoute"), [b].into());
    }
}
