//! Conditions in kstatus' shape: Ready always; Reconciling and Stalled only while true, never both.
//!
//! Rules: `cli-utils` kstatus, as used by Flux, Helm and Argo CD.

use jiff::Timestamp;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::{Schema, SchemaGenerator, json_schema};

/// A condition that holds.
pub const TRUE: &str = "True";
/// A condition of which nobody can say whether it holds.
pub const UNKNOWN: &str = "Unknown";

/// What an object's conditions say, before times and generations are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ready=True.
    Ready,
    /// Ready=False, Reconciling=True: work or waiting goes on.
    Reconciling,
    /// Ready=False, Stalled=True: nothing will move until the named cause goes.
    Stalled,
}

/// The schema of a list of conditions: metav1.Condition with the bounds that Kubernetes' own definitions give it, which the
/// generated type lacks.
pub(super) fn list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "description": "One aspect of the object's state.",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "Ready, Reconciling or Stalled.",
                    "type": "string", "minLength": 1, "maxLength": 316
                },
                "status": {
                    "description": "True, False or Unknown.",
                    "type": "string", "enum": ["True", "False", "Unknown"]
                },
                "reason": {
                    "description": "Why, as one CamelCase word.",
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "message": {
                    "description": "Why, as a sentence.",
                    "type": "string", "maxLength": 32768
                },
                "observedGeneration": {
                    "description": "The generation that this condition speaks of.",
                    "type": "integer", "format": "int64", "minimum": 0
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string", "format": "date-time"
                }
            }
        }
    })
}

/// The conditions for `verdict`; a condition whose status did not change keeps its transition time from `before`.
pub fn conditions(
    before: &[Condition],
    verdict: &Verdict,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let build = |type_: &str, status: &str| {
        let kept = before.iter().find(|c| c.type_ == type_ && c.status == status);
        Condition {
            type_: type_.into(),
            status: status.into(),
            reason: reason.into(),
            message: message.into(),
            observed_generation: generation,
            last_transition_time: kept.map_or_else(|| Time(now), |c| c.last_transition_time.clone()),
        }
    };
    match verdict {
        Verdict::Ready => vec![build("Ready", "True")],
        Verdict::Reconciling => vec![build("Ready", "False"), build("Reconciling", "True")],
        Verdict::Stalled => vec![build("Ready", "False"), build("Stalled", "True")],
    }
}

/// A time as conditions have it.
pub fn at(time: Timestamp) -> Time {
    Time(time)
}

/// The condition of that type, if it is there.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// True if the condition of that type is there and says True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == "True")
}
