//! Between deployments: a route that no longer sends its traffic where the last success left it.
//!
//! Traffic that lies on a side without ready endpoints, while the side that should have it has some, is put right once
//! (Git re-applied an old route). Every other drift is named only: it is somebody's will.

use std::sync::Arc;

use jiff::Timestamp;

use super::facts::RouteFact;
use super::group::{GroupAct, GroupFacts, GroupPlan};
use super::plan::{Note, SetWeights};
use super::resolve;
use super::scope::{self, Scope};
use super::weights::{self, Pair};
use crate::api::DeploymentGroupStatus;
use crate::api::deployment_group::{RouteRestored, Serving};

/// The Services that have weight though another should have it all: those whose endpoints the decision wants to know.
pub fn suspects(facts: &GroupFacts, status: &DeploymentGroupStatus) -> Vec<String> {
    let Some(serving) = settled(status) else { return vec![] };
    let Some(route) = facts.route.as_ref().filter(|r| r.name == serving.route && !r.is_going) else {
        return vec![];
    };
    let route = &scoped(route, serving);
    let Some(target) = &facts.group.spec.function else {
        let service = facts.group.spec.service.as_deref();
        let other = service.and_then(|t| t.other_than(&serving.service));
        return other
            .filter(|o| !scope::rules_with(route, o).is_empty())
            .map(str::to_owned)
            .into_iter()
            .collect();
    };
    resolve::served(route, target, &serving.function, &serving.version)
        .into_iter()
        .map(|(version, _)| target.service(&serving.function, &version))
        .filter(|service| *service != serving.service)
        .collect()
}

fn scoped(route: &Arc<RouteFact>, serving: &Serving) -> Arc<RouteFact> {
    Scope { rules: &serving.rules, count: serving.rule_count, keys: &serving.rule_keys }.apply(route)
}

/// What should serve, if nothing runs and nothing is about to.
fn settled(status: &DeploymentGroupStatus) -> Option<&Serving> {
    let last = status.last_successful_deployment.as_ref()?;
    let attempted = status.last_attempted_deployment.as_ref()?;
    let is_idle = status.active_deployment.is_none() && status.queued_deployments.is_empty();
    (is_idle && attempted.name == last.name).then_some(last.serving.as_ref()?)
}

/// Looks for drift; plans the one restoration that is allowed. Answers the condition's reason and sentence.
pub fn look(
    facts: &GroupFacts,
    status: &mut DeploymentGroupStatus,
    plan: &mut GroupPlan,
    now: Timestamp,
) -> Option<(&'static str, String)> {
    let suspects = suspects(facts, status);
    let serving = settled(status)?.clone();
    let last = status.last_successful_deployment.as_ref().map(|d| d.name.clone()).unwrap_or_default();
    let drifted = suspects.first()?;
    let route = &scoped(facts.route.as_ref()?, &serving);
    let ready =
        |service: &str| facts.services.get(service).and_then(|s| if s.exists { s.ready } else { Some(0) });
    let keeps = facts.group.spec.service.is_some();
    let pair = Pair { original: drifted, replacement: &serving.service, keeps };
    let is_dead = ready(drifted) == Some(0) && ready(&serving.service).is_some_and(|n| n > 0);
    let is_pending = status
        .route_restored
        .as_ref()
        .is_some_and(|r| r.generation == route.generation && r.route == route.name);
    let is_spent = status.route_restored.as_ref().is_some_and(|r| r.deployment == last) && !is_pending;
    if is_dead && !is_spent && suspects.len() == 1 && weights::check(route, pair, &[100]).is_ok() {
        let message = format!(
            "HTTPRoute {} was set back to {drifted}, which has no ready endpoint; putting the traffic on {} again, as Deployment {last} left it",
            route.name, serving.service
        );
        if !is_pending {
            plan.notes.push(Note {
                is_warning: true,
                reason: "RouteRestored",
                message: super::draft::clip(message, 1_000),
            });
            status.route_restored = Some(RouteRestored {
                route: route.name.clone(),
                generation: route.generation,
                deployment: last,
                time: now,
            });
        }
        let edits = weights::edits(route, pair, 100);
        plan.acts.push(GroupAct::Restore(SetWeights {
            route: route.name.clone(),
            uid: route.uid.clone(),
            generation: route.generation,
            edits,
        }));
        return None;
    }
    let message = format!(
        "HTTPRoute {} sends traffic to {}, but Deployment {last} left it all on {}; it is left as it is: deploy again, or set the route back (docs/gitops.md says how Git can leave the weights alone)",
        route.name,
        suspects.join(" and "),
        serving.service
    );
    Some(("RouteDrifted", message))
}
