//! Instances: read as what decisions look at, written one assignment at a time.
//!
//! Each write is a JSON Patch that tests uid and resourceVersion: what was decided on another state of the host is void.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::ObjectMeta;
use kube::{Client, Resource, ResourceExt};
use serde_json::{Value, json};

use crate::api::Instance;
use crate::cluster::slim::Slim;
use crate::cluster::view::prune_hard;
use crate::cluster::{Error, write};
use crate::engine::plan::{Assign, Change};
use crate::engine::server::host::HostFact;

/// A host as it is kept: thousands of them.
#[derive(Clone, Debug, Resource)]
#[resource(inherit = Instance)]
pub struct Host {
    /// Name, namespace, uid and versions.
    pub metadata: ObjectMeta,
    /// What decisions look at.
    pub fact: Arc<HostFact>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
    /// False before its first status.
    pub has_status: bool,
}

impl Host {
    /// Keeps of an Instance what is needed.
    pub fn keep(Slim(instance): Slim<Instance>) -> Self {
        let fact = Arc::new(HostFact::of(&instance));
        let instance = prune_hard(instance);
        let has_status = instance.status.is_some();
        let mut conditions = instance.status.map(|s| s.conditions).unwrap_or_default();
        conditions.shrink_to_fit();
        Self { metadata: instance.metadata, fact, conditions, has_status }
    }
}

fn operations(assign: &Assign, sealed: Option<&str>) -> Vec<Value> {
    let mut operations = write::untouched(&assign.uid, &assign.version);
    let list = "/spec/assignments";
    let at = |index: usize| format!("{list}/{index}");
    let set = |path: String, value: Value| json!({"op": "add", "path": path, "value": value});
    match (&assign.change, assign.place) {
        (Change::Put(assignment, _), place) => {
            let mut value = json!(assignment);
            if let Some(sealed) = sealed {
                value["sealedCredentials"] = sealed.into();
            }
            operations.push(match place {
                Some(index) => json!({"op": "replace", "path": at(index), "value": value}),
                None if assign.assigned == 0 => set(list.into(), json!([value])),
                None => set(format!("{list}/-"), value),
            });
        }
        (_, None) => {}
        (Change::Go { run_through, noted, is_first, time }, Some(index)) => {
            let events = format!("{}/trafficEvents", at(index));
            operations.push(set(format!("{}/runThrough", at(index)), json!(run_through)));
            operations.push(set(format!("{}/time", at(index)), json!(time)));
            operations.push(match is_first {
                true => set(events, json!([noted])),
                false => set(format!("{events}/-"), json!(noted)),
            });
        }
        (Change::Stop { time }, Some(index)) => {
            operations.push(set(format!("{}/stop", at(index)), json!(true)));
            operations.push(set(format!("{}/time", at(index)), json!(time)));
        }
        (Change::Remove, Some(index)) => {
            let path = if assign.assigned == 1 { list.to_owned() } else { at(index) };
            operations.push(json!({"op": "remove", "path": path}));
        }
    }
    operations
}

/// Writes one assignment; `sealed` goes with it. [`Error::Conflict`] when the host is not as it was looked at any more.
pub async fn assign(
    client: &Client,
    namespace: &str,
    assign: &Assign,
    sealed: Option<&str>,
) -> Result<Option<String>, Error> {
    write::patch_json::<Instance>(client, namespace, &assign.instance, &operations(assign, sealed)).await
}

fn conditions(host: &Host, ready: &Condition) -> Vec<Value> {
    let version = host.resource_version().unwrap_or_default();
    let mut operations = write::untouched(&host.uid().unwrap_or_default(), &version);
    let others = host.conditions.iter().filter(|c| c.type_ != ready.type_);
    let all: Vec<&Condition> = others.chain([ready]).collect();
    operations.push(match host.has_status {
        true => json!({"op": "add", "path": "/status/conditions", "value": all}),
        false => json!({"op": "add", "path": "/status", "value": {"conditions": all}}),
    });
    operations
}

/// Writes the Ready condition, and nothing else of the status: the rest is the agent's.
pub async fn write_ready(client: &Client, host: &Host, ready: &Condition) -> Result<Option<String>, Error> {
    let (namespace, name) = (host.namespace().unwrap_or_default(), host.name_any());
    write::patch_json_status::<Instance>(client, &namespace, &name, &conditions(host, ready)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Assignment, EventName, EventStatus, HostEvent};

    fn patched(object: &mut Value, operations: Vec<Value>) -> bool {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations)).unwrap();
        json_patch::patch(object, &patch).is_ok()
    }

    fn change(object: &Value, group: &str, change: Change) -> Assign {
        let host = Host::keep(serde_json::from_value(object.clone()).unwrap());
        let wanted = host.fact.entry(group).and_then(|e| e.wanted.as_ref());
        Assign {
            instance: "web-1".into(),
            uid: "u".into(),
            version: host.fact.version.clone(),
            place: wanted.map(|w| w.place),
            assigned: host.fact.assigned,
            change,
        }
    }

    fn put(group: &str, deployment: &str) -> Change {
        let assignment = Assignment {
            deployment_group: group.into(),
            deployment: deployment.into(),
            deployment_uid: deployment.into(),
            ..Assignment::default()
        };
        Change::Put(Box::new(assignment), None)
    }

    #[test]
    fn assignments_come_change_and_go_and_everything_else_stays() {
        let mut object = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance",
            "metadata": {"name": "web-1", "uid": "u", "resourceVersion": "7"},
            "spec": {"tags": {"env": "prod"}, "address": "10.0.0.7"},
        });
        let (spec, now) = (object["spec"].clone(), "2026-01-01T00:00:00Z".parse().unwrap());
        for (group, deployment) in [("a", "a-1"), ("b", "b-1"), ("a", "a-2")] {
            let write = operations(&change(&object, group, put(group, deployment)), None);
            assert!(patched(&mut object, write));
        }
        assert_eq!(object["spec"]["assignments"].as_array().map(Vec::len), Some(2));
        assert_eq!(object["spec"]["assignments"][0]["deployment"], "a-2");
        let noted = |name| HostEvent {
            name,
            status: EventStatus::Succeeded,
            start_time: None,
            end_time: Some(now),
            diagnostics: None,
        };
        for (event, is_first) in [(EventName::BlockTraffic, true), (EventName::AllowTraffic, false)] {
            let go = Change::Go { run_through: EventName::Install, noted: noted(event), is_first, time: now };
            let write = operations(&change(&object, "b", go), None);
            assert!(patched(&mut object, write));
        }
        let write = operations(&change(&object, "b", Change::Stop { time: now }), None);
        assert!(patched(&mut object, write));
        let b = &object["spec"]["assignments"][1];
        assert_eq!((&b["runThrough"], &b["stop"]), (&json!("Install"), &json!(true)));
        assert_eq!(b["trafficEvents"].as_array().map(Vec::len), Some(2));
        for group in ["a", "b"] {
            let write = operations(&change(&object, group, Change::Remove), None);
            assert!(patched(&mut object, write));
        }
        assert_eq!(object["spec"], spec);
    }

    #[test]
    fn what_was_decided_on_another_state_of_the_host_is_void() {
        let mut object = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance",
            "metadata": {"name": "web-1", "uid": "u", "resourceVersion": "7"}, "spec": {},
        });
        let write = operations(&change(&object, "a", put("a", "a-1")), Some("sealed"));
        for (field, value) in [("resourceVersion", "8"), ("uid", "v")] {
            let mut other = object.clone();
            other["metadata"][field] = value.into();
            assert!(!patched(&mut other, write.clone()), "{field}");
        }
        assert!(patched(&mut object, write));
        assert_eq!(object["spec"]["assignments"][0]["sealedCredentials"], "sealed");
    }

    #[test]
    fn the_conditions_are_written_and_what_the_agent_says_stays() {
        let ready: Condition =
            serde_json::from_value(json!({"type": "Ready", "status": "True", "reason": "Heard",
            "message": "m", "lastTransitionTime": "2026-01-01T00:00:00Z"}))
            .unwrap();
        let mut object = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Instance",
            "metadata": {"name": "web-1", "uid": "u", "resourceVersion": "7"}, "spec": {},
        });
        let host = |object: &Value| Host::keep(serde_json::from_value(object.clone()).unwrap());
        let write = conditions(&host(&object), &ready);
        assert!(patched(&mut object, write));
        object["status"]["agent"] = json!({"version": "1"});
        let write = conditions(&host(&object), &Condition { status: "Unknown".into(), ..ready });
        assert!(patched(&mut object, write));
        assert_eq!(object["status"]["conditions"].as_array().map(Vec::len), Some(1));
        assert_eq!(object["status"]["conditions"][0]["status"], "Unknown");
        assert_eq!(object["status"]["agent"]["version"], "1");
    }
}
