//! All that a journal says: each group's newest Deployment, and what an entry changes. Pure.

use std::collections::BTreeMap;

use super::record::{Entry, Record};
use crate::api::Assignment;

/// Each group's newest Deployment, by the group's id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    records: BTreeMap<String, Record>,
}

impl Records {
    /// What an entry says is so from now on.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Form { .. } => {}
            Entry::Accepted { sequence, assignment } => {
                let group = assignment.deployment_group_id.clone();
                let earlier = self.records.remove(&group);
                self.records.insert(group, Record::accepted(sequence, *assignment, earlier));
            }
            Entry::Whole { record } => {
                self.records.insert(record.group().to_owned(), *record);
            }
            Entry::Forgotten { group } => {
                self.records.remove(&group);
            }
            Entry::Begun { group, event, time } => self.change(&group, |r| r.begin(event, time)),
            Entry::Started { group, process } => self.change(&group, |r| r.process = Some(process)),
            Entry::Ended { group, event, status, time, diagnostics } => {
                self.change(&group, |r| r.end_event(event, status, time, diagnostics));
            }
            Entry::Fetched { group, bundle } => self.change(&group, |r| r.bundle = bundle),
            Entry::Told { group, message } => self.change(&group, |r| r.tell(&message)),
            Entry::Placed { group, time } => self.change(&group, |r| r.place(time)),
            Entry::Finished { group, status, time } => self.change(&group, |r| r.finish(status, time)),
        }
    }

    fn change(&mut self, group: &str, change: impl FnOnce(&mut Record)) {
        if let Some(record) = self.records.get_mut(group) {
            change(record);
        }
    }

    /// A group's newest Deployment.
    pub fn get(&self, group: &str) -> Option<&Record> {
        self.records.get(group)
    }

    /// Every group's newest Deployment, in the order in which they came.
    pub fn in_order(&self) -> Vec<&Record> {
        let mut records: Vec<_> = self.records.values().collect();
        records.sort_by_key(|record| record.sequence);
        records
    }

    /// The entry by which a Deployment comes to the end of the queue; without its credentials.
    pub fn accepting(&self, assignment: &Assignment) -> Entry {
        let assignment = Box::new(Assignment { sealed_credentials: None, ..assignment.clone() });
        Entry::Accepted { sequence: self.next_sequence(), assignment }
    }

    /// The record of a Deployment that would be accepted now.
    pub fn record_of(&self, assignment: &Assignment) -> Record {
        let earlier = self.records.get(&assignment.deployment_group_id).cloned();
        Record::accepted(self.next_sequence(), assignment.clone(), earlier)
    }

    fn next_sequence(&self) -> u64 {
        self.records.values().map(|r| r.sequence).max().unwrap_or(0) + 1
    }
}
