//! Targets that the cache lacks: gone for certain, or not seen yet.
//!
//! A Deployment and its hosts come by watches of their own, and one may be late. That a host is missing is no fact before the
//! API server has said so once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use kube::Client;

use crate::api::Instance;
use crate::cluster::expectations::ObjectKey;
use crate::cluster::{Error, request};

/// The uids of the hosts of which the API server has said that they are gone, by Deployment.
#[derive(Debug, Default)]
pub struct Departures {
    known: Mutex<HashMap<ObjectKey, BTreeSet<String>>>,
}

impl Departures {
    /// True if the Instance `name` with that uid is there no more. Asks once for each, and again for those that were there.
    ///
    /// Errors: the Instance cannot be read.
    pub async fn is_gone(
        &self,
        client: &Client,
        deployment: &ObjectKey,
        name: &str,
        uid: &str,
    ) -> Result<bool, Error> {
        if self.lock().get(deployment).is_some_and(|uids| uids.contains(uid)) {
            return Ok(true);
        }
        let found = request::metadata::<Instance>(client, &deployment.namespace, name).await?;
        let is_there = found.is_some_and(|meta| meta.uid.as_deref() == Some(uid));
        if !is_there {
            self.lock().entry(deployment.clone()).or_default().insert(uid.into());
        }
        Ok(!is_there)
    }

    /// Forgets a Deployment that has ended.
    pub fn forget(&self, deployment: &ObjectKey) {
        self.lock().remove(deployment);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ObjectKey, BTreeSet<String>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
