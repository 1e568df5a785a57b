//! Stories on a real cluster: whole courses of events under a steady load, of which not one request may be lost.
//!
//! Each story has a namespace of its own with versions of the sample server, a route and a group. Stories that do not disturb
//! one another run side by side; those that harm the controller or the API server run alone, after them. Everything happens as
//! users do it: the chart is installed (`make install`), manifests are applied, requests go through the gateway.
//!
//! `make stories` runs one story a course, `make e2e` all of them, `STORY=canary,linear` some, `KEEP=1` leaves the namespaces.

#![allow(clippy::expect_used, clippy::unwrap_used)] // a story that cannot go on fails
#![allow(clippy::disallowed_methods)] // stories are told by the wall clock, against which the controller is judged

mod checks;
mod cluster;
mod controllers;
mod courses;
mod hosts;
mod load;
mod manifests;
mod record;
mod run;
mod server_manifests;
mod service_manifests;
mod stores;
mod story;

fn main() -> std::process::ExitCode {
    run::run(courses::all())
}
