//! The figures of a swarm as a table: a column for each course.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::tally::{Tally, Who};
use super::{Measured, Phase};
use crate::report::{machine, ms};

/// What goes onto the page.
pub fn of(measured: &Measured) -> String {
    let size = measured.size;
    let phases = &measured.phases;
    let mut text = format!(
        "`BENCH=swarm HOSTS={} make bench`, {} namespaces of at most {} hosts, Sluice {}, {}\n\n",
        size.hosts,
        size.namespaces(),
        size.per_namespace,
        env!("CARGO_PKG_VERSION"),
        machine()
    );
    let names: Vec<String> = phases.iter().map(|p| format!("{}, {} hosts", p.name, p.hosts)).collect();
    let _ = writeln!(text, "| a host, in | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(phases.len()));
    let mut row = |name: &str, value: &dyn Fn(&Phase) -> String| {
        let values: Vec<String> = phases.iter().map(value).collect();
        let _ = writeln!(text, "| {name} | {} |", values.join(" | "));
    };
    let each = |count: usize, phase: &Phase| format!("{:.2}", count as f64 / phase.hosts as f64);
    row("**writes, heartbeats apart** (budget 3)", &|p| format!("**{}**", each(p.tally.writes(), p)));
    row("of them, of its Instance", &|p| each(p.tally.of_instances, p));
    row("the most that one Instance had (at most 3)", &|p| p.tally.most_of_one_host.to_string());
    row("of them, of Deployments, groups, Events, all told", &|p| p.tally.of_others.to_string());
    row("heartbeats and other Leases", &|p| each(p.tally.of_leases, p));
    row("etcd's own count, all told", &|p| each(usize::try_from(p.puts).unwrap_or(0), p));
    for (who, label) in [(Who::Agent, "agent"), (Who::Controller, "controller")] {
        for what in kinds(phases, who, |t| &t.granted) {
            row(&format!("{label}: {what}"), &|p| each(count(&p.tally.granted, who, &what), p));
        }
        for what in kinds(phases, who, |t| &t.refused) {
            row(&format!("{label}: {what}"), &|p| each(count(&p.tally.refused, who, &what), p));
        }
    }
    row("GETs and LISTs, all told", &|p| p.tally.reads().to_string());
    row("wall", &|p| format!("{:.1} s", p.wall.as_secs_f64()));
    row("over the ideal", &|p| {
        let ratio = |ideal: std::time::Duration| {
            format!("{:.2} × {:.1} s", p.wall.as_secs_f64() / ideal.as_secs_f64(), ideal.as_secs_f64())
        };
        p.ideal.map_or_else(|| "–".into(), ratio)
    });
    row("of the wall, inside the API server (where one write waits for the other)", &|p| {
        let share = 100.0 * p.tally.inside.as_secs_f64() / p.wall.as_secs_f64();
        if p.name == super::TURNS { format!("{share:.0} %") } else { "–".into() }
    });
    for (place, name) in ["controller", "API server", "agents' process"].into_iter().enumerate() {
        row(&format!("CPU of the {name}, all told"), &|p| format!("{:.1} s", p.cpu[place].as_secs_f64()));
    }
    row("controller's memory: peak so far (own)", &|p| {
        format!("{:.1} MiB ({:.1})", p.memory.peak as f64 / 1024.0, p.memory.own as f64 / 1024.0)
    });
    text + &below(measured)
}

fn below(measured: &Measured) -> String {
    let grown = &measured.grown;
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / measured.size.hosts as f64;
    let mut text =
        String::from("\n| the API server's memory an instance | of the system | alive |\n|---|---:|---:|\n");
    for (name, from, to) in [
        ("the objects of its registration", grown.empty, grown.registered),
        ("its agent, connected and at rest", grown.registered, grown.connected),
        ("both", grown.empty, grown.connected),
    ] {
        let (own, alive) = (each(from.own, to.own), each(from.alive, to.alive));
        let _ = writeln!(text, "| {name} | {own:.0} KiB | {alive:.0} KiB |");
    }
    let _ = writeln!(
        text,
        "\nOne write round trip of an Instance, every agent connected and at rest: {} (p50); with {} under way, {:.0} writes in a second.",
        ms(measured.trip),
        crate::objects::AT_ONCE,
        measured.rate,
    );
    text
}

type Counts = std::collections::BTreeMap<(Who, String), usize>;

fn count(counts: &Counts, who: Who, what: &str) -> usize {
    counts.get(&(who, what.to_owned())).copied().unwrap_or(0)
}

/// What somebody asked for in any course.
fn kinds(phases: &[Phase], who: Who, counts: impl Fn(&Tally) -> &Counts) -> BTreeSet<String> {
    let all = phases.iter().flat_map(|p| counts(&p.tally).keys());
    all.filter(|(by, _)| *by == who).map(|(_, what)| what.clone()).collect()
}
