//! Invariants on ends, and on what objects say of themselves.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use sluice::api::condition::{find, is_true};
use sluice::api::{Deployment, EventStatus, Phase};

use super::super::objects::Object;
use super::super::store::Commit;
use super::{Breach, Holds, Ledger};

/// An ended Deployment keeps its phase, and its events keep how they ended.
pub fn an_end_is_final(before: Option<&Arc<Deployment>>, after: &Deployment) -> Holds {
    let Some(before) = before.filter(|d| d.phase().has_ended()) else { return Ok(()) };
    let events = |d: &Deployment| d.status.as_ref().map(|s| s.lifecycle_events.clone());
    if before.phase() == after.phase() && events(before) == events(after) {
        return Ok(());
    }
    let what = format!("{} was {} and became {}", after.name(), before.phase(), after.phase());
    Err(Breach::new("an_end_is_final", what))
}

/// A rollback of traffic goes only once it has ended, whoever deletes it: else the weights would stay where they are unseen.
pub fn no_rollback_is_lost(ledger: &Ledger, commit: &Commit) -> Holds {
    let (Some(Object::Deployment(gone)), None) = (&commit.before, &commit.after) else { return Ok(()) };
    let cause = ledger.deployments.values().find(|d| d.is_rolled_back_by(gone));
    let moves = cause.is_some_and(|d| {
        d.status.as_ref().and_then(|s| s.resolved.as_ref()).is_some_and(|r| r.server.is_none())
    });
    if !moves || gone.phase().has_ended() {
        return Ok(());
    }
    Err(Breach::new("no_rollback_is_lost", format!("{} was {}", gone.name(), gone.phase())))
}

/// An end has a time and a sentence; a bad one has a CamelCase code; no event is left open.
pub fn an_end_says_why(after: &Deployment) -> Holds {
    let Some(status) = after.status.as_ref().filter(|s| s.phase.has_ended()) else { return Ok(()) };
    let broken = |what: &str| Err(Breach::new("an_end_says_why", format!("{}: {what}", after.name())));
    if status.message.split_whitespace().count() < 3 {
        return broken("no sentence");
    }
    if status.message.contains("  ") || status.message.contains("..") {
        return broken(&format!("untidy: {}", status.message));
    }
    if status.complete_time.is_none() {
        return broken("no completeTime");
    }
    let is_open = |s: EventStatus| matches!(s, EventStatus::Pending | EventStatus::InProgress);
    if status.lifecycle_events.iter().any(|e| is_open(e.status)) {
        return broken("an event is open");
    }
    let is_camel = |c: &str| {
        c.starts_with(|c: char| c.is_ascii_uppercase()) && c.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match (&status.error_information, status.phase) {
        (None, Phase::Succeeded) => Ok(()),
        (Some(e), Phase::Failed | Phase::Stopped) if is_camel(&e.code) && !e.message.is_empty() => Ok(()),
        (error, phase) => broken(&format!("{phase} with {error:?}")),
    }
}

/// Lifecycle events go from Pending over InProgress to an end, never back.
pub fn events_go_forward(before: Option<&Arc<Deployment>>, after: &Deployment) -> Holds {
    let rank = |s: EventStatus| match s {
        EventStatus::Pending => 0,
        EventStatus::InProgress => 1,
        _ => 2,
    };
    let events = |d: &Deployment| d.status.as_ref().map(|s| s.lifecycle_events.clone()).unwrap_or_default();
    let old = before.map(|d| events(d)).unwrap_or_default();
    for (old, new) in old.iter().zip(&events(after)) {
        if rank(new.status) < rank(old.status) {
            let what = format!("{} {}: {:?} became {:?}", after.name(), new.name, old.status, new.status);
            return Err(Breach::new("events_go_forward", what));
        }
    }
    Ok(())
}

/// Conditions as kstatus reads them: never Reconciling and Stalled at once; Ready exactly for what succeeded.
pub fn conditions_are_consistent(object: &Object) -> Holds {
    let broken = |what: String| Err(Breach::new("conditions_are_consistent", what));
    let (name, conditions): (&str, &[Condition]) = match object {
        Object::Deployment(d) => {
            let Some(status) = &d.status else { return Ok(()) };
            let ready = is_true(&status.conditions, "Ready");
            let stalled = is_true(&status.conditions, "Stalled");
            if ready != (status.phase == Phase::Succeeded) {
                return broken(format!("{}: Ready is {ready} in {}", d.name(), status.phase));
            }
            if matches!(status.phase, Phase::Failed | Phase::Stopped) && !stalled {
                return broken(format!("{}: not Stalled in {}", d.name(), status.phase));
            }
            (d.name(), &status.conditions)
        }
        Object::Group(g) => {
            let Some(status) = &g.status else { return Ok(()) };
            (g.metadata.name.as_deref().unwrap_or_default(), &status.conditions)
        }
        _ => return Ok(()),
    };
    let says = ["Ready", "Reconciling", "Stalled"].map(|t| is_true(conditions, t));
    if says.iter().filter(|s| **s).count() != 1 {
        return broken(format!("{name}: Ready, Reconciling, Stalled are {says:?}"));
    }
    if conditions.iter().any(|c| c.reason.is_empty() || c.message.is_empty()) {
        return broken(format!("{name}: a condition without reason or message"));
    }
    Ok(())
}

/// Who says that the original stands for its wait says until when, and does not terminate it before; who does not wait does not say.
pub fn a_wait_tells_its_end(before: Option<&Arc<Deployment>>, after: &Deployment, at: Timestamp) -> Holds {
    let Some(status) = &after.status else { return Ok(()) };
    let broken = |what: String| Err(Breach::new("a_wait_tells_its_end", format!("{}: {what}", after.name())));
    let waits = find(&status.conditions, "Ready").is_some_and(|c| c.reason == "WaitingForTermination");
    let told = status.termination_wait_end_time;
    if waits && told.is_none() {
        return broken("waits without an end".into());
    }
    if told.is_some() && (status.phase.has_ended() || status.termination_time.is_some()) {
        return broken("an end of a wait that is over".into());
    }
    let had = before.and_then(|d| d.status.as_ref()).filter(|s| s.termination_time.is_none());
    let promised = had.and_then(|s| s.termination_wait_end_time);
    let asked = after.spec.continue_.as_ref().and_then(|c| c.termination_wait) == Some(true);
    // Where the traffic went back, it is the replacement that goes: nothing was promised of it.
    let went_back = status.traffic.as_ref().is_some_and(|t| t.replacement.weight == 0);
    let ends_early = status.termination_time.is_some() && !asked && !went_back;
    match promised.filter(|end| ends_early && at < *end) {
        Some(end) => broken(format!("terminates at {at} what was to stand until {end}")),
        None => Ok(()),
    }
}
