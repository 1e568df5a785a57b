//! A process that believes itself to be the leader: looks, decides, records and acts, one sub-step at a time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use sluice::agent::decisions::{Next, Orders, Record as HostRecord};
use sluice::api::{Deployment, DeploymentGroupStatus, DeploymentStatus};
use sluice::engine::group::{GroupAct, GroupFacts, GroupPlan};
use sluice::engine::{Act, Facts, Note, Plan};

use super::cache::Cache;
use super::memory::Memory;
use super::objects::{Key, Kind};
use super::observe;
use super::store::Store;

/// The decisions, so that a test can put a broken one in their place.
#[derive(Clone, Copy)]
pub struct Minds {
    pub deployment: fn(&Facts, Timestamp) -> Plan,
    pub group: fn(&GroupFacts, Timestamp) -> GroupPlan,
    /// What a host's agent does next.
    pub agent: fn(&HostRecord, Orders) -> Next,
}

impl Minds {
    /// The real ones.
    pub fn real() -> Self {
        Self {
            deployment: sluice::engine::decide,
            group: sluice::engine::group::decide,
            agent: sluice::agent::decisions::next,
        }
    }
}

/// A status to record.
pub enum Record {
    Deployment(Box<DeploymentStatus>),
    Group(Box<DeploymentGroupStatus>),
}

/// One effect to have.
#[derive(Debug, PartialEq)]
pub enum Effect {
    Deployment(Act),
    Group(GroupAct),
}

/// A plan on its way through record and acts.
pub struct Work {
    /// Where the object stood when it was looked at, or since the record.
    pub version: u64,
    pub record: Option<Record>,
    /// True once its own record is written.
    pub is_recorded: bool,
    pub notes: Vec<Note>,
    pub effects: VecDeque<Effect>,
    pub wake: Option<Timestamp>,
    /// When it was decided.
    pub decided: Timestamp,
    /// The process does not get to it before.
    pub not_before: Timestamp,
}

/// One believer.
pub struct Believer {
    pub is_alive: bool,
    pub cache: Cache,
    pub memory: Memory,
    /// Keys to look at, each no earlier than its time.
    pub queue: BTreeMap<Key, Timestamp>,
    pub timers: BTreeMap<Key, Timestamp>,
    /// Keys that wait for the cache to catch up.
    pub behind: BTreeSet<Key>,
    pub work: BTreeMap<Key, Work>,
}

impl Believer {
    /// A process that has just listed everything.
    pub fn started(store: &Store) -> Self {
        let cache = Cache::listed(store);
        let memory = Memory::after_start(&cache, store.now);
        let ours =
            cache.objects.keys().filter(|(k, _)| matches!(k, Kind::Deployment | Kind::Group | Kind::Job));
        let queue = ours.map(|k| (k.clone(), store.now)).collect();
        Self {
            is_alive: true,
            cache,
            memory,
            queue,
            timers: BTreeMap::new(),
            behind: BTreeSet::new(),
            work: BTreeMap::new(),
        }
    }

    /// Everything that was in memory is gone.
    pub fn crash(&mut self) {
        *self = Self {
            is_alive: false,
            cache: Cache::default(),
            memory: Memory::default(),
            queue: BTreeMap::new(),
            timers: BTreeMap::new(),
            behind: BTreeSet::new(),
            work: BTreeMap::new(),
        };
    }

    /// Takes one arrival from its watches and queues whom it concerns.
    pub fn receive(&mut self, store: &Store) {
        let Some(changed) = self.cache.receive(store) else { return };
        for key in &changed {
            self.memory.look(&self.cache, key, store.now);
        }
        let concerned: Vec<Key> = changed.iter().flat_map(|key| self.concerned(key)).collect();
        let behind = std::mem::take(&mut self.behind);
        for key in concerned.into_iter().chain(behind) {
            self.ask(key, store.now);
        }
    }

    /// Queues a key.
    pub fn ask(&mut self, key: Key, at: Timestamp) {
        let due = self.queue.entry(key).or_insert(at);
        *due = (*due).min(at);
    }

    /// Whom a change concerns: of a Deployment, itself, its group and the group's others; of anything else, everybody who runs or waits.
    fn concerned(&self, key: &Key) -> Vec<Key> {
        let deployments = self.cache.all(Kind::Deployment).filter_map(|o| o.deployment());
        let of_group = |group: &str| -> Vec<Key> {
            let in_group = deployments.clone().filter(|d| d.spec.deployment_group_ref.name == group);
            in_group.map(|d| (Kind::Deployment, d.name().to_owned())).collect()
        };
        match key.0 {
            Kind::Deployment => {
                let Some(object) = self.cache.get(Kind::Deployment, &key.1).and_then(|o| o.deployment())
                else {
                    return self.groups().into_iter().chain(self.jobs()).collect();
                };
                let group = &object.spec.deployment_group_ref.name;
                let mut keys = of_group(group);
                keys.push((Kind::Group, group.clone()));
                keys
            }
            Kind::Group => {
                // The other groups may share a Service with it.
                let mut keys = of_group(&key.1);
                keys.extend(self.groups());
                keys.extend((!keys.contains(key)).then(|| key.clone()));
                keys
            }
            Kind::Job => {
                let keys = deployments.map(|d| (Kind::Deployment, d.name().to_owned()));
                keys.chain([key.clone()]).collect()
            }
            // One that has ended may still have to tell a host to end.
            Kind::Instance => {
                let is_held = |d: &&Arc<Deployment>| d.metadata.finalizers.iter().flatten().next().is_some();
                let open = deployments.clone().filter(|d| !d.phase().has_ended() || is_held(d));
                open.map(|d| (Kind::Deployment, d.name().to_owned())).chain(self.groups()).collect()
            }
            // Of a pod only what holds it back is looked at.
            Kind::Pod
                if self
                    .cache
                    .get(key.0, &key.1)
                    .and_then(|o| o.pod())
                    .is_some_and(|p| p.problem.is_none()) =>
            {
                vec![]
            }
            _ => {
                let open = deployments.clone().filter(|d| !d.phase().has_ended());
                let mut keys: Vec<Key> = open.map(|d| (Kind::Deployment, d.name().to_owned())).collect();
                keys.extend(self.groups());
                keys
            }
        }
    }

    fn groups(&self) -> Vec<Key> {
        self.cache.all(Kind::Group).map(|o| o.key()).collect()
    }

    fn jobs(&self) -> Vec<Key> {
        self.cache.all(Kind::Job).map(|o| o.key()).collect()
    }

    /// A held Job whose Deployment is gone for certain: nobody else would let go of it.
    fn orphan(&self, store: &Store, name: &str) -> Option<Effect> {
        let job = self.cache.get(Kind::Job, name)?.job().filter(|j| j.is_held)?;
        let is_of =
            |o: &super::objects::Object| o.deployment().is_some_and(|d| d.uid() == job.deployment_uid);
        let is_gone = !self.cache.all(Kind::Deployment).any(is_of) && !store.all(Kind::Deployment).any(is_of);
        is_gone.then(|| Effect::Deployment(Act::EndJob { name: name.into(), delete: true }))
    }

    /// Looks at a key and decides. The plan, if it wants anything, is then on its way.
    pub fn look(&mut self, key: &Key, store: &Store, minds: Minds, not_before: Timestamp) {
        self.queue.remove(key);
        self.timers.remove(key);
        let Some(version) = self.cache.objects.get(key).map(|s| s.version) else { return };
        let Some(work) = self.decide(key, version, store, minds, not_before) else {
            self.behind.insert(key.clone());
            return;
        };
        if work.record.is_none() && work.effects.is_empty() {
            if let Some(wake) = work.wake {
                self.timers.insert(key.clone(), wake);
            }
            return;
        }
        self.work.insert(key.clone(), work);
    }

    fn decide(
        &self,
        key: &Key,
        version: u64,
        store: &Store,
        minds: Minds,
        not_before: Timestamp,
    ) -> Option<Work> {
        if key.0 == Kind::Job {
            let effects = self.orphan(store, &key.1).into_iter().collect();
            let (decided, notes) = (store.now, vec![]);
            return Some(Work {
                version,
                record: None,
                is_recorded: false,
                notes,
                effects,
                wake: None,
                decided,
                not_before,
            });
        }
        let (record, notes, effects, wake): (_, _, VecDeque<_>, _) = if key.0 == Kind::Deployment {
            let facts = observe::deployment(&self.cache, &self.memory, store, &key.1)?;
            let plan = (minds.deployment)(&facts, store.now);
            let effects = plan.acts.into_iter().map(Effect::Deployment).collect();
            (plan.record.map(Record::Deployment), plan.notes, effects, plan.wake)
        } else {
            let facts = observe::group(&self.cache, &self.memory, store, &key.1)?;
            let plan = (minds.group)(&facts, store.now);
            let effects = plan.acts.into_iter().map(Effect::Group).collect();
            (plan.record.map(Record::Group), plan.notes, effects, plan.wake)
        };
        let decided = store.now;
        Some(Work { version, record, is_recorded: false, notes, effects, wake, decided, not_before })
    }

    /// When it next has something to do by itself.
    pub fn due(&self) -> Option<Timestamp> {
        if !self.is_alive {
            return None;
        }
        let idle = self.queue.iter().filter(|(k, _)| !self.work.contains_key(*k)).map(|(_, t)| *t);
        let work = self.work.values().map(|w| w.not_before);
        idle.chain(work).chain(self.timers.values().copied()).chain(self.cache.due()).min()
    }
}
