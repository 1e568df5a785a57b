//! The Lease by which one controller leads: read, then replace with the version that was read. Whoever holds it knows that version.
//!
//! The Lease only saves work; what protects objects is that every record is a compare-and-set of its own.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

use super::Error;

/// How long a holder that falls silent is waited for.
pub const DURATION: SignedDuration = SignedDuration::from_secs(15);
/// How often the holder renews.
pub const RENEWAL: SignedDuration = SignedDuration::from_secs(5);
/// How often the others look, and how soon the holder tries again after a failure.
pub const RETRY: SignedDuration = SignedDuration::from_secs(2);

/// Which Lease, and who asks for it.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name.
    pub name: String,
    /// The pod.
    pub identity: String,
}

/// Another holder's renewal as it was first seen: its clock is not compared with ours, only its silence is timed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    holder: String,
    renewed: Option<Timestamp>,
    seen: Timestamp,
}

/// A Lease that is ours, as our last write left it.
#[derive(Clone, Debug)]
pub struct Held(Lease);

impl Claim {
    fn api(&self, client: &Client) -> Api<Lease> {
        Api::namespaced(client.clone(), &self.namespace)
    }

    fn fail(&self, error: kube::Error) -> Error {
        Error::from_kube(format!("Lease {}/{}", self.namespace, self.name), error)
    }

    /// Takes the Lease if it is free, ours, or its holder has been silent for too long. None if another one holds it.
    pub async fn acquire(
        &self,
        client: &Client,
        observed: &mut Option<Observed>,
        now: Timestamp,
    ) -> Result<Option<Held>, Error> {
        let api = self.api(client);
        let Some(mut lease) = api.get_opt(&self.name).await.map_err(|e| self.fail(e))? else {
            return self.create(&api, now).await;
        };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if !self.may_take(spec, observed, now) {
            return Ok(None);
        }
        let is_new = spec.holder_identity.as_deref() != Some(&self.identity);
        if is_new {
            spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0) + 1);
            spec.acquire_time = Some(MicroTime(now));
        }
        self.fill(spec, now);
        self.replace(&api, &lease).await
    }

    /// Renews a Lease that is held: one write, and a read only if somebody else, or an answer that never came, has moved it on. None if
    /// another one holds it now.
    pub async fn renew(&self, client: &Client, held: &Held, now: Timestamp) -> Result<Option<Held>, Error> {
        let mut lease = held.0.clone();
        self.fill(lease.spec.get_or_insert_with(LeaseSpec::default), now);
        match self.replace(&self.api(client), &lease).await? {
            Some(held) => Ok(Some(held)),
            None => self.acquire(client, &mut None, now).await,
        }
    }

    fn may_take(&self, spec: &LeaseSpec, observed: &mut Option<Observed>, now: Timestamp) -> bool {
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let renewed = spec.renew_time.as_ref().map(|t| t.0);
        match observed {
            Some(o) if o.holder == holder && o.renewed == renewed => {
                let lasts =
                    spec.lease_duration_seconds.map_or(DURATION, |s| SignedDuration::from_secs(s.into()));
                now.duration_since(o.seen) > lasts
            }
            _ => {
                *observed = Some(Observed { holder, renewed, seen: now });
                false
            }
        }
    }

    fn fill(&self, spec: &mut LeaseSpec, now: Timestamp) {
        spec.holder_identity = Some(self.identity.clone());
        spec.renew_time = Some(MicroTime(now));
        spec.lease_duration_seconds = i32::try_from(DURATION.as_secs()).ok();
    }

    async fn create(&self, api: &Api<Lease>, now: Timestamp) -> Result<Option<Held>, Error> {
        let mut spec = LeaseSpec { acquire_time: Some(MicroTime(now)), ..LeaseSpec::default() };
        self.fill(&mut spec, now);
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        match api.create(&PostParams::default(), &Lease { metadata, spec: Some(spec) }).await {
            Ok(lease) => Ok(Some(Held(lease))),
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// None if it is not as it was read any more, or gone.
    async fn replace(&self, api: &Api<Lease>, lease: &Lease) -> Result<Option<Held>, Error> {
        match api.replace(&self.name, &PostParams::default(), lease).await {
            Ok(lease) => Ok(Some(Held(lease))),
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(None),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Lets go of the Lease, if it is ours, so that the next one need not wait.
    pub async fn release(&self, client: &Client) -> Result<(), Error> {
        let api = self.api(client);
        let Some(mut lease) = api.get_opt(&self.name).await.map_err(|e| self.fail(e))? else { return Ok(()) };
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_deref() != Some(&self.identity) {
            return Ok(());
        }
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
        self.replace(&api, &lease).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    #[test]
    fn a_silent_holder_is_waited_for_by_our_own_clock() {
        let claim = Claim { namespace: "a".into(), name: "b".into(), identity: "me".into() };
        let mut spec = LeaseSpec {
            holder_identity: Some("other".into()),
            renew_time: Some(MicroTime(at(9_000_000))),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        let mut observed = None;
        assert!(!claim.may_take(&spec, &mut observed, at(100)), "first seen");
        assert!(!claim.may_take(&spec, &mut observed, at(115)));
        spec.renew_time = Some(MicroTime(at(9_000_005)));
        assert!(!claim.may_take(&spec, &mut observed, at(116)), "it renewed");
        assert!(claim.may_take(&spec, &mut observed, at(132)));
        spec.holder_identity = Some(String::new());
        assert!(claim.may_take(&spec, &mut None, at(1)), "released");
    }
}
