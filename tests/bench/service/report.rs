//! The figures of all contenders in one table, and the budget that Sluice is held to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::contender::{Contender, Way};
use super::{Outcome, SCALE_DOWN_DELAY};
use crate::audit::Request;
use crate::report::{at, ms};
use crate::settings::Settings;

/// Events that a Deployment may cost.
const EVENTS: usize = 6;
/// Status writes of a Deployment beside one a step: eight, and one where its pods are seen on their way.
const STATUS: usize = 9;
/// Other writes of a Deployment beside one a step: its finalizer on and off, a task set, a Service pointed at it, the original scaled.
const EFFECTS: usize = 5;
/// Status writes of its group: granted, replacement in the lead, released; and one where pods are counted in between.
const GROUP: usize = 4;

fn is_counted(request: &Request) -> bool {
    !request.is_of_lease() && !request.is_of_events()
}

/// The run in a line.
pub fn command(settings: &Settings) -> String {
    format!(
        "BENCH=service N={} REPLICAS={} STEPS={} INTERVAL={}s IDLE={}s make bench",
        settings.deployments,
        settings.replicas,
        settings.steps,
        settings.interval.as_secs_f64(),
        settings.idle.as_secs_f64()
    )
}

/// A row's name and a cell for each contender.
type Row = (String, Vec<String>);

/// Everybody's figures, as Markdown: a column each.
pub fn table(settings: &Settings, outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    let names: Vec<&str> = outcomes.iter().map(|o| o.contender.name()).collect();
    let _ =
        writeln!(out, "| a deployment costs | {} |\n|---|{}", names.join(" | "), "---:|".repeat(names.len()));
    let of = |name: &str, tell: &dyn Fn(&Outcome) -> String| -> Row {
        (name.into(), outcomes.iter().map(tell).collect())
    };
    let mut rows = vec![];
    for verb in ["create", "update", "patch", "delete"] {
        let counts = |r: &Request| is_counted(r) && r.verb() == verb;
        rows.push(of(verb, &|o| each(settings, o, &counts)));
    }
    let is_write = |r: &Request| is_counted(r) && r.is_write();
    rows.push(of("**writes, Events and Lease apart**", &|o| format!("**{}**", each(settings, o, &is_write))));
    let is_read = |r: &Request| is_counted(r) && !r.is_write() && !r.is_watch();
    rows.push(of("GET and LIST", &|o| each(settings, o, &is_read)));
    rows.push(of("Events", &|o| each(settings, o, &Request::is_of_events)));
    rows.push(of("conflicts (409)", &|o| each(settings, o, &|r| r.code() == 409 && !r.is_of_events())));
    rows.push(of("CPU", &|o| format!("{:.1} ms", o.cpu.1.as_secs_f64() * 1e3 / settings.deployments as f64)));
    let puts = |o: &Outcome| o.puts.1 as f64 / settings.deployments as f64;
    rows.push(of("etcd writes, everybody's", &|o| format!("{:.1}", puts(o))));
    rows.push(("**the whole run**".into(), vec![String::new(); names.len()]));
    rows.extend(whole(settings, outcomes));
    for (name, cells) in rows {
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    }
    out
}

/// What is not a cost of one deployment.
fn whole(settings: &Settings, outcomes: &[Outcome]) -> Vec<Row> {
    let of = |name: String, tell: &dyn Fn(&Outcome) -> String| -> Row {
        (name, outcomes.iter().map(tell).collect())
    };
    let length = |o: &Outcome, share: f64| format!("{:.1} s", at(&o.lengths, share).as_secs_f64());
    let whole =
        format!("asked for to over, old pods gone; {SCALE_DOWN_DELAY} of it wait for their end (p50, p99)");
    let gap = format!("between two weights, {} s wanted (min, p50, p99)", settings.interval.as_secs_f64());
    vec![
        of("peak memory".into(), &|o| format!("{:.1} MiB", o.memory.peak as f64 / 1024.0)),
        of(whole, &|o| format!("{}, {}", length(o, 0.5), length(o, 0.99))),
        of(gap, &|o| gaps(settings, o)),
        of("a write inside the API server (p50, p99): how busy the machine was".into(), &inside),
        of(format!("requests in {} s without work", settings.idle.as_secs()), &|o| {
            let idle = o.log.own(o.idle).filter(|r| !r.is_of_lease() && !r.is_watch());
            idle.count().to_string()
        }),
        of("CPU in a second without work".into(), &|o| {
            ms(o.cpu.0.div_f64(settings.idle.as_secs_f64().max(1.0)))
        }),
    ]
}

/// How often weights move on the way to 100.
fn steps(settings: &Settings, way: Way) -> usize {
    if way == Way::AtOnce { 1 } else { 100_usize.div_ceil(settings.percentage()) }
}

/// What Argo Rollouts writes once all traffic is on the new version, to call it the stable one, is no step.
fn gaps(settings: &Settings, outcome: &Outcome) -> String {
    let contender = outcome.contender;
    let steps = steps(settings, contender.way());
    let (_, gaps) = outcome.log.writes_of(outcome.busy, contender.weights_on(), steps);
    if gaps.is_empty() {
        return "–".into();
    }
    let at = |share| format!("{:.2} s", at(&gaps, share).as_secs_f64());
    format!("{}, {}, {}", at(0.0), at(0.5), at(0.99))
}

fn inside(outcome: &Outcome) -> String {
    let writes = outcome.log.own(outcome.busy).filter(|r| is_counted(r) && r.is_write());
    let mut lengths: Vec<_> = writes.map(Request::inside).collect();
    lengths.sort();
    format!("{}, {}", ms(at(&lengths, 0.5)), ms(at(&lengths, 0.99)))
}

/// The requests of a kind that one deployment cost on average.
fn each(settings: &Settings, outcome: &Outcome, counts: &dyn Fn(&Request) -> bool) -> String {
    let count = outcome.log.own(outcome.busy).filter(|r| counts(r)).count();
    format!("{:.2}", count as f64 / settings.deployments as f64)
}

/// One contender's requests by verb and resource, for whoever wants to know what a number is made of.
pub fn detail(settings: &Settings, outcome: &Outcome) -> String {
    let mut counts: BTreeMap<(String, String, bool), usize> = BTreeMap::new();
    for request in outcome.log.own(outcome.busy).filter(|r| !r.is_of_lease()) {
        let key = (request.resource(), request.verb().to_owned(), request.code() >= 400);
        *counts.entry(key).or_default() += 1;
    }
    let mut out = format!("{}:", outcome.contender.name());
    for ((resource, verb, is_refused), count) in counts {
        let refused = if is_refused { " (refused)" } else { "" };
        let each = count as f64 / settings.deployments as f64;
        let _ = write!(out, "\n  {each:7.2} {verb} {resource}{refused}");
    }
    let most = |kind: &str| outcome.log.most(outcome.busy, |r| r.is_of_status(kind));
    let (deployments, groups) = (most("deployments"), most("deploymentgroups"));
    let _ = write!(out, "\n  most status writes: {deployments} of a Deployment, {groups} of a group");
    out
}

/// The lines of the budget that Sluice broke. Nobody else is held to it.
pub fn broken(settings: &Settings, outcome: &Outcome) -> Vec<String> {
    let Contender::Sluice(way) = outcome.contender else { return vec![] };
    let (log, busy) = (&outcome.log, outcome.busy);
    let steps = steps(settings, way);
    let mut broken = vec![];
    let mut hold = |holds: bool, what: String| {
        if !holds {
            broken.push(format!("{}: {what}", outcome.contender.name()));
        }
    };
    let mut at_most = |what: &str, most: usize, allowed: usize| {
        hold(most <= allowed, format!("{most} {what} of one Deployment, {allowed} at most"));
    };
    at_most("status writes", log.most(busy, |r| r.is_of_status("deployments")), steps + STATUS);
    at_most("status writes of the group", log.most(busy, |r| r.is_of_status("deploymentgroups")), GROUP);
    let is_effect = |r: &Request| is_counted(r) && r.is_write() && !r.resource().ends_with("/status");
    at_most("other writes", log.most(busy, is_effect), steps + EFFECTS);
    at_most("Events", log.most(busy, Request::is_of_events), EVENTS);
    let reads = log.own(busy).filter(|r| is_counted(r) && !r.is_write() && !r.is_watch()).count();
    hold(reads == 0, format!("{reads} GETs and LISTs, none allowed"));
    let idle = log.own(outcome.idle).filter(|r| !r.is_of_lease() && !r.is_watch()).count();
    hold(idle == 0, format!("an idle controller asked {idle} times"));
    let (counts, gaps) = log.writes_of(busy, outcome.contender.weights_on(), steps);
    let expected = BTreeMap::from([(steps, settings.deployments)]);
    hold(counts == expected, format!("Deployments by steps: {counts:?}, wanted {expected:?}"));
    let early = gaps.iter().filter(|gap| gap.as_secs_f64() < settings.interval.as_secs_f64()).count();
    hold(early == 0, format!("{early} steps were early"));
    broken
}
