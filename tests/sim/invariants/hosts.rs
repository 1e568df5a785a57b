//! Invariants on fleets of hosts: never below the minimum by our doing, nothing before its time, nothing behind the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sluice::api::deployment_snapshot::ResolvedServer;
use sluice::api::{Assignment, AssignmentStatus, Deployment, EventName, EventStatus, HostEvent, Instance};

use super::super::objects::{Kind, Object};
use super::super::store::{Actor, Commit, Store};
use super::{Breach, Holds, Ledger};

/// What happened to hosts so far.
#[derive(Default)]
pub struct Hosts {
    /// Whether each host was healthy and heard of, by group, from when on.
    fine: BTreeMap<(String, String), Vec<(Timestamp, bool)>>,
    /// Whether each host had traffic, from when on.
    ready: BTreeMap<String, Vec<(Timestamp, bool)>>,
    /// Which Deployments, by their uids, each host's agent has been told to stop.
    told_to_stop: BTreeSet<(String, String)>,
}

impl Hosts {
    /// An agent sees its Instance.
    pub fn note_look(&mut self, host: &str, seen: &Instance) {
        let stopped = seen.spec.assignments.iter().filter(|assignment| assignment.stop);
        self.told_to_stop.extend(stopped.map(|a| (host.to_owned(), a.deployment_uid.clone())));
    }

    /// An agent that has seen the stop of a Deployment begins no event of it, whatever else it sees, loses or finds on its disk.
    pub fn the_stopped_agent_begins_nothing(&self, host: &str, uid: &str, event: EventName) -> Holds {
        if self.told_to_stop.contains(&(host.to_owned(), uid.to_owned())) {
            return Err(Breach::new("the_stopped_agent_begins_nothing", format!("{host}: {event} of {uid}")));
        }
        Ok(())
    }

    /// Takes a commit down.
    pub fn take_down(&mut self, commit: &Commit, store: &Store) {
        match commit.key.0 {
            Kind::Instance => {
                let after = commit.after.as_ref().and_then(Object::instance);
                let before = commit.before.as_ref().and_then(Object::instance);
                for group in after.iter().chain(&before).flat_map(|i| groups(i)) {
                    let is_fine = after.is_some_and(|i| is_fine(i, &group));
                    let known = self.fine.entry((commit.key.1.clone(), group)).or_default();
                    if known.last().is_none_or(|(_, was)| *was != is_fine) {
                        known.push((commit.at, is_fine));
                    }
                }
            }
            Kind::HostSlice => {
                let slices = store.all(Kind::HostSlice).filter_map(Object::host_slice);
                let all: BTreeMap<&str, bool> =
                    slices.flat_map(|s| &s.endpoints).map(|e| (e.host.as_str(), e.is_ready)).collect();
                let known: Vec<String> = self.ready.keys().cloned().collect();
                for host in known.iter().map(String::as_str).chain(all.keys().copied()) {
                    let is_ready = all.get(host).copied().unwrap_or(false);
                    let seen = self.ready.entry(host.into()).or_default();
                    if seen.last().is_none_or(|(_, was)| *was != is_ready) {
                        seen.push((commit.at, is_ready));
                    }
                }
            }
            _ => {}
        }
    }

    /// True if the host was fine at some moment since.
    fn was_fine(&self, host: &str, group: &str, since: Timestamp) -> bool {
        within(self.fine.get(&(host.to_owned(), group.to_owned())), since).contains(&true)
    }

    /// True if the host was fine all the time since.
    fn is_fine(&self, host: &str, group: &str, since: Timestamp) -> bool {
        let all = within(self.fine.get(&(host.to_owned(), group.to_owned())), since);
        !all.is_empty() && all.iter().all(|f| *f)
    }

    /// True if the host had traffic, or none, at some moment since: with two believers each sees the other's doing late.
    fn was(&self, host: &str, is_ready: bool, since: Timestamp) -> bool {
        within(self.ready.get(host), since).contains(&is_ready)
    }

    /// Since when the host has had traffic, or none.
    fn since(&self, host: &str, is_ready: bool) -> Option<Timestamp> {
        match self.ready.get(host).and_then(|all| all.last()) {
            Some((at, is)) => (*is == is_ready).then_some(*at),
            None => (!is_ready).then_some(Timestamp::UNIX_EPOCH),
        }
    }
}

fn within(all: Option<&Vec<(Timestamp, bool)>>, since: Timestamp) -> Vec<bool> {
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let before = all.iter().rev().find(|(at, _)| *at <= since).map(|(_, f)| *f);
    before.into_iter().chain(all.iter().filter(|(at, _)| *at > since).map(|(_, f)| *f)).collect()
}

fn groups(instance: &Instance) -> Vec<String> {
    let status = instance.status.clone().unwrap_or_default();
    let had = status.installed.into_iter().map(|i| i.deployment_group);
    had.chain(status.assignments.into_iter().map(|a| a.deployment_group)).collect()
}

/// True if the host is heard of, and the last deployment to it succeeded.
fn is_fine(instance: &Instance, group: &str) -> bool {
    let status = instance.status.clone().unwrap_or_default();
    let is_heard = status.conditions.iter().any(|c| c.type_ == "Ready" && c.status == "True");
    let Some(had) = status.installed(group) else { return false };
    let is_good = status.assignment(group).is_none_or(|said| {
        said.status == EventStatus::Succeeded
            || said.deployment_uid == had.deployment_uid
            || said.events.iter().all(|event| event.status == EventStatus::Skipped)
                && said.status == EventStatus::Skipped
    });
    is_heard && is_good
}

fn server(deployment: &Deployment) -> Option<&ResolvedServer> {
    deployment.status.as_ref()?.resolved.as_ref()?.server.as_deref()
}

fn letters(deployment: &Deployment) -> &[u8] {
    deployment.status.as_ref().map(|s| s.targets.as_bytes()).unwrap_or_default()
}

/// Checks one commit.
pub fn check(ledger: &Ledger, commit: &Commit, store: &Store) -> Holds {
    match (&commit.before, &commit.after) {
        (before, Some(Object::Deployment(after))) if server(after).is_some() => {
            let before = before.as_ref().and_then(Object::deployment);
            letters_go_forward(before, after)?;
            every_letter_is_closed(after)?;
            the_closing_begin_nothing(before, after)?;
            never_too_many_at_once(after)?;
            never_below_the_minimum(ledger, commit, before, after)?;
            zones_follow_each_other(after)?;
            a_rollback_goes_to_touched_hosts(ledger, after)
        }
        (before, Some(Object::Instance(after))) => {
            let before = before.as_ref().and_then(Object::instance);
            match &commit.by {
                Actor::Controller(..) => written(ledger, commit, before, after, store),
                Actor::Agent(_) => reported(commit, before, after, store),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// P to I or K, I to S, F or K, and nothing else.
fn letters_go_forward(before: Option<&Arc<Deployment>>, after: &Deployment) -> Holds {
    let had = before.map(|d| letters(d)).unwrap_or_default();
    let goes = |(was, is): (&u8, &u8)| {
        was == is || matches!((was, is), (b'P', b'I' | b'K') | (b'I', b'S' | b'F' | b'K'))
    };
    let is_same = had.is_empty() || had.len() == letters(after).len();
    if is_same && had.iter().zip(letters(after)).all(goes) {
        return Ok(());
    }
    let (had, has) = (String::from_utf8_lossy(had), String::from_utf8_lossy(letters(after)));
    Err(Breach::new("letters_go_forward", format!("{}: {had} to {has}", after.name())))
}

/// What has ended has no target that is pending or worked on.
fn every_letter_is_closed(after: &Deployment) -> Holds {
    if after.phase().has_ended() && letters(after).iter().any(|l| matches!(l, b'P' | b'I')) {
        return Err(Breach::new("every_letter_is_closed", after.name()));
    }
    Ok(())
}

/// No more hosts are worked on at once than a healthy fleet could spare, whatever befalls it.
fn never_too_many_at_once(after: &Deployment) -> Holds {
    let Some(server) = server(after) else { return Ok(()) };
    let total = i32::try_from(server.targets.len()).unwrap();
    let begun = i32::try_from(letters(after).iter().filter(|l| **l == b'I').count()).unwrap();
    if begun <= (total - server.minimum_healthy).max(1) {
        return Ok(());
    }
    Err(Breach::new("never_too_many_at_once", format!("{}: {begun} of {total}", after.name())))
}

/// When a healthy host begins, as many as are to stay healthy are healthy and not worked on.
fn never_below_the_minimum(
    ledger: &Ledger,
    commit: &Commit,
    before: Option<&Arc<Deployment>>,
    after: &Deployment,
) -> Holds {
    let Some(server) = server(after) else { return Ok(()) };
    let (had, has) = (before.map(|d| letters(d)).unwrap_or_default(), letters(after));
    let group = &after.spec.deployment_group_ref.name;
    let since = commit.at - ledger.staleness;
    let begins = |i: usize| has[i] == b'I' && had.get(i) != Some(&b'I');
    let is_missed = |i: usize| begins(i) && ledger.hosts.is_fine(&server.targets[i], group, since);
    let serves = |i: usize| has[i] != b'I' && ledger.hosts.was_fine(&server.targets[i], group, since);
    let short = |range: std::ops::Range<usize>, floor: i32| {
        let left = range.clone().filter(|i| serves(*i)).count();
        range.clone().any(is_missed) && i32::try_from(left).unwrap() < floor
    };
    let mut from = 0;
    let mut parts = vec![(0..has.len(), server.minimum_healthy)];
    for zone in &server.zones {
        let to = from + usize::try_from(zone.targets).unwrap();
        parts.push((from..to, zone.minimum_healthy));
        from = to;
    }
    // A rollback spares those that serve, as long as it can go on without them.
    if has.iter().filter(|l| **l == b'I').count() > 1 {
        parts.push((0..has.len(), server.spared_healthy));
    }
    match parts.into_iter().find(|(range, floor)| short(range.clone(), *floor)) {
        Some((_, floor)) => {
            let what =
                format!("{}: {} leaves fewer than {floor}", after.name(), String::from_utf8_lossy(has));
            Err(Breach::new("never_below_the_minimum", what))
        }
        None => Ok(()),
    }
}

/// A zone begins when the one before it has ended.
fn zones_follow_each_other(after: &Deployment) -> Holds {
    let Some(server) = server(after) else { return Ok(()) };
    let mut from = 0;
    let mut is_open = false;
    for zone in &server.zones {
        let to = from + usize::try_from(zone.targets).unwrap();
        let part = &letters(after)[from..to];
        if is_open && part.iter().any(|l| matches!(l, b'I' | b'S' | b'F')) {
            return Err(Breach::new("zones_follow_each_other", format!("{} in {}", after.name(), zone.name)));
        }
        is_open |= part.iter().any(|l| matches!(l, b'P' | b'I'));
        from = to;
    }
    Ok(())
}

/// Once the end is decided on record, nobody begins.
fn the_closing_begin_nothing(before: Option<&Arc<Deployment>>, after: &Deployment) -> Holds {
    let is_closing = |d: &Deployment| d.status.as_ref().is_some_and(|s| s.error_information.is_some());
    let Some(before) = before.filter(|d| is_closing(d)) else { return Ok(()) };
    let begins = letters(before).iter().zip(letters(after)).any(|(was, is)| *was == b'P' && *is == b'I');
    if begins { Err(Breach::new("the_closing_begin_nothing", after.name())) } else { Ok(()) }
}

/// A rollback goes to hosts that the failed one touched, and to no other.
fn a_rollback_goes_to_touched_hosts(ledger: &Ledger, after: &Deployment) -> Holds {
    let (Some(status), Some(own)) = (&after.status, server(after)) else { return Ok(()) };
    let failed = status.rollback_info.as_ref().and_then(|i| i.rollback_triggering_deployment.as_ref());
    let Some(failed) = failed.and_then(|name| ledger.deployments.get(name)) else { return Ok(()) };
    let Some(theirs) = server(failed) else { return Ok(()) };
    let touched = theirs.targets.iter().zip(letters(failed)).filter(|(_, l)| matches!(l, b'S' | b'F' | b'I'));
    let touched: Vec<&String> = touched.map(|(name, _)| name).collect();
    match own.targets.iter().find(|name| !touched.contains(name)) {
        Some(name) => {
            Err(Breach::new("a_rollback_goes_to_touched_hosts", format!("{}: {name}", after.name())))
        }
        None => Ok(()),
    }
}

/// The Deployment behind an assignment, on record now or last.
fn behind<'a>(ledger: &'a Ledger, assignment: &Assignment) -> Option<&'a Arc<Deployment>> {
    ledger.deployments.get(&assignment.deployment).filter(|d| d.uid() == assignment.deployment_uid)
}

/// What a controller writes into an Instance.
fn written(
    ledger: &Ledger,
    commit: &Commit,
    before: Option<&Arc<Instance>>,
    after: &Instance,
    store: &Store,
) -> Holds {
    let Some(before) = before else { return Ok(()) };
    only_assignments_are_written(before, after)?;
    for assignment in &after.spec.assignments {
        let had = before.spec.assignment(&assignment.deployment_group);
        if had == Some(assignment) {
            continue;
        }
        let had = had.filter(|h| h.deployment_uid == assignment.deployment_uid);
        let name = &commit.key.1;
        let work = |a: &Assignment| if a.stop { None } else { a.run_through };
        let goes_on = work(assignment).is_some() && work(assignment) != had.and_then(work);
        let deployment = behind(ledger, assignment);
        if goes_on {
            the_ended_starts_nothing(deployment, name)?;
            the_closing_sends_nobody_on(ledger, commit.at, &assignment.deployment, name)?;
        }
        no_assignment_without_its_letter(deployment, name, assignment, had.is_none() || goes_on)?;
        if goes_on {
            traffic_is_where_it_belongs(ledger, commit.at, name, assignment, store)?;
        }
    }
    Ok(())
}

/// Tags, address, zone, fleet and everything that the agent says are not a controller's.
fn only_assignments_are_written(before: &Instance, after: &Instance) -> Holds {
    let without = |i: &Instance| {
        let mut spec = i.spec.clone();
        spec.assignments.clear();
        (spec, i.status.clone())
    };
    if without(before) == without(after) && before.spec.assignments.len() <= after.spec.assignments.len() {
        return Ok(());
    }
    Err(Breach::new("only_assignments_are_written", after.metadata.name.clone().unwrap_or_default()))
}

/// A host is given work only while its letter on record says that it is worked on.
fn no_assignment_without_its_letter(
    deployment: Option<&Arc<Deployment>>,
    host: &str,
    assignment: &Assignment,
    is_work: bool,
) -> Holds {
    let letter = deployment.and_then(|d| {
        let place = server(d)?.targets.iter().position(|t| t == host)?;
        letters(d).get(place).copied()
    });
    let fits = match letter {
        Some(b'I') => true,
        Some(b'F') => !is_work,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let what = format!("{host} by {}: {:?}", assignment.deployment, letter.map(char::from));
    Err(Breach::new("no_assignment_without_its_letter", what))
}

/// A deployment that has ended gives nobody anything to do.
fn the_ended_starts_nothing(deployment: Option<&Arc<Deployment>>, host: &str) -> Holds {
    match deployment.filter(|d| d.phase().has_ended()) {
        Some(d) => Err(Breach::new("the_ended_starts_nothing", format!("{} on {host}", d.name()))),
        None => Ok(()),
    }
}

/// Once the end is decided on record, as after a stop, no host is sent on, but by a hand that is late.
fn the_closing_sends_nobody_on(ledger: &Ledger, at: Timestamp, name: &str, host: &str) -> Holds {
    let records = ledger.records.get(name).map(Vec::as_slice).unwrap_or_default();
    let is_closing = |d: &Deployment| d.status.as_ref().is_some_and(|s| s.error_information.is_some());
    let decided = records.iter().find(|(_, d)| is_closing(d)).map(|(at, _)| *at);
    match decided.filter(|decided| at >= *decided + ledger.staleness) {
        Some(_) => Err(Breach::new("the_closing_sends_nobody_on", format!("{name} on {host}"))),
        None => Ok(()),
    }
}

/// The agent goes on behind BlockTraffic when the host has been out for its drain, behind AllowTraffic when it is in.
fn traffic_is_where_it_belongs(
    ledger: &Ledger,
    at: Timestamp,
    host: &str,
    assignment: &Assignment,
    store: &Store,
) -> Holds {
    let place = |event: EventName| assignment.course.iter().position(|e| *e == event);
    let (Some(block), Some(allow)) = (place(EventName::BlockTraffic), place(EventName::AllowTraffic)) else {
        return Ok(());
    };
    let through = assignment.run_through.and_then(place).unwrap_or(0);
    let has_group = store.get(Kind::Group, &assignment.deployment_group).is_some();
    let deployment = behind(ledger, assignment).and_then(|d| server(d));
    let drain = deployment.and_then(|s| s.load_balancer.as_ref()).map(|b| b.drain.length());
    let noted =
        assignment.traffic_events.iter().find(|e| e.name == EventName::BlockTraffic).map(|e| e.status);
    let is_stale = ledger.staleness > SignedDuration::from_secs(1);
    let broken = |what: &str| {
        let what = format!("{host} by {}: {what}", assignment.deployment);
        Err(Breach::new("traffic_is_where_it_belongs", what))
    };
    if through > allow {
        let since = ledger.hosts.since(host, true);
        let is_in = since.is_some_and(|since| at >= since + SignedDuration::from_secs(3))
            || (is_stale && ledger.hosts.was(host, true, at - ledger.staleness));
        return if is_in || !has_group {
            Ok(())
        } else {
            broken("goes on behind AllowTraffic and is not in")
        };
    }
    if through > block {
        let needed = if noted == Some(EventStatus::Skipped) {
            SignedDuration::ZERO
        } else {
            drain.unwrap_or_default().max(SignedDuration::from_secs(5))
        };
        let since = ledger.hosts.since(host, false);
        let is_late = is_stale
            && (noted == Some(EventStatus::Skipped) || ledger.hosts.was(host, false, at - ledger.staleness));
        let is_out = since.is_some_and(|since| since == Timestamp::UNIX_EPOCH || at >= since + needed);
        return if is_out || is_late || !has_group {
            Ok(())
        } else {
            broken("goes on and still has traffic")
        };
    }
    Ok(())
}

/// What an agent reports: an event begins when its predecessor has ended, and one at a time on a host.
fn reported(commit: &Commit, before: Option<&Arc<Instance>>, after: &Instance, store: &Store) -> Holds {
    let status = after.status.clone().unwrap_or_default();
    let running: Vec<_> = status.assignments.iter().flat_map(|a| &a.events).collect();
    if running.iter().filter(|e| e.status == EventStatus::InProgress).count() > 1 {
        return Err(Breach::new("one_deployment_at_a_time_on_a_host", commit.key.1.clone()));
    }
    for said in &status.assignments {
        let had = before.and_then(|b| b.status.as_ref()).and_then(|s| s.assignment(&said.deployment_group));
        if had == Some(said) {
            continue;
        }
        nothing_is_run_twice(&commit.key.1, had, said)?;
        let Some(assignment) = after.spec.assignment(&said.deployment_group) else { continue };
        an_event_starts_behind_its_predecessor(&commit.key.1, assignment, said, store)?;
    }
    Ok(())
}

/// Of what has ended on a host nothing begins again, nor is it forgotten, whatever befalls the host.
fn nothing_is_run_twice(host: &str, had: Option<&AssignmentStatus>, said: &AssignmentStatus) -> Holds {
    let had = had.filter(|had| had.deployment_uid == said.deployment_uid);
    let has_ended = |e: &&HostEvent| !matches!(e.status, EventStatus::Pending | EventStatus::InProgress);
    let ended = had.into_iter().flat_map(|had| had.events.iter().filter(has_ended));
    let is_lost = |e: &&HostEvent| said.events.iter().all(|now| (now.name, now.status) != (e.name, e.status));
    ended.into_iter().find(is_lost).map_or(Ok(()), |event| {
        Err(Breach::new("nothing_is_run_twice", format!("{host}: {} of {}", event.name, said.deployment)))
    })
}

fn an_event_starts_behind_its_predecessor(
    host: &str,
    assignment: &Assignment,
    said: &AssignmentStatus,
    _: &Store,
) -> Holds {
    if said.deployment_uid != assignment.deployment_uid {
        return Ok(());
    }
    let has_ended = |name: &EventName| {
        let own = said.events.iter().chain(&assignment.traffic_events).find(|e| e.name == *name);
        own.is_some_and(|e| !matches!(e.status, EventStatus::Pending | EventStatus::InProgress))
    };
    let has_begun = |e: &&HostEvent| !matches!(e.status, EventStatus::Pending | EventStatus::Skipped);
    for event in said.events.iter().filter(has_begun) {
        let before = assignment.course.iter().take_while(|e| **e != event.name);
        if let Some(open) = before.into_iter().find(|e| !has_ended(e)) {
            let what = format!("{host}: {} before {open} had ended", event.name);
            return Err(Breach::new("an_event_starts_behind_its_predecessor", what));
        }
    }
    Ok(())
}

/// At rest no host has anything to do for a deployment that has ended.
pub fn no_host_is_left_working(store: &Store) -> Holds {
    for instance in store.all(Kind::Instance).filter_map(Object::instance) {
        for assignment in &instance.spec.assignments {
            let deployment = store.deployment(&assignment.deployment);
            let is_over = deployment.is_none_or(|d| d.phase().has_ended());
            let said = instance.status.as_ref().and_then(|s| s.assignment(&assignment.deployment_group));
            let said = said.filter(|s| s.deployment_uid == assignment.deployment_uid);
            let has_ended = said.is_some_and(|s| s.status != EventStatus::InProgress);
            if is_over && !assignment.stop && !has_ended {
                let name = instance.metadata.name.clone().unwrap_or_default();
                let what = format!("{name} by {}", assignment.deployment);
                return Err(Breach::new("no_host_is_left_working", what));
            }
        }
    }
    Ok(())
}
