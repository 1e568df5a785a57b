//! The figures of a run, the budget that they are held to, and their place in `docs/benchmarks.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use jiff::SignedDuration;

use crate::Measured;
use crate::audit::{Request, Steps};
use crate::process::Memory;
use crate::settings::{Settings, root};

const BEGIN: &str = "<!-- figures: begin (written by make bench) -->";
const END: &str = "<!-- figures: end -->";

/// Events that a Deployment may cost.
const EVENTS: usize = 6;
/// CPU that a Deployment may cost.
const CPU: Duration = Duration::from_millis(5);
/// Peak memory in KiB at 500.
const MEMORY: u64 = 16 * 1024;
/// What a step may be late by beyond two write round trips.
const SLACK: Duration = Duration::from_millis(10);

/// What one run came to.
pub struct Figures {
    deployments: usize,
    expected_steps: usize,
    rows: BTreeMap<(String, String), usize>,
    writes: usize,
    most_writes: usize,
    reads: usize,
    events: usize,
    most_events: usize,
    conflicts: usize,
    refusals: BTreeMap<(String, u16), usize>,
    idle: BTreeMap<(String, String), usize>,
    idle_length: SignedDuration,
    cpu: (Duration, Duration),
    memory: (Memory, Memory),
    light: Vec<Duration>,
    steps: Steps,
    interval: SignedDuration,
}

fn is_counted(request: &Request) -> bool {
    !request.is_of_lease() && !request.is_of_events()
}

fn tally<'a>(requests: impl Iterator<Item = &'a Request>) -> BTreeMap<(String, String), usize> {
    let mut rows = BTreeMap::new();
    for request in requests {
        *rows.entry((request.verb().to_owned(), request.resource())).or_default() += 1;
    }
    rows
}

impl Figures {
    /// Counts what was measured.
    pub fn of(settings: &Settings, measured: &Measured) -> Self {
        let (log, busy) = (&measured.log, measured.busy);
        let interval = SignedDuration::try_from(settings.interval).expect("an interval");
        let own = || log.own(busy);
        let mut refusals = BTreeMap::new();
        for request in own().filter(|r| r.code() >= 400) {
            *refusals
                .entry((format!("{} {}", request.verb(), request.resource()), request.code()))
                .or_default() += 1;
        }
        Self {
            deployments: settings.deployments,
            expected_steps: 100_usize.div_ceil(settings.percentage()),
            rows: tally(own().filter(|r| !r.is_of_lease())),
            writes: own().filter(|r| is_counted(r) && r.is_write()).count(),
            most_writes: log.most(busy, |r| is_counted(r) && r.is_write()),
            reads: own().filter(|r| is_counted(r) && !r.is_write() && !r.is_watch()).count(),
            events: own().filter(|r| r.is_of_events()).count(),
            most_events: log.most(busy, Request::is_of_events),
            conflicts: own().filter(|r| r.code() == 409 && !r.is_of_events()).count(),
            refusals,
            idle: tally(log.own(measured.idle).filter(|r| !r.is_of_lease() && !r.is_watch())),
            idle_length: measured.idle.length(),
            cpu: measured.cpu,
            memory: measured.memory,
            light: measured.light.clone(),
            steps: log.steps(busy, interval),
            interval,
        }
    }

    /// The budget's lines that were broken.
    pub fn broken(&self, settings: &Settings) -> Vec<String> {
        let mut broken = Vec::new();
        let mut hold = |holds: bool, what: String| {
            if !holds {
                broken.push(what);
            }
        };
        let budget = 2 * self.expected_steps + 6;
        hold(
            self.most_writes <= budget,
            format!("{} writes of one Deployment, {budget} at most", self.most_writes),
        );
        hold(self.reads == 0, format!("{} GETs and LISTs, none allowed", self.reads));
        hold(
            self.most_events <= EVENTS,
            format!("{} Events of one Deployment, {EVENTS} at most", self.most_events),
        );
        hold(self.idle.is_empty(), format!("an idle controller asked: {:?}", self.idle));
        hold(self.steps.early == 0, format!("{} steps were early", self.steps.early));
        let expected = BTreeMap::from([(self.expected_steps, self.deployments)]);
        hold(
            self.steps.counts == expected,
            format!("Deployments by steps: {:?}, wanted {expected:?}", self.steps.counts),
        );
        let taken = self.deployments * (self.expected_steps - 1);
        hold(
            self.steps.lateness.len() == taken,
            format!("{} steps were timed, not {taken}", self.steps.lateness.len()),
        );
        let crowd = self.crowd();
        hold(
            crowd <= 0.3,
            format!("{:.0} % of the starts fell into one tenth of the interval", crowd * 100.0),
        );
        if settings.is_strict {
            let (cpu, allowed) = (self.cpu_each(), self.allowed_lateness());
            let late = at(&self.steps.lateness, 0.99);
            hold(cpu <= CPU, format!("{cpu:?} CPU a Deployment, {CPU:?} at most"));
            hold(
                self.memory.1.peak <= MEMORY,
                format!("{} KiB at the peak, {MEMORY} at most", self.memory.1.peak),
            );
            hold(late <= allowed, format!("p99 of the lateness is {}, {} at most", ms(late), ms(allowed)));
        }
        broken
    }

    fn cpu_each(&self) -> Duration {
        self.cpu.1 / u32::try_from(self.deployments.max(1)).expect("a number")
    }

    fn allowed_lateness(&self) -> SignedDuration {
        SignedDuration::try_from(at(&self.light, 0.99) * 2 + SLACK).expect("a duration")
    }

    /// The greatest share of the first writes that fell into one tenth of the interval.
    fn crowd(&self) -> f64 {
        let (first, tenth) = (&self.steps.first, self.interval / 10);
        let within = |from: &jiff::Timestamp| {
            first.iter().filter(|t| *t >= from && t.duration_since(*from) < tenth).count()
        };
        let most = first.iter().map(within).max().unwrap_or(0);
        most as f64 / first.len().max(1) as f64
    }

    /// All of it, as Markdown.
    pub fn table(&self) -> String {
        let mut out = String::new();
        let n = self.deployments as f64;
        let _ = writeln!(out, "| requests of the controller | in all | a Deployment |\n|---|---:|---:|");
        for ((verb, resource), count) in &self.rows {
            let _ = writeln!(out, "| {verb} {resource} | {count} | {:.2} |", *count as f64 / n);
        }
        let _ = writeln!(
            out,
            "| **writes, Events and Lease apart** | {} | **{:.2}** (at most {}) |",
            self.writes,
            self.writes as f64 / n,
            self.most_writes
        );
        let _ = writeln!(out, "| **GET and LIST** | {} | **{:.2}** |", self.reads, self.reads as f64 / n);
        let _ = writeln!(
            out,
            "| **Events** | {} | **{:.2}** (at most {}) |",
            self.events,
            self.events as f64 / n,
            self.most_events
        );
        let _ = writeln!(out, "| conflicts (409) | {} | {:.2} |", self.conflicts, self.conflicts as f64 / n);
        for ((what, code), count) in &self.refusals {
            let _ = writeln!(out, "| {what}: {code} | {count} | {:.2} |", *count as f64 / n);
        }
        let idle: usize = self.idle.values().sum();
        let _ = writeln!(out, "\n| measure | value |\n|---|---:|");
        let mut row = |name: &str, value: String| {
            let _ = writeln!(out, "| {name} | {value} |");
        };
        row(
            &format!("requests in {} s without work (Lease and watches apart)", self.idle_length.as_secs()),
            idle.to_string(),
        );
        row("CPU a Deployment", format!("{:.2} ms", self.cpu_each().as_secs_f64() * 1e3));
        row(
            "CPU in a second without work",
            format!("{:.2} ms", self.cpu.0.as_secs_f64() * 1e3 / self.idle_length.as_secs_f64()),
        );
        for (when, memory) in [("groups settled", self.memory.0), ("end", self.memory.1)] {
            let [peak, own, program] =
                [memory.peak, memory.own, memory.program].map(|kib| kib as f64 / 1024.0);
            row(
                &format!("memory, {when}: peak (now: own + program)"),
                format!("{peak:.1} MiB ({own:.1} + {program:.1})"),
            );
        }
        row(
            "one write round trip, alone (p50, p99)",
            format!("{}, {}", ms(at(&self.light, 0.5)), ms(at(&self.light, 0.99))),
        );
        row("a write inside the API server, in the run (p50, p99)", two(&self.steps.inside));
        row(
            "step lateness (p50, p99, max)",
            format!("{}, {}", two(&self.steps.lateness), ms(at(&self.steps.lateness, 1.0))),
        );
        row("steps timed; early", format!("{}; {}", self.steps.lateness.len(), self.steps.early));
        row("creation to first weight (p50, p99)", two(&self.steps.start));
        row("starts in the fullest tenth of the interval", format!("{:.0} %", self.crowd() * 100.0));
        out
    }

    /// Puts the figures between the marks of docs/benchmarks.md, if that was asked for.
    pub fn write_into_docs(&self, settings: &Settings) {
        if !settings.writes_docs {
            return;
        }
        let command = format!(
            "`N={} STEPS={} INTERVAL={}s make bench`, Sluice {}, {}",
            settings.deployments,
            settings.steps,
            settings.interval.as_secs_f64(),
            env!("CARGO_PKG_VERSION"),
            machine()
        );
        write_into_docs(BEGIN, &format!("{command}\n\n{}", self.table().trim_end()));
    }
}

/// Puts figures between the mark of docs/benchmarks.md that begins so and the end that follows it.
pub fn write_into_docs(begin: &str, figures: &str) {
    let path = root().join("docs/benchmarks.md");
    let text = fs::read_to_string(&path).expect("docs/benchmarks.md");
    let (before, rest) = text.split_once(begin).expect("the first mark");
    let (_, after) = rest.split_once(END).expect("the second mark");
    fs::write(&path, format!("{before}{begin}\n{}\n{END}{after}", figures.trim_end()))
        .expect("docs/benchmarks.md");
}

/// What it ran on.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = memory.lines().find_map(|l| l.strip_prefix("MemTotal:")).unwrap_or_default();
    let kib: u64 = total.trim().trim_end_matches("kB").trim().parse().unwrap_or(0);
    format!("{cores} cores, {} GiB, everything on one machine", kib / 1024 / 1024)
}

/// The value at that share of an ordered list.
pub fn at<T: Copy + Default>(ordered: &[T], share: f64) -> T {
    let last = ordered.len().saturating_sub(1);
    let index = ((ordered.len() as f64 * share).ceil() as usize).saturating_sub(1).min(last);
    ordered.get(index).copied().unwrap_or_default()
}

fn two(ordered: &[SignedDuration]) -> String {
    format!("{}, {}", ms(at(ordered, 0.5)), ms(at(ordered, 0.99)))
}

/// Milliseconds.
pub fn ms(length: impl TryInto<SignedDuration>) -> String {
    let length = length.try_into().unwrap_or_default();
    format!("{:.1} ms", length.as_secs_f64() * 1e3)
}
