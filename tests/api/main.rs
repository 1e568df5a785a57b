//! What holds only against a real API server: the kinds' rules, bounds and defaults, their columns, and the chart's rights.
//!
//! `server` starts one etcd and one API server for this binary and gives each test a namespace of its own; the tests below share
//! nothing else and run in parallel. The kinds' own rules come first, then the chart's; in `live` the controller's program runs
//! with the chart's rights, one for each test, and what it does to the test's namespace is looked at.
//!
//! `make api`, or `cargo test --test api -- --test-threads=14`: most of the time is waiting, of which a machine can do much at
//! once. The programs are built on first use (`e2e/tools.sh`).

// A test that cannot go on fails; how long the controller takes is measured by the clock.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods)]

mod case;
mod chart;
mod definitions;
mod hosts;
mod kinds;
mod live;
mod server;
mod tokens;

mod answers;
mod columns;
mod documented;
mod nulls;
mod policies;
mod releases;
mod rights;
mod statuses;
mod tenancy;
mod upgrades;
