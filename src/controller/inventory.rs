//! The small kinds: Application, DeploymentConfig, LifecycleHook.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;

use super::clock;
use super::context::Context;
use super::queue::Action;
use crate::api::{Application, DeploymentConfig, LifecycleHook};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, Fate, write};
use crate::engine::inventory;
use crate::hook;

/// A hook that the API server refuses is looked at again this often: a quota or a policy may have changed.
const RECHECK: Duration = Duration::from_secs(60);

fn is_current<K: kube::Resource<DynamicType = ()>>(context: &Context, object: &K) -> bool {
    let key = ObjectKey::new(kind::<K>(), &object.namespace().unwrap_or_default(), &object.name_any());
    context.expectations.is_met(&key, object.meta().resource_version.as_deref(), clock::now())
        && context.is_leading()
}

fn kind<K: kube::Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()).as_ref() {
        "Application" => "Application",
        "DeploymentConfig" => "DeploymentConfig",
        _ => "LifecycleHook",
    }
}

async fn record<K, S>(context: &Context, seen: &K, status: Option<S>) -> Result<(), Error>
where
    K: kube::Resource<DynamicType = ()>,
    S: serde::Serialize,
{
    let Some(status) = status else { return Ok(()) };
    let version = write::replace_status(&context.client, seen, &status).await?;
    let key = ObjectKey::new(kind::<K>(), &seen.namespace().unwrap_or_default(), &seen.name_any());
    context.expectations.note(key, version.as_deref(), clock::now());
    Ok(())
}

/// Counts the groups of an application.
pub async fn application(object: Arc<Application>, context: Arc<Context>) -> Result<Action, Error> {
    if is_current(&context, object.as_ref()) {
        let namespace = object.namespace().unwrap_or_default();
        let groups = context.by_application.names(&namespace, &object.name_any()).len();
        record(&context, object.as_ref(), inventory::application(&object, groups, clock::now())).await?;
    }
    Ok(Action::await_change())
}

/// Says that a configuration is valid: the schema let nothing else in.
pub async fn deployment_config(
    object: Arc<DeploymentConfig>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    if is_current(&context, object.as_ref()) {
        record(&context, object.as_ref(), inventory::deployment_config(&object, clock::now())).await?;
    }
    Ok(Action::await_change())
}

/// Asks the API server, once a generation, whether it would take the hook's Job.
pub async fn lifecycle_hook(object: Arc<LifecycleHook>, context: Arc<Context>) -> Result<Action, Error> {
    if !is_current(&context, object.as_ref()) {
        return Ok(Action::await_change());
    }
    let status = object.status.as_ref();
    let is_checked = status.is_some_and(|s| s.observed_generation == object.metadata.generation);
    if is_checked && status.is_some_and(|s| crate::api::condition::is_true(&s.conditions, "Ready")) {
        return Ok(Action::await_change());
    }
    let fault = match &object.spec.job {
        Some(job) => refusal(&context, &object, &job.template).await?,
        None => None,
    };
    let recheck = fault.is_some();
    record(&context, object.as_ref(), inventory::lifecycle_hook(&object, fault, clock::now())).await?;
    Ok(if recheck { Action::requeue(RECHECK) } else { Action::await_change() })
}

async fn refusal(
    context: &Context,
    object: &LifecycleHook,
    template: &serde_json::Value,
) -> Result<Option<(&'static str, String)>, Error> {
    let namespace = object.namespace().unwrap_or_default();
    match hook::job::check(&context.client, &namespace, template).await {
        Ok(()) => Ok(None),
        Err(Error::Refused { message, .. }) => {
            Ok(Some(("InvalidJobTemplate", format!("spec.job.template makes no Job: {message}; correct it"))))
        }
        Err(error) if error.fate() == Fate::Retry => Err(error),
        Err(error) => Ok(Some(("InvalidJobTemplate", error.to_string()))),
    }
}
