//! The controller's loops: wiring, order of steps, and what becomes of an error.

mod calls;
mod clock;
mod context;
mod deployment;
mod deployment_group;
mod endpoints;
mod health;
mod interest;
mod inventory;
mod kinds;
mod leader;
mod metrics;
mod named;
mod orphan;
mod queue;
mod service_group;
mod services;
mod watches;
mod wiring;

pub use wiring::{Error, Settings, one_namespace, run};
