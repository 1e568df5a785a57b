//! A cache of one kind: what a watch said last, by namespace and name.
//!
//! It takes objects as they are and hands out shared ones: none is copied on its way in or out.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use kube::Resource;
use tokio::sync::watch;

type Namespaces<K> = HashMap<Box<str>, BTreeMap<Box<str>, Arc<K>>>;

/// The objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    namespaces: RwLock<Namespaces<K>>,
    is_filled: watch::Sender<bool>,
}

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self { namespaces: RwLock::default(), is_filled: watch::Sender::new(false) }
    }
}

fn place<K: Resource>(object: &K) -> (&str, &str) {
    let meta = object.meta();
    (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

impl<K: Resource> Cache<K> {
    fn read<T>(&self, f: impl FnOnce(&Namespaces<K>) -> T) -> T {
        f(&self.namespaces.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, f: impl FnOnce(&mut Namespaces<K>) -> T) -> T {
        f(&mut self.namespaces.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The object of that name, if it is there.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read(|all| all.get(namespace)?.get(name).cloned())
    }

    /// The objects of those names, in their order, at one moment.
    pub fn get_all(&self, namespace: &str, names: &[String]) -> Vec<Option<Arc<K>>> {
        self.read(|all| {
            let known = all.get(namespace);
            names.iter().map(|name| known.and_then(|k| k.get(name.as_str())).cloned()).collect()
        })
    }

    /// Every object.
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read(|all| all.values().flat_map(|names| names.values().cloned()).collect())
    }

    /// The objects of a namespace that `is_wanted` picks, in order of their names.
    pub fn filter(&self, namespace: &str, is_wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.read(|all| {
            let names = all.get(namespace).into_iter().flat_map(BTreeMap::values);
            names.filter(|object| is_wanted(object)).cloned().collect()
        })
    }

    /// Puts an object in. Answers it, and the one whose place it took.
    pub fn put(&self, object: K) -> (Arc<K>, Option<Arc<K>>) {
        let object = Arc::new(object);
        let before = self.write(|all| insert(all, Arc::clone(&object)));
        (object, before)
    }

    /// Takes an object away.
    pub fn remove(&self, object: &K) {
        let (namespace, name) = place(object);
        self.write(|all| {
            let Some(names) = all.get_mut(namespace) else { return };
            names.remove(name);
            if names.is_empty() {
                all.remove(namespace);
            }
        });
    }

    /// Replaces everything by a fresh list: from now on the cache is filled. Answers what was there and is not in the list.
    pub fn replace(&self, listed: Vec<Arc<K>>) -> Vec<Arc<K>> {
        let mut fresh = HashMap::new();
        for object in listed {
            insert(&mut fresh, object);
        }
        let before = self.write(|all| std::mem::replace(all, fresh));
        self.is_filled.send_replace(true);
        let objects = before.into_values().flat_map(BTreeMap::into_values);
        objects.filter(|object| !self.holds(object)).collect()
    }

    fn holds(&self, object: &K) -> bool {
        let (namespace, name) = place(object);
        self.read(|all| all.get(namespace).is_some_and(|names| names.contains_key(name)))
    }

    /// True once there was a list: before, an object that is not here may well exist.
    pub fn is_filled(&self) -> bool {
        *self.is_filled.borrow()
    }

    /// Waits for the first list.
    pub async fn wait_until_filled(&self) {
        // The sender lives as long as the cache.
        let _ = self.is_filled.subscribe().wait_for(|is_filled| *is_filled).await;
    }
}

fn insert<K: Resource>(all: &mut Namespaces<K>, object: Arc<K>) -> Option<Arc<K>> {
    let (namespace, name) = place(object.as_ref());
    let name = name.into();
    match all.get_mut(namespace) {
        Some(names) => names.insert(name, object),
        None => {
            all.insert(namespace.into(), BTreeMap::from([(name, object)]));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(namespace: &str, name: &str, version: &str) -> ConfigMap {
        let meta = ObjectMeta {
            namespace: Some(namespace.into()),
            name: Some(name.into()),
            resource_version: Some(version.into()),
            ..ObjectMeta::default()
        };
        ConfigMap { metadata: meta, ..ConfigMap::default() }
    }

    fn version(found: Option<Arc<ConfigMap>>) -> Option<String> {
        found.and_then(|f| f.metadata.resource_version.clone())
    }

    #[test]
    fn an_object_is_found_as_it_was_put_last_and_nowhere_else() {
        let cache = Cache::default();
        assert!(cache.put(object("a", "x", "1")).1.is_none());
        assert_eq!(version(cache.put(object("a", "x", "2")).1).as_deref(), Some("1"));
        assert_eq!(version(cache.get("a", "x")).as_deref(), Some("2"));
        assert!(cache.get("b", "x").is_none() && cache.get("a", "y").is_none());
        cache.remove(&object("a", "x", "2"));
        assert!(cache.get("a", "x").is_none() && cache.all().is_empty());
    }

    #[test]
    fn a_fresh_list_tells_what_it_silently_took_away() {
        let cache = Cache::default();
        cache.put(object("a", "x", "1"));
        cache.put(object("a", "y", "1"));
        assert!(!cache.is_filled());
        let gone = cache.replace(vec![Arc::new(object("a", "y", "2")), Arc::new(object("b", "x", "2"))]);
        assert!(cache.is_filled());
        assert_eq!(gone.iter().map(|g| place(g.as_ref())).collect::<Vec<_>>(), [("a", "x")]);
        assert_eq!(version(cache.get("a", "y")).as_deref(), Some("2"));
        assert_eq!(cache.filter("b", |_| true).len(), 1);
    }
}
