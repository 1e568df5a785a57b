//! Which rules of a route a deployment concerns: those that held the current version at its start.
//!
//! A rule that is pinned to the target version (testers by header, say) is left alone, also on the way back.

use std::sync::Arc;

use super::facts::{RouteFact, RuleFact};

/// The rules, by index, of a route that had `count` of them when it was looked at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Indexes of the rules; empty means every rule.
    pub rules: &'a [i32],
    /// How many rules the route had: with another number the indexes mean nothing any more.
    pub count: i32,
}

impl Scope<'_> {
    fn holds(self, index: usize) -> bool {
        i32::try_from(index).is_ok_and(|i| self.rules.contains(&i))
    }

    /// The route with the rules out of scope emptied, so that their numbers are neither read nor written.
    pub fn apply(self, route: &Arc<RouteFact>) -> Arc<RouteFact> {
        let is_same_shape = usize::try_from(self.count).is_ok_and(|c| c == route.rules.len());
        let is_whole = self.rules.is_empty() || (0..route.rules.len()).all(|i| self.holds(i));
        if !is_same_shape || is_whole {
            return Arc::clone(route);
        }
        let mut scoped = RouteFact::clone(route);
        for (index, rule) in scoped.rules.iter_mut().enumerate() {
            if !self.holds(index) {
                *rule = RuleFact::default();
            }
        }
        Arc::new(scoped)
    }
}

/// The rules in which `service` has weight.
pub fn rules_with(route: &RouteFact, service: &str) -> Vec<i32> {
    let has =
        |rule: &RuleFact| rule.backends.iter().any(|b| b.weight > 0 && b.service.as_deref() == Some(service));
    let rules = route.rules.iter().enumerate().filter(|(_, rule)| has(rule));
    rules.filter_map(|(index, _)| i32::try_from(index).ok()).collect()
}

/// How many rules the route has.
pub fn count(route: &RouteFact) -> i32 {
    i32::try_from(route.rules.len()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::facts::{BackendFact, GatewayFact};
    use crate::engine::weights::{Pair, edits, stands_at};

    fn route(rules: &[&[(&str, i32)]]) -> Arc<RouteFact> {
        let backend = |(service, weight): &(&str, i32)| BackendFact {
            service: Some((*service).into()),
            weight: *weight,
            port: Some(80),
        };
        let rule = |backends: &&[(&str, i32)]| RuleFact { backends: backends.iter().map(backend).collect() };
        Arc::new(RouteFact {
            name: "hello".into(),
            uid: "u".into(),
            generation: 1,
            is_going: false,
            rules: rules.iter().map(rule).collect(),
            gateway: GatewayFact::Taken,
            sightings: vec![],
            refused_at: None,
            write_refused: None,
        })
    }

    const PAIR: Pair<'_> = Pair { original: "hello-1", replacement: "hello-2", keeps: false };

    #[test]
    fn a_rule_pinned_to_the_target_is_left_alone_on_the_way_there_and_back() {
        let pinned = route(&[&[("hello-2", 1)], &[("hello-1", 1)]]);
        let rules = rules_with(&pinned, "hello-1");
        assert_eq!(rules, [1]);
        let seen = Scope { rules: &rules, count: 2 }.apply(&pinned);
        assert!(edits(&seen, PAIR, 30).iter().all(|e| e.rule() == 1));
        assert!(stands_at(&seen, PAIR, 0), "the pinned rule does not count as a share");
        let moved = route(&[&[("hello-2", 1)], &[("hello-2", 100)]]);
        let seen = Scope { rules: &rules, count: 2 }.apply(&moved);
        let back = Pair { original: "hello-2", replacement: "hello-1", keeps: false };
        assert!(edits(&seen, back, 100).iter().all(|e| e.rule() == 1));
    }

    #[test]
    fn a_route_of_another_shape_is_seen_whole() {
        let route = route(&[&[("hello-1", 1)], &[("hello-1", 1)], &[("other", 1)]]);
        assert!(Arc::ptr_eq(&Scope { rules: &[0], count: 2 }.apply(&route), &route));
        assert!(Arc::ptr_eq(&Scope { rules: &[], count: 3 }.apply(&route), &route));
    }
}
