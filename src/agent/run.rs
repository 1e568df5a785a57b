//! The agent's loop: one watch, one worker, the reports, the heartbeat and the token, side by side until the agent is told to end or
//! its Instance is gone. An API server that cannot be reached holds up none of the work.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::config::Configured;
use super::cut::Cut;
use super::host::Host;
use super::identity::{TokenFile, agent_info, sealing_key};
use super::layout::Root;
use super::report::Reporter;
use super::watching::{self, Seen};
use super::worker::Worker;
use super::{Error, clock, heartbeat};
use crate::cluster;

/// How long the last report may take when the agent ends.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs until `told` says to end. Then no event begins, and what runs is let end for a while.
///
/// Errors: the configuration, the root folder, or an Instance that does not exist (any more).
pub async fn run(configured: &Configured, told: impl Future<Output = ()>) -> Result<(), Error> {
    let config = &configured.config;
    let root = Root::open(&configured.root_dir, "run", false)?;
    let token = TokenFile::prepare(config, &root)?;
    let key = Arc::new(sealing_key(&root)?);
    let host = Host::open(root, configured.settings.clone()).await?;
    let heartbeat = config.heartbeat_interval();
    let client = cluster::quiet_client(&configured.client(token.path()).await?, heartbeat)?;
    let (seen, ending) = (watch::Sender::new(Seen::Nothing), Cut::default());
    let agent = agent_info(&key);
    let boot_id = agent.boot_id.clone();
    let (namespace, name) = (config.namespace.clone(), config.name.clone());
    let reporter = Reporter::new(client.clone(), namespace, name, agent);
    let worker = Worker { host: &host, key: &key, ending: &ending };
    tracing::info!(instance = config.instance(), root = %host.root.path().display(), "begins");
    let work = async {
        worker.work(seen.subscribe()).await;
        // Nothing runs any more; what is known is still told.
        let said = reporter.reported(&host, seen.subscribe());
        if tokio::time::timeout(LAST_WORDS, said).await.is_err() {
            tracing::warn!("the last report has not reached the API server; it is made at the next start");
        }
    };
    let end = async {
        tokio::select! {
            () = told => {}
            () = removed(&seen) => {}
        }
        tracing::info!("ending: no event begins any more");
        ending.give();
        clock::sleep(config.stop_timeout()).await;
        tracing::warn!("what still runs is ended");
        host.cut.give();
        std::future::pending().await
    };
    let duration = config.token_duration.length().try_into().unwrap_or_default();
    tokio::select! {
        () = work => outcome(&seen, config.instance()),
        () = end => Ok(()),
        () = watching::follow(client.clone(), &config.namespace, &config.name, &seen) => Ok(()),
        () = reporter.report(&host, seen.subscribe()) => Ok(()),
        () = heartbeat::beat(&client, &config.namespace, &config.name, &boot_id, heartbeat) => Ok(()),
        () = token.keep_fresh(&client, &config.namespace, duration) => Ok(()),
    }
}

/// Returns when the API server says that there is no such Instance.
async fn removed(seen: &watch::Sender<Seen>) {
    let mut seen = seen.subscribe();
    // It fails only without a sender, and we are called with one.
    let _ = seen.wait_for(|seen| matches!(seen, Seen::Gone)).await;
}

fn outcome(seen: &watch::Sender<Seen>, instance: String) -> Result<(), Error> {
    if matches!(*seen.borrow(), Seen::Gone) { Err(Error::NotRegistered(instance)) } else { Ok(()) }
}
