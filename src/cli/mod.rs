//! The kubectl plugin: a command line in, objects and words out. Knows nothing of how deployments are carried out.
//!
//! ```text
//! args     flags, typed (words: their values)  create, change   typed values → manifests and patches (pure; create
//!                                                               with pod_template)
//! connect  kubeconfig → session                render           objects and a time → text (pure)
//! fetch    reads                               watch, screen    follow one Deployment | draw it
//! verbs    one function a verb                 clock            the one place where time is read
//! ```
//!
//! Writes nothing but creates and patches of Deployments; what a patch means is decided by the API server's rules.

mod args;
mod change;
mod clock;
mod connect;
mod create;
mod error;
mod fetch;
mod pod_template;
mod render;
mod screen;
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
