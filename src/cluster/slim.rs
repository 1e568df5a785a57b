//! How objects are read off a watch: without what nobody here looks at. Bytes in, our kinds out.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, OwnerReference, Time};
use kube::Resource;
use kube::api::ObjectMeta;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, Instance, LifecycleHook};

/// Standard metadata as far as anybody here looks at it; the fields that managers own are skipped unread: they are the
/// greater part of many objects.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SlimMeta {
    name: Option<String>,
    /// By it the history limit tells which Deployments it may delete.
    generate_name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
    owner_references: Option<Vec<OwnerReference>>,
    managed_fields: Vec<SlimEntry>,
}

#[derive(Deserialize)]
struct SlimEntry {
    subresource: Option<String>,
    time: Option<Time>,
}

/// Reads metadata, of managed fields only which subresource was written when.
pub fn slim_meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let slim = SlimMeta::deserialize(deserializer)?;
    let managers = slim.managed_fields.into_iter().map(|m| ManagedFieldsEntry {
        subresource: m.subresource,
        time: m.time,
        ..ManagedFieldsEntry::default()
    });
    Ok(ObjectMeta {
        name: slim.name,
        generate_name: slim.generate_name,
        namespace: slim.namespace,
        uid: slim.uid,
        resource_version: slim.resource_version,
        generation: slim.generation,
        creation_timestamp: slim.creation_timestamp,
        deletion_timestamp: slim.deletion_timestamp,
        labels: slim.labels,
        annotations: slim.annotations,
        finalizers: slim.finalizers,
        owner_references: slim.owner_references,
        managed_fields: Some(managers.collect()),
        ..ObjectMeta::default()
    })
}

/// A kind that is made of metadata, spec and status.
pub trait FromParts: Sized {
    /// Its spec.
    type Spec: DeserializeOwned;
    /// Its status.
    type Status: DeserializeOwned;

    /// Puts it together.
    fn from_parts(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::Status>) -> Self;
}

macro_rules! from_parts {
    ($($kind:ident: $spec:ident, $status:ident;)*) => {$(
        impl FromParts for $kind {
            type Spec = crate::api::$spec;
            type Status = crate::api::$status;

            fn from_parts(metadata: ObjectMeta, spec: Self::Spec, status: Option<Self::Status>) -> Self {
                Self { metadata, spec, status }
            }
        }
    )*};
}

from_parts! {
    Application: ApplicationSpec, ApplicationStatus;
    DeploymentConfig: DeploymentConfigSpec, DeploymentConfigStatus;
    LifecycleHook: LifecycleHookSpec, LifecycleHookStatus;
    DeploymentGroup: DeploymentGroupSpec, DeploymentGroupStatus;
    Deployment: DeploymentSpec, DeploymentStatus;
    Instance: InstanceSpec, InstanceStatus;
}

/// One of our kinds as a watch reads it: with slim metadata.
#[derive(Clone, Debug)]
pub struct Slim<K>(pub K);

#[derive(Deserialize)]
struct Parts<S, T> {
    #[serde(deserialize_with = "slim_meta")]
    metadata: ObjectMeta,
    spec: S,
    status: Option<T>,
}

impl<'de, K: FromParts> Deserialize<'de> for Slim<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Parts::<K::Spec, K::Status>::deserialize(deserializer)?;
        Ok(Self(K::from_parts(parts.metadata, parts.spec, parts.status)))
    }
}

impl<K: Resource<DynamicType = ()>> Resource for Slim<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind(_: &()) -> Cow<'_, str> {
        K::kind(&())
    }
    fn group(_: &()) -> Cow<'_, str> {
        K::group(&())
    }
    fn version(_: &()) -> Cow<'_, str> {
        K::version(&())
    }
    fn plural(_: &()) -> Cow<'_, str> {
        K::plural(&())
    }
    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_whole_but_for_the_managed_fields() {
        let times = json!({"manager": "m", "operation": "Update", "apiVersion": "v1", "time": "2026-01-02T03:04:05Z",
            "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:computePlatform": {}}}, "subresource": "status"});
        let mut object = json!({
            "apiVersion": "sluice.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-01-02T03:04:05Z", "deletionTimestamp": "2026-01-02T03:04:06Z",
                "labels": {"l": "1"}, "annotations": {"a": "2"}, "finalizers": ["f"],
                "ownerReferences": [{"apiVersion": "v", "kind": "k", "name": "o", "uid": "x", "controller": true}]},
            "spec": {"computePlatform": "Function"},
            "status": {"observedGeneration": 1, "deploymentGroups": 2, "conditions": []}
        });
        let plain: Application = serde_json::from_value(object.clone()).unwrap();
        object["metadata"]["managedFields"] = json!([times]);
        let Slim(mut read) = serde_json::from_value::<Slim<Application>>(object).unwrap();
        let managers = read.metadata.managed_fields.take().unwrap();
        assert_eq!(managers[0].subresource.as_deref(), Some("status"));
        assert!(managers[0].time.is_some() && managers[0].fields_v1.is_none());
        assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&plain).unwrap());
        assert_eq!(read.finalizers(), ["f"]);
    }
}
