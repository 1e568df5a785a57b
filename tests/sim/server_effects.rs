//! The effects of the Server platform, with the tests that the real drivers make.

use std::sync::Arc;

use sluice::engine::plan::{Assign, Change};
use sluice::engine::server::endpoints::SetSlice;
use sluice::engine::server::facts::SliceFact;

use super::objects::{Key, Kind, Object};
use super::store::{Actor, Refusal};
use super::world::World;

type Done = Result<Option<u64>, Refusal>;

impl World {
    /// The JSON Patch of an assignment: tests uid and resourceVersion.
    pub fn assign(&mut self, index: usize, by: &Actor, assign: &Assign) -> Done {
        let key = (Kind::Instance, assign.instance.clone());
        let Some(stored) = self.store.objects.get(&key) else { return Ok(None) };
        let uid = stored.object.instance().and_then(|i| i.metadata.uid.clone());
        if uid.as_ref() != Some(&assign.uid) || stored.version.to_string() != assign.version {
            return Err(Refusal::Unprocessable);
        }
        let written = self.store.change(by, &key, |o| {
            if let Object::Instance(instance) = o {
                let instance = Arc::make_mut(instance);
                let list = &mut instance.spec.assignments;
                match (&assign.change, assign.place) {
                    (Change::Put(new, _), Some(place)) => list[place] = (**new).clone(),
                    (Change::Put(new, _), None) => list.push((**new).clone()),
                    (Change::Go { run_through, noted, time, .. }, Some(place)) => {
                        let entry = &mut list[place];
                        (entry.run_through, entry.time) = (Some(*run_through), Some(*time));
                        entry.traffic_events.push(noted.clone());
                    }
                    (Change::Stop { time }, Some(place)) => {
                        (list[place].stop, list[place].time) = (true, Some(*time));
                    }
                    (Change::Remove, Some(place)) => drop(list.remove(place)),
                    _ => {}
                }
                instance.metadata.generation = instance.metadata.generation.map(|g| g + 1);
            }
        })?;
        self.believers[index].memory.wrote(key, written);
        Ok(None)
    }

    /// A slice is made, changed or deleted; the patch tests uid and resourceVersion.
    pub fn set_slice(&mut self, index: usize, by: &Actor, set: &SetSlice) -> Done {
        let key: Key = (Kind::HostSlice, set.name.clone());
        let slice = SliceFact {
            name: set.name.clone(),
            uid: String::new(),
            version: String::new(),
            group_uid: set.group_uid.clone(),
            service: set.service.clone(),
            is_v6: set.is_v6,
            ports: set.ports.clone(),
            endpoints: set.endpoints.clone(),
        };
        let Some(seen) = &set.seen else {
            let object = Object::HostSlice(Arc::new(slice));
            return match self.store.create(by, object) {
                Ok(written) => {
                    self.believers[index].memory.wrote(key, written);
                    Ok(None)
                }
                Err(Refusal::AlreadyExists) => Ok(None),
                Err(refusal) => Err(refusal),
            };
        };
        let Some(stored) = self.store.objects.get(&key) else { return Ok(None) };
        let uid = stored.object.host_slice().map(|s| s.uid.clone()).unwrap_or_default();
        if uid != seen.uid || stored.version.to_string() != seen.version {
            return Err(Refusal::Unprocessable);
        }
        if set.endpoints.is_empty() {
            self.store.delete(by, &key);
            return Ok(None);
        }
        let written = self.store.change(by, &key, |o| {
            if let Object::HostSlice(found) = o {
                *Arc::make_mut(found) = SliceFact { uid, ..slice };
            }
        })?;
        self.believers[index].memory.wrote(key, written);
        Ok(None)
    }
}
