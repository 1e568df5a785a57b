//! What decisions about hosts look at, beside what all look at.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::host::HostFact;
use crate::engine::facts::ServiceFact;

/// What a Server deployment looks at.
#[derive(Clone, Debug, Default)]
pub struct ServerFacts {
    /// Hosts by name: all of the namespace while it starts, its targets while it runs.
    pub hosts: BTreeMap<String, Arc<HostFact>>,
    /// The Service of the load balancer, while it starts.
    pub service: Option<ServiceFact>,
    /// Where hosts stand in the load balancer, and since when that was seen; those that are not there as well.
    pub endpoints: BTreeMap<String, EndpointFact>,
    /// How the Secret that the revision names may be read: the command that grants it, if it may not.
    pub secret_withheld: Option<(&'static str, String)>,
    /// The API server's words to assignments that it refused, by host.
    pub refused: BTreeMap<String, String>,
    /// When its status was written last, as far as that is remembered.
    pub written: Option<Timestamp>,
}

/// Where one host stands in the load balancer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// It gets traffic.
    Ready,
    /// It is listed, and gets no new traffic.
    Draining,
    /// It is not listed, or not yet: a list that lags behind lacks it as well.
    Absent,
}

/// Where one host stands in the load balancer, and since when.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct EndpointFact {
    /// Where it stands.
    pub stand: Stand,
    /// Since when it was seen so.
    pub since: Timestamp,
}

/// What a Server group looks at.
#[derive(Clone, Debug, Default)]
pub struct ServerGroupFacts {
    /// The hosts of the namespace, by name.
    pub hosts: BTreeMap<String, Arc<HostFact>>,
    /// The Service of its load balancer.
    pub service: Option<ServiceFact>,
    /// The ports that its endpoints have: one for each port of the Service.
    pub ports: Vec<PortFact>,
    /// The EndpointSlices that the group made, and those that stand for its Service.
    pub slices: Vec<SliceFact>,
}

/// A port of a Service: the endpoints' port of that name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortFact {
    /// Its name; empty if it has none.
    pub name: String,
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// What is spoken there, if the Service says.
    pub app_protocol: Option<String>,
    /// The port on the hosts.
    pub port: i32,
}

/// An EndpointSlice of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceFact {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// The uid of the group whose it is; empty if it was let go.
    pub group_uid: String,
    /// The Service that it belongs to.
    pub service: String,
    /// True for IPv6.
    pub is_v6: bool,
    /// Its ports.
    pub ports: Vec<PortFact>,
    /// Its endpoints, in order.
    pub endpoints: Vec<Endpoint>,
}

/// One host's endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The Instance's name.
    pub host: String,
    /// The Instance's uid.
    pub uid: String,
    /// The address.
    pub address: String,
    /// The zone; empty if the host names none.
    pub zone: String,
    /// True if it gets traffic; false while it drains.
    pub is_ready: bool,
}
