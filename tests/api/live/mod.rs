//! The controller's program with the chart's rights, beside a gateway that answers when told to: one world for each test.

mod callee;
mod cluster;
mod controller;
mod gateway;
mod kstatus;
mod parts;
mod world;

mod conflicts;
mod deletion;
mod events;
mod heartbeats;
mod hooks;
mod late_gateway;
mod leadership;
mod references;
mod refusals;
mod rights;
mod services;
mod sources;
mod stages;
mod turns;
