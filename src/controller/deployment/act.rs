//! Does what is on record. Every act has a key of its own, so that a repeat is harmless; what came of it is seen by the
//! next look, never returned.

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::api::ObjectMeta;

use super::assign;
use super::record::Recorded;
use crate::api::{Deployment, ROLLBACK_OF_ANNOTATION, TRAFFIC_FINALIZER};
use crate::cluster::expectations::ObjectKey;
use crate::cluster::view::Job;
use crate::cluster::{Error, events, write};
use crate::controller::context::Context;
use crate::controller::{calls, clock};
use crate::engine::facts::JobState;
use crate::engine::plan::{ACT_EXPIRY, Change, CreateTaskSet, NewDeployment, Note, SetWeights, StartJob};
use crate::engine::{Act, Facts, Plan};
use crate::platform::{target_group, task_set};
use crate::{hook, traffic};

/// Carries out a recorded plan, in its order, then tells of it.
pub async fn act(
    context: &Arc<Context>,
    key: &ObjectKey,
    facts: &Facts,
    recorded: Recorded<Plan>,
    decided: Timestamp,
) -> Result<(), Error> {
    let (plan, version) = recorded.into_parts();
    // True as soon as they are on record, whatever becomes of the acts.
    tell(context, facts.deployment.as_ref(), plan.notes);
    if let Some(status) = plan.record.as_deref().or(facts.deployment.status.as_ref()) {
        calls::end_unawaited(context, key, status);
    }
    let hand = Hand { context, key, facts, version };
    let (mut writes, mut others) = (vec![], vec![]);
    for act in plan.acts {
        match act {
            Act::Assign(write) => writes.push(*write),
            other => others.push(other),
        }
    }
    for act in others {
        if !context.is_leading() {
            return Err(Error::LeaseLost);
        }
        if clock::now().duration_since(decided) >= ACT_EXPIRY {
            return Err(Error::Conflict { what: format!("an act of {}", key.name) });
        }
        hand.carry_out(&act).await?;
    }
    if writes.is_empty() {
        return Ok(());
    }
    // Who lags behind would give hosts back to a deployment that is over.
    if writes.iter().any(|w| matches!(w.change, Change::Put(..))) {
        hand.confirm().await?;
    }
    // Large and only here: it need not have room in every reconcile.
    Box::pin(assign::carry_out(context, key, facts, writes, decided)).await
}

/// Publishes notes without holding up the line; an Event that is lost is only logged.
pub fn tell<K: Resource<DynamicType = ()>>(context: &Arc<Context>, object: &K, notes: Vec<Note>) {
    if notes.is_empty() {
        return;
    }
    let (context, object) = (Arc::clone(context), events::regarding(object));
    tokio::spawn(async move {
        // The semaphore is never closed.
        let _turn = context.events.acquire().await;
        for note in notes {
            let news = events::News {
                is_warning: note.is_warning,
                reason: note.reason,
                message: &note.message,
                instance: &context.instance,
            };
            if let Err(error) = events::publish(&context.client, &object, &news, clock::now()).await {
                tracing::warn!(%error, reason = note.reason, "failed to publish an Event");
            }
        }
    });
}

struct Hand<'a> {
    context: &'a Arc<Context>,
    key: &'a ObjectKey,
    facts: &'a Facts,
    version: Option<String>,
}

impl Hand<'_> {
    fn await_version(&self, kind: &'static str, name: &str, version: Option<String>) {
        if version.is_some() {
            let key = ObjectKey::new(kind, &self.key.namespace, name);
            self.context.expectations.note(key, version.as_deref(), clock::now());
        }
    }

    async fn carry_out(&self, act: &Act) -> Result<(), Error> {
        match act {
            Act::Hold => self.hold(true).await,
            Act::Release => self.hold(false).await,
            Act::SetWeights(change) => self.set_weights(change).await,
            Act::CreateTaskSet(create) => self.create_task_set(create).await,
            Act::ScaleTaskSet(change) => {
                let version = task_set::scale(&self.context.client, &self.key.namespace, change).await?;
                self.written("replicasets", "ReplicaSet", &change.name, version);
                Ok(())
            }
            Act::PointService(change) => {
                let version = target_group::point(&self.context.client, &self.key.namespace, change).await?;
                self.written("services", "Service", &change.service, version);
                Ok(())
            }
            Act::StartJob(start) => self.start_job(start).await,
            Act::EndJob { name, delete } => self.end_job(name, *delete).await,
            Act::CallHook(call) => {
                calls::begin(self.context, self.key, call);
                Ok(())
            }
            // Rare and large: it need not have room in every reconcile.
            Act::CreateRollback(new) => Box::pin(self.create_rollback(new)).await,
            // Many at a time: see `assign`.
            Act::Assign(_) => Ok(()),
        }
    }

    async fn hold(&self, holds: bool) -> Result<(), Error> {
        let client = &self.context.client;
        let seen = write::Seen::new(self.facts.deployment.as_ref(), self.version.clone());
        let version = if holds {
            write::add_finalizer::<Deployment>(client, &seen, TRAFFIC_FINALIZER).await?
        } else {
            write::remove_finalizer::<Deployment>(client, &seen, TRAFFIC_FINALIZER).await?
        };
        self.context.metrics.count_write("deployments");
        self.await_version("Deployment", &self.key.name, version);
        Ok(())
    }

    async fn set_weights(&self, change: &SetWeights) -> Result<(), Error> {
        let outcome = traffic::http_route::set(&self.context.client, &self.key.namespace, change).await;
        let route = ObjectKey::new("HTTPRoute", &self.key.namespace, &change.route);
        let mut words = self.context.refused_routes.lock().unwrap_or_else(PoisonError::into_inner);
        match &outcome {
            Err(Error::Conflict { .. }) => {
                let mut refused = self.context.refused_writes.lock().unwrap_or_else(PoisonError::into_inner);
                refused.insert(route, change.generation);
            }
            Err(Error::Refused { message, .. }) => {
                // Said at once; afterwards it is tried again at its own pace.
                if words.insert(route, message.clone()).is_none() {
                    self.context.kinds.wake(self.key);
                }
            }
            Ok(_) => drop(words.remove(&route)),
            Err(_) => {}
        }
        drop(words);
        let version = outcome?;
        self.context.metrics.count_write("httproutes");
        self.await_version("HTTPRoute", &change.route, version);
        Ok(())
    }

    fn cached_job(&self, name: &str) -> Option<Arc<Job>> {
        self.context.kinds.jobs.get(&self.key.namespace, name)
    }

    /// A creation that no record of this very plan stands behind is preceded by a look at the API server itself: what
    /// a lagging cache asks for may have come and gone.
    async fn confirm(&self) -> Result<(), Error> {
        if self.version.is_some() {
            return Ok(());
        }
        write::confirm(&self.context.client, self.facts.deployment.as_ref()).await
    }

    fn written(&self, resource: &'static str, kind: &'static str, name: &str, version: Option<String>) {
        self.context.metrics.count_write(resource);
        self.await_version(kind, name, version);
    }

    async fn create_task_set(&self, create: &CreateTaskSet) -> Result<(), Error> {
        self.confirm().await?;
        let words = match task_set::create(&self.context.client, &self.key.namespace, create).await {
            Ok(version) => {
                self.written("replicasets", "ReplicaSet", &create.name, version);
                return Ok(());
            }
            // Not an error of ours: Install fails with the API server's words at the next look.
            Err(Error::Refused { message, .. }) => message,
            Err(Error::NameTaken { what }) => {
                format!("{what} exists and is not this Deployment's; delete it")
            }
            Err(error) => return Err(error),
        };
        let mut refused = self.context.refused_task_sets.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(self.key.clone(), words);
        drop(refused);
        self.context.kinds.wake(self.key);
        Ok(())
    }

    async fn start_job(&self, start: &StartJob) -> Result<(), Error> {
        self.confirm().await?;
        let deployment = &self.facts.deployment;
        let job = hook::job::build(start, deployment.uid(), deployment.controller_owner_ref(&()));
        let outcome = hook::job::start(&self.context.client, &self.key.namespace, &start.name, &job).await;
        self.context.metrics.count_write("jobs");
        match outcome {
            Ok(version) => self.await_version("Job", &start.name, version),
            // Not an error of ours: the hook fails with the API server's words at the next look.
            Err(Error::Refused { message, .. }) => self.refuse(&start.name, message),
            Err(Error::NameTaken { .. }) => {
                self.refuse(&start.name, "a Job of that name exists and is not ours".into())
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn refuse(&self, job: &str, message: String) {
        let mut refusals = self.context.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.insert(job.into(), message);
        drop(refusals);
        self.context.kinds.wake(self.key);
    }

    async fn end_job(&self, name: &str, delete: bool) -> Result<(), Error> {
        let Some(job) = self.cached_job(name) else { return Ok(()) };
        let is_running = self.facts.jobs.values().any(|j| j.name == name && j.state == JobState::Running);
        hook::job::end(&self.context.client, &job, delete && is_running).await
    }

    async fn create_rollback(&self, new: &NewDeployment) -> Result<(), Error> {
        self.confirm().await?;
        let namespace = &self.key.namespace;
        let of = new.rollback_of.clone().unwrap_or_default();
        let group = &new.spec.deployment_group_ref.name;
        let group = self.context.kinds.groups.get(namespace, group);
        let mut rollback = build(new, group.and_then(|g| g.owner_ref(&())));
        rollback.metadata.annotations = Some([(ROLLBACK_OF_ANNOTATION.into(), of.clone())].into());
        let is_ours = |meta: &ObjectMeta| {
            meta.annotations.as_ref().and_then(|a| a.get(ROLLBACK_OF_ANNOTATION)) == Some(&of)
        };
        let outcome = write::create(&self.context.client, namespace, &rollback, is_ours).await;
        self.context.metrics.count_write("deployments");
        match outcome {
            Ok(version) => self.await_version("Deployment", &new.name, version),
            // The cache will show it: the next look says NameTaken.
            Err(Error::NameTaken { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// A Deployment as the controller creates it.
pub fn build(new: &NewDeployment, owner: Option<OwnerReference>) -> Deployment {
    let mut deployment = Deployment::new(&new.name, new.spec.clone());
    deployment.metadata.owner_references = owner.map(|o| vec![o]);
    deployment.metadata.finalizers = new.is_held.then(|| vec![TRAFFIC_FINALIZER.into()]);
    deployment
}
