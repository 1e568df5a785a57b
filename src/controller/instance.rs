//! One Instance: whether its host is heard of, by its Lease; and assignments of groups that are no more, which go.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;

use super::clock;
use super::context::Context;
use super::queue::Action;
use crate::api::DeploymentGroup;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, request};
use crate::engine::plan::{Assign, Change};
use crate::engine::server::instance;
use crate::platform::instance::{Host, assign, write_ready};

/// How long a stale cache is given before it is asked again.
const STALE: std::time::Duration = std::time::Duration::from_secs(5);

/// Looks after one Instance.
pub async fn reconcile(host: Arc<Host>, context: Arc<Context>) -> Result<Action, Error> {
    let (key, now) = (ObjectKey::of("Instance", host.as_ref()), clock::now());
    if !context.expectations.is_met(&key, host.resource_version().as_deref(), now) {
        return Ok(Action::requeue(STALE));
    }
    if host.fact.is_going || !context.is_leading() {
        return Ok(Action::await_change());
    }
    let (ready, wake) = instance::ready(&host.conditions, context.heartbeats.of(&key), now);
    if let Some(ready) = ready {
        let version = write_ready(&context.client, &host, &ready).await?;
        context.metrics.count_write("instances/status");
        context.expectations.note(key, version.as_deref(), clock::now());
        tracing::debug!(host = host.name_any(), status = ready.status, reason = ready.reason, "recorded");
    } else {
        tidy(&context, &key, &host, now).await?;
    }
    Ok(wake.map_or_else(Action::await_change, |at| Action::requeue(clock::until(at, clock::now()))))
}

/// Removes one assignment that belongs to a group which is no more.
async fn tidy(context: &Context, key: &ObjectKey, host: &Host, now: Timestamp) -> Result<(), Error> {
    let kinds = &context.kinds;
    let namespace = &*key.namespace;
    let is_needed = |(group, uid): (&str, &str), (deployment, deployment_uid): (&str, &str)| {
        let group = kinds.groups.get(namespace, group);
        let runs = kinds.deployments.get(namespace, deployment);
        group.is_some_and(|g| g.metadata.uid.as_deref() == Some(uid))
            || runs.is_some_and(|d| d.uid() == deployment_uid && !d.phase().has_ended())
    };
    let Some((place, group)) = instance::unneeded(&host.fact, is_needed) else { return Ok(()) };
    // A cache that lags makes no group vanish.
    let known = kinds.groups.get(namespace, &group).and_then(|g| g.metadata.uid.clone());
    let found = request::metadata::<DeploymentGroup>(&context.client, namespace, &group).await?;
    if found.and_then(|f| f.uid) != known {
        return Ok(());
    }
    let removal = Assign {
        instance: host.name_any(),
        uid: host.fact.uid.clone(),
        version: host.fact.version.clone(),
        place: Some(place),
        assigned: host.fact.assigned,
        change: Change::Remove,
    };
    let version = assign(&context.client, namespace, &removal, None).await?;
    context.metrics.count_write("instances");
    context.expectations.note(key.clone(), version.as_deref(), now);
    Ok(())
}
