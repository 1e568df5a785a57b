//! The agent's program with a host's own rights: what is assigned to its Instance is done, and told, whatever happens meanwhile.

mod agent;
mod bundles;
mod wire;

mod courses;
mod endings;
mod identity;
mod outages;
