//! How lifecycle hooks are run: as Jobs, or as HTTP calls.

pub mod http;
pub mod job;
