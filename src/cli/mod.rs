//! The kubectl plugin: a command line in, objects and words out. Knows nothing of how deployments are carried out.
//!
//! ```text
//! args     flags, typed (words, locations:     create, change   typed values → manifests and patches (pure; create
//!          their values)                                        with pod_template)
//! connect  kubeconfig → session                render           objects and a time → text (pure)
//! fetch    reads                               watch, screen    follow one Deployment (host_looks: and its hosts) | draw it
//! verbs    one function a verb                 targets          the hosts of a Deployment
//! register a host's account and rights         identity         their manifests and the agent's file (pure)
//! clock    the one place where time is read
//! lint     an AppSpec and its bundle on disk → findings
//! fetch    reads                               watch, screen    follow one Deployment | draw it
//! push     a folder → storage
//! ```
//!
//! Writes nothing but creates and patches of Deployments and, to register a host, of its Instance, account and rights; what a
//! patch means is decided by the API server's rules.

mod args;
mod change;
mod clock;
mod connect;
mod create;
mod error;
mod fetch;
mod host_looks;
mod identity;
mod lint;
mod locations;
mod pod_template;
mod push;
mod register;
mod render;
mod screen;
mod targets;
mod verbs;
mod watch;
mod words;

use std::ffi::OsString;

use clap::Parser;

use args::{CommandLine, Verb};
pub use error::Error;

/// Runs one command line (the program's name first) and gives its exit code: 0, or 1 for an error, or 2 for misuse.
///
/// Verbs that follow a Deployment (`watch`, `wait`, `create-deployment --watch`) keep 1 for one that failed or was
/// stopped, so that a pipeline can tell a bad release from a bad connection; every error of theirs is 2.
pub async fn run(line: impl IntoIterator<Item = OsString>) -> u8 {
    let line = match CommandLine::try_parse_from(line) {
        Ok(line) => line,
        Err(error) => {
            // Help that nobody reads any more is not an error.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let follows = match &line.verb {
        Verb::Watch(_) | Verb::Wait(_) => true,
        Verb::CreateDeployment(create) => create.watch,
        _ => false,
    };
    match verbs::run(line).await {
        Ok(code) => code,
        Err(error) => {
            if !error.is_broken_pipe() {
                screen::tell(&error.report());
            }
            if follows { 2 } else { error.exit_code() }
        }
    }
}
