//! Which rules of a route a deployment concerns: those that held the current version at its start.
//!
//! A rule that is pinned to the target version (testers by header, say) is left alone, also on the way back.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::{RouteFact, RuleFact};
use crate::api::deployment_snapshot::{ResolvedFunction, ResolvedListener};

/// The rules that a deployment concerns, as they were recorded at its start.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Their indexes then; empty means every rule.
    pub rules: &'a [i32],
    /// How many rules the route had.
    pub count: i32,
    /// What each of the route's rules was known by; empty on records that are older than keys.
    pub keys: &'a [String],
}

/// The rules of a scope cannot be told from the others of the route any more.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Lost;

impl<'a> Scope<'a> {
    /// The scope of a snapshot.
    pub fn of(function: &'a ResolvedFunction) -> Self {
        Self { rules: &function.rules, count: function.rule_count, keys: &function.rule_keys }
    }

    /// The scope of a listener in a snapshot.
    pub fn of_listener(listener: &'a ResolvedListener) -> Self {
        Self { rules: &listener.rules, count: listener.rule_count, keys: &listener.rule_keys }
    }

    /// Where its rules stand in the route as it is: found by their keys, since rules come, go and change places. One that
    /// was out of scope never comes in, and neither does one that was added.
    pub fn find(self, route: &RouteFact) -> Result<Vec<usize>, Lost> {
        let count = route.rules.len();
        if self.rules.is_empty() {
            return Ok((0..count).collect());
        }
        let recorded: Vec<usize> = self.rules.iter().filter_map(|i| usize::try_from(*i).ok()).collect();
        let is_same_count = usize::try_from(self.count).is_ok_and(|c| c == count);
        let Some((own, others)) = self.keys_apart(&recorded) else {
            return if is_same_count { Ok(recorded) } else { Err(Lost) };
        };
        let at = |is_wanted: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let rules = route.rules.iter().enumerate();
            rules.filter(|(_, r)| is_wanted(&r.key)).map(|(index, _)| index).collect()
        };
        let mut found = at(&|key| own.contains(&key));
        let strangers = at(&|key| !own.contains(&key) && !others.contains(&key));
        for index in recorded.into_iter().filter(|i| route.rules.iter().all(|r| r.key != self.keys[*i])) {
            // Not there any more: it was removed, unless some rule may be what became of it.
            match strangers.contains(&index) && is_same_count {
                true => found.push(index),
                false if strangers.is_empty() => {}
                false => return Err(Lost),
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The Services with weight in rules that were not there at the start: nobody moves that, and nobody may take it for none.
    fn added(self, route: &RouteFact, own: &[usize]) -> BTreeSet<String> {
        if self.rules.is_empty() || self.keys.is_empty() {
            return BTreeSet::new();
        }
        let rules = route.rules.iter().enumerate();
        let rules = rules.filter(|(index, r)| !own.contains(index) && !self.keys.contains(&r.key));
        let serving = rules.flat_map(|(_, r)| &r.backends).filter(|b| b.weight > 0);
        serving.filter_map(|b| b.service.clone()).collect()
    }

    /// The keys of the rules in scope and those of the others; `None` if they were not recorded, or one is in both.
    fn keys_apart(&self, recorded: &[usize]) -> Option<(Vec<&'a str>, Vec<&'a str>)> {
        let keys = self.keys.iter().enumerate();
        let (own, others): (Vec<_>, Vec<_>) = keys.partition(|(index, _)| recorded.contains(index));
        let bare = |keys: Vec<(usize, &'a String)>| keys.into_iter().map(|(_, key)| key.as_str()).collect();
        let (own, others): (Vec<&str>, Vec<&str>) = (bare(own), bare(others));
        let is_apart = own.len() == recorded.len() && own.iter().all(|key| !others.contains(key));
        is_apart.then_some((own, others))
    }

    /// The route with the rules out of scope emptied, so that their numbers are neither read nor written; with none at all
    /// if they cannot be told apart.
    pub fn apply(self, route: &Arc<RouteFact>) -> Arc<RouteFact> {
        match self.find(route) {
            Ok(found) => {
                let kept = keep(route, &found);
                let added = self.added(route, &found);
                if added.is_empty() { kept } else { Arc::new(RouteFact { added, ..RouteFact::clone(&kept) }) }
            }
            Err(Lost) => {
                let mut lost = RouteFact::clone(&keep(route, &[]));
                lost.rules_are_lost = true;
                Arc::new(lost)
            }
        }
    }
}

/// The route with all rules emptied but those at `rules`; none of them means every rule.
pub fn only(route: &Arc<RouteFact>, rules: &[i32]) -> Arc<RouteFact> {
    let rules: Vec<usize> = rules.iter().filter_map(|i| usize::try_from(*i).ok()).collect();
    if rules.is_empty() { Arc::clone(route) } else { keep(route, &rules) }
}

fn keep(route: &Arc<RouteFact>, kept: &[usize]) -> Arc<RouteFact> {
    if (0..route.rules.len()).all(|i| kept.contains(&i)) {
        return Arc::clone(route);
    }
    let mut scoped = RouteFact::clone(route);
    let others = scoped.rules.iter_mut().enumerate().filter(|(index, _)| !kept.contains(index));
    others.for_each(|(_, rule)| rule.backends.clear());
    Arc::new(scoped)
}

/// The rules in which `service` has weight.
pub fn rules_with(route: &RouteFact, service: &str) -> Vec<i32> {
    let has =
        |rule: &RuleFact| rule.backends.iter().any(|b| b.weight > 0 && b.service.as_deref() == Some(service));
    let rules = route.rules.iter().enumerate().filter(|(_, rule)| has(rule));
    rules.filter_map(|(index, _)| i32::try_from(index).ok()).collect()
}

/// What each rule of the route is known by.
pub fn keys(route: &RouteFact) -> Vec<String> {
    route.rules.iter().map(|r| r.key.clone()).collect()
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

    /// A rule: what it is known by, and its backends.
    type Told<'a> = (&'a str, &'a [(&'a str, i32)]);

    fn route(rules: &[Told<'_>]) -> Arc<RouteFact> {
        let backend = |(service, weight): &(&str, i32)| BackendFact {
            service: Some((*service).into()),
            weight: *weight,
            port: Some(80),
        };
        let rule = |(key, backends): &Told<'_>| RuleFact {
            key: (*key).into(),
            backends: backends.iter().map(backend).collect(),
        };
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
            rules_are_lost: false,
            added: Default::default(),
        })
    }

    const PAIR: Pair<'_> = Pair { original: "hello-1", replacement: "hello-2", keeps: false };

    const PINNED: Told<'_> = ("header", &[("hello-2", 1)]);
    const OPEN: Told<'_> = ("path", &[("hello-1", 1)]);
    const NEW: Told<'_> = ("new", &[("hello-2", 1)]);

    #[test]
    fn a_rule_pinned_to_the_target_is_left_alone_on_the_way_there_and_back() {
        let pinned = route(&[PINNED, OPEN]);
        let rules = rules_with(&pinned, "hello-1");
        assert_eq!(rules, [1]);
        let keys = ["header".to_owned(), "path".to_owned()];
        let scope = Scope { rules: &rules, count: 2, keys: &keys };
        let seen = scope.apply(&pinned);
        assert!(edits(&seen, PAIR, 30).iter().all(|e| e.rule() == 1));
        assert!(stands_at(&seen, PAIR, 0), "the pinned rule does not count as a share");
        let moved = route(&[PINNED, ("path", &[("hello-2", 100)])]);
        let back = Pair { original: "hello-2", replacement: "hello-1", keeps: false };
        assert!(edits(&scope.apply(&moved), back, 100).iter().all(|e| e.rule() == 1));
    }

    /// Where the second rule of [`PINNED`], [`OPEN`] is found among `rules`.
    fn found(rules: &[Told<'_>]) -> Result<Vec<usize>, Lost> {
        let keys = ["header".to_owned(), "path".to_owned()];
        Scope { rules: &[1], count: 2, keys: &keys }.find(&route(rules))
    }

    #[test]
    fn a_rule_in_scope_is_found_wherever_it_stands_and_no_other_comes_in() {
        assert_eq!(found(&[PINNED, OPEN]), Ok(vec![1]));
        assert_eq!(found(&[OPEN, PINNED]), Ok(vec![0]));
        assert_eq!(found(&[NEW, PINNED, OPEN]), Ok(vec![2]));
        assert_eq!(found(&[OPEN]), Ok(vec![0]));
        assert_eq!(found(&[PINNED]), Ok(vec![]), "it was removed");
    }

    #[test]
    fn a_rule_that_was_edited_is_known_by_its_place_as_long_as_no_rule_came_or_went() {
        assert_eq!(found(&[PINNED, NEW]), Ok(vec![1]));
        assert_eq!(found(&[NEW, PINNED]), Err(Lost), "a new one, or the old one in another place");
        assert_eq!(found(&[PINNED, NEW, NEW]), Err(Lost));
        let lost = Scope { rules: &[1], count: 2, keys: &["header".into(), "path".into()] }
            .apply(&route(&[NEW, PINNED]));
        assert!(lost.rules_are_lost && edits(&lost, PAIR, 30).is_empty(), "nothing is touched then");
    }

    #[test]
    fn rules_that_were_alike_at_the_start_are_known_by_their_places_alone() {
        let keys = ["path".to_owned(), "path".to_owned()];
        let scope = Scope { rules: &[1], count: 2, keys: &keys };
        assert_eq!(scope.find(&route(&[OPEN, OPEN])), Ok(vec![1]));
        assert_eq!(scope.find(&route(&[OPEN, OPEN, OPEN])), Err(Lost));
        let unrecorded = Scope { keys: &[], ..scope };
        assert_eq!(unrecorded.find(&route(&[PINNED, OPEN])), Ok(vec![1]));
        assert_eq!(unrecorded.find(&route(&[PINNED, OPEN, NEW])), Err(Lost));
        let all = Scope { rules: &[], ..unrecorded };
        assert_eq!(all.find(&route(&[PINNED, OPEN, NEW])), Ok(vec![0, 1, 2]));
    }
}
