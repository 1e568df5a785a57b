//! Sluice: deployments the CodeDeploy way, on any Kubernetes cluster.
//!
//! The crate is cut by direction, not by kind. A room may use only rooms of a lower rank:
//!
//! ```text
//!  4  bin                                arguments, telemetry, one call
//!  3  controller  agent     cli          the loops: order of steps, wiring | the host's work | terminal words
//!  2  traffic  source  hook  platform    drivers: each knows one outside system
//!  1  engine     cluster     remote      the brain | plumbing to Kubernetes | plumbing to the rest
//!  0  api        appspec     lookup      words | the addresses of a name
//! ```
//!
//! Every reconcile is one line: **observe** (reads, from caches) → **decide** (pure) → **record** (compare and
//! set of the status) → **act** (idempotent by key). `tests/check/rooms.rs` holds the arrows.
#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod agent;
pub mod api;
pub mod appspec;
pub mod cli;
pub mod cluster;
pub mod controller;
pub mod engine;
pub mod hook;
pub mod lookup;
pub mod platform;
pub mod remote;
pub mod source;
pub mod traffic;
