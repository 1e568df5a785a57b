//! From settings to running loops, and back: caches first, then the Lease, then the queues; on SIGTERM the Lease goes first.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use kube::Config;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};

use super::context::{Context, Index};
use super::egress::EgressFlags;
use super::{
    clock, deployment, deployment_group, health, instance, inventory, leader, orphan, queue, watches,
};
use crate::cluster;
use crate::cluster::lease::Claim;

/// Connections for watches that come and go; each opens when it is first needed.
const WATCH_CLIENTS: usize = 8;
/// Connections for the permanent watches: the busiest has one to itself, since an API server ends a watch that is read too
/// slowly, and answers to writes would stand in its way.
const STREAM_CLIENTS: usize = 2;

/// Objects whose Events are published at once.
const EVENTS_AT_ONCE: usize = 16;
/// Hosts whose assignments are written at once.
const ASSIGNMENTS_AT_ONCE: usize = 32;

/// How the controller is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to look; all namespaces if `None`.
    pub namespace: Option<String>,
    /// Namespace and name of the Lease.
    pub lease: (String, String),
    /// Who we are, in the Lease and in Events.
    pub identity: String,
    /// Our ServiceAccount, `namespace:name`.
    pub service_account: String,
    /// Where probes and metrics are served.
    pub address: SocketAddr,
    /// Which addresses sources may have.
    pub egress: EgressFlags,
}

/// Why the controller could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no way to the cluster.
    #[error("failed to find a cluster: {0}")]
    Cluster(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The address of probes and metrics is taken.
    #[error("failed to listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    /// Signals cannot be received.
    #[error("failed to await signals: {0}")]
    Signals(#[source] std::io::Error),
    /// Another one leads now.
    #[error("the lease was lost")]
    LeaseLost,
}

/// Runs until SIGTERM or SIGINT, or until the Lease is lost.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = Config::infer().await.map_err(|e| Error::Cluster(Box::new(e)))?;
    let mut clients = cluster::clients(&config, 1 + STREAM_CLIENTS + WATCH_CLIENTS)
        .map_err(|e| Error::Cluster(Box::new(e)))?;
    let (namespace, name) = settings.lease.clone();
    let claim = Claim { namespace, name, identity: settings.identity.clone() };
    let (leads, is_leading) = watch::channel(false);
    let context = Arc::new(Context {
        client: clients.remove(0),
        stream_clients: clients.drain(..STREAM_CLIENTS).collect(),
        kinds: Default::default(),
        interest: Default::default(),
        expectations: Default::default(),
        sightings: Default::default(),
        endpoints: Default::default(),
        config_maps: Default::default(),
        revisions: Default::default(),
        egress: settings.egress.policy(),
        calls: Default::default(),
        refusals: Mutex::new(HashMap::new()),
        refused_writes: Mutex::new(HashMap::new()),
        refused_routes: Mutex::new(HashMap::new()),
        refused_task_sets: Mutex::new(HashMap::new()),
        refused_creations: Default::default(),
        heartbeats: Default::default(),
        endpoint_sightings: Default::default(),
        departures: Default::default(),
        refused_assignments: Default::default(),
        withheld_secrets: Default::default(),
        written: Default::default(),
        by_group: Index::default(),
        by_application: Index::default(),
        http: Default::default(),
        events: Semaphore::new(EVENTS_AT_ONCE),
        assignments: Semaphore::new(ASSIGNMENTS_AT_ONCE),
        metrics: Default::default(),
        service_account: settings.service_account.clone(),
        watch_clients: clients,
        instance: settings.identity.clone(),
        leads: is_leading,
    });
    let (synced, is_synced) = watch::channel(false);
    let listener = health::bind(settings.address).await.map_err(|e| Error::Listen(settings.address, e))?;
    tokio::spawn(health::serve(listener, Arc::clone(&context), is_synced));
    watches::start(&context, settings.namespace.as_deref());
    let mut ends = Ends::new()?;
    tokio::select! {
        outcome = work(&context, claim.clone(), leads, synced) => outcome,
        () = ends.next() => {
            tracing::info!("asked to end; letting go of the lease");
            if context.is_leading()
                && let Err(error) = claim.release(&context.client).await
            {
                tracing::warn!(%error, "failed to let go of the lease");
            }
            Ok(())
        }
    }
}

async fn work(
    context: &Arc<Context>,
    claim: Claim,
    leads: watch::Sender<bool>,
    synced: watch::Sender<bool>,
) -> Result<(), Error> {
    fill(context).await;
    synced.send_replace(true);
    tracing::info!("caches are filled; asking for the lease");
    let mut is_leading = leads.subscribe();
    let lead = leader::lead(claim, context.client.clone(), leads);
    let loops = async {
        // The sender lives as long as `lead` runs.
        let _ = is_leading.wait_for(|leads| *leads).await;
        context.metrics.set_leader(true);
        context.kinds.look_at_everything();
        reconcile(context).await;
    };
    tokio::select! {
        () = lead => Err(Error::LeaseLost),
        () = loops => Err(Error::LeaseLost),
        () = tidy(context) => Err(Error::LeaseLost),
    }
}

/// Waits until every cache has had its first list; the routes' only if the Gateway API is there.
async fn fill(context: &Context) {
    context.kinds.wait_until_filled().await;
    tokio::select! {
        () = context.kinds.routes.cache.wait_until_filled() => {}
        () = clock::sleep(SignedDuration::from_secs(3)) => {
            tracing::warn!("HTTPRoutes are not listed yet: the Gateway API is not installed, or its objects cannot be read");
        }
    }
}

async fn reconcile(context: &Arc<Context>) {
    futures::join!(
        queue::drain(context, |kinds| &kinds.applications, inventory::application),
        queue::drain(context, |kinds| &kinds.configs, inventory::deployment_config),
        queue::drain(context, |kinds| &kinds.hooks, inventory::lifecycle_hook),
        queue::drain(context, |kinds| &kinds.groups, deployment_group::reconcile),
        queue::drain(context, |kinds| &kinds.deployments, deployment::reconcile),
        queue::drain(context, |kinds| &kinds.jobs, orphan::reconcile),
        queue::drain(context, |kinds| &kinds.instances, instance::reconcile),
    );
}

/// Ends watches that nobody needs, now and then; in memory only.
async fn tidy(context: &Arc<Context>) {
    loop {
        clock::sleep(SignedDuration::from_secs(30)).await;
        watches::prune_unneeded(context);
    }
}

struct Ends {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Ends {
    fn new() -> Result<Self, Error> {
        let on = |kind| signal(kind).map_err(Error::Signals);
        Ok(Self { term: on(SignalKind::terminate())?, int: on(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

/// Reads the namespace to look after. Errors: a list, which would be one name that no namespace has.
pub fn one_namespace(text: &str) -> Result<String, String> {
    if text.contains(',') {
        return Err("one namespace, or none for all of them: run another release for each further one".into());
    }
    Ok(text.into())
}
