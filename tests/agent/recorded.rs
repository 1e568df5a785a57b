//! What an event is about to do is on the disk before it is done: read from the kernel's own account of what the agent called, in which order.

use std::collections::HashMap;
use std::path::PathBuf;

use super::host::{EVENTS, Host, Said};
use super::kernel::traced;

/// What is written down; `?` passes over calls that the machine's kind does not have.
const TRACED: &str =
    "trace=?open,openat,?mkdir,mkdirat,?rename,?renameat,renameat2,write,fsync,fdatasync,execve";

/// A call, and the lines at which it began and was over.
#[derive(Debug)]
struct Call {
    text: String,
    begun: usize,
    ended: usize,
}

impl Call {
    fn is(&self, name: &str) -> bool {
        self.text.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
    }

    fn has(&self, part: &str) -> bool {
        self.text.contains(part)
    }

    /// The script of the bundle that the process became by it.
    fn script(&self) -> Option<&str> {
        let program = self.text.strip_prefix("execve(\"")?.split('"').next()?;
        program.contains("/deployment-archive/ops/").then_some(program)
    }

    fn succeeded(&self) -> bool {
        self.text.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with(['-', '?']))
    }
}

/// The calls that succeeded, in the order in which they began. Those of two threads at once are told in two parts each.
fn calls(trace: &str) -> Vec<Call> {
    let mut open: HashMap<&str, Call> = HashMap::new();
    let mut calls = vec![];
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, said)) = line.split_once(' ').map(|(thread, said)| (thread, said.trim_start()))
        else {
            continue;
        };
        if let Some(first) = said.strip_suffix(" <unfinished ...>") {
            open.insert(thread, Call { text: first.to_owned(), begun: number, ended: number });
        } else if let Some(rest) = said.strip_prefix("<... ").and_then(|s| s.split_once(" resumed>")) {
            let mut call = open.remove(thread).unwrap_or_else(|| panic!("a call that never began: {line}"));
            call.text += rest.1;
            call.ended = number;
            calls.push(call);
        } else {
            calls.push(Call { text: said.to_owned(), begun: number, ended: number });
        }
    }
    calls.retain(Call::succeeded);
    calls.sort_by_key(|call| call.begun);
    calls
}

/// What one deployment called.
struct Trace {
    calls: Vec<Call>,
    journal: PathBuf,
}

impl Trace {
    fn of(host: &Host, words: &str) -> Self {
        let (log, agent) = (host.path("trace"), host.command(&format!("-o json {words}")));
        let to = log.display().to_string();
        let mut traced = traced(&agent, &["-y", "-s", "65536", "-o", &to, "-e", TRACED, "-e", "signal=none"]);
        Said::of(traced.output().unwrap()).succeeded();
        let journal = host.root().canonicalize().unwrap().join("sluice/journal");
        Self { calls: calls(&std::fs::read_to_string(log).unwrap()), journal }
    }

    /// The first call that is so.
    fn first(&self, what: &str, is: impl Fn(&Call) -> bool) -> &Call {
        self.calls.iter().find(|call| is(call)).unwrap_or_else(|| panic!("no call {what}"))
    }

    /// The first start of that event's script: its process is another program before.
    fn start_of(&self, event: &str) -> &Call {
        let script = format!("/{event}.sh");
        self.first(event, |call| call.script().is_some_and(|program| program.ends_with(&script)))
    }

    /// Where the process of that event's script was put on record.
    fn known(&self, event: &str) -> &Call {
        let (kind, script) = (r#"{\"kind\":\"started\""#, format!(r#"\"script\":\"ops/{event}.sh\""#));
        self.first(&format!("that writes {kind} {script}"), |call| {
            call.is("write") && call.has(kind) && call.has(&script)
        })
    }

    /// Where an entry of that kind about an event is on the disk: the journal was written, and then synced.
    fn on_disk(&self, kind: &str, event: &str) -> (usize, usize) {
        let file = format!("<{}>", self.journal.display());
        let kind = format!(r#"{{\"kind\":\"{kind}\""#);
        let event = format!(r#"\"event\":\"{event}\""#);
        let written = self.first(&format!("that writes {kind} {event}"), |call| {
            call.is("write") && call.has(&file) && call.has(&kind) && call.has(&event)
        });
        let synced = self.first(&format!("that syncs {kind} {event}"), |call| {
            (call.is("fdatasync") || call.is("fsync")) && call.has(&file) && call.begun > written.ended
        });
        (written.begun, synced.ended)
    }

    /// Holds that the journal's name was made to last before that call, each time that it had got one.
    fn is_named_before(&self, at: &Call) {
        let (journal, folder) = (self.journal.display(), self.journal.parent().unwrap().display());
        let names = |call: &&Call| {
            let is_made = call.has(&format!("\"{journal}\"")) && call.has("O_CREAT");
            is_made || (call.text.starts_with("rename") && call.has(&format!(", \"{journal}\"")))
        };
        let named: Vec<&Call> =
            self.calls.iter().filter(names).filter(|call| call.begun < at.begun).collect();
        assert!(!named.is_empty(), "nothing gave the journal its name before {at:?}");
        for call in named {
            let synced = self.first(&format!("that syncs {folder} after {call:?}"), |sync| {
                sync.is("fsync") && sync.has(&format!("<{folder}>")) && sync.begun > call.ended
            });
            assert!(synced.ended < at.begun, "{call:?} is not on the disk at {at:?}");
        }
    }
}

/// A bundle with a script for each event that can have one, and a file.
fn bundle(host: &Host, name: &str) {
    let events = EVENTS.into_iter().filter(|event| !["DownloadBundle", "Install"].contains(event));
    let bundle = events.fold(host.bundle(name), |bundle, event| bundle.hook(event, "true"));
    bundle.file("web/page", name).install("web", &host.path("www")).done();
}

#[test]
fn each_event_is_on_the_disk_before_anything_of_it_is_done_and_its_end_before_the_next_one() {
    let host = Host::new();
    for (id, scripts) in [("d-1", &EVENTS[4..]), ("d-2", &EVENTS[..])] {
        bundle(&host, id);
        let trace = Trace::of(&host, &format!("--bundle-location {id} --deployment-id {id}"));
        let mut over = 0;
        for event in EVENTS.into_iter().filter(|event| id == "d-2" || EVENTS[3..].contains(event)) {
            let first = match event {
                "DownloadBundle" => trace.first(event, |call| call.has("/sluice/bundle.tar\"")),
                "Install" => trace.first(event, |call| call.has(".sluice-")),
                _ => trace.start_of(event),
            };
            let (written, synced) = trace.on_disk("begun", event);
            assert!(over < written, "{id}: {event} is on record before the end of the one before it");
            assert!(synced < first.begun, "{id}: {event} is not on the disk when this is done: {first:?}");
            trace.is_named_before(first);
            if first.script().is_some() {
                assert!(
                    trace.known(event).ended < first.begun,
                    "{id}: {event} runs before its process is known"
                );
            }
            over = trace.on_disk("ended", event).1;
        }
        let started = trace.calls.iter().filter(|call| call.script().is_some()).count();
        assert_eq!(started, scripts.iter().filter(|e| !["DownloadBundle", "Install"].contains(e)).count());
    }
}
