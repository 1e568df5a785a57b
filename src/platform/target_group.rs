//! Target groups and front Services: created, and pointed at other pods in one patch.

use kube::Client;
use serde_json::{Value, json};

use crate::api::{GROUP_LABEL, GROUP_UID_LABEL};
use crate::cluster::view::Service;
use crate::cluster::{Error, write};
use crate::engine::group_target::NewTargetGroup;
use crate::engine::plan::PointService;

fn build(new: &NewTargetGroup) -> Value {
    let port = |port: &i32| {
        let to = new.target_port.as_deref().map_or_else(|| json!(port), number_or_name);
        json!({"name": format!("port-{port}"), "port": port, "targetPort": to})
    };
    let mut service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": new.name,
            "labels": {(GROUP_LABEL): new.group, (GROUP_UID_LABEL): new.group_uid},
        },
        "spec": {"ports": new.ports.iter().map(port).collect::<Vec<_>>()},
    });
    if !new.selector.is_empty() {
        service["spec"]["selector"] = json!(new.selector);
    }
    service
}

/// A targetPort as Kubernetes reads it.
fn number_or_name(port: &str) -> Value {
    port.parse::<i32>().map_or_else(|_| json!(port), |number| json!(number))
}

/// Creates a target group. One that is there already is as good: it is looked at like any other.
pub async fn create(client: &Client, namespace: &str, new: &NewTargetGroup) -> Result<Option<String>, Error> {
    write::create_as::<Service>(client, namespace, &new.name, &build(new), |_| true).await
}

fn operations(change: &PointService) -> Vec<Value> {
    let mut operations = write::untouched(&change.uid, &change.version);
    operations.push(json!({"op": "add", "path": "/spec/selector", "value": change.selector}));
    if let Some(port) = &change.target_port {
        let value = number_or_name(port);
        let at = |index: usize| format!("/spec/ports/{index}/targetPort");
        operations.extend((0..change.ports).map(|i| json!({"op": "add", "path": at(i), "value": value})));
    }
    operations
}

/// Points a Service at other pods. [`Error::Conflict`] when it is no longer the one that was looked at.
pub async fn point(client: &Client, namespace: &str, change: &PointService) -> Result<Option<String>, Error> {
    write::patch_json::<Service>(client, namespace, &change.service, &operations(change)).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn selector_and_target_port_move_in_one_patch_and_the_rest_stays() {
        let mut service = json!({
            "metadata": {"uid": "u", "resourceVersion": "7"},
            "spec": {"ports": [{"port": 80, "nodePort": 30000, "targetPort": "web"}], "sessionAffinity": "None"}
        });
        let change = PointService {
            service: "web-a".into(),
            uid: "u".into(),
            version: "7".into(),
            selector: BTreeMap::from([("k".into(), "v".into())]),
            target_port: Some("8080".into()),
            ports: 1,
        };
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(operations(&change))).unwrap();
        json_patch::patch(&mut service, &patch).unwrap();
        let spec = json!({"ports": [{"port": 80, "nodePort": 30000, "targetPort": 8080}],
            "selector": {"k": "v"}, "sessionAffinity": "None"});
        assert_eq!(service["spec"], spec);
        service["metadata"]["resourceVersion"] = json!("8");
        assert!(json_patch::patch(&mut service, &patch).is_err(), "another version is another Service");
    }
}
