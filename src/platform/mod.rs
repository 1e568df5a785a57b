//! Drivers of what is deployed: each knows one kind of object of the cluster, and nudges it idempotently.
//!
//! The Service platform: [`task_set`] (ReplicaSets), [`target_group`] (Services), [`pod_template`] and [`pods`].
//! The Server platform: [`instance`] (hosts and their assignments) and [`heartbeat`] (Leases).

pub mod heartbeat;
pub mod instance;
pub mod pod_template;
pub mod pods;
pub mod target_group;
pub mod task_set;
