//! Task sets: ReplicaSets made from a PodTemplate's template, under a name made from their Deployment's uid.
//!
//! They carry no ownerReference: a foreground deletion of the group would take them before its finalizer could speak.

use kube::api::{DeleteParams, ObjectMeta, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{
    CONTAINER_ANNOTATION, DEPLOYMENT_LABEL, GROUP_LABEL, GROUP_UID_LABEL, TASK_DEFINITION_ANNOTATION,
    TASK_SET_LABEL,
};
use crate::cluster::{Error, request, write};
use crate::engine::facts::TaskSetFact;
use crate::engine::plan::{CreateTaskSet, ScaleTaskSet};

/// What is read of a ReplicaSet.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::apps::v1::ReplicaSet)]
pub struct TaskSet {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<i32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    replicas: i32,
    ready_replicas: i32,
    observed_generation: i64,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    #[serde(default)]
    message: String,
}

impl TaskSet {
    /// The name of the group whose it is or was.
    pub fn group(&self) -> Option<&str> {
        self.labels().get(GROUP_LABEL).map(String::as_str)
    }

    /// The task set as the engine sees it; `pods` is what holds one of its pods back.
    pub fn fact(&self, pods: Option<String>) -> TaskSetFact {
        let (labels, annotations) = (self.labels(), self.annotations());
        let generation = self.metadata.generation.unwrap_or_default();
        let failure =
            self.status.conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True");
        let container = annotations.get(CONTAINER_ANNOTATION).and_then(|c| c.rsplit_once(':'));
        TaskSetFact {
            uid: self.uid().unwrap_or_default(),
            generation,
            group_uid: labels.get(GROUP_UID_LABEL).cloned(),
            deployment_uid: labels.get(DEPLOYMENT_LABEL).cloned(),
            created: self.metadata.creation_timestamp.as_ref().map(|t| t.0),
            task_definition: annotations.get(TASK_DEFINITION_ANNOTATION).cloned(),
            container: container.and_then(|(name, port)| Some((name.to_owned(), port.parse().ok()?))),
            replicas: self.spec.replicas.unwrap_or(1),
            total: self.status.replicas,
            ready: self.status.ready_replicas,
            is_observed: self.status.observed_generation >= generation,
            is_going: self.metadata.deletion_timestamp.is_some(),
            problem: failure.map(|c| format!("pods cannot be created: {}", c.message)).or(pods),
        }
    }
}

/// The ReplicaSet of `create`. Whether its template is one, the API server says.
pub fn build(create: &CreateTaskSet) -> Value {
    let mut template = create.template.as_object().cloned().unwrap_or_default();
    let pod = template.entry("metadata").or_insert(Value::Null);
    if pod.is_null() {
        *pod = json!({});
    }
    if pod["labels"].is_null() {
        pod["labels"] = json!({});
    }
    pod["labels"][TASK_SET_LABEL] = create.name.clone().into();
    pod["labels"][GROUP_LABEL] = create.group.clone().into();
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": create.name,
            "labels": {
                (TASK_SET_LABEL): create.name,
                (GROUP_LABEL): create.group,
                (GROUP_UID_LABEL): create.group_uid,
                (DEPLOYMENT_LABEL): create.deployment_uid,
            },
            "annotations": {
                (TASK_DEFINITION_ANNOTATION): create.task_definition,
                (CONTAINER_ANNOTATION): format!("{}:{}", create.container.0, create.container.1),
            },
        },
        "spec": {
            "replicas": create.replicas,
            "selector": {"matchLabels": {(TASK_SET_LABEL): create.name}},
            "template": template,
        },
    })
}

/// Creates a task set; one of that name is success only if the same Deployment made it.
pub async fn create(
    client: &Client,
    namespace: &str,
    create: &CreateTaskSet,
) -> Result<Option<String>, Error> {
    let is_ours = |meta: &ObjectMeta| {
        let uid = meta.labels.as_ref().and_then(|l| l.get(DEPLOYMENT_LABEL));
        uid == Some(&create.deployment_uid)
    };
    write::create_as::<TaskSet>(client, namespace, &create.name, &build(create), is_ours).await
}

/// Scales a task set. [`Error::Conflict`] when it is no longer the one that was looked at.
pub async fn scale(client: &Client, namespace: &str, change: &ScaleTaskSet) -> Result<Option<String>, Error> {
    let operations = [
        json!({"op": "test", "path": "/metadata/uid", "value": change.uid}),
        json!({"op": "test", "path": "/metadata/generation", "value": change.generation}),
        json!({"op": "add", "path": "/spec/replicas", "value": change.replicas}),
    ];
    write::patch_json::<TaskSet>(client, namespace, &change.name, &operations).await
}

const GROUP_UID_PATH: &str = "/metadata/labels/sluice.dev~1deployment-group-uid";

/// Makes an object a group's, by its label.
pub async fn adopt<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: &str,
    group_uid: &str,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    let operations = [
        json!({"op": "test", "path": "/metadata/uid", "value": uid}),
        json!({"op": "add", "path": GROUP_UID_PATH, "value": group_uid}),
    ];
    write::patch_json::<K>(client, namespace, name, &operations).await
}

/// Lets go of an object that a group made: it stays, and is nobody's.
pub async fn orphan<K>(
    client: &Client,
    namespace: &str,
    name: &str,
    uid: &str,
) -> Result<Option<String>, Error>
where
    K: Resource<DynamicType = ()>,
{
    let operations = [
        json!({"op": "test", "path": "/metadata/uid", "value": uid}),
        json!({"op": "remove", "path": GROUP_UID_PATH}),
    ];
    write::patch_json::<K>(client, namespace, name, &operations).await
}

/// Deletes an object that a group made, and behind it what depends on it.
pub async fn delete<K>(client: &Client, namespace: &str, name: &str, uid: &str) -> Result<(), Error>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let preconditions = Preconditions { uid: Some(uid.into()), resource_version: None };
    let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
    match Api::<K>::namespaced(client.clone(), namespace).delete(name, &params).await {
        Ok(_) => Ok(()),
        Err(error) => match Error::from_kube(request::describe::<K>(namespace, name), error) {
            Error::Gone { .. } | Error::Conflict { .. } => Ok(()),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_set_is_found_by_a_label_of_its_own_and_carries_its_makers_name() {
        let create = CreateTaskSet {
            name: "web-1a2b".into(),
            replicas: 3,
            group: "web".into(),
            group_uid: "g".into(),
            deployment_uid: "d".into(),
            task_definition: "web-42".into(),
            container: ("web".into(), 8080),
            template: json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": "w:42"}]}}),
        };
        let mut read = build(&create);
        assert!(read["metadata"].get("ownerReferences").is_none());
        assert_eq!(read["spec"]["selector"]["matchLabels"][TASK_SET_LABEL], "web-1a2b");
        let labels = &read["spec"]["template"]["metadata"]["labels"];
        assert_eq!((&labels["app"], &labels[TASK_SET_LABEL]), (&json!("web"), &json!("web-1a2b")));
        read["metadata"]["generation"] = json!(2);
        read["status"] = json!({"replicas": 3, "readyReplicas": 1, "observedGeneration": 1});
        let fact = serde_json::from_value::<TaskSet>(read).unwrap().fact(Some("held".into()));
        assert_eq!(fact.container, Some(("web".into(), 8080)));
        assert_eq!((fact.deployment_uid.as_deref(), fact.replicas, fact.is_observed), (Some("d"), 3, false));
        assert_eq!(
            (fact.task_definition.as_deref(), fact.problem.as_deref()),
            (Some("web-42"), Some("held"))
        );
    }
}
