//! The arithmetic of weights: which numbers a route's rules get at a step, and whether a route has them.
//!
//! Only rules that hold one of the pair are touched. The pair's sum is kept; where the pair is alone it becomes 100.
//! A third backend keeps its number and therefore its share. The replacement's backendRef is added as a copy of the
//! original's. On the Function platform the original's is removed in the write that takes its last share; on the Service
//! platform both stay.

use super::facts::{RouteFact, RuleFact};
use super::plan::Edit;

/// The Gateway API's bound on backendRefs in one rule.
pub const MAX_BACKENDS: usize = 16;

/// Two Services of one route, of which one gives and the other takes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Pair<'a> {
    /// The Service that had the traffic.
    pub original: &'a str,
    /// The Service that gets it.
    pub replacement: &'a str,
    /// True if a side without traffic stays in the route, with weight 0 (Service: its endpoints are known to the gateway
    /// before it gets traffic again); false if its backendRef goes (Function).
    pub keeps: bool,
}

/// How the pair stands in one rule.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
struct Stand {
    original: Option<(usize, i32)>,
    replacement: Option<(usize, i32)>,
    others: i64,
    backends: usize,
}

impl Stand {
    fn of(rule: &RuleFact, pair: Pair<'_>) -> Self {
        let mut stand = Self { backends: rule.backends.len(), ..Self::default() };
        for (index, backend) in rule.backends.iter().enumerate() {
            match backend.service.as_deref() {
                Some(s) if s == pair.original && stand.original.is_none() => {
                    stand.original = Some((index, backend.weight));
                }
                Some(s) if s == pair.replacement && stand.replacement.is_none() => {
                    stand.replacement = Some((index, backend.weight));
                }
                _ => stand.others += i64::from(backend.weight),
            }
        }
        stand
    }

    fn is_touched(&self) -> bool {
        self.original.is_some() || self.replacement.is_some()
    }

    fn sum(&self) -> i32 {
        self.original.map_or(0, |(_, w)| w).saturating_add(self.replacement.map_or(0, |(_, w)| w))
    }

    /// The sum that the pair shares from the next write on.
    fn total(&self) -> i32 {
        if self.others == 0 { 100 } else { self.sum() }
    }
}

/// `percent` of `total`, to the nearest whole number.
fn part(total: i32, percent: i32) -> i32 {
    let exact = i64::from(total) * i64::from(percent);
    i32::try_from((exact + 50) / 100).unwrap_or(i32::MAX)
}

/// Why a route cannot carry a shift.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No rule holds either of the pair.
    #[error("no rule of HTTPRoute {route} has a backendRef to Service {original}")]
    NotServed {
        /// The route.
        route: String,
        /// The Service that should have been there.
        original: String,
    },
    /// A step would be rounded away.
    #[error(
        "rule {rule} of HTTPRoute {route}: the pair's weights add up to {total}, too coarse for a step to {percent} %; give its backendRefs weights that add up to 100 or more"
    )]
    TooCoarse {
        /// The route.
        route: String,
        /// The rule's index.
        rule: usize,
        /// The pair's sum.
        total: i32,
        /// The step.
        percent: i32,
    },
    /// There is no room for one more backendRef.
    #[error(
        "rule {rule} of HTTPRoute {route} has 16 backendRefs already; remove one, so that the replacement's can be added"
    )]
    Full {
        /// The route.
        route: String,
        /// The rule's index.
        rule: usize,
    },
    /// The pair has no weight to share beside other backends.
    #[error(
        "rule {rule} of HTTPRoute {route}: Service {original} has weight 0 beside other backends; give it a weight"
    )]
    NoShare {
        /// The route.
        route: String,
        /// The rule's index.
        rule: usize,
        /// The Service that should have a share.
        original: String,
    },
}

impl Unfit {
    /// CamelCase, for conditions and Events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotServed { .. } => "NotServed",
            Self::TooCoarse { .. } => "WeightTooCoarse",
            Self::Full { .. } => "TooManyBackends",
            Self::NoShare { .. } => "NoShare",
        }
    }
}

/// Says whether every step of `percents` can be expressed by the route as it is.
pub fn check(route: &RouteFact, pair: Pair<'_>, percents: &[i32]) -> Result<(), Unfit> {
    let mut touched = false;
    for (rule, fact) in route.rules.iter().enumerate() {
        let stand = Stand::of(fact, pair);
        if !stand.is_touched() {
            continue;
        }
        touched = true;
        let name = || route.name.clone();
        if stand.replacement.is_none() && stand.backends >= MAX_BACKENDS {
            return Err(Unfit::Full { route: name(), rule });
        }
        let total = stand.total();
        if total == 0 {
            return Err(Unfit::NoShare { route: name(), rule, original: pair.original.into() });
        }
        if let Some(&percent) = percents.iter().find(|p| is_too_coarse(total, **p)) {
            return Err(Unfit::TooCoarse { route: name(), rule, total, percent });
        }
    }
    if touched {
        Ok(())
    } else {
        Err(Unfit::NotServed { route: route.name.clone(), original: pair.original.into() })
    }
}

/// True if the nearest whole weight is more than half a percentage point off, or hides the step altogether.
fn is_too_coarse(total: i32, percent: i32) -> bool {
    let weight = part(total, percent);
    let error = (i64::from(weight) * 100 - i64::from(total) * i64::from(percent)).abs();
    let hides = (percent > 0 && weight == 0) || (percent < 100 && weight == total);
    hides || 2 * error > i64::from(total)
}

/// The edits that give the replacement `percent` of the pair's share in every rule that holds the pair.
pub fn edits(route: &RouteFact, pair: Pair<'_>, percent: i32) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (rule, fact) in route.rules.iter().enumerate() {
        let stand = Stand::of(fact, pair);
        if !stand.is_touched() {
            continue;
        }
        let total = stand.total();
        let gets = part(total, percent);
        if total == 0 {
            continue;
        }
        put(&mut edits, rule, (stand.replacement, stand.original), pair.replacement, gets, pair.keeps);
        put(&mut edits, rule, (stand.original, stand.replacement), pair.original, total - gets, pair.keeps);
    }
    // Removals last and from the end, so that the indexes of the others hold.
    edits.sort_by_key(|e| match e {
        Edit::Remove { rule, backend } => (1, usize::MAX - rule, usize::MAX - backend),
        _ => (0, e.rule(), 0),
    });
    edits
}

/// Where a Service stands in a rule: index and weight.
type Place = Option<(usize, i32)>;

fn put(
    edits: &mut Vec<Edit>,
    rule: usize,
    (own, other): (Place, Place),
    service: &str,
    weight: i32,
    keeps: bool,
) {
    match (own, other) {
        // The other one has it all, or gets it by a copy.
        (Some((backend, _)), _) if weight == 0 && !keeps => edits.push(Edit::Remove { rule, backend }),
        (Some((backend, now)), _) if now != weight => edits.push(Edit::Weight { rule, backend, weight }),
        (None, Some((from, _))) if weight > 0 => {
            edits.push(Edit::Copy { rule, from, service: service.into(), weight });
        }
        _ => {}
    }
}

/// True if every rule that holds the pair gives the replacement `percent` of the pair's share.
///
/// Before the first write (`percent` 0) any split of numbers counts in which the replacement has nothing.
pub fn stands_at(route: &RouteFact, pair: Pair<'_>, percent: i32) -> bool {
    let mut touched = false;
    for rule in &route.rules {
        let stand = Stand::of(rule, pair);
        if !stand.is_touched() {
            continue;
        }
        touched = true;
        let (sum, has) = (stand.sum(), stand.replacement.map_or(0, |(_, w)| w));
        let fits = match percent {
            0 => has == 0 && sum > 0,
            100 => has == sum && sum > 0,
            // A sum of 1, a route's default, holds no step between: 25 % of it would be rounded to nothing, and count as taken.
            _ => has == part(sum, percent) && sum > 0 && !is_too_coarse(sum, percent),
        };
        if !fits {
            return false;
        }
    }
    touched
}

/// The replacement's percentage of the pair's share where it is greatest, or `None` if no rule holds the pair.
pub fn share(route: &RouteFact, pair: Pair<'_>) -> Option<i32> {
    route
        .rules
        .iter()
        .map(|rule| Stand::of(rule, pair))
        .filter(|stand| stand.is_touched() && stand.sum() > 0)
        .map(|stand| {
            let has = i64::from(stand.replacement.map_or(0, |(_, w)| w));
            i32::try_from((has * 100 + i64::from(stand.sum()) / 2) / i64::from(stand.sum())).unwrap_or(100)
        })
        .max()
}

#[cfg(test)]
mod tests {
    use super::super::facts::{BackendFact, GatewayFact};
    use super::*;

    const PAIR: Pair<'_> = Pair { original: "a", replacement: "b", keeps: false };

    fn route(rules: &[&[(&str, i32)]]) -> RouteFact {
        let backend =
            |(s, w): &(&str, i32)| BackendFact { service: Some((*s).into()), weight: *w, port: None };
        RouteFact {
            name: "r".into(),
            uid: "u".into(),
            generation: 1,
            is_going: false,
            rules: rules
                .iter()
                .map(|r| RuleFact { key: String::new(), backends: r.iter().map(backend).collect() })
                .collect(),
            gateway: GatewayFact::Taken,
            sightings: vec![],
            refused_at: None,
            write_refused: None,
            rules_are_lost: false,
            added: Default::default(),
        }
    }

    /// The route as the edits leave it.
    fn edited(mut route: RouteFact, percent: i32) -> RouteFact {
        for edit in edits(&route.clone(), PAIR, percent) {
            let backends = &mut route.rules[edit.rule()].backends;
            match edit {
                Edit::Weight { backend, weight, .. } => backends[backend].weight = weight,
                Edit::Copy { from, service, weight, .. } => {
                    let copy = BackendFact { service: Some(service), weight, ..backends[from].clone() };
                    backends.push(copy);
                }
                Edit::Remove { backend, .. } => {
                    backends.remove(backend);
                }
            }
        }
        route
    }

    #[test]
    fn a_pair_that_is_alone_shares_a_hundred() {
        assert_eq!(edited(route(&[&[("a", 1)]]), 30), route(&[&[("a", 70), ("b", 30)]]));
        assert_eq!(edited(route(&[&[("a", 70), ("b", 30)]]), 60), route(&[&[("a", 40), ("b", 60)]]));
    }

    #[test]
    fn a_sum_too_coarse_for_a_step_does_not_count_as_standing_there() {
        assert!(!stands_at(&route(&[&[("a", 1)]]), PAIR, 25), "0 of 1 is not 25 %");
        assert!(!stands_at(&route(&[&[("b", 1)]]), PAIR, 75), "1 of 1 is not 75 %");
        assert!(stands_at(&route(&[&[("a", 3), ("b", 1)]]), PAIR, 25), "1 of 4 is");
        assert!(stands_at(&route(&[&[("a", 1)]]), PAIR, 0));
    }

    #[test]
    fn the_side_that_loses_its_last_share_is_removed_at_once_or_at_the_end() {
        assert_eq!(edited(route(&[&[("a", 100)]]), 100), route(&[&[("b", 100)]]));
        assert_eq!(edited(route(&[&[("a", 10), ("b", 90)]]), 100), route(&[&[("b", 100)]]));
        assert_eq!(edited(route(&[&[("a", 10), ("b", 90)]]), 0), route(&[&[("a", 100)]]));
        assert_eq!(edited(route(&[&[("b", 100)]]), 0), route(&[&[("a", 100)]]));
    }

    #[test]
    fn a_third_backend_keeps_its_number_and_the_pair_its_sum() {
        let before = route(&[&[("x", 20), ("a", 80)]]);
        assert_eq!(edited(before.clone(), 25), route(&[&[("x", 20), ("a", 60), ("b", 20)]]));
        assert_eq!(edited(before, 100), route(&[&[("x", 20), ("b", 80)]]));
    }

    #[test]
    fn a_rule_that_holds_neither_of_the_pair_is_left_alone() {
        let before = route(&[&[("x", 5)], &[("a", 100)], &[]]);
        assert_eq!(edited(before, 50), route(&[&[("x", 5)], &[("a", 50), ("b", 50)], &[]]));
    }

    #[test]
    fn every_percentage_can_be_written_and_is_then_seen_to_stand() {
        for percent in 1..100 {
            let after = edited(route(&[&[("a", 100)], &[("x", 100), ("a", 200)]]), percent);
            assert!(stands_at(&after, PAIR, percent), "{percent}: {after:?}");
            assert_eq!(share(&after, PAIR), Some(percent));
            assert!(edits(&after, PAIR, percent).is_empty(), "{percent}");
            assert!(!stands_at(&after, PAIR, percent + 1) || percent == 100);
        }
    }

    #[test]
    fn what_a_route_cannot_carry_is_named() {
        let full: Vec<(&str, i32)> =
            std::iter::once(("a", 1)).chain(std::iter::repeat_n(("x", 0), 15)).collect();
        for (rules, percents, reason) in [
            (&[&[("x", 100)][..]][..], &[100][..], "NotServed"),
            (&[&[("a", 3), ("x", 1)]], &[25, 100], "WeightTooCoarse"),
            (&[&full[..]], &[100], "TooManyBackends"),
            (&[&[("a", 0), ("x", 1)]], &[100], "NoShare"),
        ] {
            let error = check(&route(rules), PAIR, percents).unwrap_err();
            assert_eq!(error.reason(), reason, "{error}");
        }
        assert_eq!(check(&route(&[&[("a", 3), ("x", 1)]]), PAIR, &[100]), Ok(()));
    }

    #[test]
    fn the_share_is_that_of_the_rule_where_it_is_greatest() {
        assert_eq!(share(&route(&[&[("a", 90), ("b", 10)], &[("a", 1), ("b", 1)]]), PAIR), Some(50));
        assert_eq!(share(&route(&[&[("x", 1)]]), PAIR), None);
    }
}
