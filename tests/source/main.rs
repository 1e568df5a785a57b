//! What becomes of a fetch when the network, the server or somebody in between does wrong: a server that does wrong on purpose
//! stands at the other end. That right answers of real stores are understood is shown in `tests/stores`.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod artifacts;
mod cuts;
mod egress;
mod faulty;
mod lies;
mod redirects;
mod revisions;
mod slow;
mod sources;
