//! The Service platform: task sets behind two target groups, and what a Function deployment does not have of it.
//!
//! - [`sides`]: which target group is primary, and what stands behind each.
//! - [`snapshot`]: from an AppSpec to what a Deployment runs by.
//! - [`way_back`]: what a rollback runs by.
//! - [`install`], [`test_traffic`], [`ready_wait`], [`terminate`]: the parts of the course beside hooks and the shift.
//! - [`all_ready`]: whether a step finds all of the replacement's pods.
//! - [`repointed`]: whether a target group still sends to its side.
//! - [`undo`]: what a replaced or deleted Deployment takes back once its traffic has gone back.
//! - [`task_set`]: names, sizes and scaling.

pub mod all_ready;
pub mod install;
pub mod ready_wait;
pub mod repointed;
pub mod sides;
pub mod snapshot;
pub mod task_set;
pub mod terminate;
pub mod test_traffic;
pub mod undo;
pub mod way_back;
