//! Invariants on the routes.

use std::sync::Arc;

use jiff::Timestamp;
use sluice::api::deployment_status::Resolved;
use sluice::api::{Creator, Deployment, Phase};

use super::super::objects::{Backend, Route, Rule};
use super::{Breach, Holds, Ledger};

fn pair(deployment: &Deployment) -> Option<(String, String)> {
    Some(super::pair(deployment.status.as_ref()?.resolved.as_ref()?))
}

fn weight(rule: &Rule, service: &str) -> i32 {
    rule.backends.iter().filter(|b| b.service == service).map(|b| b.weight).sum()
}

/// The replacement's share of the pair, in parts of the pair's sum, where the pair stands at all.
fn share(rule: &Rule, pair: &(String, String)) -> Option<(i64, i64)> {
    let (old, new) = (i64::from(weight(rule, &pair.0)), i64::from(weight(rule, &pair.1)));
    (old + new > 0).then_some((new, old + new))
}

/// We change backendRefs' weights, add and remove the pair's, and nothing else: no filter, no port, no other part of the route.
pub fn only_weights_change(before: &Route, after: &Route) -> Holds {
    let broken = |what: String| Err(Breach::new("only_weights_change", what));
    if (&before.rest, before.rules.len(), &before.status) != (&after.rest, after.rules.len(), &after.status) {
        return broken("the route lost something beside its weights".into());
    }
    for (index, (old, new)) in before.rules.iter().zip(&after.rules).enumerate() {
        if (&old.matches, &old.filters) != (&new.matches, &new.filters) {
            return broken(format!("the matches or filters of rule {index} changed"));
        }
        for backend in &new.backends {
            let bare = |b: &Backend| (b.port, b.filters.clone());
            let known = old.backends.iter().find(|b| b.service == backend.service);
            let is_fine = match known {
                Some(known) => bare(known) == bare(backend),
                None => old.backends.iter().any(|b| bare(b) == bare(backend)),
            };
            if !is_fine {
                return broken(format!("the backendRef to {} changed beside its weight", backend.service));
            }
        }
    }
    Ok(())
}

/// The pair's weights keep their sum, or become 100 where the pair is alone; every other backend keeps its weight.
pub fn the_pair_keeps_its_sum(deployment: &Deployment, before: &Route, after: &Route) -> Holds {
    let Some(mut pair) = pair(deployment) else { return Ok(()) };
    let resolved = deployment.status.as_ref().and_then(|s| s.resolved.as_ref());
    if let Some(service) = resolved.and_then(|r| r.service.as_deref())
        && service.production.name != after.name
    {
        // The test listener's are the two target groups, whoever serves.
        let side = if service.production.is_service && pair.1 == service.production.name {
            &mut pair.1
        } else {
            &mut pair.0
        };
        side.clone_from(&service.other_target_group);
    }
    for (index, (old, new)) in before.rules.iter().zip(&after.rules).enumerate() {
        let others = |rule: &Rule| -> Vec<Backend> {
            rule.backends.iter().filter(|b| b.service != pair.0 && b.service != pair.1).cloned().collect()
        };
        let sum = |rule: &Rule| weight(rule, &pair.0) + weight(rule, &pair.1);
        let is_alone = others(old).iter().all(|b| b.weight == 0);
        let is_kept = sum(old) == sum(new) || (is_alone && sum(new) == 100);
        if others(old) != others(new) || !is_kept {
            let what = format!("rule {index} of {}: {} became {}", after.name, told(old), told(new));
            return Err(Breach::new("the_pair_keeps_its_sum", what));
        }
    }
    Ok(())
}

/// The replacement's share goes up only, unless the deployment puts the traffic back and has that on record.
pub fn the_replacement_never_goes_back(deployment: &Deployment, before: &Route, after: &Route) -> Holds {
    let Some(pair) = pair(deployment) else { return Ok(()) };
    let traffic = deployment.status.as_ref().and_then(|s| s.traffic.as_ref());
    if traffic.and_then(|t| t.steps.last()).is_some_and(|s| s.weight == 0) {
        return Ok(());
    }
    for (old, new) in before.rules.iter().zip(&after.rules) {
        if let (Some((a, of_a)), Some((b, of_b))) = (share(old, &pair), share(new, &pair))
            && b * of_a < a * of_b
        {
            let what = format!("{}: {} became {}", deployment.name(), told(old), told(new));
            return Err(Breach::new("the_replacement_never_goes_back", what));
        }
    }
    Ok(())
}

/// What is written is a step that was recorded before: the last one, or, by a late hand, one before it.
pub fn a_written_step_is_on_record(deployment: &Deployment, before: &Route, after: &Route) -> Holds {
    let Some(pair) = pair(deployment) else { return Ok(()) };
    let traffic = deployment.status.as_ref().and_then(|s| s.traffic.as_ref());
    let steps = traffic.map(|t| t.steps.as_slice()).unwrap_or_default();
    let written = before.rules.iter().zip(&after.rules).filter(|(old, new)| old != new);
    for (_, rule) in written {
        let Some((part, whole)) = share(rule, &pair) else { continue };
        let is_known = steps.iter().any(|s| (part * 100 - i64::from(s.weight) * whole).abs() * 2 <= whole);
        if !is_known {
            let what = format!("{} wrote {}, which is no step on record", deployment.name(), told(rule));
            return Err(Breach::new("a_written_step_is_on_record", what));
        }
    }
    Ok(())
}

/// Once its end is on record a deployment moves no weight, not even by an act that was recorded before.
pub fn the_ended_moves_nothing(deployment: &Deployment, before: &Route, after: &Route) -> Holds {
    if !deployment.phase().has_ended() || before.rules == after.rules {
        return Ok(());
    }
    let who = deployment.status.as_ref().and_then(|s| s.creator).unwrap_or(Creator::User);
    let what = format!(
        "{} ({who}) is {} and wrote {} over {}",
        deployment.name(),
        deployment.phase(),
        after.rules.iter().map(told).collect::<String>(),
        before.rules.iter().map(told).collect::<String>(),
    );
    Err(Breach::new("the_ended_moves_nothing", what))
}

/// Who succeeds had all of the pair's traffic on its replacement at that moment, or at the one of the picture that it was
/// decided on; where an original was terminated, at the moment of that decision.
pub fn who_succeeds_has_the_traffic(
    ledger: &Ledger,
    at: Timestamp,
    before: Option<&Arc<Deployment>>,
    after: &Deployment,
) -> Holds {
    let has = |d: &Deployment| d.phase() == Phase::Succeeded;
    let resolved = after.status.as_ref().and_then(|s| s.resolved.as_ref());
    let Some(resolved) = resolved.filter(|_| has(after) && before.is_none_or(|d| !has(d))) else {
        return Ok(());
    };
    let is_routed = match (&resolved.function, &resolved.service) {
        (Some(_), _) => true,
        (_, Some(s)) => !s.production.is_service && s.original.is_some(),
        _ => false,
    };
    let decided = after.status.as_ref().and_then(|s| s.termination_time).unwrap_or(at);
    let seen = ledger.sides.rules_since(super::listener(resolved), decided - ledger.staleness);
    if !is_routed || seen.iter().any(|rules| is_all_on_replacement(resolved, rules)) {
        return Ok(());
    }
    let last: String = seen.last().into_iter().flat_map(|r| r.iter()).map(told).collect();
    let what = format!("{} succeeded on {last}", after.name());
    Err(Breach::new("who_succeeds_has_the_traffic", what))
}

/// True if the rules that held the original at the start give the pair's weight to the replacement alone.
fn is_all_on_replacement(resolved: &Resolved, rules: &[Rule]) -> bool {
    let (own, keys) = match (&resolved.function, &resolved.service) {
        (Some(f), _) => (&f.rules, &f.rule_keys),
        (_, Some(s)) => (&s.production.rules, &s.production.rule_keys),
        _ => return false,
    };
    let own: Vec<usize> = own.iter().map(|i| usize::try_from(*i).unwrap()).collect();
    let is_own = |(index, rule): &(usize, &Rule)| {
        let is_known = own.iter().any(|i| keys[*i] == rule.matches);
        // One that was edited is known by its place.
        own.is_empty() || is_known || (own.contains(index) && !keys.contains(&rule.matches))
    };
    let (original, replacement) = super::pair(resolved);
    let concerned: Vec<&Rule> = rules.iter().enumerate().filter(is_own).map(|(_, r)| r).collect();
    let mut held = concerned
        .iter()
        .filter(|r| r.backends.iter().any(|b| [&original, &replacement].contains(&&b.service)));
    let is_gone = |r: &&&Rule| original == replacement || weight(r, &original) == 0;
    held.clone().count() > 0 && held.all(|r| weight(r, &replacement) > 0 && is_gone(&r))
}

fn told(rule: &Rule) -> String {
    let parts: Vec<_> = rule.backends.iter().map(|b| format!("{} {}", b.service, b.weight)).collect();
    format!("[{}]", parts.join(" / "))
}
