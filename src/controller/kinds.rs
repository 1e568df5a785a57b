//! The watched kinds: of each its cache and, if it is reconciled, its queue.
//!
//! A further kind is one line in the table below, one in [`super::watches`] (how it is read, what a change means) and, if it is
//! reconciled, one in [`super::wiring`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use kube::Resource;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::api::{Application, Deployment, DeploymentConfig, DeploymentGroup, LifecycleHook};
use crate::cluster::cache::Cache;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::view::{Job, Service};
use crate::platform::heartbeat::Lease;
use crate::platform::instance::Host;
use crate::platform::pod_template::PodTemplate;
use crate::platform::pods::TaskPod;
use crate::platform::task_set::TaskSet;
use crate::traffic::endpoint_slices::HostSlice;
use crate::traffic::http_route::HttpRoute;

/// One watched kind.
pub struct Kind<K> {
    /// Its name, as [`ObjectKey`] has it.
    pub name: &'static str,
    /// What its watch said last.
    pub cache: Cache<K>,
    queue: Option<Queue>,
}

struct Queue {
    sender: UnboundedSender<ObjectKey>,
    /// Until its reconciler takes it.
    receiver: Mutex<Option<UnboundedReceiver<ObjectKey>>>,
}

impl<K: Resource> Kind<K> {
    /// A kind that others look at.
    fn kept(name: &'static str) -> Self {
        Self { name, cache: Cache::default(), queue: None }
    }

    /// A kind that is reconciled.
    fn reconciled(name: &'static str) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let queue = Queue { sender, receiver: Mutex::new(Some(receiver)) };
        Self { queue: Some(queue), ..Self::kept(name) }
    }

    /// The object of that name, if it is in the cache.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.cache.get(namespace, name)
    }

    /// The receiving end of the queue; once.
    pub fn take_queue(&self) -> Option<UnboundedReceiver<ObjectKey>> {
        self.queue.as_ref()?.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A kind, whichever.
trait AnyKind {
    fn name(&self) -> &'static str;
    fn queue(&self) -> Option<&UnboundedSender<ObjectKey>>;
    fn keys(&self) -> Vec<ObjectKey>;
    fn wait_until_filled(&self) -> BoxFuture<'_, ()>;
}

impl<K: Resource + Send + Sync> AnyKind for Kind<K> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn queue(&self) -> Option<&UnboundedSender<ObjectKey>> {
        self.queue.as_ref().map(|q| &q.sender)
    }

    fn keys(&self) -> Vec<ObjectKey> {
        self.cache.all().iter().map(|object| ObjectKey::of(self.name, object.as_ref())).collect()
    }

    fn wait_until_filled(&self) -> BoxFuture<'_, ()> {
        self.cache.wait_until_filled().boxed()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $field:ident: $kind:ty = $made:expr;)*) => {
        /// Every watched kind.
        pub struct Kinds {
            $($(#[$doc])* pub $field: Kind<$kind>,)*
            /// False before we lead: nobody drains the queues, and taking the lead looks at everything.
            are_open: AtomicBool,
        }

        impl Default for Kinds {
            fn default() -> Self {
                Self { $($field: $made,)* are_open: AtomicBool::new(false) }
            }
        }

        impl Kinds {
            fn all(&self) -> impl Iterator<Item = &dyn AnyKind> {
                [$(&self.$field as &dyn AnyKind),*].into_iter()
            }
        }
    };
}

kinds! {
    /// Applications.
    applications: Application = Kind::reconciled("Application");
    /// DeploymentConfigs.
    configs: DeploymentConfig = Kind::reconciled("DeploymentConfig");
    /// LifecycleHooks.
    hooks: LifecycleHook = Kind::reconciled("LifecycleHook");
    /// DeploymentGroups.
    groups: DeploymentGroup = Kind::reconciled("DeploymentGroup");
    /// Deployments.
    deployments: Deployment = Kind::reconciled("Deployment");
    /// HTTPRoutes; empty as long as the Gateway API is not installed.
    routes: HttpRoute = Kind::kept("HTTPRoute");
    /// Services.
    services: Service = Kind::kept("Service");
    /// PodTemplates: what task sets are made from.
    pod_templates: PodTemplate = Kind::kept("PodTemplate");
    /// ReplicaSets that deployments made.
    task_sets: TaskSet = Kind::kept("ReplicaSet");
    /// Their pods.
    pods: TaskPod = Kind::kept("Pod");
    /// The Jobs of hooks.
    jobs: Job = Kind::reconciled("Job");
    /// Instances: hosts, and what is to be done on them.
    instances: Host = Kind::reconciled("Instance");
    /// The Leases that hosts' agents renew.
    leases: Lease = Kind::kept("Lease");
    /// EndpointSlices that groups of hosts made.
    host_slices: HostSlice = Kind::kept("EndpointSlice");
}

impl Kinds {
    /// Asks for a look at `key`, if its kind is reconciled. A queue that is closed belongs to a controller that is ending.
    pub fn wake(&self, key: &ObjectKey) {
        if !self.are_open.load(Ordering::Relaxed) {
            return;
        }
        if let Some(queue) = self.all().find(|k| k.name() == key.kind).and_then(AnyKind::queue) {
            let _ = queue.send(key.clone());
        }
    }

    /// Opens the queues and asks for a look at everything that is in the caches.
    pub fn look_at_everything(&self) {
        self.are_open.store(true, Ordering::Relaxed);
        let reconciled = self.all().filter(|k| k.queue().is_some());
        reconciled.flat_map(AnyKind::keys).for_each(|key| self.wake(&key));
    }

    /// Waits until every cache has had its first list, but for the routes': the Gateway API may not be installed.
    pub async fn wait_until_filled(&self) {
        for kind in self.all().filter(|k| k.name() != self.routes.name) {
            kind.wait_until_filled().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_woken_by_its_name_once_the_queues_are_open() {
        let kinds = Kinds::default();
        let mut queue = kinds.jobs.take_queue().unwrap();
        let key = ObjectKey::new("Job", "a", "b");
        kinds.wake(&key);
        assert!(queue.try_recv().is_err(), "the queues are not open yet");
        kinds.look_at_everything();
        kinds.wake(&ObjectKey::new("Service", "a", "b"));
        kinds.wake(&key);
        assert_eq!((queue.try_recv().ok(), queue.try_recv().ok()), (Some(key), None));
        assert!(kinds.services.take_queue().is_none() && kinds.jobs.take_queue().is_none());
    }
}
