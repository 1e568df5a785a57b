//! Whom the change of a host, of its heartbeat or of its endpoint concerns; and since when endpoints have stood as they do.
//!
//! Thousands of hosts change at once: only those are woken to whom the change says something.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use super::clock;
use super::context::Context;
use crate::api::DeploymentGroup;
use crate::cluster::expectations::ObjectKey;
use crate::engine::server::facts::{EndpointFact, Stand};
use crate::engine::server::host::{Entry, HostFact};
use crate::engine::server::instance::{Heartbeat, silence};
use crate::engine::server::progress::place;
use crate::platform::heartbeat::Lease;
use crate::platform::instance::Host;
use crate::traffic::endpoint_slices::HostSlice;

/// The kind under which looks at the hosts behind a Service are noted, by the Service's name.
pub const ENDPOINTS: &str = "HostEndpoints";

/// An Instance has changed.
pub fn changed(context: &Context, key: &ObjectKey, host: &Host, before: Option<&Host>, is_there: bool) {
    let (now, was) = (&*host.fact, before.map(|b| &*b.fact));
    let is_new = is_there && was.is_none_or(|w| w.assigned != now.assigned || w.uid != now.uid);
    if is_new {
        context.kinds.wake(key);
    }
    let had = |group: &str| was.and_then(|w| w.entry(group));
    for entry in now.entries.iter().filter(|e| had(&e.group) != Some(*e)) {
        entry_changed(context, &key.namespace, entry, had(&entry.group));
    }
    let is_listed = is_there && was.is_some();
    if !is_listed || was.is_some_and(|w| stands_otherwise(w, now)) {
        standing_changed(context, &key.namespace);
    }
}

/// True if a deployment may decide otherwise than before: that an agent went on to its next event is nothing to it.
fn says_something(entry: &Entry, before: Option<&Entry>) -> bool {
    let says = |e: Option<&Entry>| {
        let wanted = e.and_then(|e| e.wanted.clone());
        let answer = e.and_then(Entry::answer);
        let through = wanted.as_ref().and_then(|w| w.run_through);
        let has_passed = through.is_some_and(|event| answer.is_some_and(|said| said.has_passed(event)));
        (wanted, answer.map(|said| (said.status, said.bundle_digest.is_some())), has_passed)
    };
    says(Some(entry)) != says(before)
}

/// What one group has to do with a host has changed.
fn entry_changed(context: &Context, namespace: &str, entry: &Entry, before: Option<&Entry>) {
    if let Some(wanted) = entry.wanted.as_ref().filter(|_| says_something(entry, before)) {
        context.kinds.wake(&ObjectKey::new("Deployment", namespace, &wanted.deployment));
    }
    if place(Some(entry)) == place(before) {
        return;
    }
    let group = context.kinds.groups.get(namespace, &entry.group);
    let balancer =
        group.as_ref().and_then(|g| g.spec.server.as_deref()).and_then(|s| s.load_balancer.as_ref());
    if balancer.is_some() {
        context.kinds.wake(&ObjectKey::new("DeploymentGroup", namespace, &entry.group));
    }
}

/// True if groups may choose it otherwise, or count on it otherwise.
fn stands_otherwise(was: &HostFact, now: &HostFact) -> bool {
    let said = |h: &HostFact| (h.uid.clone(), h.is_going, h.reach, h.sealing_key.is_empty());
    said(was) != said(now)
        || was.tags != now.tags
        || (&was.fleet, &was.zone, &was.address) != (&now.fleet, &now.zone, &now.address)
}

/// Every Server group of the namespace, and what it runs, may see its hosts otherwise.
fn standing_changed(context: &Context, namespace: &str) {
    for group in context.kinds.groups.cache.filter(namespace, |g| g.spec.server.is_some()) {
        context.kinds.wake(&ObjectKey::of("DeploymentGroup", group.as_ref()));
        wake_active(context, namespace, &group);
    }
}

fn wake_active(context: &Context, namespace: &str, group: &DeploymentGroup) {
    let active = group.status.as_ref().and_then(|s| s.active_deployment.as_ref());
    if let Some(active) = active {
        context.kinds.wake(&ObjectKey::new("Deployment", namespace, &active.name));
    }
}

/// The hosts that had something to do for a group that is gone are looked at once more.
pub fn group_gone(context: &Context, key: &ObjectKey) {
    let hosts = context.kinds.instances.cache.filter(&key.namespace, |h| h.fact.entry(&key.name).is_some());
    hosts.iter().for_each(|h| context.kinds.wake(&ObjectKey::of("Instance", h.as_ref())));
}

/// A slice of hosts' endpoints has changed.
pub fn slice(context: &Context, key: &ObjectKey, slice: &HostSlice, _: Option<&HostSlice>, _: bool) {
    context.wake_lookers(&ObjectKey::new(ENDPOINTS, &key.namespace, slice.service()));
}

/// What a Lease said last, when that was seen, and how long it holds.
#[derive(Debug)]
struct Renewal {
    said: Box<str>,
    at: Timestamp,
    silence: SignedDuration,
}

/// When each host's Lease was seen renewed, by our clock. Lost in a crash: the API server's record of the last write stands
/// for it then.
#[derive(Debug, Default)]
pub struct Heartbeats {
    seen: Mutex<HashMap<ObjectKey, Renewal>>,
}

impl Heartbeats {
    /// What is known of the host of that key.
    pub fn of(&self, instance: &ObjectKey) -> Heartbeat {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let last = |r: &Renewal| Heartbeat::Last { at: r.at, silence: r.silence };
        seen.get(instance).map_or(Heartbeat::Never, last)
    }

    /// Notes what a Lease says; true if the host is to be looked at sooner than was thought.
    fn note(&self, instance: &ObjectKey, lease: &Lease, now: Timestamp) -> bool {
        // Registration makes the Lease; only the agent renews it.
        let Some(renewed) = lease.renewed() else { return false };
        let silence = silence(lease.holds_for());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = seen.get_mut(instance) else {
            let written = lease.written.map_or(now, |at| (at + SignedDuration::from_secs(1)).min(now));
            seen.insert(instance.clone(), Renewal { said: renewed.into(), at: written, silence });
            return false;
        };
        if *known.said != *renewed {
            (known.said, known.at) = (renewed.into(), now);
        }
        let is_sooner = silence < known.silence;
        known.silence = silence;
        is_sooner
    }

    fn forget(&self, instance: &ObjectKey) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(instance);
    }
}

/// A Lease was renewed, or is gone. A host that is heard of already is no news.
pub fn lease(context: &Context, key: &ObjectKey, lease: &Lease, _: Option<&Lease>, is_there: bool) {
    let instance = ObjectKey::new("Instance", &key.namespace, &key.name);
    let is_sooner = is_there && context.heartbeats.note(&instance, lease, clock::now());
    if !is_there {
        context.heartbeats.forget(&instance);
    }
    let host = context.kinds.instances.get(&key.namespace, &key.name);
    if !is_there || is_sooner || host.is_some_and(|h| !h.fact.is_heard_of()) {
        context.kinds.wake(&instance);
    }
}

/// Since when hosts' endpoints have stood as they do, by Deployment. Lost in a crash: every drain then begins again.
#[derive(Debug, Default)]
pub struct EndpointSightings {
    seen: Mutex<HashMap<ObjectKey, BTreeMap<String, EndpointFact>>>,
}

impl EndpointSightings {
    /// Notes where those hosts stand that a Deployment works on, and answers since when.
    pub fn note<'a>(
        &self,
        deployment: &ObjectKey,
        hosts: impl Iterator<Item = (&'a str, Stand)>,
        now: Timestamp,
    ) -> BTreeMap<String, EndpointFact> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let known = seen.remove(deployment).unwrap_or_default();
        let fact = |(host, stand): (&str, Stand)| {
            let same = known.get(host).filter(|k| k.stand == stand);
            (host.to_owned(), EndpointFact { stand, since: same.map_or(now, |k| k.since) })
        };
        let facts: BTreeMap<_, _> = hosts.map(fact).collect();
        seen.insert(deployment.clone(), facts.clone());
        facts
    }

    /// Forgets a Deployment that has ended.
    pub fn forget(&self, deployment: &ObjectKey) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).remove(deployment);
    }
}

/// Where the hosts behind a Service stand, by the slices of the namespace.
pub fn behind(context: &Context, namespace: &str, service: &str) -> HashMap<String, Stand> {
    let slices = context.kinds.host_slices.cache.filter(namespace, |s| s.service() == service);
    let stand = |is_ready| if is_ready { Stand::Ready } else { Stand::Draining };
    let hosts = slices.iter().flat_map(|slice| slice.hosts());
    hosts.map(|(host, is_ready)| (host.to_owned(), stand(is_ready))).collect()
}

/// What a Deployment that is gone has left in memory.
pub fn forget(context: &Context, deployment: &ObjectKey) {
    context.endpoint_sightings.forget(deployment);
    context.departures.forget(deployment);
    context.refused_assignments.lock().unwrap_or_else(PoisonError::into_inner).remove(deployment);
    context.withheld_secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(deployment);
    context.written.lock().unwrap_or_else(PoisonError::into_inner).remove(deployment);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn last(secs: i64, silence: i64) -> Heartbeat {
        Heartbeat::Last { at: at(secs), silence: SignedDuration::from_secs(silence) }
    }

    fn renewed(by_its_clock: &str, written: i64) -> Lease {
        let mut lease: Lease = serde_json::from_value(json!({
            "metadata": {"name": "web-1", "namespace": "n"}, "spec": {"renewTime": by_its_clock}
        }))
        .unwrap();
        lease.written = Some(at(written));
        lease
    }

    #[test]
    fn a_heartbeat_counts_by_when_it_was_seen_whatever_the_hosts_own_clock_says() {
        let heartbeats = Heartbeats::default();
        let key = ObjectKey::new("Instance", "n", "web-1");
        assert_eq!(heartbeats.of(&key), Heartbeat::Never);
        heartbeats.note(&key, &renewed("1999-01-01T00:00:00Z", 100), at(500));
        assert_eq!(heartbeats.of(&key), last(101, 120), "we have just started");
        heartbeats.note(&key, &renewed("1999-01-01T00:00:00Z", 100), at(510));
        assert_eq!(heartbeats.of(&key), last(101, 120), "it is the same one");
        heartbeats.note(&key, &renewed("1999-01-01T00:00:40Z", 520), at(521));
        assert_eq!(heartbeats.of(&key), last(521, 120));
        heartbeats.forget(&key);
        assert_eq!(heartbeats.of(&key), Heartbeat::Never);
    }

    #[test]
    fn a_lease_that_registration_made_and_no_agent_has_renewed_is_no_heartbeat() {
        let (heartbeats, key) = (Heartbeats::default(), ObjectKey::new("Instance", "n", "web-1"));
        let mut made: Lease =
            serde_json::from_value(json!({"metadata": {"name": "web-1", "namespace": "n"}})).unwrap();
        made.written = Some(at(100));
        heartbeats.note(&key, &made, at(101));
        assert_eq!(heartbeats.of(&key), Heartbeat::Never);
        heartbeats.note(&key, &renewed("2026-01-01T00:00:00Z", 140), at(141));
        assert_eq!(heartbeats.of(&key), last(141, 120));
    }

    #[test]
    fn a_lease_that_holds_for_less_than_before_has_its_host_looked_at() {
        let (heartbeats, key) = (Heartbeats::default(), ObjectKey::new("Instance", "n", "web-1"));
        let note = |time: i64, holds: i64| {
            let mut lease: Lease = serde_json::from_value(json!({
                "metadata": {"name": "web-1", "namespace": "n"},
                "spec": {"renewTime": at(time).to_string(), "leaseDurationSeconds": holds}
            }))
            .unwrap();
            lease.written = Some(at(time));
            (heartbeats.note(&key, &lease, at(time)), heartbeats.of(&key))
        };
        assert_eq!(note(100, 120), (false, last(100, 120)));
        assert_eq!(note(140, 60), (true, last(140, 60)), "the look that is due is a minute too late");
        assert_eq!(note(150, 60), (false, last(150, 60)));
        assert_eq!(note(160, 300), (false, last(160, 300)));
    }

    #[test]
    fn an_endpoint_has_stood_since_it_was_first_seen_so() {
        let sightings = EndpointSightings::default();
        let key = ObjectKey::new("Deployment", "n", "d");
        let note = |stand, now| sightings.note(&key, [("a", stand)].into_iter(), at(now))["a"];
        assert_eq!(note(Stand::Ready, 1), EndpointFact { stand: Stand::Ready, since: at(1) });
        assert_eq!(note(Stand::Ready, 2), EndpointFact { stand: Stand::Ready, since: at(1) });
        assert_eq!(note(Stand::Draining, 3), EndpointFact { stand: Stand::Draining, since: at(3) });
        sightings.forget(&key);
        assert_eq!(note(Stand::Draining, 9), EndpointFact { stand: Stand::Draining, since: at(9) });
    }
}
