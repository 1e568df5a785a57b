//! How a Deployment on this host went, for people and for programs. Pure.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Error;
use super::course;
use super::journal::Record;
use crate::api::{EventStatus, HostEvent};

/// `{"events": [{"name", "status"}], "error": {"errorCode", "scriptName", "message"}}`; the error is null where there is none.
pub fn json(outcome: &Result<Record, Error>) -> Value {
    let (events, error): (Vec<Value>, Value) = match outcome {
        Ok(record) => {
            let events = record.events.iter().map(|e| json!({"name": e.name, "status": e.status}));
            (events.collect(), failed(record).map_or(Value::Null, error_of))
        }
        Err(error) => {
            (vec![], json!({"errorCode": "UnknownError", "scriptName": "", "message": error.to_string()}))
        }
    };
    json!({"events": events, "error": error})
}

fn error_of(event: &HostEvent) -> Value {
    let said = event.diagnostics.clone().unwrap_or_default();
    json!({"errorCode": said.error_code, "scriptName": said.script_name, "message": said.message})
}

/// The event for which the Deployment failed.
fn failed(record: &Record) -> Option<&HostEvent> {
    record.events.iter().find(|e| e.status == EventStatus::Failed && !course::is_passed_over(record, e.name))
}

/// A line an event, what the failed one said, and what else is worth knowing.
pub fn text(record: &Record) -> String {
    let mut text = String::new();
    for event in &record.events {
        let said = event.diagnostics.as_ref().filter(|d| !d.message.is_empty());
        let why = said.map(|d| format!("  {}: {}", d.error_code, d.message)).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<20}{:?}{why}", event.name.to_string(), event.status);
    }
    let said = failed(record).and_then(|event| event.diagnostics.as_ref()).map(|d| d.log_tail.as_str());
    for line in said.unwrap_or_default().lines() {
        let _ = writeln!(text, "    {line}");
    }
    let end = record.end.map_or_else(|| "is not over".to_owned(), |end| format!("{end:?}").to_lowercase());
    let _ = writeln!(text, "deployment {} {end}", record.assignment.deployment);
    if !record.message.is_empty() {
        let _ = writeln!(text, "note: {}", record.message);
    }
    text
}
