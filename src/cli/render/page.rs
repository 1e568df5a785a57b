//! A page of labelled lines and a table of lifecycle events: what the views of a Deployment and of one of its hosts are made of.

use std::fmt::Write;

use jiff::Timestamp;

use super::age::length;
use super::look::{Look, wrap};
use crate::api::deployment_status::Diagnostics;
use crate::api::{EventName, EventStatus, HostEvent, LifecycleEvent};

/// Columns before a field's value.
pub(super) const LABEL: usize = 13;
/// Columns between an event's name and its status.
const GAP: usize = 3;

pub(super) struct Page {
    pub(super) text: String,
    pub(super) look: Look,
}

/// One line of the table of events.
pub(super) struct EventLine<'a> {
    name: EventName,
    status: EventStatus,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    diagnostics: Option<&'a Diagnostics>,
}

impl<'a> From<&'a LifecycleEvent> for EventLine<'a> {
    fn from(e: &'a LifecycleEvent) -> Self {
        let diagnostics = e.diagnostics.as_ref();
        Self { name: e.name, status: e.status, start: e.start_time, end: e.end_time, diagnostics }
    }
}

impl<'a> From<&'a HostEvent> for EventLine<'a> {
    fn from(e: &'a HostEvent) -> Self {
        let diagnostics = e.diagnostics.as_ref();
        Self { name: e.name, status: e.status, start: e.start_time, end: e.end_time, diagnostics }
    }
}

impl Page {
    pub(super) fn new(look: Look) -> Self {
        Self { text: String::new(), look }
    }

    pub(super) fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{}", text.trim_end());
    }

    pub(super) fn field(&mut self, label: &str, value: &str) {
        self.line(&format!("{label:<LABEL$}{value}"));
    }

    pub(super) fn sentence(&mut self, label: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let lines = wrap(text, self.look.width.saturating_sub(LABEL).max(20));
        for (index, line) in lines.iter().enumerate() {
            self.field(if index == 0 { label } else { "" }, line);
        }
    }

    pub(super) fn events<'a>(&mut self, events: impl Iterator<Item = EventLine<'a>>, now: Timestamp) {
        let events: Vec<_> = events.collect();
        if events.is_empty() {
            return;
        }
        self.line("");
        let names = events.iter().map(|e| e.name.to_string().len());
        let width = names.max().unwrap_or_default() + GAP;
        self.line(&format!("{:<width$}{:<13}{:<11}{}", "EVENT", "STATUS", "START", "DURATION"));
        for event in events {
            let start = event.start.map(clock_time).unwrap_or_default();
            let took = event.start.map(|from| event.end.unwrap_or(now).duration_since(from));
            let took = took.map(length).unwrap_or_default();
            let status = self.look.status(event.status, 13);
            self.line(&format!("{:<width$}{status}{start:<11}{took}", event.name.to_string()));
            for line in event.diagnostics.into_iter().flat_map(explain) {
                self.sentence("", &line);
            }
        }
        self.line("");
    }
}

/// What a hook or a script said: nothing of a success without words.
pub(super) fn explain(said: &Diagnostics) -> Vec<String> {
    let tail = said.log_tail.lines().map(str::to_owned);
    std::iter::once(in_a_line(said)).filter(|l| !l.is_empty()).chain(tail).collect()
}

/// The same without the log's end.
pub(super) fn in_a_line(said: &Diagnostics) -> String {
    let code = if said.error_code == "Success" { "" } else { &said.error_code };
    let parts = [code, &said.script_name, &said.message];
    parts.into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(": ")
}

fn clock_time(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}
