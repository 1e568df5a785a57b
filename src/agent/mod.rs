//! The agent of a host: takes what the controller assigns to its Instance, does it on this host and nowhere else, and says how it
//! went. What is done is on record on the disk before it is done.
//!
//! ```text
//! run           the loop: one watch, one worker, reports, heartbeat   deploy_local   one Deployment without a cluster
//! host          the folders, the journal, one event after the other   course         what comes next; pure
//! event         one event: scripts, download, installation            script         one script and its process group
//! journal       the record on disk                                    log            what scripts say
//! queue         what is taken, whose turn it is; pure                 report         what the host says of itself
//! archive       a bundle → a directory that it cannot leave           install        files put in place, whole or not at all
//! ```

pub mod archive;
mod args;
mod beneath;
mod clock;
mod config;
mod course;
mod cut;
pub mod decisions;
mod deploy_local;
mod download;
mod environment;
mod error;
mod event;
mod heartbeat;
mod host;
mod identity;
pub mod install;
mod journal;
mod layout;
mod log;
mod permissions;
mod process;
mod queue;
mod render;
mod report;
mod revision;
mod run;
mod script;
mod signals;
#[cfg(test)]
mod small_disk;
mod trouble;
mod trust;
mod warnings;
mod watching;
mod worker;

pub use args::{CommandLine, Run};
pub use config::Configured;
pub use error::Error;
pub use run::run;
pub use script::become_script;

use args::Verb;
use signals::Signals;

/// The exit code where the Instance does not exist, or no longer.
const NOT_REGISTERED: u8 = 3;

/// Does what the command line says. The exit code.
pub async fn main(line: CommandLine) -> u8 {
    // What scripts make is as theirs on any host, whatever started the agent.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    match line.verb {
        Some(Verb::DeployLocal(args)) => deploy_local::run(&args).await,
        Some(Verb::Run(flags)) => serve(&flags).await,
        None => serve(&line.run).await,
    }
}

/// Runs until a signal says to end.
async fn serve(flags: &Run) -> u8 {
    let outcome = async {
        let configured = Configured::read(flags)?;
        let mut signals = Signals::listen()?;
        run(&configured, signals.next()).await
    };
    match outcome.await {
        Ok(()) => 0,
        Err(error) => {
            tracing::error!(reason = error.reason(), "{error}");
            if matches!(error, Error::NotRegistered(_)) { NOT_REGISTERED } else { 1 }
        }
    }
}
