//! Runs the real `kubectl-sluice` without any cluster: help, usage errors, exit codes and what it says of a kubeconfig
//! that is broken. What it does against an API server is tested where there is one.
#![expect(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

mod lint;
mod manifests;
mod program;
mod usage;
