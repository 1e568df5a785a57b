//! One Deployment, one line: observe → decide → record → act.

mod act;
mod assign;
mod observe;
mod observe_jobs;
mod observe_server;
mod record;

pub use act::{build, tell};
pub use observe::forget;

use std::sync::Arc;

use kube::ResourceExt;

use super::clock;
use super::context::Context;
use super::queue::Action;
use crate::api::Deployment;
use crate::cluster::Error;
use crate::cluster::expectations::ObjectKey;
use crate::engine;

/// How long a stale cache is given before it is asked again.
const STALE: std::time::Duration = std::time::Duration::from_secs(5);

/// Carries one Deployment a step further.
pub async fn reconcile(deployment: Arc<Deployment>, context: Arc<Context>) -> Result<Action, Error> {
    let key =
        ObjectKey::new("Deployment", &deployment.namespace().unwrap_or_default(), &deployment.name_any());
    let now = clock::now();
    // I/O, reads only, from caches
    let Some(facts) = observe::observe(&context, &key, &deployment, now).await? else {
        // News is on its way; the second look is only for a write whose object was taken away unseen.
        return Ok(Action::requeue(STALE));
    };
    // pure
    let plan = engine::decide(&facts, now);
    let wake = plan.wake;
    // I/O, compare and set
    let recorded = record::record(&context, &key, &deployment, plan).await?;
    // I/O, idempotent by key
    act::act(&context, &key, &facts, recorded, now).await?;
    Ok(wake.map_or_else(Action::await_change, |at| Action::requeue(clock::until(at, clock::now()))))
}
