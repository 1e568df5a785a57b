//! The rest of the cluster, each late by its own delays: the controllers of ReplicaSets and of EndpointSlices, and the kubelet.
//!
//! How a pod fares stands in its template's annotation `plan`: `starts`, `pull` (its image cannot be pulled), `crash`,
//! `slow` (ready after two minutes) or `quota` (the API server refuses the pods).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::actors::Happening;
use super::objects::{Kind, Labels, Object, Pod, Slice, TaskSet};
use super::store::{Actor, Commit, Store};
use super::world::World;

/// How many nodes there are.
const NODES: usize = 2;

/// True if `selector` selects `labels`; an empty one selects nobody.
pub fn selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(k, v)| labels.get(k) == Some(v))
}

impl World {
    /// What the cluster does about a commit.
    pub fn cluster_reacts(&mut self, commit: &Commit) {
        match (&commit.before, &commit.after) {
            (before, Some(Object::TaskSet(after))) => {
                let had = before.as_ref().and_then(Object::task_set);
                if had.is_none_or(|b| b.generation != after.generation || b.plan != after.plan) {
                    self.plan_look(Happening::ReplicasLook(after.name.clone()));
                }
            }
            (Some(Object::TaskSet(gone)), None) => {
                let pods = self.pods_of(&gone.name);
                pods.iter().for_each(|p| self.store.delete(&Actor::Garbage, &(Kind::Pod, p.clone())));
            }
            (before, after) if commit.key.0 == Kind::Pod => {
                let pod = after.as_ref().or(before.as_ref()).and_then(Object::pod).cloned();
                let Some(pod) = pod else { return };
                self.plan_look(Happening::ReplicasLook(pod.owner.clone()));
                self.endpoints_of(&pod.labels);
                if before.is_none() {
                    self.start_pod(&pod);
                }
            }
            (before, Some(Object::Service(after))) if after.ready.is_none() => {
                let had = before.as_ref().and_then(Object::service);
                if had.is_none_or(|b| b.selector != after.selector) {
                    let at = self.after(self.pace.endpoints);
                    self.plan(at, Happening::EndpointsLook(after.name.clone()));
                }
            }
            (Some(Object::Service(gone)), None) => {
                self.store.delete(&Actor::Cluster, &(Kind::Slice, gone.name.clone()));
            }
            _ => {}
        }
    }

    fn plan_look(&mut self, look: Happening) {
        let at = self.after(self.pace.replicas);
        self.plan(at, look);
    }

    fn endpoints_of(&mut self, labels: &Labels) {
        let services = self.store.all(Kind::Service).filter_map(Object::service);
        let concerned: Vec<String> = services
            .filter(|s| s.ready.is_none() && selects(&s.selector, labels))
            .map(|s| s.name.clone())
            .collect();
        for service in concerned {
            let at = self.after(self.pace.endpoints);
            self.plan(at, Happening::EndpointsLook(service));
        }
    }

    fn pods_of(&self, owner: &str) -> Vec<String> {
        let pods = self.store.all(Kind::Pod).filter_map(Object::pod);
        pods.filter(|p| p.owner == owner).map(|p| p.name.clone()).collect()
    }

    fn start_pod(&mut self, pod: &Pod) {
        let plan = self.store.task_set(&pod.owner).map(|t| t.plan.clone()).unwrap_or_default();
        let held = |problem: String| Happening::PodTurns(pod.name.clone(), false, Some(problem));
        let happening = match plan.as_str() {
            "pull" => held(format!("container web of pod {} cannot pull its image web:9", pod.name)),
            "crash" => held(format!("container web of pod {} ends again and again", pod.name)),
            _ => Happening::PodTurns(pod.name.clone(), true, None),
        };
        let pace = if plan == "slow" { (120_000, 120_000) } else { self.pace.kubelet };
        let at = self.after(pace);
        self.plan(at, happening);
    }

    /// The controller of ReplicaSets makes and deletes pods, and counts them.
    pub fn replicas_look(&mut self, name: &str) {
        let Some(found) = self.store.task_set(name).cloned() else { return };
        let pods = self.pods_of(name);
        let wanted = usize::try_from(found.replicas).unwrap_or(0);
        let is_refused = found.plan == "quota";
        for pod in pods.iter().rev().take(pods.len().saturating_sub(wanted)) {
            self.store.delete(&Actor::Cluster, &(Kind::Pod, pod.clone()));
        }
        for _ in pods.len()..if is_refused { pods.len() } else { wanted.max(pods.len()) } {
            self.pods_made += 1;
            let turn = self.pods_made % NODES;
            let pod = Pod {
                node: if self.lost_node == Some(turn) { (turn + 1) % NODES } else { turn },
                name: format!("{name}-p{}", self.pods_made),
                owner: name.into(),
                labels: found.labels.clone(),
                is_ready: false,
                problem: None,
            };
            let _ = self.store.create(&Actor::Cluster, Object::Pod(Arc::new(pod)));
        }
        self.count(&found, is_refused && wanted > 0);
    }

    fn count(&mut self, found: &TaskSet, is_refused: bool) {
        let pods = self.store.all(Kind::Pod).filter_map(Object::pod).filter(|p| p.owner == found.name);
        let size = |n: usize| i32::try_from(n).unwrap();
        let (total, ready) = (size(pods.clone().count()), size(pods.filter(|p| p.is_ready).count()));
        let words = "exceeded quota: pods, used 10, limited 10";
        let _ = self.store.change(&Actor::Cluster, &(Kind::TaskSet, found.name.clone()), |o| {
            if let Object::TaskSet(t) = o {
                let t = Arc::make_mut(t);
                (t.total, t.ready, t.observed_generation) = (total, ready, found.generation);
                t.failure = is_refused.then(|| words.into());
            }
        });
    }

    /// The pods of a node.
    pub fn pods_on(&self, node: usize) -> Vec<String> {
        let pods = self.store.all(Kind::Pod).filter_map(Object::pod);
        pods.filter(|p| p.node == node).map(|p| p.name.clone()).collect()
    }

    /// What ran on a node that is not heard of any more is deleted, so that it is made anew elsewhere.
    pub fn node_is_emptied(&mut self, node: usize) {
        for pod in self.pods_on(node) {
            self.store.delete(&Actor::Cluster, &(Kind::Pod, pod));
        }
    }

    /// The kubelet's word on a pod; of one on a lost node there is none but that it is not ready.
    pub fn pod_turns(&mut self, name: &str, is_ready: bool, problem: Option<String>) {
        let node = self.store.get(Kind::Pod, name).and_then(Object::pod).map(|p| p.node);
        if node.is_some() && node == self.lost_node && is_ready {
            return;
        }
        let _ = self.store.change(&Actor::Kubelet, &(Kind::Pod, name.into()), |o| {
            if let Object::Pod(p) = o {
                let p = Arc::make_mut(p);
                (p.is_ready, p.problem) = (is_ready, problem);
            }
        });
    }

    /// The controller of EndpointSlices writes down who is ready.
    pub fn endpoints_look(&mut self, service: &str) {
        let Some(found) = self.store.service(service).cloned() else { return };
        let pods = ready_behind(&self.store, &found.selector);
        let slice = Object::Slice(Arc::new(Slice { service: service.into(), pods: pods.clone() }));
        let key = (Kind::Slice, service.to_owned());
        if self.store.objects.contains_key(&key) {
            let _ = self.store.change(&Actor::Cluster, &key, |o| *o = slice);
        } else if !pods.is_empty() {
            let _ = self.store.create(&Actor::Cluster, slice);
        }
    }
}

/// The ready pods that a selector selects, each with its ReplicaSet.
pub fn ready_behind(store: &Store, selector: &Labels) -> BTreeMap<String, String> {
    let pods = store.all(Kind::Pod).filter_map(Object::pod);
    let ready = pods.filter(|p| p.is_ready && selects(selector, &p.labels));
    ready.map(|p| (p.name.clone(), p.owner.clone())).collect()
}
