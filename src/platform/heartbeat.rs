//! A host's heartbeat: the Lease of its Instance's name, which its agent renews.

use jiff::Timestamp;
use kube::api::ObjectMeta;
use kube::{Resource, ResourceExt};
use serde::Deserialize;

use crate::cluster::view::prune_hard;

/// What is read of a Lease.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = k8s_openapi::api::coordination::v1::Lease)]
pub struct Lease {
    /// Standard metadata.
    #[serde(deserialize_with = "crate::cluster::slim::slim_meta")]
    pub metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    /// When the API server last took a renewal, to the second: the host's own clock may be minutes off.
    #[serde(skip)]
    pub written: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    renew_time: Option<Box<str>>,
    lease_duration_seconds: Option<i64>,
}

impl Lease {
    /// Drops what is not needed, and keeps the time of the last write.
    pub fn pruned(mut self) -> Self {
        self.written = self.managed_fields().iter().filter_map(|m| m.time.as_ref().map(|t| t.0)).max();
        prune_hard(self)
    }

    /// What the agent wrote as the time of its renewal: another one is another heartbeat, whatever it says.
    pub fn renewed(&self) -> Option<&str> {
        self.spec.renew_time.as_deref()
    }

    /// For how many seconds the agent says that a renewal holds.
    pub fn holds_for(&self) -> Option<i64> {
        self.spec.lease_duration_seconds
    }
}
