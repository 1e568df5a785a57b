//! From objects and a time to text. Everything here is pure: no terminal, no clock, no cluster.

mod age;
mod bar;
mod changes;
#[cfg(test)]
pub mod fixture;
mod frame;
mod grid;
mod group;
mod hosts;
mod look;
mod output;
mod page;
mod rows;
mod service;
mod table;
mod target;

pub use changes::{changes, verdict};
pub use frame::frame;
pub use group::group;
pub use hosts::{target_page, target_rows};
pub use look::Look;
pub use output::{Extent, document, name_of, predefined_configs};
pub use rows::{Columns, applications, deployment_configs, deployment_groups, deployments};
pub use service::stands_at;
pub use target::{Hosts, Target, server_of, targets};

use super::error::Error;
