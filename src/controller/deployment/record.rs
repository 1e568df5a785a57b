//! Puts a plan on record: the status is replaced only if it is still the one that was observed.

use std::sync::{Arc, PoisonError};

use crate::api::Deployment;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, write};
use crate::controller::clock;
use crate::controller::context::Context;
use crate::engine::Plan;

/// A value that is on record. Only [`record`] makes one, and only this can be acted on.
pub struct Recorded<T> {
    value: T,
    version: Option<String>,
}

impl<T> Recorded<T> {
    /// The value, and the object's version if the record moved it on.
    pub fn into_parts(self) -> (T, Option<String>) {
        (self.value, self.version)
    }
}

/// Records `plan`. A conflict throws it away: somebody else knows more.
pub async fn record(
    context: &Context,
    key: &ObjectKey,
    seen: &Arc<Deployment>,
    plan: Plan,
) -> Result<Recorded<Plan>, Error> {
    if !context.is_leading() {
        return Err(Error::LeaseLost);
    }
    let Some(status) = &plan.record else { return Ok(Recorded { value: plan, version: None }) };
    let version = write::replace_status(&context.client, seen.as_ref(), status.as_ref()).await?;
    context.expectations.note(key.clone(), version.as_deref(), clock::now());
    context.metrics.count_write("deployments/status");
    if !status.targets.is_empty() {
        let mut written = context.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(key.clone(), clock::now());
    }
    if status.phase.has_ended() && !seen.phase().has_ended() {
        context.metrics.count_end(status.phase);
    }
    tracing::info!(
        namespace = key.namespace.as_ref(),
        deployment = key.name.as_ref(),
        phase = %status.phase,
        reason = status.conditions.first().map(|c| c.reason.as_str()).unwrap_or_default(),
        message = status.message,
        "recorded"
    );
    Ok(Recorded { value: plan, version })
}
