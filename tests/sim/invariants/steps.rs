//! Invariants on the clock of a shift.

use std::sync::Arc;

use jiff::SignedDuration;
use sluice::api::deployment_status::{Resolved, Step};
use sluice::api::{Creator, Deployment, RoutingType};

use super::super::store::Commit;
use super::{Breach, Holds, Ledger};

fn steps(deployment: &Deployment) -> &[Step] {
    let traffic = deployment.status.as_ref().and_then(|s| s.traffic.as_ref());
    traffic.map(|t| t.steps.as_slice()).unwrap_or_default()
}

fn resolved(deployment: &Deployment) -> Option<&Resolved> {
    deployment.status.as_ref()?.resolved.as_ref()
}

/// The weights that a configuration asks for, counted here and not by the engine.
fn wanted(resolved: &Resolved) -> Vec<i32> {
    let routing = &resolved.traffic_routing;
    match (routing.type_, routing.canary, routing.linear) {
        (RoutingType::TimeBasedCanary, Some(c), _) => vec![c.percentage, 100],
        (RoutingType::TimeBasedLinear, _, Some(l)) => {
            let mut all = vec![];
            let mut at = l.percentage;
            while at < 100 {
                all.push(at);
                at += l.percentage;
            }
            all.push(100);
            all
        }
        _ => vec![100],
    }
}

fn interval(resolved: &Resolved) -> SignedDuration {
    let routing = &resolved.traffic_routing;
    let increment = routing.canary.or(routing.linear);
    increment.map_or(SignedDuration::ZERO, |i| i.interval.length())
}

/// A step comes no sooner than its interval after the gateway took the generation in which the step before was written.
pub fn no_step_is_early(
    ledger: &Ledger,
    commit: &Commit,
    before: Option<&Arc<Deployment>>,
    after: &Deployment,
) -> Holds {
    let had = before.map(|d| steps(d).len()).unwrap_or_default();
    let (Some(step), Some(resolved)) = (steps(after).last().filter(|s| s.weight > 0), resolved(after)) else {
        return Ok(());
    };
    if steps(after).len() <= had || had == 0 {
        return Ok(());
    }
    let early = |what: String| Err(Breach::new("no_step_is_early", what));
    let Some(&(generation, _)) = ledger.writes.get(after.uid()).and_then(|w| w.last()) else {
        return early(format!("step {} of {} before any write", step.index, after.name()));
    };
    let taken = ledger.taken.get(super::listener(resolved)).map(Vec::as_slice).unwrap_or_default();
    let Some(&(_, at)) = taken.iter().find(|(g, _)| *g >= generation) else {
        return early(format!(
            "step {} of {} before the gateway took the last one",
            step.index,
            after.name()
        ));
    };
    if commit.at < at + interval(resolved) {
        let waited = commit.at.duration_since(at);
        return early(format!("step {} of {} after {waited:#}", step.index, after.name()));
    }
    Ok(())
}

/// The steps on record are the configuration's, each of them, in order; only the way back may follow.
pub fn no_step_is_skipped(after: &Deployment) -> Holds {
    let Some(resolved) = resolved(after) else { return Ok(()) };
    let taken = steps(after);
    let creator = after.status.as_ref().and_then(|s| s.creator);
    let wanted = if creator == Some(Creator::AutoRollback) { vec![100] } else { wanted(resolved) };
    let forward = taken.iter().take_while(|s| s.weight > 0).count();
    let fits = taken[..forward].iter().map(|s| s.weight).eq(wanted.iter().copied().take(forward));
    let counted = taken.iter().map(|s| s.index).eq((1..).take(taken.len()));
    if fits && counted && forward <= wanted.len() && taken.len() <= forward + 1 {
        return Ok(());
    }
    let weights: Vec<_> = taken.iter().map(|s| s.weight).collect();
    Err(Breach::new("no_step_is_skipped", format!("{} took {weights:?} of {wanted:?}", after.name())))
}

/// True if a write records that weight moves to the replacement.
pub fn has_stepped_forward(before: Option<&Arc<Deployment>>, after: &Deployment) -> bool {
    let had = before.map(|d| steps(d).len()).unwrap_or_default();
    steps(after).len() > had && steps(after).last().is_some_and(|s| s.weight > 0)
}

/// One status write records one step at most.
pub fn a_status_takes_one_step_at_most(before: Option<&Arc<Deployment>>, after: &Deployment) -> Holds {
    let had = before.map(|d| steps(d).len()).unwrap_or_default();
    if steps(after).len() <= had + 1 {
        return Ok(());
    }
    Err(Breach::new("a_status_takes_one_step_at_most", after.name()))
}
