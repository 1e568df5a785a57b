//! The brain: facts and the time in, a plan out. Pure: no async, no client, no clock, no randomness.
//!
//! - [`needs`] says which objects a decision will want to look at; `observe` fetches just those.
//! - [`decide`] carries one Deployment a step further; [`group::decide`] grants turns and starts desired revisions.
//! - A [`Plan`] says what to put on record and which acts the record then allows.

pub mod advance;
pub mod app_spec;
pub mod draft;
pub mod ending;
pub mod facts;
mod front;
pub mod group;
mod group_desired;
pub mod group_drift;
mod group_queue;
pub mod group_service;
pub mod group_target;
pub mod hooks;
mod identity;
pub mod inventory;
pub mod needs;
pub mod orphaned;
pub mod plan;
pub mod production;
pub mod resolve;
pub mod restore;
pub mod scope;
pub mod server;
pub mod service;
pub mod shift;
pub mod shift_follow;
mod shift_kept;
mod siblings;
pub mod turn;
pub mod weights;
pub mod words;

pub use advance::decide;
pub use facts::Facts;
pub use plan::{Act, Note, Plan};
