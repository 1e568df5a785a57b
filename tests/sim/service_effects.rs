//! The effects of the Service platform, with the tests that the real drivers make.

use std::sync::Arc;

use sluice::api::{DEPLOYMENT_LABEL, GROUP_LABEL, TASK_SET_LABEL};
use sluice::engine::Act;
use sluice::engine::group::GroupAct;
use sluice::engine::group_service::Made;
use sluice::engine::group_target::NewTargetGroup;
use sluice::engine::plan::{CreateTaskSet, ScaleTaskSet};

use super::objects::{Key, Kind, Object, Service, TaskSet};
use super::setup::plan_of;
use super::store::{Actor, Refusal};
use super::world::World;

type Done = Result<Option<u64>, Refusal>;

impl World {
    /// Has one effect of a Deployment on a task set or a Service.
    pub fn service_effect(&mut self, index: usize, by: &Actor, act: Act) -> Done {
        match act {
            Act::CreateTaskSet(create) => self.create_task_set(index, by, *create),
            Act::ScaleTaskSet(scale) => self.scale(index, by, &scale),
            Act::PointService(point) => {
                let written = self.store.point(by, &point)?;
                self.believers[index].memory.wrote((Kind::Service, point.service), written);
                Ok(None)
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn scale(&mut self, index: usize, by: &Actor, scale: &ScaleTaskSet) -> Done {
        let written = self.store.scale(by, scale)?;
        self.believers[index].memory.wrote((Kind::TaskSet, scale.name.clone()), written);
        Ok(None)
    }

    fn create_task_set(&mut self, index: usize, by: &Actor, create: CreateTaskSet) -> Done {
        let uid = create.deployment_uid.clone();
        let is_ours = |t: &TaskSet| t.deployment_uid.as_deref() == Some(uid.as_str());
        let words = match self.store.task_set(&create.name) {
            Some(found) if is_ours(found) => return Ok(None),
            Some(_) => Some("it exists and is not this Deployment's; delete it".into()),
            None => self.task_sets_refused.clone(),
        };
        if let Some(words) = words {
            self.believers[index].memory.refused_task_sets.insert(uid, words);
            if let Actor::Controller(_, key) = by {
                self.believers[index].ask(key.clone(), self.store.now);
            }
            return Ok(None);
        }
        let labels = create.template.pointer("/metadata/labels").cloned().unwrap_or_default();
        let mut labels: super::objects::Labels = serde_json::from_value(labels).unwrap_or_default();
        labels.insert(TASK_SET_LABEL.into(), create.name.clone());
        labels.insert(GROUP_LABEL.into(), create.group.clone());
        labels.remove(DEPLOYMENT_LABEL);
        let task_set = TaskSet {
            name: create.name.clone(),
            group: Some(create.group),
            group_uid: Some(create.group_uid),
            deployment_uid: Some(create.deployment_uid),
            task_definition: Some(create.task_definition),
            container: Some(create.container),
            replicas: create.replicas,
            labels,
            plan: plan_of(&create.template),
            ..TaskSet::default()
        };
        let written = self.store.create(by, Object::TaskSet(Arc::new(task_set)))?;
        self.believers[index].memory.wrote((Kind::TaskSet, create.name), written);
        Ok(None)
    }

    /// Has one effect of a group on what it made.
    pub fn service_group_effect(&mut self, index: usize, key: &Key, by: &Actor, act: GroupAct) -> Done {
        match act {
            GroupAct::CreateTargetGroup(new) => self.create_target_group(index, by, new),
            GroupAct::Adopt(made, name, uid) => {
                let group = self.believers[index].cache.get(key.0, &key.1).and_then(Object::group);
                let group_uid = group.and_then(|g| g.metadata.uid.clone());
                self.label(index, by, (kind(made), name), &uid, group_uid)
            }
            GroupAct::ScaleTaskSet(scale) => self.scale(index, by, &scale),
            GroupAct::Orphan(made, name, uid) => self.label(index, by, (kind(made), name), &uid, None),
            GroupAct::Delete(made, name, uid) => {
                let key = (kind(made), name);
                if self.store.objects.get(&key).is_some_and(|s| uid_of(&s.object) == uid) {
                    self.store.delete(by, &key);
                }
                Ok(None)
            }
            other => unreachable!("{other:?}"),
        }
    }

    fn create_target_group(&mut self, index: usize, by: &Actor, new: NewTargetGroup) -> Done {
        let leads = |port: &i32| new.target_port.clone().unwrap_or_else(|| port.to_string());
        let target_ports = new.ports.iter().map(leads).collect();
        let service = Service {
            name: new.name.clone(),
            ports: new.ports,
            target_ports,
            selector: new.selector,
            group: Some(new.group),
            group_uid: Some(new.group_uid),
            ..Service::default()
        };
        match self.store.create(by, Object::Service(Arc::new(service))) {
            Ok(written) => self.believers[index].memory.wrote((Kind::Service, new.name), written),
            Err(Refusal::AlreadyExists) => {}
            Err(refusal) => return Err(refusal),
        }
        Ok(None)
    }

    /// The JSON Patch of the group's label: tests the uid.
    fn label(&mut self, index: usize, by: &Actor, key: Key, uid: &str, group: Option<String>) -> Done {
        let stored = self.store.objects.get(&key).ok_or(Refusal::NotFound)?;
        if uid_of(&stored.object) != uid {
            return Err(Refusal::Unprocessable);
        }
        let written = self.store.change(by, &key, |o| match o {
            Object::TaskSet(t) => Arc::make_mut(t).group_uid = group,
            Object::Service(s) => Arc::make_mut(s).group_uid = group,
            _ => {}
        })?;
        self.believers[index].memory.wrote(key, written);
        Ok(None)
    }
}

fn kind(made: Made) -> Kind {
    match made {
        Made::TaskSet => Kind::TaskSet,
        Made::TargetGroup => Kind::Service,
    }
}

fn uid_of(object: &Object) -> &str {
    match object {
        Object::TaskSet(t) => &t.uid,
        Object::Service(s) => &s.uid,
        _ => "",
    }
}
