//! Hook Jobs whose Deployment is gone: nobody else would let go of them.

use std::sync::Arc;

use super::queue::Action;
use kube::ResourceExt;

use super::context::Context;
use crate::api::{DEPLOYMENT_LABEL, Deployment, HOOK_FINALIZER};
use crate::cluster::view::Job;
use crate::cluster::{Error, request};
use crate::hook;

/// Lets go of a held Job once the API server itself says that its Deployment is gone.
pub async fn reconcile(job: Arc<Job>, context: Arc<Context>) -> Result<Action, Error> {
    let is_held = job.finalizers().iter().any(|f| f == HOOK_FINALIZER);
    let owner = job.owner_references().iter().find(|o| o.kind == "Deployment");
    let (Some(owner), true, true) = (owner, is_held, context.is_leading()) else {
        return Ok(Action::await_change());
    };
    let uid = job.labels().get(DEPLOYMENT_LABEL).cloned().unwrap_or_default();
    let namespace = job.namespace().unwrap_or_default();
    let cached = context.kinds.deployments.get(&namespace, &owner.name);
    if cached.is_some_and(|d| d.uid() == uid) {
        return Ok(Action::await_change());
    }
    let found = request::metadata::<Deployment>(&context.client, &namespace, &owner.name).await?;
    if found.is_none_or(|d| d.uid.as_deref() != Some(&uid)) {
        hook::job::end(&context.client, &job, false).await?;
    }
    Ok(Action::await_change())
}
