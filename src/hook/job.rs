//! Hooks that are Jobs: built from their template under a name made from their key, judged by their conditions.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, ObjectMeta};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Map, Value, json};

use crate::api::{DEPLOYMENT_LABEL, GROUP_LABEL, HOOK_FINALIZER, KEY_ANNOTATION};
use crate::cluster::request;
use crate::cluster::view::{Job, Pod};
use crate::cluster::{Error, write};
use crate::engine::facts::{JobFact, JobState};
use crate::engine::plan::{HookContext, StartJob};

/// The Job of `start`, owned by its Deployment. Whether its template is one, the API server says.
pub fn build(start: &StartJob, deployment_uid: &str, owner: Option<OwnerReference>) -> Value {
    let mut job = start.template.as_object().cloned().unwrap_or_default();
    let given = job.remove("metadata").unwrap_or_default();
    let mut labels = given["labels"].as_object().cloned().unwrap_or_default();
    labels.insert(DEPLOYMENT_LABEL.into(), deployment_uid.into());
    if start.context.group.len() <= 63 {
        labels.insert(GROUP_LABEL.into(), start.context.group.clone().into());
    }
    let mut annotations = given["annotations"].as_object().cloned().unwrap_or_default();
    annotations.insert(KEY_ANNOTATION.into(), start.context.execution_id.clone().into());
    let owners: Vec<_> = owner.into_iter().collect();
    let metadata = json!({
        "name": start.name, "labels": labels, "annotations": annotations, "finalizers": [HOOK_FINALIZER],
        "ownerReferences": owners,
    });
    job.insert("apiVersion".into(), "batch/v1".into());
    job.insert("kind".into(), "Job".into());
    job.insert("metadata".into(), metadata);
    if let Some(spec) = job.get_mut("spec").and_then(Value::as_object_mut) {
        // A Job that cleans itself up could be gone before its end is on record.
        spec.remove("ttlSecondsAfterFinished");
        let pod = spec.get_mut("template").and_then(|template| template.get_mut("spec"));
        if let Some(pod) = pod.and_then(Value::as_object_mut) {
            complete(pod, &start.context);
        }
    }
    Value::Object(job)
}

/// What a hook's pod is told and how it ends.
fn complete(pod: &mut Map<String, Value>, context: &HookContext) {
    let policy = pod.entry("restartPolicy").or_insert(Value::Null);
    if policy.is_null() {
        *policy = "Never".into();
    }
    for list in ["containers", "initContainers"] {
        let containers = pod.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        containers.filter_map(Value::as_object_mut).for_each(|c| tell(c, context));
    }
}

/// CodeDeploy's environment, and the last lines of a failing container as its termination message.
fn tell(container: &mut Map<String, Value>, context: &HookContext) {
    let event = context.event.to_string();
    let told = [
        ("APPLICATION_NAME", &context.application),
        ("DEPLOYMENT_ID", &context.deployment),
        ("DEPLOYMENT_GROUP_NAME", &context.group),
        ("DEPLOYMENT_GROUP_ID", &context.group_uid),
        ("LIFECYCLE_EVENT", &event),
        ("LIFECYCLE_EVENT_HOOK_EXECUTION_ID", &context.execution_id),
    ];
    let env = container.entry("env").or_insert(Value::Null);
    if env.is_null() {
        *env = json!([]);
    }
    // What is no list is left to the API server to refuse.
    if let Some(env) = env.as_array_mut() {
        env.retain(|e| told.iter().all(|(name, _)| e["name"] != *name));
        env.extend(told.map(|(name, value)| json!({"name": name, "value": value})));
    }
    container.insert("terminationMessagePolicy".into(), "FallbackToLogsOnError".into());
}

/// Asks the API server whether it would take a Job of that template.
pub async fn check(client: &Client, namespace: &str, template: &Value) -> Result<(), Error> {
    let start = StartJob {
        name: "sluice-template-check".into(),
        context: HookContext {
            application: "check".into(),
            deployment: "check".into(),
            group: "check".into(),
            group_uid: "check".into(),
            event: crate::api::EventName::BeforeAllowTraffic,
            execution_id: "check".into(),
        },
        template: template.clone(),
    };
    let job = build(&start, "check", None);
    let path = format!("{}?dryRun=All", Job::url_path(&(), Some(namespace)));
    request::post(client, &path, &job, &format!("the Job of {namespace}")).await.map(|_| ())
}

/// Starts a Job under its name. One of that name with our key is success.
pub async fn start(
    client: &Client,
    namespace: &str,
    name: &str,
    job: &Value,
) -> Result<Option<String>, Error> {
    let key = job["metadata"]["annotations"][KEY_ANNOTATION].as_str();
    let is_ours = |meta: &ObjectMeta| {
        meta.annotations.as_ref().and_then(|a| a.get(KEY_ANNOTATION)).map(String::as_str) == key
    };
    write::create_as::<Job>(client, namespace, name, job, is_ours).await
}

/// Lets go of a Job whose end is on record; deletes it if asked to.
pub async fn end(client: &Client, job: &Job, delete: bool) -> Result<(), Error> {
    let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
    if delete && job.metadata.deletion_timestamp.is_none() {
        let params = kube::api::DeleteParams::background();
        match Api::<Job>::namespaced(client.clone(), &namespace).delete(&name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(Error::from_kube(request::describe::<Job>(&namespace, &name), error)),
        }
        // The deletion changed the object; the finalizer goes when the watch has shown that.
        return Ok(());
    }
    write::remove_finalizer::<Job>(client, &write::Seen::new(job, None), HOOK_FINALIZER).await.map(|_| ())
}

/// How a Job stands; `log_tail` is asked for only when it failed.
pub fn fact(job: &Job, execution_id: &str, log_tail: impl FnOnce() -> String) -> JobFact {
    let is_held = job.finalizers().iter().any(|f| f == HOOK_FINALIZER);
    let name = job.name_any();
    if job.annotations().get(KEY_ANNOTATION).map(String::as_str) != Some(execution_id) {
        return JobFact { name, state: JobState::NameTaken, is_held: false };
    }
    let state = if job.true_condition("Complete").is_some() {
        JobState::Succeeded
    } else if let Some(failed) = job.true_condition("Failed") {
        let words = failed.message.as_ref().or(failed.reason.as_ref());
        let message = words.cloned().unwrap_or_else(|| "no reason given".into());
        JobState::Failed { message, log_tail: log_tail() }
    } else if job.metadata.deletion_timestamp.is_some() {
        JobState::Deleted
    } else {
        JobState::Running
    };
    JobFact { name, state, is_held }
}

/// True if the Job has failed: only then are its pods looked at.
pub fn has_failed(job: &Job) -> bool {
    job.true_condition("Failed").is_some()
}

/// The termination message of the last pod of a failed Job; empty if it cannot be had.
pub async fn log_tail(client: &Client, job: &Job) -> String {
    let namespace = job.namespace().unwrap_or_default();
    let params = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={}", job.name_any()));
    let Ok(mut pods) = Api::<Pod>::namespaced(client.clone(), &namespace).list(&params).await else {
        return String::new();
    };
    pods.items.sort_by_key(|p| p.creation_timestamp().map(|t| t.0));
    pods.items.iter().rev().find_map(Pod::failure).unwrap_or_default().to_owned()
}
