//! AppSpecs that lie outside of the cluster: each is fetched by one task a Deployment, which tries until it is settled, and is
//! remembered until the Deployment has begun. Lost in a crash: it is then fetched again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::SignedDuration;
use tokio::task::AbortHandle;

use super::clock;
use super::context::Context;
use super::secrets::{self, Found};
use crate::api::{Deployment, Revision};
use crate::cluster::expectations::ObjectKey;
use crate::engine::facts::RevisionFact;
use crate::source::{self, Credentials, app_spec};

/// The longest pause between two tries.
const MAX_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// The fetches under way and their outcomes, by Deployment.
#[derive(Debug, Default)]
pub struct Revisions {
    fetches: Mutex<HashMap<ObjectKey, Fetch>>,
}

/// One Deployment's revision; its task ends with it.
#[derive(Debug)]
struct Fetch {
    uid: String,
    fact: RevisionFact,
    task: AbortHandle,
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Revisions {
    fn with<T>(&self, f: impl FnOnce(&mut HashMap<ObjectKey, Fetch>) -> T) -> T {
        f(&mut self.fetches.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends and forgets the fetch of a Deployment that has begun, ended, or gone.
    pub fn forget(&self, deployment: &ObjectKey) {
        self.with(|all| all.remove(deployment));
    }

    /// Notes what a fetch came to. `None` if it was forgotten meanwhile, else whether that is news.
    fn note(&self, deployment: &ObjectKey, uid: &str, fact: RevisionFact) -> Option<bool> {
        self.with(|all| {
            let fetch = all.get_mut(deployment).filter(|f| f.uid == uid)?;
            let is_news = fetch.fact != fact;
            fetch.fact = fact;
            Some(is_news)
        })
    }
}

/// What is known of the revision of a Deployment that has its turn; begins to fetch it if that is not done yet.
pub fn look(
    context: &Arc<Context>,
    key: &ObjectKey,
    deployment: &Deployment,
    revision: &Revision,
) -> RevisionFact {
    let uid = deployment.uid();
    context.revisions.with(|all| {
        if let Some(known) = all.get(key).filter(|f| f.uid == uid) {
            return known.fact.clone();
        }
        let follow = follow(Arc::clone(context), key.clone(), uid.to_owned(), revision.clone());
        let task = tokio::spawn(follow).abort_handle();
        all.insert(key.clone(), Fetch { uid: uid.to_owned(), fact: RevisionFact::NotRead, task });
        RevisionFact::NotRead
    })
}

async fn follow(context: Arc<Context>, key: ObjectKey, uid: String, revision: Revision) {
    let mut pause = SignedDuration::from_secs(2);
    while context.is_leading() {
        let fact = fetch(&context, &key.namespace, &revision).await;
        let is_settled = matches!(fact, RevisionFact::Content(_) | RevisionFact::Invalid { .. });
        match context.revisions.note(&key, &uid, fact) {
            None => return,
            Some(true) => context.kinds.wake(&key),
            Some(false) => {}
        }
        if is_settled {
            return;
        }
        clock::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// The credentials live no longer than this call.
async fn fetch(context: &Context, namespace: &str, revision: &Revision) -> RevisionFact {
    let credentials = match credentials(context, namespace, revision).await {
        Ok(credentials) => credentials,
        Err(fact) => return fact,
    };
    let limits = app_spec::limits(context.egress.clone());
    match app_spec::fetch(revision, credentials.as_ref(), &limits).await {
        Ok(content) => RevisionFact::Content(content),
        Err(error) => fact(&error),
    }
}

async fn credentials(
    context: &Context,
    namespace: &str,
    revision: &Revision,
) -> Result<Option<Credentials>, RevisionFact> {
    let Some(name) = revision.secret() else { return Ok(None) };
    match secrets::read(context, namespace, secrets::OF_REVISION, name).await {
        Ok(Found::Data(data)) => Credentials::pick(revision, &data).map_err(|e| fact(&e)),
        Ok(Found::Withheld(reason, message)) => Err(RevisionFact::Missing { reason, message }),
        Err(error) => {
            tracing::warn!(%error, namespace, "the Secret of a revision cannot be read; trying again");
            Err(RevisionFact::NotRead)
        }
    }
}

fn fact(error: &source::Error) -> RevisionFact {
    let (reason, message) = (error.reason(), error.to_string());
    if error.is_lasting() {
        RevisionFact::Invalid { reason, message }
    } else {
        RevisionFact::NotReady { reason, message }
    }
}
