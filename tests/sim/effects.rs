//! The second half of a believer's line: record by compare-and-set, then the acts one by one, each a sub-step of its own.

use std::sync::Arc;

use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use sluice::api::{Deployment, ROLLBACK_OF_ANNOTATION, TRAFFIC_FINALIZER};
use sluice::engine::Act;
use sluice::engine::facts::{CallFact, CreationRefused};
use sluice::engine::group::GroupAct;
use sluice::engine::plan::{ACT_EXPIRY, Change, NewDeployment, StartJob};

use super::believer::{Effect, Record, Work};
use super::objects::{Job, Key, Kind, Object};
use super::store::{Actor, Refusal};
use super::world::World;

impl World {
    /// One sub-step of the work on `key`: the record, or the next act.
    pub fn work(&mut self, index: usize, key: &Key) {
        let Some(mut work) = self.believers[index].work.remove(key) else { return };
        let by = Actor::Controller(index, key.clone());
        if let Some(record) = work.record.take() {
            let written = match &record {
                Record::Deployment(s) => self.store.write_status(&by, key, work.version, s),
                Record::Group(s) => self.store.write_group(&by, key, work.version, s),
            };
            let Ok(version) = written else { return self.again(index, key) };
            self.believers[index].memory.wrote(key.clone(), version);
            if key.0 == Kind::Deployment {
                self.believers[index].memory.written.insert(key.1.clone(), self.store.now);
            }
            (work.version, work.is_recorded) = (version, true);
            for note in work.notes.drain(..) {
                self.log.note(&key.1, note);
            }
        } else if let Some(effect) = work.effects.pop_front() {
            if self.store.now.duration_since(work.decided) >= ACT_EXPIRY
                || !self.is_confirmed(key, &mut work, &effect)
            {
                return self.again(index, key);
            }
            match self.effect(index, key, &by, work.version, effect) {
                Ok(version) => work.version = version.unwrap_or(work.version),
                Err(_) => return self.again(index, key),
            }
        }
        if work.effects.is_empty() {
            // What no record stands behind is told once it is done.
            for note in work.notes.drain(..) {
                self.log.note(&key.1, note);
            }
            if let Some(wake) = work.wake {
                self.believers[index].timers.insert(key.clone(), wake);
            }
            return;
        }
        work.not_before = self.next_step_at();
        self.believers[index].work.insert(key.clone(), work);
    }

    /// A creation that no record of this very plan stands behind is preceded by a look at the server itself: is its
    /// object still at the version that was decided on?
    fn is_confirmed(&self, key: &Key, work: &mut Work, effect: &Effect) -> bool {
        let assigns =
            matches!(effect, Effect::Deployment(Act::Assign(a)) if matches!(a.change, Change::Put(..)));
        let creates = assigns
            || matches!(
                effect,
                Effect::Deployment(Act::StartJob(_) | Act::CreateRollback(_) | Act::CreateTaskSet(_))
                    | Effect::Group(GroupAct::Create(_))
            );
        work.is_recorded || !creates || self.store.objects.get(key).is_some_and(|s| s.version == work.version)
    }

    /// The plan is thrown away and the key is looked at again a little later.
    fn again(&mut self, index: usize, key: &Key) {
        let at = self.store.now + SignedDuration::from_millis(200);
        self.believers[index].ask(key.clone(), at);
    }

    /// Has one effect. Answers the key's own new version, if it got one.
    fn effect(
        &mut self,
        index: usize,
        key: &Key,
        by: &Actor,
        version: u64,
        effect: Effect,
    ) -> Result<Option<u64>, Refusal> {
        match effect {
            Effect::Deployment(Act::Hold) => self.hold(index, key, by, version, true).map(Some),
            Effect::Deployment(Act::Release) => self.hold(index, key, by, version, false).map(Some),
            Effect::Deployment(Act::SetWeights(set)) | Effect::Group(GroupAct::Restore(set)) => {
                let written = self.store.set_weights(by, &set);
                if matches!(written, Err(Refusal::Unprocessable)) {
                    self.believers[index].memory.refused.insert(set.route.clone(), set.generation);
                }
                let written = written?;
                self.believers[index].memory.wrote((Kind::Route, set.route), written);
                Ok(None)
            }
            Effect::Deployment(Act::StartJob(start)) => self.start(index, key, by, start),
            Effect::Group(act @ (GroupAct::Hold | GroupAct::Release)) => {
                self.hold(index, key, by, version, act == GroupAct::Hold).map(Some)
            }
            Effect::Deployment(Act::EndJob { name, delete }) => {
                self.end_job(index, by, &name, delete);
                Ok(None)
            }
            Effect::Deployment(Act::CallHook(call)) => {
                let id = call.context.execution_id.clone();
                if !self.believers[index].memory.calls.contains_key(&id) && self.store.now < call.deadline {
                    self.log.line(self.store.now, "sluice", &format!("calls {} for {}", call.url, key.1));
                    self.believers[index].memory.calls.insert(id, CallFact::Calling);
                    self.serve_call(index, &call);
                }
                Ok(None)
            }
            Effect::Deployment(Act::CreateRollback(new)) => self.create(index, key, by, *new),
            Effect::Deployment(Act::Assign(assign)) => self.assign(index, by, &assign),
            Effect::Group(GroupAct::SetSlice(set)) => self.set_slice(index, by, &set),
            Effect::Deployment(act) => self.service_effect(index, by, act),
            Effect::Group(GroupAct::Create(new)) => self.create_desired(index, key, by, *new),
            Effect::Group(GroupAct::Prune { name, uid }) => {
                if self.store.deployment(&name).is_some_and(|d| d.uid() == uid) {
                    self.store.delete(by, &(Kind::Deployment, name));
                }
                Ok(None)
            }
            Effect::Group(act) => self.service_group_effect(index, key, by, act),
        }
    }

    fn hold(
        &mut self,
        index: usize,
        key: &Key,
        by: &Actor,
        version: u64,
        is_on: bool,
    ) -> Result<u64, Refusal> {
        let written = self.store.hold(by, key, version, is_on)?;
        self.believers[index].memory.wrote(key.clone(), written);
        Ok(written)
    }

    fn start(
        &mut self,
        index: usize,
        key: &Key,
        by: &Actor,
        start: StartJob,
    ) -> Result<Option<u64>, Refusal> {
        let uid = self.believers[index].cache.get(Kind::Deployment, &key.1).and_then(Object::deployment);
        let deployment_uid = uid.map(|d| d.uid().to_owned()).unwrap_or_default();
        let plan = start.template.get("plan").and_then(|p| p.as_str()).unwrap_or_default().to_owned();
        self.ledger.job_plans.insert(start.context.execution_id.clone(), plan);
        let job = Job {
            name: start.name.clone(),
            uid: String::new(),
            deployment_uid,
            event: start.context.event,
            execution_id: start.context.execution_id,
            is_held: true,
            is_going: false,
            end: None,
        };
        match self.store.create(by, Object::Job(Arc::new(job))) {
            Ok(written) => self.believers[index].memory.wrote((Kind::Job, start.name), written),
            Err(Refusal::AlreadyExists) => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(None)
    }

    fn end_job(&mut self, index: usize, by: &Actor, name: &str, delete: bool) {
        let key = (Kind::Job, name.to_owned());
        if delete {
            self.store.delete(by, &key);
        }
        let released = self.store.change(by, &key, |o| {
            if let Object::Job(job) = o {
                Arc::make_mut(job).is_held = false;
            }
        });
        if let Ok(written) = released {
            self.believers[index].memory.wrote(key, written);
        }
        self.store.collect();
    }

    /// Creates a desired revision's Deployment, unless that is refused or its name is taken: then the next look says so.
    fn create_desired(
        &mut self,
        index: usize,
        key: &Key,
        by: &Actor,
        new: NewDeployment,
    ) -> Result<Option<u64>, Refusal> {
        let group = self.believers[index].cache.get(key.0, &key.1).and_then(Object::group).cloned();
        let uid = group.and_then(|g| g.metadata.uid.clone()).unwrap_or_default();
        let is_own = |d: &Deployment| d.metadata.owner_references.iter().flatten().any(|o| o.uid == uid);
        let is_taken = self.store.deployment(&new.name).is_some_and(|d| !is_own(d));
        if !is_taken && self.creations_refused.is_none() {
            self.believers[index].memory.refused_creations.remove(&key.1);
            return self.create(index, key, by, new);
        }
        let words = self.creations_refused.clone().filter(|_| !is_taken);
        let refused = CreationRefused { deployment: new.name, time: self.store.now, words };
        self.believers[index].memory.refused_creations.insert(key.1.clone(), refused);
        self.believers[index].ask(key.clone(), self.store.now);
        Ok(None)
    }

    fn create(
        &mut self,
        index: usize,
        key: &Key,
        by: &Actor,
        new: NewDeployment,
    ) -> Result<Option<u64>, Refusal> {
        let mut deployment = Deployment::new(&new.name, new.spec);
        if let Some(of) = new.rollback_of {
            deployment.metadata.annotations = Some([(ROLLBACK_OF_ANNOTATION.to_owned(), of)].into());
        }
        let name = deployment.spec.deployment_group_ref.name.clone();
        let group = self.believers[index].cache.get(Kind::Group, &name).and_then(Object::group);
        if let Some(group) = group {
            // A desired revision's is controlled by its group, and holds up its deletion in the foreground.
            let controls = (key.0 == Kind::Group).then_some(true);
            deployment.metadata.owner_references = Some(vec![OwnerReference {
                api_version: "sluice.dev/v1alpha1".into(),
                kind: "DeploymentGroup".into(),
                name,
                uid: group.metadata.uid.clone().unwrap_or_default(),
                controller: controls,
                block_owner_deletion: controls,
            }]);
        }
        deployment.metadata.finalizers = new.is_held.then(|| vec![TRAFFIC_FINALIZER.into()]);
        match self.store.create(by, Object::Deployment(Arc::new(deployment))) {
            Ok(_) | Err(Refusal::AlreadyExists) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }
}
