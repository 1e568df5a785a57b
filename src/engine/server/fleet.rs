//! The targets of a server deployment with their letters: who ended, who is lost, who may begin.

use std::ops::Range;

use super::healthy::{Outcome, Tally};
use super::host::Reach;
use super::progress::{Run, State, Target};
use crate::api::deployment_snapshot::ResolvedServer;
use crate::api::deployment_status::{Diagnostics, FailedTarget};
use crate::engine::draft::{Draft, clip};

/// Failed targets kept in a status.
pub const MAX_FAILED: usize = 100;
/// What is kept of the message of each, in bytes: with the targets' names all of it has to fit into one object.
pub const MAX_MESSAGE: usize = 1_000;
/// And of what its script said last.
pub const MAX_LOG_TAIL: usize = 2_048;

/// All targets of one deployment as they are looked at.
pub struct Fleet<'a> {
    /// The deployment.
    pub run: Run<'a>,
    /// The targets, in their order.
    pub targets: Vec<Target<'a>>,
    /// Their letters.
    pub letters: Vec<u8>,
    /// How those stand that are worked on, by index.
    pub states: Vec<(usize, State)>,
}

/// The targets that are worked on at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name; empty for hosts without one, and if the deployment does not go zone by zone.
    pub name: String,
    /// Its targets.
    pub range: Range<usize>,
    /// How many of them stay healthy.
    pub floor: i32,
    /// True for the first one.
    pub is_first: bool,
}

impl<'a> Fleet<'a> {
    /// The targets of `run`, with the letters on record.
    pub fn look(draft: &Draft<'a>, run: Run<'a>) -> Self {
        let hosts = &draft.facts.server.hosts;
        let named = run.server.targets.iter().zip(&run.server.uids);
        let targets: Vec<Target<'a>> =
            named.map(|(name, uid)| Target { name, uid, host: hosts.get(name).map(|h| &**h) }).collect();
        let mut letters = draft.status.targets.clone().into_bytes();
        letters.resize(targets.len(), b'P');
        let worked_on = letters.iter().enumerate().filter(|(_, l)| **l == b'I');
        let states = worked_on.map(|(i, _)| (i, run.state(&targets[i]))).collect();
        Self { run, targets, letters, states }
    }

    /// Puts on record who has ended, and who is gone before its turn came.
    pub fn note_ends(&mut self, draft: &mut Draft<'_>) {
        let refused = &draft.facts.server.refused;
        for (index, state) in &mut self.states {
            if let (State::Unassigned, Some(words)) = (&*state, refused.get(self.targets[*index].name)) {
                let message = format!("the API server refuses its assignment: {words}");
                let error_code = "AssignmentRefused".into();
                *state = State::Failed(None, Diagnostics { error_code, message, ..Diagnostics::default() });
            }
        }
        for (index, state) in &self.states {
            let name = self.targets[*index].name;
            self.letters[*index] = match state {
                State::Succeeded => b'S',
                State::Failed(event, known) => {
                    note_failure(
                        draft,
                        FailedTarget { name: name.into(), event: *event, diagnostics: known.clone() },
                    );
                    b'F'
                }
                State::Stopped(true) => {
                    let message =
                        "it was stopped half-way: what had begun has ended, and nothing more begins".into();
                    let diagnostics =
                        Diagnostics { error_code: "Stopped".into(), message, ..Diagnostics::default() };
                    note_failure(draft, FailedTarget { name: name.into(), event: None, diagnostics });
                    b'F'
                }
                State::Stopped(false) => b'K',
                State::Unassigned | State::Running(_) | State::Turn(..) => b'I',
            };
        }
        let letters = &self.letters;
        self.states.retain(|(index, _)| letters[*index] == b'I');
        for (letter, target) in self.letters.iter_mut().zip(&self.targets) {
            if *letter == b'P' && target.present().is_none() {
                *letter = b'K';
            }
        }
    }

    /// True if the last deployment to a host whose turn has not come succeeded: as it is now, which may be news since the
    /// snapshot. As long as nobody has begun, the one before is the last.
    pub fn is_healthy(&self, index: usize) -> bool {
        self.targets[index].present().is_some_and(|h| h.is_healthy(self.run.group))
    }

    fn is_heard_of(&self, index: usize) -> bool {
        self.targets[index].present().is_some_and(|h| h.reach == Reach::Heard)
    }

    /// How the targets in `range` stand, of which `floor` stay healthy.
    pub fn tally(&self, range: Range<usize>, floor: i32) -> Tally {
        let total = i32::try_from(range.len()).unwrap_or(i32::MAX);
        let spared = self.run.server.spared_healthy;
        let mut tally = Tally { total, floor, spared, ..Tally::default() };
        for index in range {
            let letter = self.letters[index];
            match letter {
                b'P' => tally.pending += 1,
                b'I' => tally.in_progress += 1,
                b'S' => tally.succeeded += 1,
                _ => tally.lost += 1,
            }
            let is_hopeful = match letter {
                b'P' => self.is_healthy(index),
                b'S' => self.targets[index].present().is_some(),
                _ => false,
            };
            tally.hopeful += i32::from(is_hopeful);
            tally.available += i32::from(is_hopeful && self.is_heard_of(index));
        }
        tally
    }

    /// All targets.
    pub fn whole(&self) -> Tally {
        self.tally(0..self.targets.len(), self.run.server.minimum_healthy)
    }

    /// The zone that is worked on: the first in which anybody has not ended.
    pub fn zone(&self) -> Option<Zone> {
        zones(self.run.server, self.targets.len()).into_iter().find(|zone| !self.has_ended(&zone.range))
    }

    /// The last zone in which all have ended, if the next has not begun.
    pub fn zone_before(&self) -> Option<Zone> {
        let zones = zones(self.run.server, self.targets.len());
        let present = zones.iter().position(|zone| !self.has_ended(&zone.range))?;
        let has_begun = self.letters[zones[present].range.clone()].iter().any(|l| !matches!(l, b'P' | b'K'));
        zones.get(present.checked_sub(1)?).filter(|_| !has_begun).cloned()
    }

    fn has_ended(&self, range: &Range<usize>) -> bool {
        self.letters[range.clone()].iter().all(|l| !matches!(l, b'P' | b'I'))
    }

    /// The first zone that has ended with too few of its hosts well.
    pub fn zone_lost(&self) -> Option<Zone> {
        let zones = zones(self.run.server, self.targets.len());
        let is_lost = |zone: &Zone| self.tally(zone.range.clone(), zone.floor).outcome() == Outcome::TooFew;
        zones.into_iter().find(|zone| !self.run.server.zones.is_empty() && is_lost(zone))
    }

    /// Lets as many begin as may: unhealthy ones first, as the targets are in that order. Answers their indexes.
    pub fn begin(&mut self, zone: &Zone) -> Vec<usize> {
        let mut whole = self.whole();
        let mut part = self.tally(zone.range.clone(), zone.floor);
        let mut begun = vec![];
        for index in zone.range.clone().filter(|i| self.letters[*i] == b'P').collect::<Vec<_>>() {
            let (is_healthy, is_heard_of) = (self.is_healthy(index), self.is_heard_of(index));
            let is_missed = is_healthy && is_heard_of;
            if whole.may_begin(is_missed) && part.may_begin(is_missed) {
                self.letters[index] = b'I';
                whole.begin(is_healthy, is_heard_of);
                part.begin(is_healthy, is_heard_of);
                begun.push(index);
            }
        }
        begun
    }

    /// The letters as a status has them.
    pub fn text(&self) -> String {
        self.letters.iter().map(|l| char::from(*l)).collect()
    }
}

fn note_failure(draft: &mut Draft<'_>, mut failed: FailedTarget) {
    let known = &mut failed.diagnostics;
    known.message = clip(std::mem::take(&mut known.message), MAX_MESSAGE);
    known.log_tail = clip(std::mem::take(&mut known.log_tail), MAX_LOG_TAIL);
    if draft.status.failed_targets.len() < MAX_FAILED {
        draft.status.failed_targets.push(failed);
    }
}

/// The zones of a deployment; one with all targets if it does not go zone by zone.
fn zones(server: &ResolvedServer, targets: usize) -> Vec<Zone> {
    if server.zones.is_empty() {
        let (name, floor) = (String::new(), server.minimum_healthy);
        return vec![Zone { name, range: 0..targets, floor, is_first: true }];
    }
    let mut from = 0;
    let mut zones = vec![];
    for zone in &server.zones {
        let to = targets.min(from + usize::try_from(zone.targets).unwrap_or(0));
        let (name, floor) = (zone.name.clone(), zone.minimum_healthy);
        zones.push(Zone { name, range: from..to, floor, is_first: zones.is_empty() });
        from = to;
    }
    zones
}
