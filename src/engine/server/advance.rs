//! One look at a running server deployment: who ended, who begins, what is written into their Instances.

use jiff::SignedDuration;

use super::assign::Pen;
use super::closing;
use super::facts::Stand;
use super::fleet::{Fleet, Zone};
use super::healthy::Outcome;
use super::host::HostFact;
use super::progress::{PATIENCE, Place, Run, State, place};
use super::words;
use crate::api::condition::Verdict;
use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::deployment_status::Resolved;
use crate::api::{Deployment, EventName, Phase};
use crate::engine::draft::Draft;
use crate::engine::ending;
use crate::engine::plan::Act;
use crate::engine::shift::SETTLE;

/// Fleets up to this size are written down as they go; progress alone on a larger one at most once in [`PACE`].
const SMALL: usize = 50;
/// The status of a larger fleet is heavy: it is written no more often than that even when hosts begin.
const LARGE: usize = 500;
/// See [`SMALL`] and [`LARGE`].
const PACE: SignedDuration = SignedDuration::from_secs(1);
/// How often a Secret that was withheld is asked for again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);
/// Every drain is at least this long (gateways lag behind endpoints).
const MIN_DRAIN: SignedDuration = SignedDuration::from_secs(5);

/// The snapshot of a Deployment of the Server platform.
pub fn snapshot(deployment: &Deployment) -> Option<(&Resolved, &ResolvedServer)> {
    let resolved = deployment.status.as_ref()?.resolved.as_ref()?;
    Some((resolved, resolved.server.as_deref()?))
}

/// Carries a running deployment a step further; `replaced_by` is the one that takes its turn.
pub fn run(draft: &mut Draft<'_>, is_going: bool, replaced_by: Option<String>) {
    let facts = draft.facts;
    let Some((resolved, server)) = snapshot(&facts.deployment) else { return };
    if !ending::is_held(draft) {
        if !is_going {
            draft.act(Act::Hold);
        }
        return;
    }
    learn_digest(draft, server);
    let digest = digest_of_moving(draft);
    let group = &facts.deployment.spec.deployment_group_ref.name;
    let run = Run { group, uid: facts.deployment.uid(), server, digest: &digest, now: draft.now };
    let mut fleet = Fleet::look(draft, run);
    let recorded = facts.deployment.status.as_ref().and_then(|s| s.revision.as_ref());
    let was_learnt = draft.status.revision.as_ref() != recorded;
    fleet.note_ends(draft);
    draft.status.targets = fleet.text();
    if server.targets.is_empty() {
        return succeed(draft, server);
    }
    let pen = Pen { resolved, revision: draft.status.revision.clone().unwrap_or_default(), now: draft.now };
    if let Some(end) = closing::why(draft, &fleet, is_going, replaced_by) {
        return closing::advance(draft, &fleet, &pen, &end);
    }
    if fleet.whole().outcome() == Outcome::Succeeded {
        return succeed(draft, server);
    }
    let Some(zone) = fleet.zone() else { return };
    let is_watched = watches_zone(draft, &fleet, &zone);
    let begun = if is_watched || is_paced(draft, &fleet) { vec![] } else { fleet.begin(&zone) };
    if !begun.is_empty() {
        draft.status.zone_since = None;
        draft.status.targets = fleet.text();
    }
    follow(draft, &fleet, &pen);
    for index in &begun {
        let host = fleet.targets[*index].present();
        host.and_then(|h| pen.assign(draft, h, false)).into_iter().for_each(|act| draft.act(act));
    }
    if !is_watched {
        tell(draft, &fleet);
    }
    if begun.is_empty() && !was_learnt && fleet.targets.len() > SMALL {
        pace(draft);
    }
}

/// The bundle that an object in S3 turned out to be goes on record, and to the hosts that begin later.
fn learn_digest(draft: &mut Draft<'_>, server: &ResolvedServer) {
    let group = draft.facts.deployment.spec.deployment_group_ref.name.clone();
    let Some(revision) = draft.status.revision.as_mut().filter(|r| r.digest.is_empty()) else { return };
    let uid = draft.facts.deployment.uid();
    let hosts = server.targets.iter().filter_map(|name| draft.facts.server.hosts.get(name));
    let mut said = hosts.filter_map(|h| h.entry(&group)?.said.as_ref()).filter(|s| s.deployment_uid == uid);
    if let Some(digest) = said.find_map(|s| s.bundle_digest.clone()) {
        revision.digest = digest;
    }
}

/// What every host's bundle must be, where the revision's name alone does not say it.
fn digest_of_moving(draft: &Draft<'_>) -> String {
    let revision = draft.status.revision.as_ref().filter(|r| r.source.s3.is_some());
    revision.map(|r| r.digest.clone()).unwrap_or_default()
}

/// True while the zone before is still watched.
fn watches_zone(draft: &mut Draft<'_>, fleet: &Fleet<'_>, zone: &Zone) -> bool {
    let Some(before) = fleet.zone_before() else { return false };
    let since = *draft.status.zone_since.get_or_insert(draft.now);
    let config = fleet.run.server.zonal_config.unwrap_or_default();
    let first = config.first_zone_monitor_duration.filter(|_| before.is_first);
    let length = first.or(config.monitor_duration).map_or(SignedDuration::ZERO, |d| d.length());
    let due = since + length;
    if draft.now >= due {
        return false;
    }
    let message = format!(
        "{}; zone {} has ended and is watched, zone {} begins at {}",
        words::progress(fleet).split(';').next().unwrap_or_default(),
        before.name,
        if zone.name.is_empty() { "of the hosts that name none" } else { &zone.name },
        due.strftime("%H:%M:%SZ")
    );
    draft.status.waiting = None;
    draft.say(Verdict::Reconciling, "MonitoringZone", message);
    draft.wake_at(due);
    true
}

/// Writes what hosts that are worked on, or were given up, are still to be told.
fn follow(draft: &mut Draft<'_>, fleet: &Fleet<'_>, pen: &Pen<'_>) {
    for (index, state) in &fleet.states {
        let Some(host) = fleet.targets[*index].present() else { continue };
        let act = match state {
            State::Unassigned => pen.assign(draft, host, false),
            State::Turn(event, due) => {
                draft.wake_at(*due);
                has_happened(draft, fleet, host, *event).then(|| pen.go(draft, host, *event)).flatten()
            }
            State::Running(due) => {
                draft.wake_at(*due);
                None
            }
            _ => None,
        };
        act.into_iter().for_each(|act| draft.act(act));
    }
    stop_given_up(draft, fleet, pen);
}

/// Hosts whose deployment has failed for us begin nothing more when they are heard of again. Answers how many are still to be
/// told, those left out about which the API server lets nobody say anything.
pub fn stop_given_up(draft: &mut Draft<'_>, fleet: &Fleet<'_>, pen: &Pen<'_>) -> usize {
    let given_up = fleet.letters.iter().zip(&fleet.targets).filter(|(letter, _)| **letter == b'F');
    let mut count = 0;
    for host in given_up.filter_map(|(_, target)| target.present()) {
        let Some(act) = pen.stop(draft, host) else { continue };
        draft.act(act);
        count += usize::from(!draft.facts.server.refused.contains_key(&host.name));
    }
    count
}

/// True once an event of the controller's is over: the host is out and has drained, or is in and has been for a moment.
fn has_happened(draft: &mut Draft<'_>, fleet: &Fleet<'_>, host: &HostFact, event: EventName) -> bool {
    let Some(balancer) = &fleet.run.server.load_balancer else { return true };
    if draft.facts.group.is_none() {
        // Its endpoints went with the group: there is nothing to be in.
        return true;
    }
    let Some(seen) = draft.facts.server.endpoints.get(&host.name) else { return false };
    let is_in = event == EventName::AllowTraffic;
    if (seen.stand == Stand::Ready) != is_in || is_unlisted(fleet, host, seen.stand) {
        return false;
    }
    let settles = if is_in { SETTLE } else { balancer.drain.length().max(MIN_DRAIN) };
    // Who never had traffic has nothing to drain.
    let never_in = !is_in && place(host.entry(fleet.run.group)) == Place::Out;
    let due = seen.since + settles;
    if never_in || draft.now >= due {
        return true;
    }
    draft.wake_at(due);
    false
}

/// True if a host that drains must be listed as such and is not: the list has not got so far, and it may still get traffic.
fn is_unlisted(fleet: &Fleet<'_>, host: &HostFact, stand: Stand) -> bool {
    let drains = place(host.entry(fleet.run.group)) == Place::Draining && host.address.is_some();
    stand == Stand::Absent && drains
}

/// A host that is worked on and of which the API server lets nobody say that it may go on, with its words.
fn refused(draft: &Draft<'_>, fleet: &Fleet<'_>) -> Option<(String, String)> {
    let mut turns = fleet.states.iter().filter(|(_, state)| matches!(state, State::Turn(..)));
    turns.find_map(|(index, _)| {
        let name = fleet.targets[*index].name;
        Some((name.to_owned(), draft.facts.server.refused.get(name)?.clone()))
    })
}

fn tell(draft: &mut Draft<'_>, fleet: &Fleet<'_>) {
    if let Some((reason, cure)) = draft.facts.server.secret_withheld.clone() {
        draft.wait(reason, cure);
        // What is granted is no news that a watch would bring.
        return draft.wake_at(draft.now + RETRY);
    }
    if let Some((host, words)) = refused(draft, fleet) {
        let message = format!("the API server refuses to let {host} go on: {words}; it is asked again");
        draft.wait("AssignmentRefused", message);
        return;
    }
    if fleet.whole().is_stuck() {
        let message = format!(
            "{}; no more can begin until more hosts are heard of (minimum healthy {})",
            words::progress(fleet).split(';').next().unwrap_or_default(),
            fleet.run.server.minimum_healthy
        );
        draft.wait(closing::TOO_FEW, message);
        let since = draft.status.waiting.as_ref().map_or(draft.now, |w| w.since);
        return draft.wake_at(since + PATIENCE);
    }
    draft.status.waiting = None;
    draft.say(Verdict::Reconciling, "InProgress", words::progress(fleet));
}

/// True if so large a status was written a moment ago: who begins may wait for that while others are worked on.
fn is_paced(draft: &mut Draft<'_>, fleet: &Fleet<'_>) -> bool {
    let due = draft.facts.server.written.map(|at| at + PACE);
    let Some(due) = due.filter(|due| draft.now < *due) else { return false };
    let is_large = fleet.targets.len() > LARGE && !fleet.states.is_empty();
    if is_large {
        draft.wake_at(due);
    }
    is_large
}

/// Progress that frees nobody need not be written at once.
fn pace(draft: &mut Draft<'_>) {
    let before = draft.facts.deployment.status.as_ref();
    let is_same_wait =
        before.is_some_and(|b| b.waiting == draft.status.waiting && b.zone_since == draft.status.zone_since);
    if let Some(due) =
        draft.facts.server.written.map(|at| at + PACE).filter(|due| is_same_wait && draft.now < *due)
    {
        draft.keep_silent();
        draft.wake_at(due);
    }
}

fn succeed(draft: &mut Draft<'_>, server: &ResolvedServer) {
    draft.status.phase = Phase::Succeeded;
    draft.status.complete_time = Some(draft.now);
    draft.status.waiting = None;
    draft.status.zone_since = None;
    let message = words::succeeded(&draft.status, server);
    draft.note("DeploymentSuccess", message.clone());
    draft.say(Verdict::Ready, "Succeeded", message);
}
