//! How a server deployment ends before its time: nobody begins, running events end, then the end goes on record.
//!
//! The reason is on record (`errorInformation`) before the first host is asked to end: whoever takes over walks it to its end.

use super::advance::{snapshot, stop_given_up};
use super::assign::Pen;
use super::fleet::Fleet;
use super::healthy::Outcome;
use super::progress::{PATIENCE, Run, State};
use super::snapshot::touched;
use super::words;
use crate::api::ResolvedRevision;
use crate::api::condition::Verdict;
use crate::api::deployment_status::{ErrorInformation, StopState, StopStatus};
use crate::engine::draft::{Draft, clip};
use crate::engine::ending::{self, End, ON_REQUEST};

/// The code when too few hosts would stay healthy.
const HEALTH: &str = "HealthConstraints";
/// The codes while the revision's Secret cannot be read.
pub const WITHHELD: [&str; 2] = ["SecretNotGranted", "SecretMissing"];
/// The reason while hosts that are healthy are not heard of, so that no other can be spared.
pub const TOO_FEW: &str = "TooFewHealthyHosts";

/// A reason to end, as it is on record.
pub struct Why {
    code: &'static str,
    message: String,
}

impl Why {
    fn stopped(message: impl Into<String>) -> Self {
        Self { code: "ManualStop", message: message.into() }
    }

    fn end(&self, draft: &Draft<'_>) -> End {
        let asked = draft.facts.deployment.spec.stop.as_ref();
        match self.code {
            "ManualStop" if self.message == ON_REQUEST => {
                End::on_request(asked.and_then(|s| s.auto_rollback))
            }
            "ManualStop" => End::stopped(self.message.clone()),
            code => End::failed(code, self.message.clone()),
        }
    }
}

/// Why it ends now, if it does.
pub fn why(draft: &Draft<'_>, fleet: &Fleet<'_>, is_going: bool, replaced_by: Option<String>) -> Option<Why> {
    if let Some(known) = &draft.status.error_information {
        let mut failures = WITHHELD.into_iter().chain([HEALTH]);
        let code = failures.find(|c| *c == known.code).unwrap_or("ManualStop");
        return Some(Why { code, message: known.message.clone() });
    }
    if is_going {
        return Some(Why::stopped("deleted while it was running"));
    }
    if let Some(by) = replaced_by {
        return Some(Why::stopped(format!("replaced by {by}")));
    }
    if draft.facts.deployment.spec.stop.is_some() {
        return Some(Why::stopped(ON_REQUEST));
    }
    too_few(draft, fleet).or_else(|| waited(draft))
}

fn too_few(draft: &Draft<'_>, fleet: &Fleet<'_>) -> Option<Why> {
    let whole = fleet.whole();
    let failed =
        |floor, whose: &str| Some(Why { code: HEALTH, message: words::too_few(&draft.status, floor, whose) });
    if whole.outcome() == Outcome::TooFew {
        return failed(whole.floor, "");
    }
    if let Some(zone) = fleet.zone_lost() {
        return failed(zone.floor, &words::in_zone(&zone.name));
    }
    let zone = fleet.zone()?;
    let part = fleet.tally(zone.range.clone(), zone.floor);
    let may_begin = |is_healthy| whole.may_begin(is_healthy) && part.may_begin(is_healthy);
    let hopeless = [(whole, ""), (part, " in the zone")].into_iter().find(|(t, _)| t.is_hopeless());
    let has_unhealthy = part.pending > 0 && {
        let mut pending = zone.range.clone().filter(|i| fleet.letters[*i] == b'P');
        pending.any(|i| !fleet.is_healthy(i))
    };
    match hopeless {
        Some((tally, whose)) if !may_begin(true) && !has_unhealthy => failed(tally.floor, whose),
        _ => None,
    }
}

/// A wait that has lasted too long.
fn waited(draft: &Draft<'_>) -> Option<Why> {
    let waiting = draft.status.waiting.as_ref()?;
    let lasted = draft.now.duration_since(waiting.since) >= PATIENCE;
    let withheld = WITHHELD.map(|reason| (reason, reason));
    let mut codes = withheld.into_iter().chain([(TOO_FEW, HEALTH)]);
    let (_, code) = codes.find(|(reason, _)| *reason == waiting.reason).filter(|_| lasted)?;
    Some(Why { code, message: draft.status.message.clone() })
}

/// Asks every host that is worked on to end, and ends when all have.
pub fn advance(draft: &mut Draft<'_>, fleet: &Fleet<'_>, pen: &Pen<'_>, why: &Why) {
    if fleet.states.is_empty() {
        draft.status.error_information = None;
        let end = why.end(draft);
        return ending::end(draft, &end);
    }
    let message = clip(why.message.clone(), 4_000);
    draft.status.error_information = Some(ErrorInformation { code: why.code.into(), message });
    for (index, state) in &fleet.states {
        let Some(host) = fleet.targets[*index].present() else { continue };
        let act = match state {
            State::Unassigned => pen.assign(draft, host, true),
            State::Running(due) | State::Turn(_, due) => {
                draft.wake_at(*due);
                pen.stop(draft, host)
            }
            _ => None,
        };
        act.into_iter().for_each(|act| draft.act(act));
    }
    stop_given_up(draft, fleet, pen);
    let count = i32::try_from(fleet.states.len()).unwrap_or(i32::MAX);
    let does = if count == 1 { "is" } else { "are" };
    let running = format!("{} {does} still ending what has begun there", words::hosts(count));
    if draft.facts.deployment.spec.stop.is_some() {
        draft.status.stop = Some(StopState { status: StopStatus::Pending, message: running.clone() });
    }
    draft.status.waiting = None;
    draft.status.zone_since = None;
    draft.say(Verdict::Reconciling, "Stopping", format!("{}; {running}; nothing more begins", why.message));
}

/// True if anything has been changed on a host that is there.
pub fn has_touched(draft: &Draft<'_>) -> bool {
    let facts = draft.facts;
    let (touched, _) = touched(&facts.deployment, Some(&draft.status), &facts.server.hosts);
    !touched.is_empty()
}

/// Plans what hosts that were given up are still to be told, once the end is on record. True while there is any.
pub fn leaves_hosts_working(draft: &mut Draft<'_>) -> bool {
    let facts = draft.facts;
    let Some((resolved, server)) = snapshot(&facts.deployment) else { return false };
    let (group, uid) = (&facts.deployment.spec.deployment_group_ref.name, facts.deployment.uid());
    let run = Run { group, uid, server, digest: "", now: draft.now };
    let fleet = Fleet::look(draft, run);
    let pen = Pen { resolved, revision: ResolvedRevision::default(), now: draft.now };
    stop_given_up(draft, &fleet, &pen) > 0
}
