//! The Server platform: hosts with an agent, some at a time.
//!
//! - [`host`]: a host as its Instance tells of it; [`targets`]: which ones a group has, and in which order they begin.
//! - [`healthy`]: the arithmetic of minimum healthy hosts.
//! - [`snapshot`]: from a group and its hosts to what a Deployment runs by.
//! - [`advance`]: one look at a running deployment; [`fleet`] and [`progress`] say how its hosts stand, [`assign`] what is
//!   written into their Instances, [`closing`] how it ends before its time.
//! - [`endpoints`] and [`group`]: what a group does between deployments and beside them.

pub mod advance;
pub mod assign;
pub mod closing;
pub mod endpoints;
pub mod facts;
pub mod fleet;
pub mod group;
pub mod healthy;
pub mod host;
pub mod instance;
pub mod progress;
pub mod snapshot;
pub mod targets;
pub mod words;
