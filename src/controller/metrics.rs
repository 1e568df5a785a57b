//! Counters under Prometheus' naming rules.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::Phase;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Resource {
    resource: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    phase: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// What the controller counts.
pub struct Metrics {
    registry: Registry,
    writes: Family<Resource, Counter>,
    ended: Family<Ended, Counter>,
    reconciles: Family<Kind, Counter>,
    failures: Family<Kind, Counter>,
    leader: Gauge<i64, AtomicI64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sluice");
        let (writes, ended) = (Family::default(), Family::default());
        let (reconciles, failures) = (Family::default(), Family::default());
        let leader = Gauge::default();
        registry.register("api_writes", "Writes sent to the API server, by resource", Family::clone(&writes));
        registry.register("deployments", "Deployments that ended, by phase", Family::clone(&ended));
        registry.register("reconciles", "Reconciles, by kind", Family::clone(&reconciles));
        registry.register("reconcile_failures", "Reconciles that failed, by kind", Family::clone(&failures));
        registry.register("leader", "1 while this replica leads", leader.clone());
        Self { registry, writes, ended, reconciles, failures, leader }
    }
}

impl Metrics {
    /// Counts a write to `resource`.
    pub fn count_write(&self, resource: &'static str) {
        self.writes.get_or_create(&Resource { resource }).inc();
    }

    /// Counts a Deployment that ended.
    pub fn count_end(&self, phase: Phase) {
        self.ended.get_or_create(&Ended { phase: phase.to_string() }).inc();
    }

    /// Counts a reconcile of `kind`.
    pub fn count_reconcile(&self, kind: &'static str, failed: bool) {
        self.reconciles.get_or_create(&Kind { kind }).inc();
        if failed {
            self.failures.get_or_create(&Kind { kind }).inc();
        }
    }

    /// Says whether this replica leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// The exposition in OpenMetrics' text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
