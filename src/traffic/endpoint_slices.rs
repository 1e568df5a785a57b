//! The EndpointSlices of a Service without a selector: hosts in place of pods.
//!
//! Any gateway, and kube-proxy, follow them as they follow those of pods. They carry no ownerReference: a foreground deletion
//! of the group would take them before its finalizer could speak.

use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{GROUP_UID_LABEL, Instance};
use crate::cluster::view::{Service, prune};
use crate::cluster::{Error, request, write};
use crate::engine::server::endpoints::SetSlice;
use crate::engine::server::facts::{Endpoint, PortFact, SliceFact};

/// By it a slice's owner is told; the endpoints controller leaves others' alone.
pub const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by=sluice";
const GROUP_UID_PATH: &str = "/metadata/labels/sluice.dev~1deployment-group-uid";
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// What is read of an EndpointSlice of ours.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::discovery::v1::EndpointSlice)]
#[serde(rename_all = "camelCase")]
pub struct HostSlice {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    address_type: String,
    #[serde(default)]
    endpoints: Option<Vec<ReadEndpoint>>,
    #[serde(default)]
    ports: Option<Vec<ReadPort>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadEndpoint {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: ReadConditions,
    zone: Option<String>,
    target_ref: Option<ReadRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct ReadConditions {
    ready: Option<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ReadRef {
    name: String,
    uid: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadPort {
    name: Option<String>,
    protocol: Option<String>,
    app_protocol: Option<String>,
    port: Option<i32>,
}

impl ReadEndpoint {
    /// The name of its host.
    fn host(&self) -> &str {
        self.target_ref.as_ref().map_or("", |target| &target.name)
    }

    /// True if it gets traffic.
    fn is_ready(&self) -> bool {
        self.conditions.ready != Some(false)
    }
}

impl HostSlice {
    /// Drops what is not needed.
    pub fn pruned(self) -> Self {
        prune(self)
    }

    /// The Service that it belongs to.
    pub fn service(&self) -> &str {
        self.labels().get(SERVICE_LABEL).map(String::as_str).unwrap_or_default()
    }

    /// The uid of the group whose it is.
    pub fn group_uid(&self) -> Option<&str> {
        self.labels().get(GROUP_UID_LABEL).map(String::as_str)
    }

    /// The hosts that stand there, and whether each gets traffic.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, bool)> {
        self.endpoints.iter().flatten().map(|e| (e.host(), e.is_ready()))
    }

    /// The slice as the engine sees it.
    pub fn fact(&self) -> SliceFact {
        let endpoint = |e: &ReadEndpoint| {
            let host = e.target_ref.clone().unwrap_or_default();
            Endpoint {
                host: host.name,
                uid: host.uid,
                address: e.addresses.first().cloned().unwrap_or_default(),
                zone: e.zone.clone().unwrap_or_default(),
                is_ready: e.is_ready(),
            }
        };
        let port = |p: &ReadPort| PortFact {
            name: p.name.clone().unwrap_or_default(),
            protocol: p.protocol.clone().unwrap_or_else(|| "TCP".into()),
            app_protocol: p.app_protocol.clone(),
            port: p.port.unwrap_or_default(),
        };
        SliceFact {
            name: self.name_any(),
            uid: self.uid().unwrap_or_default(),
            version: self.resource_version().unwrap_or_default(),
            group_uid: self.group_uid().unwrap_or_default().into(),
            service: self.service().into(),
            is_v6: self.address_type == "IPv6",
            ports: self.ports.iter().flatten().map(port).collect(),
            endpoints: self.endpoints.iter().flatten().map(endpoint).collect(),
        }
    }
}

/// The ports of a Service as its endpoints have them: one of each name, all leading to `port` on the hosts.
pub fn ports(service: &Service, port: i32) -> Vec<PortFact> {
    let text = |t: &Option<Box<str>>| t.as_deref().map(str::to_owned);
    let ports = service.spec.ports.iter().map(|p| PortFact {
        name: text(&p.name).unwrap_or_default(),
        protocol: text(&p.protocol).unwrap_or_else(|| "TCP".into()),
        app_protocol: text(&p.app_protocol),
        port,
    });
    ports.collect()
}

fn endpoint(namespace: &str, endpoint: &Endpoint) -> Value {
    let is_ready = endpoint.is_ready;
    let mut value = json!({
        "addresses": [endpoint.address],
        "conditions": {"ready": is_ready, "serving": true, "terminating": !is_ready},
        "targetRef": {
            "apiVersion": Instance::api_version(&()),
            "kind": "Instance",
            "namespace": namespace,
            "name": endpoint.host,
            "uid": endpoint.uid,
        },
    });
    if !endpoint.zone.is_empty() {
        value["zone"] = endpoint.zone.clone().into();
    }
    value
}

fn port(port: &PortFact) -> Value {
    let mut value = json!({"name": port.name, "protocol": port.protocol, "port": port.port});
    if let Some(protocol) = &port.app_protocol {
        value["appProtocol"] = protocol.clone().into();
    }
    value
}

fn build(namespace: &str, set: &SetSlice) -> Value {
    let endpoints: Vec<Value> = set.endpoints.iter().map(|e| endpoint(namespace, e)).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": set.name,
            "labels": {
                (SERVICE_LABEL): set.service,
                "endpointslice.kubernetes.io/managed-by": "sluice",
                (GROUP_UID_LABEL): set.group_uid,
            },
        },
        "addressType": if set.is_v6 { "IPv6" } else { "IPv4" },
        "endpoints": endpoints,
        "ports": set.ports.iter().map(port).collect::<Vec<_>>(),
    })
}

/// Writes a slice: makes it, changes it, or deletes it when it has no endpoints. [`Error::Conflict`] when it is not as it was
/// looked at any more. Answers the new version.
pub async fn set(client: &Client, namespace: &str, set: &SetSlice) -> Result<Option<String>, Error> {
    let value = build(namespace, set);
    let Some(seen) = &set.seen else {
        let is_ours = |meta: &ObjectMeta| {
            meta.labels.as_ref().and_then(|l| l.get(GROUP_UID_LABEL)) == Some(&set.group_uid)
        };
        return write::create_as::<HostSlice>(client, namespace, &set.name, &value, is_ours).await;
    };
    if set.endpoints.is_empty() {
        delete(client, namespace, set, &seen.uid, &seen.version).await?;
        return Ok(None);
    }
    let whose = match set.group_uid.as_str() {
        // Added first: what is not there cannot be removed.
        "" => vec![
            json!({"op": "add", "path": GROUP_UID_PATH, "value": ""}),
            json!({"op": "remove", "path": GROUP_UID_PATH}),
        ],
        uid => vec![json!({"op": "add", "path": GROUP_UID_PATH, "value": uid})],
    };
    let mut operations = write::untouched(&seen.uid, &seen.version);
    operations.push(json!({"op": "add", "path": "/endpoints", "value": value["endpoints"]}));
    operations.push(json!({"op": "add", "path": "/ports", "value": value["ports"]}));
    operations.extend(whose);
    write::patch_json::<HostSlice>(client, namespace, &set.name, &operations).await
}

async fn delete(
    client: &Client,
    namespace: &str,
    set: &SetSlice,
    uid: &str,
    version: &str,
) -> Result<(), Error> {
    let preconditions = Preconditions { uid: Some(uid.into()), resource_version: Some(version.into()) };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match Api::<HostSlice>::namespaced(client.clone(), namespace).delete(&set.name, &params).await {
        Ok(_) => Ok(()),
        Err(error) => match Error::from_kube(request::describe::<HostSlice>(namespace, &set.name), error) {
            Error::Gone { .. } => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_reads_back_as_it_was_written() {
        let endpoint = |host: &str, address: &str, is_ready| Endpoint {
            host: host.into(),
            uid: format!("u-{host}"),
            address: address.into(),
            zone: if is_ready { "eu-1a".into() } else { String::new() },
            is_ready,
        };
        let port = PortFact {
            name: "http".into(),
            protocol: "TCP".into(),
            app_protocol: Some("kubernetes.io/h2c".into()),
            port: 8080,
        };
        let set = SetSlice {
            service: "web".into(),
            group_uid: "g".into(),
            name: "web-1a".into(),
            seen: None,
            is_v6: false,
            ports: vec![port],
            endpoints: vec![endpoint("a", "10.0.0.1", true), endpoint("b", "10.0.0.2", false)],
        };
        let value = build("prod", &set);
        assert_eq!(
            value["endpoints"][1]["conditions"],
            json!({"ready": false, "serving": true, "terminating": true})
        );
        assert_eq!(value["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"], "sluice");
        let read: HostSlice = serde_json::from_value(value).unwrap();
        let fact = read.fact();
        assert_eq!((&fact.endpoints, &fact.ports), (&set.endpoints, &set.ports));
        assert_eq!((read.service(), read.group_uid()), ("web", Some("g")));
        assert_eq!(read.hosts().collect::<Vec<_>>(), [("a", true), ("b", false)]);
    }

    #[test]
    fn every_port_of_a_service_leads_to_the_hosts_port_under_its_own_name() {
        let service: Service = serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"ports": [
            {"name": "http", "port": 80}, {"name": "grpc", "port": 90, "appProtocol": "grpc", "protocol": "TCP"}]}}))
        .unwrap();
        let ports = ports(&service, 8080);
        let told: Vec<_> =
            ports.iter().map(|p| (p.name.as_str(), p.port, p.app_protocol.as_deref())).collect();
        assert_eq!(told, [("http", 8080, None), ("grpc", 8080, Some("grpc"))]);
        let bare: Service =
            serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}))
                .unwrap();
        assert_eq!(super::ports(&bare, 1)[0].name, "");
    }
}
