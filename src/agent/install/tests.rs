//! Installations on a real file system, and what becomes of them when they are stopped or fail at any step.

mod conflicts;
mod crash;
mod disk;
mod files;
mod links;
mod permissions;
mod world;
