//! `spec.service` of a group: the listeners, the two target groups and the size of a Service deployment.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::{GoDuration, LocalRef, duration};

/// The Service platform's part of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.targetGroups[0] != self.targetGroups[1]").message("targetGroups must be two different Services: one for the original, one for the replacement"),
    validation = Rule::new("!has(self.testListener) || !has(self.productionListener.httpRoute) || self.testListener.httpRoute.name != self.productionListener.httpRoute.name").message("testListener must name another HTTPRoute than productionListener: production requests would reach what is being tested"),
    validation = Rule::new("!has(self.productionListener.service) || !self.targetGroups.exists(t, t == self.productionListener.service.name)").message("productionListener.service must be another Service than the targetGroups: its selector is switched between theirs")
)]
pub struct ServiceTarget {
    /// Pods of a task set; also the scale subresource, so that a HorizontalPodAutoscaler can own it.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100_000))]
    pub replicas: i32,
    /// Two core Services, one for each side; created when absent.
    #[schemars(length(min = 2, max = 2), inner(length(min = 1, max = 63)))]
    pub target_groups: Vec<String>,
    /// Where production requests come in.
    pub production_listener: Listener,
    /// Where test requests come in: it points at the replacement from AllowTestTraffic on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_listener: Option<TestListener>,
    /// How long Install may take, at most 48h.
    #[serde(default = "one_hour")]
    #[x_kube(validation = duration::above_0s_at_most_48h("installTimeout"))]
    pub install_timeout: GoDuration,
    /// The time between a side losing its traffic and being scaled down, at most 48h; 5s are kept at least.
    #[serde(default = "ten_seconds")]
    #[x_kube(validation = duration::at_most_48h("drain"))]
    pub drain: GoDuration,
}

impl ServiceTarget {
    /// The target group that is not `name`.
    pub fn other_than<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.target_groups.iter().map(String::as_str).find(|t| *t != name)
    }
}

fn one() -> i32 {
    1
}

fn one_hour() -> GoDuration {
    GoDuration::from_secs(3_600)
}

fn ten_seconds() -> GoDuration {
    GoDuration::from_secs(10)
}

/// Where production requests come in: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.httpRoute) != has(self.service)").message("exactly one of httpRoute and service must be given"))]
pub struct Listener {
    /// The HTTPRoute whose weights are moved between the target groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_route: Option<LocalRef>,
    /// A front Service whose selector is switched, for clusters without the Gateway API: all-at-once only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<LocalRef>,
}

/// Where test requests come in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestListener {
    /// The HTTPRoute whose backendRefs are pointed at the replacement.
    pub http_route: LocalRef,
}
