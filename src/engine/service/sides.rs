//! Which target group is primary: read from the production listener, never remembered.

use std::collections::BTreeMap;

use crate::api::deployment_snapshot::ResolvedSide;
use crate::api::service_target::ServiceTarget;
use crate::api::{DeploymentGroup, TASK_SET_LABEL};
use crate::engine::facts::{RouteFact, ServiceFact, TaskSetFact};
use crate::engine::scope;

use super::task_set;

/// The production route's word on the two target groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    /// The target group that has the traffic.
    pub target_group: String,
    /// The rules that hold it, by index.
    pub rules: Vec<i32>,
}

/// Reads from a route which target group has the traffic. The error says what does not hold, and the cure.
pub fn primary(route: &RouteFact, target: &ServiceTarget) -> Result<Primary, String> {
    let shares: Vec<(&String, Vec<i32>)> =
        target.target_groups.iter().map(|group| (group, scope::rules_with(route, group))).collect();
    let mut with_weight = shares.iter().filter(|(_, rules)| !rules.is_empty());
    let names = target.target_groups.join(" nor ");
    match (with_weight.next(), with_weight.next()) {
        (Some((group, rules)), None) => Ok(Primary { target_group: (*group).clone(), rules: rules.clone() }),
        (None, _) => Err(format!(
            "NotServed: no rule of HTTPRoute {} gives weight to {names}; add a backendRef to the one that serves",
            route.name
        )),
        _ => Err(format!(
            "SplitTraffic: HTTPRoute {} gives weight to both {}; give one of them all of it (kubectl edit httproute {}) and create the Deployment again",
            route.name,
            target.target_groups.join(" and "),
            route.name
        )),
    }
}

/// The target group that has the greater share of the route's traffic, for the scale subresource.
pub fn greater(route: &RouteFact, target: &ServiceTarget) -> Option<String> {
    let weight = |group: &str| -> i64 {
        let backends = route.rules.iter().flat_map(|r| &r.backends);
        backends.filter(|b| b.service.as_deref() == Some(group)).map(|b| i64::from(b.weight)).sum()
    };
    let [first, second] = target.target_groups.as_slice() else { return None };
    match (weight(first), weight(second)) {
        (0, 0) => None,
        (a, b) if b > a => Some(second.clone()),
        _ => Some(first.clone()),
    }
}

/// The rules that hold either target group.
pub fn rules_of_either(route: &RouteFact, target: &ServiceTarget) -> Vec<i32> {
    let holds = |index: &usize| {
        let backends = &route.rules[*index].backends;
        backends.iter().any(|b| b.service.as_ref().is_some_and(|s| target.target_groups.contains(s)))
    };
    (0..route.rules.len()).filter(holds).filter_map(|i| i32::try_from(i).ok()).collect()
}

/// What stands behind a target group. `None` if nothing does: its Service selects nobody, or nobody is there. Pods that are
/// not ready stand there all the same: what serves badly is not nothing, and somebody may want it back.
pub fn standing(
    name: &str,
    service: &ServiceFact,
    task_sets: &BTreeMap<String, TaskSetFact>,
    group: &DeploymentGroup,
) -> Option<ResolvedSide> {
    if service.selector.is_empty() {
        return None;
    }
    let task_set = service.selector.get(TASK_SET_LABEL);
    let own = task_set.and_then(|t| task_sets.get(t)).filter(|t| task_set::is_of_group(t, group));
    let has_endpoints = service.ready.is_some_and(|n| n > 0);
    let stands = own.map_or(service.has_unready, |t| t.replicas > 0);
    if !stands && !has_endpoints {
        return None;
    }
    Some(ResolvedSide {
        target_group: name.into(),
        task_set: own.and(task_set).cloned(),
        task_definition: own.and_then(|t| t.task_definition.clone()),
        selector: service.selector.clone(),
        target_port: service.target_ports.first().cloned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::{BackendFact, GatewayFact, RuleFact};

    #[test]
    fn the_scale_speaks_of_the_side_with_the_greater_share() {
        let target: ServiceTarget = serde_json::from_value(serde_json::json!({
            "targetGroups": ["a", "b"], "replicas": 2, "productionListener": {"httpRoute": {"name": "web"}}
        }))
        .unwrap();
        let route = |first: i32, second: i32| {
            let backend = |name: &str, weight| BackendFact { service: Some(name.into()), weight, port: None };
            let rule = RuleFact {
                backends: vec![backend("a", first), backend("b", second), backend("else", 900)],
                ..RuleFact::default()
            };
            RouteFact {
                name: "web".into(),
                uid: "u".into(),
                generation: 1,
                is_going: false,
                write_refused: None,
                rules: vec![rule],
                gateway: GatewayFact::Taken,
                sightings: vec![],
                refused_at: None,
                rules_are_lost: false,
                added: std::collections::BTreeSet::new(),
            }
        };
        for (first, second, expected) in [
            (100, 0, Some("a")),
            (75, 25, Some("a")),
            (50, 50, Some("a")),
            (25, 75, Some("b")),
            (0, 100, Some("b")),
            (0, 0, None),
        ] {
            assert_eq!(greater(&route(first, second), &target).as_deref(), expected, "{first}/{second}");
        }
    }
}
