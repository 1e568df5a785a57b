//! The simulated API server: objects, resourceVersions, compare-and-set, finalizers, garbage collection, and a log of commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use sluice::api::{Deployment, DeploymentGroup, DeploymentGroupStatus, DeploymentStatus, TRAFFIC_FINALIZER};
use sluice::engine::plan::{Edit, PointService, ScaleTaskSet, SetWeights};

use super::objects::{Backend, Key, Kind, Object, Route, Service, TaskSet};

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    User,
    Gateway,
    Jobs,
    Kubelet,
    /// The controllers of ReplicaSets and of EndpointSlices.
    Cluster,
    Garbage,
    /// The agent of that host.
    Agent(String),
    /// A believer, on behalf of one of its keys.
    Controller(usize, Key),
}

/// An object and the version at which it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub version: u64,
    pub object: Object,
}

/// One write that changed something.
#[derive(Clone, Debug)]
pub struct Commit {
    pub at: Timestamp,
    pub by: Actor,
    pub key: Key,
    pub version: u64,
    pub before: Option<Object>,
    pub after: Option<Object>,
}

/// Why a write did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    Conflict,
    AlreadyExists,
    /// A JSON Patch test failed, or a rule of the schema.
    Unprocessable,
}

type Answer = Result<u64, Refusal>;

/// The garbage collector's finalizer of an object that is deleted in the foreground.
const FOREGROUND: &str = "foregroundDeletion";

/// All objects and the history of their changes.
#[derive(Debug)]
pub struct Store {
    pub now: Timestamp,
    pub objects: BTreeMap<Key, Stored>,
    pub commits: Vec<Commit>,
    version: u64,
    uids: u64,
}

impl Store {
    /// An empty one.
    pub fn new(now: Timestamp) -> Self {
        Self { now, objects: BTreeMap::new(), commits: vec![], version: 0, uids: 0 }
    }

    /// A uid that was never used.
    pub fn uid(&mut self) -> String {
        self.uids += 1;
        format!("{:08x}-0000-4000-8000-{:012x}", self.uids, self.uids)
    }

    /// The object of that key.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Object> {
        self.objects.get(&(kind, name.to_owned())).map(|s| &s.object)
    }

    /// All objects of a kind, in order of name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object> + Clone {
        self.objects.iter().filter(move |((k, _), _)| *k == kind).map(|(_, s)| &s.object)
    }

    /// The Deployment of that name.
    pub fn deployment(&self, name: &str) -> Option<&Arc<Deployment>> {
        self.get(Kind::Deployment, name).and_then(Object::deployment)
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.get(Kind::Route, name).and_then(Object::route)
    }

    fn commit(&mut self, by: &Actor, key: Key, after: Option<Object>) -> u64 {
        let before = self.objects.get(&key).map(|s| s.object.clone());
        if before == after {
            return self.objects.get(&key).map_or(self.version, |s| s.version);
        }
        self.version += 1;
        match &after {
            Some(object) => {
                let stored = Stored { version: self.version, object: object.clone() };
                self.objects.insert(key.clone(), stored);
            }
            None => {
                self.objects.remove(&key);
            }
        }
        let (at, version) = (self.now, self.version);
        self.commits.push(Commit { at, by: by.clone(), key, version, before, after });
        self.version
    }

    /// Creates an object; uid, generation and creation time are filled in.
    pub fn create(&mut self, by: &Actor, mut object: Object) -> Answer {
        let key = object.key();
        if self.objects.contains_key(&key) {
            return Err(Refusal::AlreadyExists);
        }
        // Those who come and go of their own accord take no number: the names made from a uid would follow their pace.
        let is_numbered =
            !matches!(key.0, Kind::Slice | Kind::TaskSet | Kind::Pod | Kind::Instance | Kind::HostSlice)
                && (key.0 != Kind::Service || *by == Actor::User || *by == Actor::Kubelet);
        let born = self.commits.iter().filter(|c| c.key == key && c.before.is_none()).count() + 1;
        let local = format!("{}-{born}", key.1);
        let (uid, now) = (if is_numbered { self.uid() } else { String::new() }, self.now);
        let fresh = |meta: &mut kube::core::ObjectMeta| {
            meta.uid = Some(uid.clone());
            meta.generation = Some(1);
            meta.creation_timestamp = Some(Time(Timestamp::from_second(now.as_second()).unwrap()));
        };
        match &mut object {
            Object::Deployment(o) => fresh(&mut Arc::make_mut(o).metadata),
            Object::Group(o) => fresh(&mut Arc::make_mut(o).metadata),
            Object::Application(o) => fresh(&mut Arc::make_mut(o).metadata),
            Object::Config(o) => fresh(&mut Arc::make_mut(o).metadata),
            Object::Hook(o) => fresh(&mut Arc::make_mut(o).metadata),
            Object::Route(o) => {
                let route = Arc::make_mut(o);
                (route.uid, route.generation) = (uid.clone(), 1);
            }
            Object::Job(o) => Arc::make_mut(o).uid = uid.clone(),
            Object::Service(o) => Arc::make_mut(o).uid = local,
            Object::TaskSet(o) => {
                let task_set = Arc::make_mut(o);
                (task_set.uid, task_set.generation) = (local, 1);
                task_set.created = Some(Timestamp::from_second(now.as_second()).unwrap());
            }
            Object::Instance(o) => {
                let meta = &mut Arc::make_mut(o).metadata;
                fresh(meta);
                meta.uid = Some(local);
            }
            Object::HostSlice(o) => Arc::make_mut(o).uid = local,
            Object::ConfigMap(_) | Object::Slice(_) | Object::Pod(_) | Object::PodTemplate(_) => {}
        }
        Ok(self.commit(by, key, Some(object)))
    }

    /// Changes an object in place; a change of a spec that counts generations must raise it itself.
    pub fn change(&mut self, by: &Actor, key: &Key, edit: impl FnOnce(&mut Object)) -> Answer {
        let mut object = self.objects.get(key).ok_or(Refusal::NotFound)?.object.clone();
        edit(&mut object);
        Ok(self.commit(by, key.clone(), Some(object)))
    }

    fn expect(&self, key: &Key, version: u64) -> Result<(), Refusal> {
        match self.objects.get(key) {
            None => Err(Refusal::NotFound),
            Some(stored) if stored.version != version => Err(Refusal::Conflict),
            Some(_) => Ok(()),
        }
    }

    /// Replaces a Deployment's status, as read back from JSON, if it still stands at `version`.
    pub fn write_status(&mut self, by: &Actor, key: &Key, version: u64, status: &DeploymentStatus) -> Answer {
        self.expect(key, version)?;
        let status: DeploymentStatus = through_json(status);
        self.change(by, key, |o| {
            if let Object::Deployment(d) = o {
                Arc::make_mut(d).status = Some(status);
            }
        })
    }

    /// The same for a group.
    pub fn write_group(&mut self, by: &Actor, key: &Key, version: u64, s: &DeploymentGroupStatus) -> Answer {
        self.expect(key, version)?;
        let status: DeploymentGroupStatus = through_json(s);
        self.change(by, key, |o| {
            if let Object::Group(g) = o {
                Arc::make_mut(g).status = Some(status);
            }
        })
    }

    /// A user's edit of a Deployment's spec: refused once it has ended, as the CEL rule says.
    pub fn edit_spec(&mut self, name: &str, edit: impl FnOnce(&mut Deployment)) -> Answer {
        let key = (Kind::Deployment, name.to_owned());
        let stored = self.objects.get(&key).ok_or(Refusal::NotFound)?;
        if stored.object.deployment().is_some_and(|d| d.phase().has_ended()) {
            return Err(Refusal::Unprocessable);
        }
        self.change(&Actor::User, &key, |o| {
            if let Object::Deployment(d) = o {
                let d = Arc::make_mut(d);
                edit(d);
                d.metadata.generation = d.metadata.generation.map(|g| g + 1);
            }
        })
    }

    /// The JSON Patch of weights: tests uid and generation.
    pub fn set_weights(&mut self, by: &Actor, set: &SetWeights) -> Answer {
        let key = (Kind::Route, set.route.clone());
        let route = self.route(&set.route).ok_or(Refusal::NotFound)?;
        if route.uid != set.uid || route.generation != set.generation {
            return Err(Refusal::Unprocessable);
        }
        let mut edited = (**route).clone();
        apply(&mut edited, &set.edits);
        if edited.rules != route.rules {
            edited.generation += 1;
        }
        Ok(self.commit(by, key, Some(Object::Route(Arc::new(edited)))))
    }

    /// Adds or removes our finalizer, if the Deployment or group still stands at `version`.
    pub fn hold(&mut self, by: &Actor, key: &Key, version: u64, is_on: bool) -> Answer {
        self.expect(key, version)?;
        let set = |finalizers: &mut Vec<String>, name: &str| {
            finalizers.retain(|f| f != name);
            if is_on {
                finalizers.push(name.into());
            }
        };
        let written = self.change(by, key, |o| match o {
            Object::Deployment(d) => {
                let finalizers = Arc::make_mut(d).metadata.finalizers.get_or_insert_default();
                set(finalizers, TRAFFIC_FINALIZER);
            }
            Object::Group(g) => {
                let name = g.spec.finalizer();
                set(Arc::make_mut(g).metadata.finalizers.get_or_insert_default(), name);
            }
            _ => {}
        });
        self.collect();
        written
    }

    /// The JSON Patch of a size: tests uid and generation.
    pub fn scale(&mut self, by: &Actor, scale: &ScaleTaskSet) -> Answer {
        let key = (Kind::TaskSet, scale.name.clone());
        let found = self.get(key.0, &key.1).and_then(Object::task_set).ok_or(Refusal::NotFound)?;
        if found.uid != scale.uid || found.generation != scale.generation {
            return Err(Refusal::Unprocessable);
        }
        self.change(by, &key, |o| {
            if let Object::TaskSet(t) = o
                && t.replicas != scale.replicas
            {
                let t = Arc::make_mut(t);
                (t.replicas, t.generation) = (scale.replicas, t.generation + 1);
            }
        })
    }

    /// The JSON Patch of a selector and its target ports: tests uid and resourceVersion.
    pub fn point(&mut self, by: &Actor, point: &PointService) -> Answer {
        let key = (Kind::Service, point.service.clone());
        let stored = self.objects.get(&key).ok_or(Refusal::NotFound)?;
        let found = stored.object.service().ok_or(Refusal::NotFound)?;
        if found.uid != point.uid || stored.version.to_string() != point.version {
            return Err(Refusal::Unprocessable);
        }
        self.change(by, &key, |o| {
            if let Object::Service(s) = o {
                let s = Arc::make_mut(s);
                s.selector.clone_from(&point.selector);
                if let Some(port) = &point.target_port {
                    s.target_ports = vec![port.clone(); point.ports];
                }
            }
        })
    }

    /// The Service of that name.
    pub fn service(&self, name: &str) -> Option<&Arc<Service>> {
        self.get(Kind::Service, name).and_then(Object::service)
    }

    /// The ReplicaSet of that name.
    pub fn task_set(&self, name: &str) -> Option<&Arc<TaskSet>> {
        self.get(Kind::TaskSet, name).and_then(Object::task_set)
    }

    /// Deletes an object, or marks it where a finalizer holds it. Deleting what is gone is no error.
    pub fn delete(&mut self, by: &Actor, key: &Key) {
        let now = self.now;
        let _ = self.change(by, key, |o| match o {
            Object::Deployment(d) if d.metadata.deletion_timestamp.is_none() => {
                Arc::make_mut(d).metadata.deletion_timestamp = Some(Time(now));
            }
            Object::Group(g) if g.metadata.deletion_timestamp.is_none() => {
                Arc::make_mut(g).metadata.deletion_timestamp = Some(Time(now));
            }
            Object::Job(j) => Arc::make_mut(j).is_going = true,
            _ => {}
        });
        if matches!(key.0, Kind::Deployment | Kind::Job | Kind::Group) {
            return self.collect();
        }
        self.commit(by, key.clone(), None);
    }

    /// Deletes a group in the foreground: what it owns is deleted at once, and what blocks its deletion goes before it.
    pub fn delete_in_foreground(&mut self, by: &Actor, key: &Key) {
        let _ = self.change(by, key, |o| {
            if let Object::Group(g) = o {
                let meta = &mut Arc::make_mut(g).metadata;
                meta.finalizers.get_or_insert_default().push(FOREGROUND.into());
            }
        });
        let uid = self.get(key.0, &key.1).and_then(Object::group).and_then(|g| g.metadata.uid.clone());
        self.delete(by, key);
        let owned: Vec<Key> = self
            .all(Kind::Deployment)
            .filter(|o| {
                o.deployment().is_some_and(|d| owners(d).any(|owner| Some(&owner.uid) == uid.as_ref()))
            })
            .map(Object::key)
            .collect();
        for key in owned {
            self.delete(&Actor::Garbage, &key);
        }
    }

    /// Lets go of groups whose deletion nothing blocks any more, and deletes Deployments all of whose owners are gone.
    fn collect_owned(&mut self) {
        let blocks = |d: &Deployment, uid: Option<&str>| {
            owners(d).any(|o| o.block_owner_deletion == Some(true) && Some(o.uid.as_str()) == uid)
        };
        let is_blocked = |uid: Option<&str>| {
            self.all(Kind::Deployment).filter_map(Object::deployment).any(|d| blocks(d, uid))
        };
        let awaits = |g: &DeploymentGroup| g.metadata.finalizers.iter().flatten().any(|f| f == FOREGROUND);
        let groups = self.all(Kind::Group).filter_map(Object::group);
        let free = groups.clone().find(|g| awaits(g) && !is_blocked(g.metadata.uid.as_deref()));
        let free = free.and_then(|g| g.metadata.name.clone());
        let living: Vec<&String> = groups.filter_map(|g| g.metadata.uid.as_ref()).collect();
        let is_orphan = |d: &Deployment| {
            d.metadata.deletion_timestamp.is_none()
                && owners(d).next().is_some()
                && owners(d).all(|o| !living.contains(&&o.uid))
        };
        let orphan = self.all(Kind::Deployment).find(|o| o.deployment().is_some_and(|d| is_orphan(d)));
        let orphan = orphan.map(Object::key);
        if let Some(name) = free {
            let _ = self.change(&Actor::Garbage, &(Kind::Group, name), |o| {
                if let Object::Group(g) = o {
                    Arc::make_mut(g)
                        .metadata
                        .finalizers
                        .iter_mut()
                        .for_each(|f| f.retain(|f| f != FOREGROUND));
                }
            });
            return self.collect();
        }
        if let Some(key) = orphan {
            self.delete(&Actor::Garbage, &key);
        }
    }

    /// Removes what is marked and no longer held, what nobody owns any more, and the Jobs of Deployments that are gone.
    pub fn collect(&mut self) {
        let is_free = |o: &Object| match o {
            Object::Deployment(d) => {
                d.metadata.deletion_timestamp.is_some()
                    && d.metadata.finalizers.as_deref().unwrap_or_default().is_empty()
            }
            Object::Group(g) => {
                g.metadata.deletion_timestamp.is_some()
                    && g.metadata.finalizers.as_deref().unwrap_or_default().is_empty()
            }
            Object::Job(j) => j.is_going && !j.is_held,
            _ => false,
        };
        let free: Vec<Key> =
            self.objects.iter().filter(|(_, s)| is_free(&s.object)).map(|(k, _)| k.clone()).collect();
        for key in free {
            self.commit(&Actor::Garbage, key, None);
        }
        let living: Vec<String> =
            self.all(Kind::Deployment).filter_map(Object::deployment).map(|d| d.uid().into()).collect();
        let orphans: Vec<Key> = self
            .all(Kind::Job)
            .filter(|o| o.job().is_some_and(|j| !j.is_going && !living.contains(&j.deployment_uid)))
            .map(Object::key)
            .collect();
        for key in orphans {
            self.delete(&Actor::Garbage, &key);
        }
        self.collect_owned();
    }
}

fn owners(deployment: &Deployment) -> impl Iterator<Item = &OwnerReference> {
    deployment.metadata.owner_references.iter().flatten()
}

fn through_json<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
}

fn apply(route: &mut Route, edits: &[Edit]) {
    for edit in edits {
        let backends = &mut route.rules[edit.rule()].backends;
        match edit {
            Edit::Weight { backend, weight, .. } => backends[*backend].weight = *weight,
            Edit::Copy { from, service, weight, .. } => {
                let copy = Backend { service: service.clone(), weight: *weight, ..backends[*from].clone() };
                backends.push(copy);
            }
            Edit::Remove { backend, .. } => {
                backends.remove(*backend);
            }
        }
    }
}
