//! Runs the real `sluice-agent` on this machine, without any cluster: bundles and scripts in folders of their own, deployed one
//! after the other as on a host. What it does against an API server is tested where there is one.
#![expect(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

mod bundles;
mod courses;
mod cut_off;
mod example;
mod failed;
mod held;
mod host;
mod kernel;
mod killed;
mod links;
mod listens;
mod recorded;
mod scripts;
mod selinux;
mod usage;
mod users;
