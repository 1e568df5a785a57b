//! Minimum healthy hosts: how many may be worked on at once, when a deployment has failed, and when it has succeeded.
//!
//! Source: CodeDeploy's user guide, "Instance health" and "Deployment configurations"; where it is silent, as documented in
//! `docs/server.md`. Every example of the guide is a test below.

use crate::api::deployment_config::{HealthyHostsType, MinimumHealthyHosts};

/// How many of `total` hosts stay healthy: a percentage is converted once, and rounded up.
pub fn floor(wanted: MinimumHealthyHosts, total: i32) -> i32 {
    match wanted.type_ {
        HealthyHostsType::HostCount => wanted.value,
        HealthyHostsType::FleetPercent => {
            let parts = i64::from(total) * i64::from(wanted.value);
            i32::try_from((parts + 99) / 100).unwrap_or(i32::MAX)
        }
    }
}

/// Where the targets of a deployment, or those in one of its zones, stand.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub total: i32,
    /// How many are to stay healthy.
    pub floor: i32,
    /// How many of those that serve are spared by a rollback, as long as it can go on without them.
    pub spared: i32,
    /// Healthy, heard of, and not worked on: those that surely serve.
    pub available: i32,
    /// Healthy and not worked on, whether heard of or not.
    pub hopeful: i32,
    /// Not begun.
    pub pending: i32,
    /// Worked on.
    pub in_progress: i32,
    /// Ended well.
    pub succeeded: i32,
    /// Ended badly, or gone before their turn came.
    pub lost: i32,
}

/// What a tally means.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// More is to come.
    GoesOn,
    /// No more hosts may begin, or too few have succeeded: the deployment has failed.
    TooFew,
    /// All have ended, and enough of them well.
    Succeeded,
}

impl Tally {
    /// True if one more may begin. A healthy one must not be missed; one that is not healthy takes nothing away, but bad
    /// luck stays bounded: no more hosts are worked on at once than a healthy fleet could spare. A rollback spares as many
    /// as the deployment that it follows had to, and where that leaves nobody, goes on with one at a time.
    pub fn may_begin(&self, is_healthy: bool) -> bool {
        let has_room = self.in_progress < (self.total - self.floor).max(1);
        let can_spare = self.available > self.spared || self.in_progress == 0;
        has_room && (!is_healthy || (self.available > self.floor && can_spare))
    }

    /// Notes that one begins.
    pub fn begin(&mut self, is_healthy: bool, is_heard_of: bool) {
        self.pending -= 1;
        self.in_progress += 1;
        self.hopeful -= i32::from(is_healthy);
        self.available -= i32::from(is_healthy && is_heard_of);
    }

    /// True if nothing but more healthy hosts could bring the rest forward: nobody is worked on, and nobody may begin.
    pub fn is_stuck(&self) -> bool {
        self.pending > 0 && self.in_progress == 0
    }

    /// True if it stays stuck even when every healthy host is heard of again.
    pub fn is_hopeless(&self) -> bool {
        self.is_stuck() && self.hopeful <= self.floor
    }

    /// What it means for the deployment. The failure that brings the healthy down to the floor still counts as success
    /// when no target remains.
    pub fn outcome(&self) -> Outcome {
        if self.pending > 0 && self.lost > 0 && self.total - self.lost <= self.floor {
            return Outcome::TooFew;
        }
        match (self.pending, self.in_progress) {
            (0, 0) if self.succeeded >= self.floor.max(1) => Outcome::Succeeded,
            (0, 0) => Outcome::TooFew,
            _ => Outcome::GoesOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use HealthyHostsType::{FleetPercent, HostCount};

    use super::*;

    /// How a deployment to `total` hosts goes of which the ones at `failing` (from 1, in the order in which they begin) fail:
    /// the first batch, whether it succeeds, and how many never begin.
    fn run(total: i32, floor: i32, healthy: bool, failing: &[i32]) -> (i32, bool, i32) {
        let standing = if healthy { total } else { 0 };
        let mut tally = Tally {
            total,
            floor,
            available: standing,
            hopeful: standing,
            pending: total,
            ..Tally::default()
        };
        let (mut begun, mut ended, mut first) = (0, 0, None);
        loop {
            match tally.outcome() {
                Outcome::Succeeded => return (first.unwrap_or(0), true, 0),
                Outcome::TooFew => return (first.unwrap_or(0), false, tally.pending),
                Outcome::GoesOn => {}
            }
            while tally.pending > 0 && tally.may_begin(healthy) {
                tally.begin(healthy, true);
                begun += 1;
            }
            first.get_or_insert(begun);
            if tally.is_stuck() {
                return (first.unwrap_or(0), false, tally.pending);
            }
            ended += 1;
            tally.in_progress -= 1;
            if failing.contains(&ended) {
                tally.lost += 1;
            } else {
                tally.succeeded += 1;
                tally.available += 1;
                tally.hopeful += 1;
            }
        }
    }

    fn floor_of(type_: HealthyHostsType, value: i32, total: i32) -> i32 {
        floor(MinimumHealthyHosts { type_, value }, total)
    }

    #[test]
    fn a_percentage_is_rounded_up_once() {
        for (total, percent, wanted) in
            [(10, 95, 10), (10, 85, 9), (9, 50, 5), (9, 40, 4), (3, 0, 0), (1, 50, 1), (5_000, 99, 4_950)]
        {
            assert_eq!(floor_of(FleetPercent, percent, total), wanted, "{percent} % of {total}");
        }
        assert_eq!(floor_of(HostCount, 6, 9), 6);
    }

    #[test]
    fn every_documented_example_goes_as_documented() {
        let (count, percent) = (HostCount, FleetPercent);
        let all = &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
        for failing in 1..=9 {
            let went = run(10, floor_of(percent, 85, 10), true, &[failing]);
            assert_eq!(went, (1, false, 10 - failing), "any failure but the last ends it: {failing}");
        }
        type Case<'a> = (i32, HealthyHostsType, i32, &'a [i32], (i32, bool, i32));
        let cases: [Case<'_>; 19] = [
            (10, percent, 95, &[], (0, false, 10)),
            (10, percent, 85, &[], (1, true, 0)),
            (10, percent, 85, &[10], (1, true, 0)),
            (10, count, 9, &[3], (1, false, 7)),
            (10, count, 9, &[10], (1, true, 0)),
            (10, count, 8, &[1, 2], (2, false, 8)),
            (10, count, 8, &[4], (2, true, 0)),
            (10, count, 8, &[4, 10], (2, true, 0)),
            // After a failure one at a time is spare: the second comes while the tenth still waits.
            (10, count, 8, &[4, 9], (2, false, 1)),
            (10, count, 0, &all[..9], (10, true, 0)),
            (10, count, 0, all, (10, false, 0)),
            (9, percent, 50, &[6, 7, 8, 9], (4, true, 0)),
            (9, percent, 50, &[1, 2, 3, 4], (4, false, 5)),
            (9, count, 6, &[7, 8, 9], (3, true, 0)),
            (9, count, 6, &[1, 2, 3], (3, false, 6)),
            (9, percent, 40, &[5, 6, 7, 8, 9], (5, true, 0)),
            (9, percent, 40, &[1, 2, 3, 4, 5], (5, false, 4)),
            (2, count, 1, &[2], (1, true, 0)),
            (2, count, 1, &[1], (1, false, 1)),
        ];
        for (index, (total, type_, value, failing, wanted)) in cases.into_iter().enumerate() {
            let floor = floor_of(type_, value, total);
            let went = run(total, floor, true, failing);
            assert_eq!(went, wanted, "case {index}: {type_:?} {value} of {total}, failing {failing:?}");
        }
    }

    #[test]
    fn the_predefined_configurations_go_as_documented() {
        let half = floor_of(FleetPercent, 50, 9);
        assert_eq!(run(9, half, true, &[]).0, 4, "fractions are rounded down");
        let (one, total) = (9, 10);
        assert_eq!(run(total, one, true, &[]), (1, true, 0));
        assert_eq!(run(total, one, true, &[10]), (1, true, 0), "all but the last");
        assert_eq!(run(total, one, true, &[5]), (1, false, 5));
        assert_eq!(run(1, 0, true, &[]), (1, true, 0));
        assert_eq!(run(1, 0, true, &[1]), (1, false, 0), "a fleet of one: that one must succeed");
        assert_eq!(run(6, 0, true, &[1, 2, 3, 4, 5]), (6, true, 0), "all at once: one will do");
    }

    #[test]
    fn a_fleet_that_was_never_deployed_to_is_worked_on_as_carefully_as_a_healthy_one() {
        assert_eq!(run(10, 8, false, &[]), (2, true, 0));
        assert_eq!(run(10, 8, false, &[1, 2]), (2, false, 7), "the third had begun when the first ended");
        assert_eq!(run(10, 9, false, &[1]), (1, false, 9));
        assert_eq!(
            run(1, 1, false, &[]),
            (1, true, 0),
            "a floor as high as the fleet lets one at a time begin"
        );
        assert_eq!(run(3, 3, false, &[2]), (1, false, 1));
    }

    #[test]
    fn nobody_begins_who_is_missed_and_an_unhealthy_host_is_never_missed() {
        let tally = Tally { total: 4, floor: 3, available: 3, hopeful: 3, pending: 4, ..Tally::default() };
        assert!(tally.may_begin(false) && !tally.may_begin(true));
        let mut under_way = tally;
        under_way.begin(false, true);
        assert!(!under_way.may_begin(false), "no more at once than a healthy fleet could spare");
        assert_eq!((under_way.available, under_way.pending), (3, 3));
    }

    #[test]
    fn a_fleet_below_its_floor_is_not_reduced_further_and_not_waited_for_in_vain() {
        let low = Tally {
            total: 10,
            floor: 8,
            available: 7,
            hopeful: 9,
            pending: 9,
            succeeded: 1,
            ..Tally::default()
        };
        assert!(!low.may_begin(true) && low.is_stuck() && !low.is_hopeless(), "two may be heard of again");
        assert!(Tally { hopeful: 8, ..low }.is_hopeless());
    }
}
