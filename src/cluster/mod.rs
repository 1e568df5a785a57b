//! Plumbing to Kubernetes: the connection, compare-and-set writes, expectations, Events, the Lease, caches and the
//! slim views that go into them.
//!
//! Nothing here knows what a deployment is.

pub mod cache;
mod connect;
mod error;
pub mod events;
pub mod expectations;
pub mod lease;
pub mod request;
pub mod slim;
pub mod view;
pub mod write;

pub use connect::{ConnectError, clients, quiet_client};
pub use error::{Error, Fate};
