//! Hooks that are Jobs: built from their template under a name made from their key, judged by their conditions.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, EnvVar, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{ListParams, ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::api::{DEPLOYMENT_LABEL, GROUP_LABEL, HOOK_FINALIZER, KEY_ANNOTATION};
use crate::cluster::{Error, write};
use crate::engine::facts::{JobFact, JobState};
use crate::engine::plan::{HookContext, StartJob};

/// The Job of `start`, owned by its Deployment.
///
/// Errors: the template is not a JobTemplateSpec, in serde's words.
pub fn build(
    start: &StartJob,
    deployment_uid: &str,
    owner: OwnerReference,
) -> Result<Job, serde_json::Error> {
    let mut job: Job = serde_json::from_value(template(&start.template))?;
    let given = std::mem::take(&mut job.metadata);
    let mut labels = given.labels.unwrap_or_default();
    labels.insert(DEPLOYMENT_LABEL.into(), deployment_uid.into());
    if start.context.group.len() <= 63 {
        labels.insert(GROUP_LABEL.into(), start.context.group.clone());
    }
    let mut annotations = given.annotations.unwrap_or_default();
    annotations.insert(KEY_ANNOTATION.into(), start.context.execution_id.clone());
    job.metadata = ObjectMeta {
        name: Some(start.name.clone()),
        labels: Some(labels),
        annotations: Some(annotations),
        finalizers: Some(vec![HOOK_FINALIZER.into()]),
        owner_references: Some(vec![owner]),
        ..ObjectMeta::default()
    };
    let Some(spec) = &mut job.spec else { return Ok(job) };
    // A Job that cleans itself up could be gone before its end is on record.
    spec.ttl_seconds_after_finished = None;
    if let Some(pod) = &mut spec.template.spec {
        pod.restart_policy.get_or_insert_with(|| "Never".into());
        pod.containers.iter_mut().for_each(|c| tell(c, &start.context));
        pod.init_containers.iter_mut().flatten().for_each(|c| tell(c, &start.context));
    }
    Ok(job)
}

fn template(template: &Value) -> Value {
    let mut value = template.clone();
    if let Value::Object(map) = &mut value {
        map.insert("apiVersion".into(), "batch/v1".into());
        map.insert("kind".into(), "Job".into());
        map.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    value
}

/// CodeDeploy's environment, and the last lines of a failing container as its termination message.
fn tell(container: &mut Container, context: &HookContext) {
    let event = context.event.to_string();
    let told = [
        ("APPLICATION_NAME", &context.application),
        ("DEPLOYMENT_ID", &context.deployment),
        ("DEPLOYMENT_GROUP_NAME", &context.group),
        ("DEPLOYMENT_GROUP_ID", &context.group_uid),
        ("LIFECYCLE_EVENT", &event),
        ("LIFECYCLE_EVENT_HOOK_EXECUTION_ID", &context.execution_id),
    ];
    let env = container.env.get_or_insert_default();
    env.retain(|e| told.iter().all(|(name, _)| e.name != *name));
    env.extend(told.map(|(name, value)| EnvVar {
        name: name.into(),
        value: Some(value.clone()),
        value_from: None,
    }));
    container.termination_message_policy = Some("FallbackToLogsOnError".into());
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
    let what = format!("the Job of {namespace}");
    let refused = |e: serde_json::Error| Error::Refused { what: what.clone(), message: e.to_string() };
    let mut job = build(&start, "check", OwnerReference::default()).map_err(refused)?;
    job.metadata.owner_references = None;
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let answer = Api::<Job>::namespaced(client.clone(), namespace).create(&params, &job).await;
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        Err(error) => Err(Error::from_kube(what, error)),
    }
}

/// Starts a Job. One of that name with our key is success.
pub async fn start(client: &Client, namespace: &str, job: &Job) -> Result<Option<String>, Error> {
    let key = job.annotations().get(KEY_ANNOTATION).cloned();
    let is_ours =
        |meta: &ObjectMeta| meta.annotations.as_ref().and_then(|a| a.get(KEY_ANNOTATION)) == key.as_ref();
    write::create(client, namespace, job, is_ours).await
}

/// Lets go of a Job whose end is on record; deletes it if asked to.
pub async fn end(client: &Client, job: &Job, delete: bool) -> Result<(), Error> {
    let (name, namespace) = (job.name_any(), job.namespace().unwrap_or_default());
    if delete && job.metadata.deletion_timestamp.is_none() {
        let params = kube::api::DeleteParams::background();
        match Api::<Job>::namespaced(client.clone(), &namespace).delete(&name, &params).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => return Err(Error::from_kube(write::describe::<Job>(&namespace, &name), error)),
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
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let is_true = |type_: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
    let state = if is_true("Complete").is_some() {
        JobState::Succeeded
    } else if let Some(failed) = is_true("Failed") {
        let message = failed
            .message
            .clone()
            .or_else(|| failed.reason.clone())
            .unwrap_or_else(|| "no reason given".into());
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
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.type_ == "Failed" && c.status == "True")
}

/// The termination message of the last pod of a failed Job; empty if it cannot be had.
pub async fn log_tail(client: &Client, job: &Job) -> String {
    let namespace = job.namespace().unwrap_or_default();
    let params = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={}", job.name_any()));
    let Ok(mut pods) = Api::<Pod>::namespaced(client.clone(), &namespace).list(&params).await else {
        return String::new();
    };
    pods.items.sort_by_key(|p| p.creation_timestamp().map(|t| t.0));
    let ended = pods.items.iter().rev().filter_map(|p| p.status.as_ref());
    let states = ended.flat_map(|s| {
        s.container_statuses.iter().flatten().chain(s.init_container_statuses.iter().flatten())
    });
    let mut messages = states.filter_map(|c| {
        let terminated = c.state.as_ref().and_then(|s| s.terminated.as_ref());
        terminated.filter(|t| t.exit_code != 0).and_then(|t| t.message.clone())
    });
    messages.next().unwrap_or_default()
}
