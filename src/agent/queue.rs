//! What a host's agent takes of what its Instance assigns, and whose turn it is: one Deployment after the other. Pure.

use jiff::Timestamp;

use super::course::{self, Next, Orders};
use super::journal::{Entry, Lasting, Past, Record, Records};
use super::script::Code;
use crate::api::deployment_status::Diagnostics;
use crate::api::{Assignment, AssignmentStatus, EventStatus, HostEvent, Instance};

/// The next entry by which the journal takes what is new: a Deployment at the end of the queue, or a group that is this host's no longer and is
/// forgotten. Nothing once all is taken.
pub fn take(instance: &Instance, records: &Records, now: Timestamp) -> Option<(Entry, Lasting)> {
    let is_free = |assignment: &&Assignment| match records.get(&assignment.deployment_group_id) {
        Some(record) if record.assignment.deployment_uid == assignment.deployment_uid => false,
        Some(record) => record.end.is_some(),
        None => true,
    };
    // Two of one group that somebody wrote by hand would take each other's place for ever: the list's key is the group's name.
    let all = &instance.spec.assignments;
    let is_groups_first = |(at, assignment): &(usize, &Assignment)| {
        !all[..*at].iter().any(|earlier| earlier.deployment_group_id == assignment.deployment_group_id)
    };
    let firsts = all.iter().enumerate().filter(is_groups_first).map(|(_, assignment)| assignment);
    // Of those that come at once the one that was asked for first is first.
    let free = firsts.filter(is_free).min_by_key(|assignment| assignment.time);
    if let Some(assignment) = free {
        return Some(accepting(records, assignment, instance, now));
    }
    let is_over = |record: &&Record| {
        let leaves_nothing = record.installed.is_none() && record.standing.is_none();
        record.end.is_some() && leaves_nothing && assigned_now(instance, record).is_none()
    };
    let over = records.in_order().into_iter().find(is_over)?;
    Some((Entry::Forgotten { group: over.group().to_owned() }, Lasting::No))
}

/// The group for whose Deployment something is to be done now, and what the controller says of it.
pub fn due(instance: &Instance, records: &Records) -> Option<(String, Orders)> {
    let open = records.in_order().into_iter().filter(|record| record.end.is_none());
    open.enumerate().find_map(|(place, record)| {
        let orders = orders(assigned_now(instance, record));
        // Whoever waits for its turn runs nothing, but a stop need not wait.
        let is_its_turn = place == 0 || (orders.stop && record.events.is_empty());
        let is_due = is_its_turn && course::next(record, orders) != Next::Wait;
        is_due.then(|| (record.group().to_owned(), orders))
    })
}

/// Takes a Deployment. One that has begun here before is not begun again, whatever the API server says or was set back to: that stands in the
/// one entry by which it comes, or it does not come.
fn accepting(
    records: &Records,
    assignment: &Assignment,
    instance: &Instance,
    now: Timestamp,
) -> (Entry, Lasting) {
    let (group, uid) = (&assignment.deployment_group_id, &assignment.deployment_uid);
    tracing::info!(deployment = assignment.deployment, group = assignment.deployment_group, "assigned");
    let past =
        records.get(group).and_then(|r| r.past.iter().find(|past| past.deployment_uid == *uid).cloned());
    let said = instance.status.as_ref().and_then(|s| s.assignment(&assignment.deployment_group));
    let said = said.filter(|s| s.deployment_uid == *uid && !s.events.is_empty());
    let known = match (past, said) {
        (Some(past), _) => over(records.record_of(assignment), &past),
        (None, Some(said)) => adopted(records.record_of(assignment), said, now),
        (None, None) => return (records.accepting(assignment), Lasting::No),
    };
    (Entry::Whole { record: Box::new(known) }, Lasting::Yes)
}

/// A Deployment that was carried out here earlier.
fn over(record: Record, past: &Past) -> Record {
    let message = "this Deployment was carried out here before, and nothing is run twice".into();
    Record { end: Some(past.end), message, ..record }
}

/// What the Instance says now of a Deployment that is on record; nothing if it assigns another one, or none.
pub fn assigned_now<'a>(instance: &'a Instance, record: &Record) -> Option<&'a Assignment> {
    let is_same = |a: &&Assignment| {
        a.deployment_group_id == record.group() && a.deployment_uid == record.assignment.deployment_uid
    };
    instance.spec.assignments.iter().find(is_same)
}

/// Of a Deployment that is not assigned any more nothing starts.
fn orders(assignment: Option<&Assignment>) -> Orders {
    match assignment {
        Some(a) => Orders { run_through: a.run_through, stop: a.stop },
        None => Orders { run_through: None, stop: true },
    }
}

/// A Deployment that has begun here, as the API server knows, and of which the journal knows nothing: the disk was replaced, or the
/// root folder. What had ended has ended; nothing is run again and nothing goes on.
fn adopted(record: Record, said: &AssignmentStatus, now: Timestamp) -> Record {
    let mut events = said.events.clone();
    let ends = |status| !matches!(status, EventStatus::Pending | EventStatus::InProgress);
    if !ends(said.status) {
        let lost = |event: &mut HostEvent| {
            event.status = EventStatus::Failed;
            event.end_time = Some(now);
            event.diagnostics = Some(Diagnostics {
                error_code: Code::AgentRestarted.to_string(),
                message: format!(
                    "{} had begun on this host, and its agent's journal knows nothing of it: the root folder was lost or replaced",
                    event.name
                ),
                ..Diagnostics::default()
            });
        };
        let due = record
            .assignment
            .course
            .iter()
            .find(|name| name.is_agents() && !events.iter().any(|event| event.name == **name));
        if let Some(event) = events.iter_mut().find(|event| !ends(event.status)) {
            lost(event);
        } else if let Some(name) = due {
            let (start_time, end_time) = (Some(now), None);
            let mut event = HostEvent {
                name: *name,
                status: EventStatus::Failed,
                start_time,
                end_time,
                diagnostics: None,
            };
            lost(&mut event);
            events.push(event);
        }
    }
    let end = ends(said.status).then_some(said.status);
    Record { events, end, message: said.message.clone(), ..record }
}

#[cfg(test)]
mod tests {
    use EventStatus::{Failed, InProgress, Skipped, Succeeded};

    use super::*;
    use crate::agent::clock;
    use crate::agent::journal::Journal;
    use crate::api::EventName::{self, ApplicationStop, DownloadBundle, Install};

    fn said(status: EventStatus, events: &[(EventName, EventStatus)]) -> AssignmentStatus {
        let event = |(name, status): &(EventName, EventStatus)| HostEvent {
            name: *name,
            status: *status,
            start_time: None,
            end_time: None,
            diagnostics: None,
        };
        AssignmentStatus {
            deployment_group: "web".into(),
            deployment: "web-1".into(),
            deployment_uid: "u".into(),
            event: None,
            status,
            events: events.iter().map(event).collect(),
            bundle_digest: None,
            message: String::new(),
        }
    }

    fn accept(journal: &mut Journal, assignment: &Assignment, instance: &Instance) {
        let (entry, lasting) = accepting(journal.records(), assignment, instance, clock::now());
        journal.write(entry, lasting).unwrap();
    }

    fn assigned(uid: &str) -> Assignment {
        Assignment {
            deployment_group: "web".into(),
            deployment_group_id: "g".into(),
            deployment_uid: uid.into(),
            course: vec![ApplicationStop],
            ..Assignment::default()
        }
    }

    fn after(said: &AssignmentStatus) -> (Option<EventStatus>, Vec<(EventName, EventStatus)>) {
        let course = vec![ApplicationStop, DownloadBundle, Install];
        let record = Record::accepted(1, Assignment { course, ..Assignment::default() }, None);
        let record = adopted(record, said, clock::now());
        (record.end, record.events.iter().map(|event| (event.name, event.status)).collect())
    }

    #[test]
    fn a_deployment_that_the_journal_has_lost_is_not_run_again() {
        let ended = said(
            Succeeded,
            &[(ApplicationStop, Succeeded), (DownloadBundle, Succeeded), (Install, Succeeded)],
        );
        assert_eq!(after(&ended).0, Some(Succeeded));
        let running = said(InProgress, &[(ApplicationStop, Succeeded), (DownloadBundle, InProgress)]);
        assert_eq!(after(&running), (None, vec![(ApplicationStop, Succeeded), (DownloadBundle, Failed)]));
        let between = said(InProgress, &[(ApplicationStop, Succeeded)]);
        assert_eq!(after(&between), (None, vec![(ApplicationStop, Succeeded), (DownloadBundle, Failed)]));
        let skipped = said(Skipped, &[(ApplicationStop, Skipped)]);
        assert_eq!(after(&skipped).0, Some(Skipped));
    }

    #[test]
    fn a_deployment_that_was_here_before_is_not_begun_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal")).unwrap();
        let instance = Instance::new("web-1", crate::api::InstanceSpec::default());
        accept(&mut journal, &assigned("1"), &instance);
        journal.finish("g", Failed, clock::now()).unwrap();
        accept(&mut journal, &assigned("2"), &instance);
        journal.finish("g", Succeeded, clock::now()).unwrap();
        accept(&mut journal, &assigned("1"), &instance);
        let record = journal.record("g").unwrap();
        assert_eq!((record.assignment.deployment_uid.as_str(), record.end), ("1", Some(Failed)));
        accept(&mut journal, &assigned("3"), &instance);
        assert_eq!(journal.record("g").unwrap().end, None);
    }

    #[test]
    fn two_assignments_of_one_group_do_not_take_each_others_place_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal")).unwrap();
        let other = Assignment { deployment_group: "other".into(), ..assigned("2") };
        let spec = crate::api::InstanceSpec {
            assignments: vec![assigned("1"), other],
            ..crate::api::InstanceSpec::default()
        };
        let instance = Instance::new("web-1", spec);
        let mut taken = 0;
        while let Some((entry, lasting)) = take(&instance, journal.records(), clock::now()) {
            journal.write(entry, lasting).unwrap();
            // A record that has ended makes room at once.
            journal.finish("g", Succeeded, clock::now()).unwrap();
            taken += 1;
            assert!(taken < 5, "it spins");
        }
        assert_eq!((taken, journal.record("g").unwrap().assignment.deployment_uid.as_str()), (1, "1"));
    }

    #[test]
    fn a_kill_at_any_byte_of_what_is_written_begins_no_deployment_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let instance = Instance::new("web-1", crate::api::InstanceSpec::default());
        let mut journal = Journal::open(&path).unwrap();
        for uid in ["1", "2"] {
            accept(&mut journal, &assigned(uid), &instance);
            journal.finish("g", Failed, clock::now()).unwrap();
        }
        let before = std::fs::read(&path).unwrap().len();
        accept(&mut journal, &assigned("1"), &instance);
        let all = std::fs::read(&path).unwrap();
        for cut in before..=all.len() {
            std::fs::write(&path, &all[..cut]).unwrap();
            let journal = Journal::open(&path).unwrap();
            let record = journal.record("g").unwrap();
            assert_eq!(
                record.end,
                Some(Failed),
                "{} is open, cut at {cut}",
                record.assignment.deployment_uid
            );
        }
    }

    #[test]
    fn what_is_not_assigned_any_more_is_stopped() {
        assert_eq!(orders(None), Orders { run_through: None, stop: true });
    }
}
