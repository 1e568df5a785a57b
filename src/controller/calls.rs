//! HTTP hooks under way: each execution is one task that tries, with back-off, until there is an answer, its event is over,
//! or no time is left.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tokio::task::AbortHandle;

use super::context::Context;
use super::{clock, secrets};
use crate::api::{DeploymentStatus, EventStatus};
use crate::cluster::expectations::ObjectKey;
use crate::engine::facts::CallFact;
use crate::engine::plan::CallHook;
use crate::hook::http::{self, Outcome};

/// The longest pause between two tries.
const MAX_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// The calls under way and the answers so far, by execution id. Lost in a crash: the call is then made again, under
/// the same execution id.
#[derive(Debug, Default)]
pub struct Calls {
    calls: Mutex<HashMap<String, Call>>,
}

/// One execution; its task ends with it.
#[derive(Debug)]
struct Call {
    deployment: ObjectKey,
    fact: CallFact,
    task: AbortHandle,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Calls {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<String, Call>) -> T) -> T {
        f(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The calls of one Deployment.
    pub fn of(&self, deployment: &ObjectKey) -> BTreeMap<String, CallFact> {
        self.with(|all| {
            let own = all.iter().filter(|(_, call)| call.deployment == *deployment);
            own.map(|(id, call)| (id.clone(), call.fact.clone())).collect()
        })
    }

    /// Ends and forgets the calls of a Deployment whose answer nobody awaits any more.
    pub fn keep(&self, deployment: &ObjectKey, is_awaited: impl Fn(&str) -> bool) {
        self.with(|all| all.retain(|id, call| call.deployment != *deployment || is_awaited(id)));
    }

    /// Ends and forgets the calls of a Deployment that has ended.
    pub fn forget(&self, deployment: &ObjectKey) {
        self.keep(deployment, |_| false);
    }

    /// Notes how a call stands. False if it was forgotten meanwhile.
    fn note(&self, id: &str, fact: CallFact) -> bool {
        self.with(|all| all.get_mut(id).map(|call| call.fact = fact).is_some())
    }
}

/// Begins a call, unless it is under way.
pub fn begin(context: &Arc<Context>, deployment: &ObjectKey, hook: &CallHook) {
    let id = hook.context.execution_id.clone();
    context.calls.with(|all| {
        all.entry(id).or_insert_with(|| {
            let (context, deployment) = (Arc::clone(context), deployment.clone());
            let task = tokio::spawn(follow(context, deployment.clone(), hook.clone())).abort_handle();
            Call { deployment, fact: CallFact::Calling, task }
        });
    });
}

async fn follow(context: Arc<Context>, deployment: ObjectKey, hook: CallHook) {
    let id = &hook.context.execution_id;
    let mut pause = SignedDuration::from_millis(500);
    while clock::now() < hook.deadline && context.is_leading() {
        let fact = match headers(&context, &deployment.namespace, &hook).await {
            Err(fact) => Some(fact),
            Ok(headers) => attempt(&context, &hook, &headers).await,
        };
        let is_settled = matches!(&fact, Some(f) if !matches!(f, CallFact::SecretNotGranted(_)));
        if !context.calls.note(id, fact.unwrap_or(CallFact::Calling)) {
            return;
        }
        context.kinds.wake(&deployment);
        if is_settled {
            return;
        }
        clock::sleep(pause.min(hook.deadline.duration_since(clock::now()))).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

async fn attempt(context: &Context, hook: &CallHook, headers: &[(String, String)]) -> Option<CallFact> {
    let left = hook.deadline.duration_since(clock::now()).try_into().unwrap_or_default();
    match http::call(&context.http, hook, headers, left).await {
        Outcome::Settled(fact) => Some(fact),
        Outcome::Retry(why) => {
            tracing::info!(deployment = hook.context.deployment, event = %hook.context.event, why, "hook will be called again");
            None
        }
    }
}

/// Ends the calls of events that are over by `status`: answered by `spec.hookResults`, stopped, out of time.
pub fn end_unawaited(context: &Context, deployment: &ObjectKey, status: &DeploymentStatus) {
    let awaited = status.lifecycle_events.iter().filter(|e| e.status == EventStatus::InProgress);
    let awaited: Vec<_> = awaited.filter_map(|e| e.execution_id.as_deref()).collect();
    context.calls.keep(deployment, |id| awaited.contains(&id));
}

/// The headers from the Secret, or the command that lets us read it.
async fn headers(
    context: &Context,
    namespace: &str,
    hook: &CallHook,
) -> Result<Vec<(String, String)>, CallFact> {
    let Some(name) = &hook.headers_secret else { return Ok(vec![]) };
    let found = Api::<Secret>::namespaced(context.client.clone(), namespace).get(name).await;
    let secret = found.map_err(|_| CallFact::SecretNotGranted(secrets::grant(context, namespace, name)))?;
    let data = secret.data.unwrap_or_default();
    Ok(data.into_iter().map(|(k, v)| (k, String::from_utf8_lossy(&v.0).trim_end().to_owned())).collect())
}
