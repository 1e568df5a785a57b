//! The sources of revisions against real stores: an S3 gateway over a folder (versitygw) and a registry (distribution), both on
//! loopback, one each a test.
//!
//! `make stores`, or `cargo test --test stores`. `e2e/tools.sh versitygw registry` builds the programs.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod artifacts;
mod objects;
mod program;
mod proxy;
mod push;
mod registry;
mod store;
