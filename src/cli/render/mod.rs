//! From objects and a time to text. Everything here is pure: no terminal, no clock, no cluster.

mod age;
mod bar;
mod changes;
#[cfg(test)]
pub mod fixture;
mod frame;
mod group;
mod look;
mod output;
mod rows;
mod service;
mod table;

pub use changes::{changes, verdict};
pub use frame::frame;
pub use group::group;
pub use look::Look;
pub use output::{Extent, document, name_of, predefined_configs};
pub use rows::{Columns, applications, deployment_configs, deployment_groups, deployments};
pub use service::stands_at;

use super::error::Error;
