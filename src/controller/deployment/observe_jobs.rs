//! How a Deployment's hook Jobs stand: from the cache, and from the API server itself where the cache is not enough.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::observe::Look;
use crate::api::deployment_snapshot::ResolvedHook;
use crate::api::{EventName, EventStatus, LifecycleEvent};
use crate::cluster::view::Job;
use crate::cluster::{Error, request};
use crate::engine::facts::{JobFact, JobState};
use crate::engine::hooks::{execution_id, job_name};
use crate::hook;

impl Look<'_> {
    /// The Job of each hook whose event has begun.
    ///
    /// Errors: a Job that is not in the cache cannot be asked for.
    pub(super) async fn jobs(&mut self) -> Result<BTreeMap<EventName, JobFact>, Error> {
        let mut facts = BTreeMap::new();
        let deployment = Arc::clone(self.deployment);
        let Some(status) = &deployment.status else { return Ok(facts) };
        for hook in status.resolved.iter().flat_map(|r| &r.hooks).filter(|h| h.job.is_some()) {
            let event = status.lifecycle_events.iter().find(|e| e.name == hook.event);
            if let Some(event) = event.filter(|e| e.status != EventStatus::Pending)
                && let Some(fact) = self.job_of(hook, event).await?
            {
                facts.insert(hook.event, fact);
            }
        }
        Ok(facts)
    }

    async fn job_of(
        &mut self,
        hook: &ResolvedHook,
        event: &LifecycleEvent,
    ) -> Result<Option<JobFact>, Error> {
        let deployment = Arc::clone(self.deployment);
        let name = job_name(deployment.name(), deployment.uid(), hook.event, &hook.name);
        let id = execution_id(deployment.uid(), hook.event, &hook.name);
        let is_awaited = event.status == EventStatus::InProgress;
        if let Some(job) = self.get(&self.context.kinds.jobs, &name) {
            return Ok(Some(self.fact_of(&job, &id, is_awaited).await));
        }
        // A Job that was seen does not vanish because a cache lags behind.
        if event.started && is_awaited && self.is_fresh && self.exists(&name).await? {
            self.is_fresh = false;
        }
        Ok(self.refusal(&name))
    }

    async fn exists(&self, name: &str) -> Result<bool, Error> {
        let namespace = &self.key.namespace;
        Ok(request::metadata::<Job>(&self.context.client, namespace, name).await?.is_some())
    }

    async fn fact_of(&self, job: &Job, id: &str, is_awaited: bool) -> JobFact {
        let tail = if is_awaited && hook::job::has_failed(job) {
            hook::job::log_tail(&self.context.client, job).await
        } else {
            String::new()
        };
        hook::job::fact(job, id, || tail)
    }

    fn refusal(&self, name: &str) -> Option<JobFact> {
        let refusals = self.context.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let state = JobState::Refused(refusals.get(name)?.clone());
        Some(JobFact { name: name.into(), state, is_held: false })
    }
}
