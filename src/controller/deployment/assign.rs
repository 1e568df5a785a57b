//! Writes into Instances, many at a time: a fleet is not waited for one host after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::ByteString;
use zeroize::Zeroizing;

use crate::cluster::Error;
use crate::cluster::expectations::ObjectKey;
use crate::controller::clock;
use crate::controller::context::Context;
use crate::controller::secrets::{self, Found};
use crate::engine::Facts;
use crate::engine::plan::{ACT_EXPIRY, Assign, Change, Sealing};
use crate::platform::instance;
use crate::source::{Credentials, sealing};

/// Writes of one Deployment that are under way or wait for their turn.
const AT_ONCE: usize = 32;

/// One batch.
struct Batch<'a> {
    context: &'a Arc<Context>,
    key: &'a ObjectKey,
    facts: &'a Facts,
    /// What is sealed to each host of the revision's Secret, or why there is nothing.
    credentials: Option<Result<Zeroizing<Vec<u8>>, String>>,
    decided: Timestamp,
}

/// Carries out the writes, in any order. One that fails hinders no other; the first error is answered.
pub async fn carry_out(
    context: &Arc<Context>,
    key: &ObjectKey,
    facts: &Facts,
    writes: Vec<Assign>,
    decided: Timestamp,
) -> Result<(), Error> {
    let sealing = writes.iter().find_map(sealing_of).cloned();
    let credentials = match &sealing {
        None => None,
        Some(sealing) => {
            let found = secrets::read(context, &key.namespace, secrets::OF_REVISION, &sealing.secret).await?;
            match found {
                Found::Data(data) => Some(credentials_of(facts, &data)),
                Found::Withheld(reason, cure) => {
                    withhold(context, key, (reason, cure));
                    None
                }
            }
        }
    };
    // Who needs no Secret is not held back by it.
    let is_withheld = sealing.is_some() && credentials.is_none();
    if !is_withheld {
        context.withheld_secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
    let writes: Vec<Assign> =
        writes.into_iter().filter(|w| !is_withheld || sealing_of(w).is_none()).collect();
    let batch = Batch { context, key, facts, credentials, decided };
    let outcomes: Vec<Result<(), Error>> = futures::stream::iter(writes)
        .map(|write| batch.write(write))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    outcomes.into_iter().collect()
}

/// What the revision's source needs of a Secret's data.
fn credentials_of(facts: &Facts, data: &BTreeMap<String, ByteString>) -> Result<Zeroizing<Vec<u8>>, String> {
    let revision = facts.deployment.status.as_ref().and_then(|s| s.revision.as_ref());
    let picked = revision.and_then(|r| Credentials::pick(&r.source, data).transpose());
    let picked = picked.ok_or("the revision names no Secret")?;
    picked.and_then(|credentials| credentials.to_json()).map_err(|e| e.to_string())
}

fn sealing_of(write: &Assign) -> Option<&Sealing> {
    match &write.change {
        Change::Put(_, sealing) => sealing.as_ref(),
        _ => None,
    }
}

/// Not an error of ours: the next look says who may grant it.
fn withhold(context: &Context, key: &ObjectKey, cure: (&'static str, String)) {
    let mut withheld = context.withheld_secrets.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = withheld.insert(key.clone(), cure).is_none();
    drop(withheld);
    if is_news {
        context.kinds.wake(key);
    }
}

impl Batch<'_> {
    async fn write(&self, write: Assign) -> Result<(), Error> {
        // The semaphore is never closed.
        let _turn = self.context.assignments.acquire().await;
        if !self.context.is_leading() {
            return Err(Error::LeaseLost);
        }
        if clock::now().duration_since(self.decided) >= ACT_EXPIRY {
            return Err(Error::Conflict { what: format!("an act of {}", self.key.name) });
        }
        let sealed = match sealing_of(&write).map(|s| self.seal(&write, s)).transpose() {
            Ok(sealed) => sealed,
            Err(words) => return self.refuse(&write, words),
        };
        let client = &self.context.client;
        match instance::assign(client, &self.key.namespace, &write, sealed.as_deref()).await {
            Ok(version) => {
                self.context.metrics.count_write("instances");
                self.note_accepted(&write);
                let written = ObjectKey::new("Instance", &self.key.namespace, &write.instance);
                self.context.expectations.note(written, version.as_deref(), clock::now());
                Ok(())
            }
            // The next look sees that the host is gone.
            Err(Error::Gone { .. }) => Ok(()),
            Err(Error::Refused { message, .. }) => self.refuse(&write, message),
            Err(error) => Err(error),
        }
    }

    /// Credentials for one host and one deployment: nobody else can open them.
    fn seal(&self, write: &Assign, sealing: &Sealing) -> Result<String, String> {
        let json = self.credentials.as_ref().ok_or("the revision names no Secret")?.as_ref()?;
        let bound = sealing::binding(&write.uid, self.facts.deployment.uid());
        sealing::seal(&sealing.key, &bound, json).map_err(|e| e.to_string())
    }

    /// A host that is refused its assignment fails with these words at the next look. One that has it is asked for again, after
    /// a while.
    fn refuse(&self, write: &Assign, message: String) -> Result<(), Error> {
        let mut refused = self.context.refused_assignments.lock().unwrap_or_else(PoisonError::into_inner);
        let known = refused.entry(self.key.clone()).or_default();
        let is_news = known.insert(write.instance.clone(), message.clone()).as_ref() != Some(&message);
        drop(refused);
        if is_news {
            self.context.kinds.wake(self.key);
        }
        if matches!(write.change, Change::Put(..)) {
            return Ok(());
        }
        Err(Error::Refused { what: format!("Instance {}/{}", self.key.namespace, write.instance), message })
    }

    fn note_accepted(&self, write: &Assign) {
        let mut refused = self.context.refused_assignments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = refused.get_mut(self.key) {
            known.remove(&write.instance);
        }
    }
}
