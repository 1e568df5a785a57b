//! The controller's loops: wiring, order of steps, and what becomes of an error.

mod calls;
mod clock;
mod context;
mod departures;
mod deployment;
mod deployment_group;
mod egress;
mod endpoints;
mod health;
mod hosts;
mod instance;
mod interest;
mod inventory;
mod kinds;
mod leader;
mod metrics;
mod named;
mod orphan;
mod queue;
mod revisions;
mod secrets;
mod server_group;
mod service_group;
mod services;
mod watches;
mod wiring;

pub use egress::EgressFlags;
pub use wiring::{Error, Settings, one_namespace, run};
