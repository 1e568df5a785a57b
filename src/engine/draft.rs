//! A decision under way: the status as it will be, the acts and notes so far, and the earliest wake-up.

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::facts::Facts;
use super::plan::{Act, Note, Plan};
use crate::api::condition::{Verdict, conditions};
use crate::api::deployment_status::{Overview, Waiting};
use crate::api::{DeploymentStatus, EventStatus, LifecycleEvent, Phase};

/// How long something may be missing before the object says Stalled.
pub const PATIENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

/// The plan in the making.
pub struct Draft<'a> {
    /// What is looked at.
    pub facts: &'a Facts,
    /// The time of the decision.
    pub now: Timestamp,
    /// The status as it will be.
    pub status: DeploymentStatus,
    acts: Vec<Act>,
    notes: Vec<Note>,
    wake: Option<Timestamp>,
    verdict: Verdict,
    reason: String,
    is_silent: bool,
}

impl<'a> Draft<'a> {
    /// A draft that changes nothing yet.
    pub fn new(facts: &'a Facts, now: Timestamp) -> Self {
        let status = facts.deployment.status.clone().unwrap_or_default();
        let stalled = crate::api::condition::find(&status.conditions, "Stalled").is_some();
        let verdict = match (status.phase, stalled) {
            (Phase::Succeeded, _) => Verdict::Ready,
            (_, true) => Verdict::Stalled,
            _ => Verdict::Reconciling,
        };
        let reason = status.conditions.first().map_or_else(|| "Created".into(), |c| c.reason.clone());
        Self {
            facts,
            now,
            status,
            acts: vec![],
            notes: vec![],
            wake: None,
            verdict,
            reason,
            is_silent: false,
        }
    }

    /// Says how things stand: the message, and the conditions' verdict and reason.
    pub fn say(&mut self, verdict: Verdict, reason: &str, message: impl Into<String>) {
        self.verdict = verdict;
        self.reason = reason.into();
        self.status.message = clip(message.into(), 4_000);
    }

    /// Leaves an object without a status as it is: nothing worth a write is known of it yet.
    pub fn keep_silent(&mut self) {
        self.is_silent = true;
    }

    /// Adds an act.
    pub fn act(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// Takes back what was planned so far: what ends does nothing more.
    pub fn drop_acts(&mut self) {
        self.acts.clear();
    }

    /// Adds a note.
    pub fn note(&mut self, reason: &'static str, message: impl Into<String>) {
        self.notes.push(Note { is_warning: false, reason, message: clip(message.into(), 1_000) });
    }

    /// Adds a warning.
    pub fn warn(&mut self, reason: &'static str, message: impl Into<String>) {
        self.notes.push(Note { is_warning: true, reason, message: clip(message.into(), 1_000) });
    }

    /// Asks to be looked at again no later than `at`.
    pub fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |w| w.min(at)));
    }

    /// Records that something is missing. Answers for how long it has been.
    pub fn wait(&mut self, reason: &'static str, message: impl Into<String>) -> jiff::SignedDuration {
        let since = match &self.status.waiting {
            Some(w) if w.reason == reason => w.since,
            _ => self.now,
        };
        self.status.waiting = Some(Waiting { reason: reason.into(), since });
        let lasted = self.now.duration_since(since);
        if lasted >= PATIENCE {
            self.say(Verdict::Stalled, reason, message);
        } else {
            self.say(Verdict::Reconciling, reason, message);
            self.wake_at(since + PATIENCE);
        }
        lasted
    }

    /// The event of that index in the course.
    pub fn event(&mut self, index: usize) -> &mut LifecycleEvent {
        &mut self.status.lifecycle_events[index]
    }

    /// The plan: the record only if the status really changed.
    pub fn finish(mut self) -> Plan {
        let before = self.facts.deployment.status.as_ref();
        let generation = self.facts.deployment.metadata.generation;
        self.status.overview = overview(&self.status);
        if self.status.phase.has_ended() || self.status.termination_time.is_some() {
            self.status.termination_wait_end_time = None;
        }
        let had = before.map(|s| s.conditions.as_slice()).unwrap_or_default();
        self.status.conditions = conditions(
            had,
            &self.verdict,
            &self.reason,
            &clip(self.status.message.clone(), 1_000),
            generation,
            self.now,
        );
        self.status.observed_generation = generation;
        // A size that is refused holds up neither weights nor the way back.
        self.acts.sort_by_key(|act| matches!(act, Act::ScaleTaskSet(_)));
        let changed = !self.is_silent && before.is_none_or(|b| *b != self.status);
        Plan {
            record: changed.then(|| Box::new(self.status)),
            acts: self.acts,
            notes: if changed { self.notes } else { vec![] },
            wake: self.wake,
        }
    }
}

fn overview(status: &DeploymentStatus) -> Option<Overview> {
    if status.resolved.as_ref().is_some_and(|r| r.server.is_some()) {
        return Some(super::server::words::overview(&status.targets));
    }
    let mut overview = Overview::default();
    match status.phase {
        Phase::Created | Phase::Queued => overview.pending = 1,
        Phase::InProgress | Phase::Baking => overview.in_progress = 1,
        Phase::Ready => overview.ready = 1,
        Phase::Succeeded => overview.succeeded = 1,
        Phase::Failed => overview.failed = 1,
        Phase::Stopped => {
            let begun = status.lifecycle_events.iter().any(|e| e.status == EventStatus::Failed);
            if begun { overview.failed = 1 } else { overview.skipped = 1 }
        }
    }
    Some(overview)
}

/// `text` cut at a character's border so that it stays within `max` bytes.
pub fn clip(mut text: String, max: usize) -> String {
    if text.len() > max {
        let end = (0..=max - 3).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The first `length` hex digits of the parts' SHA-256, in which no part can run into the next.
pub fn key(parts: &[&str], length: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize(), length)
}

/// `sha256:` and the digest of `content`.
pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content), 64))
}

fn hex(bytes: &[u8], length: usize) -> String {
    bytes
        .iter()
        .flat_map(|b| [b >> 4, b & 15])
        .take(length)
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_a_characters_border() {
        assert_eq!(clip("short".into(), 10), "short");
        let cut = clip("äöü".repeat(10), 20);
        assert!(cut.len() <= 20 && cut.ends_with('…'), "{cut}");
    }

    #[test]
    fn no_part_of_a_key_can_run_into_the_next() {
        assert_ne!(key(&["ab", "c"], 10), key(&["a", "bc"], 10));
        assert_eq!(key(&["ab", "c"], 10).len(), 10);
    }
}
