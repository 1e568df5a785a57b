//! From settings to running loops, and back: caches first, then the Lease, then the queues; on SIGTERM the Lease goes first.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use kube::Config;
use kube::runtime::reflector;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch;

use super::context::{Context, Index, Queues, Stores};
use super::watches::{self, Writers};
use super::{clock, deployment, deployment_group, health, inventory, leader, orphan, queue};
use crate::cluster;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::lease::Claim;
use crate::remote::{self, Http};

/// Connections for watches that come and go; each opens when it is first needed.
const WATCH_CLIENTS: usize = 8;
/// Connections for the permanent watches: the busiest has one to itself, since an API server ends a watch that is read too
/// slowly, and answers to writes would stand in its way.
const STREAM_CLIENTS: usize = 2;

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
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Remote(#[from] remote::Error),
    /// Another one leads now.
    #[error("the lease was lost")]
    LeaseLost,
}

struct Receivers {
    applications: UnboundedReceiver<ObjectKey>,
    configs: UnboundedReceiver<ObjectKey>,
    hooks: UnboundedReceiver<ObjectKey>,
    groups: UnboundedReceiver<ObjectKey>,
    deployments: UnboundedReceiver<ObjectKey>,
    jobs: UnboundedReceiver<ObjectKey>,
}

/// Runs until SIGTERM or SIGINT, or until the Lease is lost.
pub async fn run(settings: Settings) -> Result<(), Error> {
    let config = Config::infer().await.map_err(|e| Error::Cluster(Box::new(e)))?;
    let mut clients = cluster::clients(&config, 1 + STREAM_CLIENTS + WATCH_CLIENTS)
        .map_err(|e| Error::Cluster(Box::new(e)))?;
    let (stores, writers) = caches();
    let (queues, receivers) = queues();
    let (namespace, name) = settings.lease.clone();
    let claim = Claim { namespace, name, identity: settings.identity.clone() };
    let (leads, is_leading) = watch::channel(false);
    let context = Arc::new(Context {
        client: clients.remove(0),
        stream_clients: clients.drain(..STREAM_CLIENTS).collect(),
        stores,
        queues,
        routes_are_listed: Default::default(),
        interest: Default::default(),
        expectations: Default::default(),
        sightings: Default::default(),
        endpoints: Default::default(),
        config_maps: Default::default(),
        calls: Default::default(),
        refusals: Mutex::new(HashMap::new()),
        refused_writes: Mutex::new(HashMap::new()),
        refused_routes: Mutex::new(HashMap::new()),
        refused_creations: Default::default(),
        by_group: Index::default(),
        by_application: Index::default(),
        http: Http::new()?,
        metrics: Default::default(),
        service_account: settings.service_account.clone(),
        watch_clients: clients,
        instance: settings.identity.clone(),
        leads: is_leading,
    });
    let (synced, is_synced) = watch::channel(false);
    let listener = health::bind(settings.address).await.map_err(|e| Error::Listen(settings.address, e))?;
    tokio::spawn(health::serve(listener, Arc::clone(&context), is_synced));
    watches::start(&context, writers, settings.namespace.as_deref());
    let mut ends = Ends::new()?;
    tokio::select! {
        outcome = work(&context, claim.clone(), leads, synced, receivers) => outcome,
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
    receivers: Receivers,
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
        context.look_at_everything();
        reconcile(context, receivers).await;
    };
    tokio::select! {
        () = lead => Err(Error::LeaseLost),
        () = loops => Err(Error::LeaseLost),
        () = tidy(context) => Err(Error::LeaseLost),
    }
}

/// Waits until every cache has had its first list; the routes' only if the Gateway API is there.
async fn fill(context: &Context) {
    let s = &context.stores;
    let waits = (
        s.applications.wait_until_ready(),
        s.configs.wait_until_ready(),
        s.hooks.wait_until_ready(),
        s.groups.wait_until_ready(),
        s.deployments.wait_until_ready(),
        s.services.wait_until_ready(),
        s.jobs.wait_until_ready(),
    );
    let _ = futures::join!(waits.0, waits.1, waits.2, waits.3, waits.4, waits.5, waits.6);
    tokio::select! {
        _ = s.routes.wait_until_ready() => {}
        () = clock::sleep(SignedDuration::from_secs(3)) => {
            tracing::warn!("HTTPRoutes are not listed yet: the Gateway API is not installed, or its objects cannot be read");
        }
    }
}

async fn reconcile(context: &Arc<Context>, r: Receivers) {
    let (s, c) = (&context.stores, || Arc::clone(context));
    futures::join!(
        queue::drain("Application", s.applications.clone(), r.applications, c(), inventory::application),
        queue::drain("DeploymentConfig", s.configs.clone(), r.configs, c(), inventory::deployment_config),
        queue::drain("LifecycleHook", s.hooks.clone(), r.hooks, c(), inventory::lifecycle_hook),
        queue::drain("DeploymentGroup", s.groups.clone(), r.groups, c(), deployment_group::reconcile),
        queue::drain("Deployment", s.deployments.clone(), r.deployments, c(), deployment::reconcile),
        queue::drain("Job", s.jobs.clone(), r.jobs, c(), orphan::reconcile),
    );
}

/// Ends watches that nobody needs, now and then; in memory only.
async fn tidy(context: &Arc<Context>) {
    loop {
        clock::sleep(SignedDuration::from_secs(30)).await;
        watches::prune_unneeded(context);
    }
}

fn caches() -> (Stores, Writers) {
    let (applications, w1) = reflector::store();
    let (configs, w2) = reflector::store();
    let (hooks, w3) = reflector::store();
    let (groups, w4) = reflector::store();
    let (deployments, w5) = reflector::store();
    let (routes, w6) = reflector::store();
    let (services, w7) = reflector::store();
    let (jobs, w8) = reflector::store();
    let stores = Stores { applications, configs, hooks, groups, deployments, routes, services, jobs };
    let writers = Writers {
        applications: w1,
        configs: w2,
        hooks: w3,
        groups: w4,
        deployments: w5,
        routes: w6,
        services: w7,
        jobs: w8,
    };
    (stores, writers)
}

fn queues() -> (Queues, Receivers) {
    let (applications, r1) = mpsc::unbounded_channel();
    let (configs, r2) = mpsc::unbounded_channel();
    let (hooks, r3) = mpsc::unbounded_channel();
    let (groups, r4) = mpsc::unbounded_channel();
    let (deployments, r5) = mpsc::unbounded_channel();
    let (jobs, r6) = mpsc::unbounded_channel();
    let queues =
        Queues { applications, configs, hooks, groups, deployments, jobs, are_open: Default::default() };
    (queues, Receivers { applications: r1, configs: r2, hooks: r3, groups: r4, deployments: r5, jobs: r6 })
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
