//! The simulated world: the real `engine::decide` and `engine::group::decide` among simulated objects, actors and crashes.
//!
//! `cargo test --test sim` tells the golden stories and `SIM_SEEDS` (1,000) random ones. `UPDATE_GOLDEN=1` rewrites
//! the goldens; `SIM_SEED=n` replays one random world and prints it.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod actors;
mod agents;
mod believer;
mod broken;
mod broken_server;
mod broken_service;
mod budget;
mod cache;
mod effects;
mod function_stories;
mod goldens;
mod invariants;
mod kubelet;
mod log;
mod memory;
mod objects;
mod observe;
mod parallel;
mod peers;
mod queue;
mod quiet;
mod random;
mod random_server;
mod random_service;
mod rng;
mod script;
mod server_effects;
mod server_setup;
mod server_stories;
mod service_effects;
mod service_setup;
mod service_stories;
mod setup;
mod store;
mod stories;
mod world;
