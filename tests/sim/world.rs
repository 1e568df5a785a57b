//! The simulated world: one clock, the store, believers, actors, a script; everything else follows from the seed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::actors::Happening;
use super::agents::{Agent, Fate};
use super::believer::{Believer, Minds};
use super::invariants::{Breach, Ledger};
use super::log::Log;
use super::objects::{Key, Object};
use super::rng::Rng;
use super::script::Beat;
use super::setup::is_rollback;
use super::store::Store;

/// How late everything is, in milliseconds from and to.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub lag: (i64, i64),
    pub step: (i64, i64),
    pub gateway: (i64, i64),
    pub job: (i64, i64),
    /// The controller of ReplicaSets.
    pub replicas: (i64, i64),
    /// The kubelet, from a pod's creation to its readiness.
    pub kubelet: (i64, i64),
    /// The controller of EndpointSlices.
    pub endpoints: (i64, i64),
    /// Until an agent sees a change of its Instance.
    pub agent: (i64, i64),
    /// A script.
    pub script: (i64, i64),
    /// One of so many sub-steps is preceded by a long pause; 0 is never.
    pub pauses: i64,
    /// A long pause.
    pub pause: (i64, i64),
    /// One of so many commits breaks a watch; 0 is never.
    pub losses: i64,
    /// True if whoever can move is chosen by the seed.
    pub is_shuffled: bool,
}

impl Pace {
    /// Everything takes a moment, and always the same one.
    pub fn calm() -> Self {
        Self {
            lag: (5, 5),
            step: (0, 0),
            gateway: (300, 300),
            job: (4_000, 4_000),
            replicas: (100, 100),
            kubelet: (5_000, 5_000),
            endpoints: (200, 200),
            agent: (300, 300),
            script: (2_000, 2_000),
            pauses: 0,
            pause: (0, 0),
            losses: 0,
            is_shuffled: false,
        }
    }
}

/// One run of one story.
pub struct World {
    pub store: Store,
    pub believers: Vec<Believer>,
    pub minds: Minds,
    pub rng: Rng,
    pub pace: Pace,
    pub script: Vec<Beat>,
    /// What somebody does as soon as a rollback is there.
    pub ambush: Option<Beat>,
    pub agenda: BTreeMap<(Timestamp, u64), Happening>,
    pub ledger: Ledger,
    pub log: Log,
    /// Sub-steps of believers so far.
    pub sub_steps: usize,
    /// The sub-step before which its believer crashes.
    pub crash_at: Option<usize>,
    pub gateway_is_silent: bool,
    pub gateway_refuses: Option<String>,
    /// What the API server says to the creation of a desired revision's Deployment while it refuses it.
    pub creations_refused: Option<String>,
    /// What the API server says to the creation of a task set while it refuses it.
    pub task_sets_refused: Option<String>,
    /// Pods made so far.
    pub pods_made: usize,
    /// The node that is not heard of any more.
    pub lost_node: Option<usize>,
    /// The hosts' agents.
    pub agents: BTreeMap<String, Agent>,
    /// How scripts fare; the last word counts.
    pub fates: Vec<Fate>,
    /// The digest of what lies in S3 now.
    pub s3_content: String,
    /// Execution ids whose later answer is under way.
    pub later: BTreeSet<String>,
    pub start: Timestamp,
    absorbed: usize,
    happenings: u64,
}

/// No run needs more sub-steps.
const MAX_SUB_STEPS: usize = 20_000;
/// No run takes longer in its own time.
const MAX_TIME: SignedDuration = SignedDuration::from_hours(30);

enum Move {
    Receive(usize),
    Happen((Timestamp, u64)),
    Work(usize, Key),
    Look(usize, Key),
}

impl World {
    /// An empty world at its start.
    pub fn new(seed: u64, pace: Pace) -> Self {
        let start: Timestamp = "2026-01-05T09:00:00Z".parse().unwrap();
        let store = Store::new(start);
        let believers = vec![Believer::started(&store)];
        Self {
            store,
            believers,
            minds: Minds::real(),
            rng: Rng::new(seed),
            pace,
            script: vec![],
            ambush: None,
            agenda: BTreeMap::new(),
            ledger: Ledger::new(&pace),
            log: Log::new(start),
            sub_steps: 0,
            crash_at: None,
            gateway_is_silent: false,
            gateway_refuses: None,
            creations_refused: None,
            task_sets_refused: None,
            pods_made: 0,
            lost_node: None,
            agents: BTreeMap::new(),
            fates: vec![],
            s3_content: format!("sha256:{}", "5".repeat(64)),
            later: BTreeSet::new(),
            start,
            absorbed: 0,
            happenings: 0,
        }
    }

    /// A moment from a range of milliseconds on.
    pub fn after(&mut self, range: (i64, i64)) -> Timestamp {
        self.store.now + SignedDuration::from_millis(self.rng.between(range.0, range.1))
    }

    /// Puts something on the agenda.
    pub fn plan(&mut self, at: Timestamp, happening: Happening) {
        self.happenings += 1;
        self.agenda.insert((at, self.happenings), happening);
    }

    /// Runs to the end: nothing can move any more, and no clock is set.
    pub fn run(&mut self) -> Result<(), Breach> {
        loop {
            self.absorb()?;
            if self.fire_beat() {
                continue;
            }
            match self.choose() {
                Some(choice) => self.make(choice)?,
                None => match self.next_time() {
                    Some(next) => self.store.now = next,
                    None => break,
                },
            }
            if self.sub_steps > MAX_SUB_STEPS {
                return Err(Breach::new("every_run_ends", "too many sub-steps"));
            }
            if self.store.now.duration_since(self.start) > MAX_TIME {
                return Err(Breach::new("every_run_ends", "too long"));
            }
        }
        if let Some(beat) = self.script.first() {
            return Err(Breach::new("every_run_ends", format!("the script is stuck at: {}", beat.text)));
        }
        super::quiet::check(self)
    }

    /// New commits go to the caches, the actors, the invariants and the log.
    fn absorb(&mut self) -> Result<(), Breach> {
        while self.absorbed < self.store.commits.len() {
            let commit = self.store.commits[self.absorbed].clone();
            self.absorbed += 1;
            for index in 0..self.believers.len() {
                let due = self.after(self.pace.lag);
                if self.believers[index].is_alive {
                    if self.pace.losses > 0 && self.rng.one_in(self.pace.losses) {
                        let lists_at = self.after((1_000, 20_000));
                        self.believers[index].cache.lose(commit.key.0, lists_at);
                    }
                    self.believers[index].cache.send(&commit, due);
                }
            }
            self.react(&commit);
            let is_rollback = commit.before.is_none()
                && commit.after.as_ref().and_then(Object::deployment).is_some_and(|d| is_rollback(d));
            if let Some(beat) = self.ambush.take_if(|_| is_rollback) {
                self.script.insert(0, beat);
            }
            self.log.commit(&commit);
            self.ledger.check(&commit, &self.store)?;
        }
        self.log.tell_notes(self.store.now);
        Ok(())
    }

    fn fire_beat(&mut self) -> bool {
        let Some(mut beat) = (!self.script.is_empty()).then(|| self.script.remove(0)) else { return false };
        if beat.armed.is_none() && (beat.when)(&self.store) {
            beat.armed = Some(self.store.now + SignedDuration::from_millis(beat.after));
        }
        if beat.armed.is_some_and(|at| at <= self.store.now) {
            self.log.line(self.store.now, "user", &beat.text);
            (beat.deed)(self);
            return true;
        }
        self.script.insert(0, beat);
        false
    }

    fn moves(&self) -> Vec<Move> {
        let now = self.store.now;
        let mut moves = vec![];
        for (index, believer) in self.believers.iter().enumerate().filter(|(_, b)| b.is_alive) {
            if believer.cache.due().is_some_and(|at| at <= now) {
                moves.push(Move::Receive(index));
            }
        }
        let due = self.agenda.keys().take_while(|(at, _)| *at <= now);
        moves.extend(due.map(|key| Move::Happen(*key)));
        for (index, believer) in self.believers.iter().enumerate().filter(|(_, b)| b.is_alive) {
            let ready = believer.work.iter().filter(|(_, w)| w.not_before <= now);
            moves.extend(ready.map(|(key, _)| Move::Work(index, key.clone())));
            let asked =
                believer.queue.iter().filter(|(k, at)| **at <= now && !believer.work.contains_key(*k));
            moves.extend(asked.map(|(key, _)| Move::Look(index, key.clone())));
        }
        moves
    }

    fn choose(&mut self) -> Option<Move> {
        let now = self.store.now;
        for believer in self.believers.iter_mut().filter(|b| b.is_alive) {
            let due: Vec<Key> =
                believer.timers.iter().filter(|(_, at)| **at <= now).map(|(k, _)| k.clone()).collect();
            for key in due {
                believer.timers.remove(&key);
                believer.ask(key, now);
            }
        }
        let mut moves = self.moves();
        if moves.is_empty() {
            return None;
        }
        let index = if self.pace.is_shuffled { self.rng.index(moves.len()) } else { 0 };
        Some(moves.swap_remove(index))
    }

    fn make(&mut self, choice: Move) -> Result<(), Breach> {
        match choice {
            Move::Receive(index) => self.believers[index].receive(&self.store),
            Move::Happen(key) => {
                if let Some(happening) = self.agenda.remove(&key) {
                    self.happen(happening);
                }
            }
            Move::Look(index, _) | Move::Work(index, _) if self.is_last_step() => {
                self.crash(index, 2_000);
            }
            Move::Look(index, key) => {
                let not_before = self.next_step_at();
                self.believers[index].look(&key, &self.store, self.minds, not_before);
            }
            Move::Work(index, key) => self.work(index, &key),
        }
        Ok(())
    }

    fn is_last_step(&mut self) -> bool {
        self.sub_steps += 1;
        self.crash_at == Some(self.sub_steps)
    }

    /// When a process gets to its next sub-step.
    pub fn next_step_at(&mut self) -> Timestamp {
        if self.pace.pauses > 0 && self.rng.one_in(self.pace.pauses) {
            return self.after(self.pace.pause);
        }
        self.after(self.pace.step)
    }

    /// The process ends; another starts after `down` milliseconds.
    pub fn crash(&mut self, index: usize, down: i64) {
        self.believers[index].crash();
        self.log.line(self.store.now, "world", "the controller crashes");
        self.plan(self.store.now + SignedDuration::from_millis(down), Happening::Restart(index));
    }

    fn next_time(&self) -> Option<Timestamp> {
        let believers = self.believers.iter().filter_map(Believer::due);
        let agenda = self.agenda.keys().next().map(|(at, _)| *at);
        let beat = self.script.first().and_then(|b| b.armed);
        believers.chain(agenda).chain(beat).min().map(|at| at.max(self.store.now))
    }
}
