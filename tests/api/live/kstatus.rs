//! kstatus, as Flux, Helm and Argo CD read an object: the rules of cli-utils, in their order.

use serde_json::Value;

/// What kstatus makes of an object.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KStatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// Reads an object; panics where kstatus would answer an error.
pub fn kstatus(object: &Value) -> KStatus {
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return KStatus::Terminating;
    }
    let observed = &object["status"]["observedGeneration"];
    assert!(observed.is_null() || observed.is_i64(), "observedGeneration must be an integer: {observed}");
    if !observed.is_null() && *observed != object["metadata"]["generation"] {
        return KStatus::InProgress;
    }
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    for condition in &conditions {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return KStatus::InProgress,
            (Some("Stalled"), Some("True")) => return KStatus::Failed,
            _ => {}
        }
    }
    match conditions.iter().find(|c| c["type"] == "Ready").map(|c| c["status"].as_str()) {
        None | Some(Some("True")) => KStatus::Current,
        Some(_) => KStatus::InProgress,
    }
}
