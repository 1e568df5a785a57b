//! What a host's agent decides, apart from any host: for whoever simulates one.

pub use super::course::{Next, Orders, next};
pub use super::journal::{Bundle, Entry, Lasting, Past, Process, Record, Records};
pub use super::queue::{due, take};
pub use super::report::Report;
