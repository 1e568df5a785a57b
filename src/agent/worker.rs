//! Takes what the Instance assigns, one Deployment after the other, and does what is due of it.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use tokio::sync::watch;

use super::course::Next;
use super::cut::Cut;
use super::download::Supply;
use super::host::Host;
use super::watching::Seen;
use super::{Error, clock, queue};
use crate::api::{Assignment, Instance};
use crate::source::sealing::PrivateKey;

/// The pause after the disk failed.
const PAUSE: Duration = Duration::from_secs(5);

/// The one worker of a host.
pub struct Worker<'a> {
    /// Where it works.
    pub host: &'a Host,
    /// Opens the credentials that are sealed to this host.
    pub key: &'a Arc<PrivateKey>,
    /// Given when no event is to begin any more.
    pub ending: &'a Cut,
}

impl Worker<'_> {
    /// Works until it is told to end; an event that runs is let end.
    pub async fn work(&self, mut seen: watch::Receiver<Seen>) {
        while !self.ending.is_given() {
            let instance = seen.borrow_and_update().instance().cloned();
            let turn = match &instance {
                Some(instance) => self.turn(instance).await,
                None => Ok(false),
            };
            match turn {
                Ok(true) => {}
                Ok(false) => tokio::select! {
                    heard = seen.changed() => if heard.is_err() { return },
                    () = self.ending.wait() => return,
                },
                Err(error) => {
                    tracing::error!(%error, reason = error.reason(), "nothing can be done now; it is tried again");
                    tokio::select! {
                        () = clock::sleep(clock::jittered(PAUSE)) => {}
                        () = self.ending.wait() => return,
                    }
                }
            }
        }
    }

    /// Does one thing that is due. True if there was one.
    async fn turn(&self, instance: &Instance) -> Result<bool, Error> {
        self.host.put_owed_on_record()?;
        self.take(instance)?;
        let due = queue::due(instance, self.host.journal().records());
        let Some((group, orders)) = due else { return Ok(false) };
        let record = self.host.record(&group);
        let supply = self.supply(instance, record.and_then(|record| queue::assigned_now(instance, &record)));
        Ok(self.host.step(&group, orders, &supply).await? != Next::Wait)
    }

    /// Puts new Deployments at the end of the queue, and forgets groups that are this host's no longer.
    fn take(&self, instance: &Instance) -> Result<(), Error> {
        let mut journal = self.host.journal();
        while let Some((entry, lasting)) = queue::take(instance, journal.records(), clock::now()) {
            journal.write(entry, lasting)?;
            self.host.changed();
        }
        Ok(())
    }

    fn supply(&self, instance: &Instance, assignment: Option<&Assignment>) -> Supply {
        let sealed = assignment.and_then(|a| a.sealed_credentials.clone());
        Supply::Source {
            sealed: sealed.map(|sealed| (sealed, instance.uid().unwrap_or_default())),
            key: Arc::clone(self.key),
        }
    }
}
