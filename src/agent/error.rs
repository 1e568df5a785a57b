//! What can go wrong with the agent itself; how a deployment fails is no error but its [`Diagnostics`].
//!
//! [`Diagnostics`]: crate::api::deployment_status::Diagnostics

use std::io;
use std::path::{Path, PathBuf};

/// An error of the agent or of the host below it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration does not hold.
    #[error("{path}: {problem}")]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong and the cure.
        problem: String,
    },
    /// A file or folder of the agent's own could not be read or written.
    #[error("failed to {act} {path}: {source}")]
    Disk {
        /// `read`, `write`, `create`, …
        act: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A journal in a form that this agent does not know yet.
    #[error(
        "{path} is in form {version}, as a newer sluice-agent writes it, and this one reads no newer one than {known}; install that agent again: this \
         one would forget what it did here"
    )]
    StateNewer {
        /// The journal.
        path: PathBuf,
        /// Its form.
        version: u64,
        /// The newest form that is read.
        known: u32,
    },
    /// Another agent works in the root folder.
    #[error("{root} is in use by another sluice-agent ({holder}): stop it first, or name another --root-dir")]
    RootInUse {
        /// The root folder.
        root: PathBuf,
        /// What it said of itself.
        holder: String,
    },
    /// A group's id or a Deployment's name that is no name of a folder.
    #[error(
        "{0:?} cannot be the name of a folder: give an id without slashes that does not begin with a point"
    )]
    NoFolderName(String),
    /// The API server does not know this host.
    #[error(
        "Instance {0} does not exist: this host is not registered, or no longer; run `kubectl sluice register` \
         and start the agent with the configuration that it prints"
    )]
    NotRegistered(String),
    /// The agent has no token to go by.
    #[error(
        "{0} holds no token of a ServiceAccount and neither does the configuration: run `kubectl sluice register` \
         again and start the agent with the configuration that it prints"
    )]
    NoToken(PathBuf),
    /// There can be no client.
    #[error(transparent)]
    Connect(#[from] crate::cluster::ConnectError),
    /// The API server says no, or cannot be reached.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::Error),
    /// An installation that was cut off could be ended neither forward nor back.
    #[error("an installation that was cut off could not be put in order: {0}")]
    Install(#[from] super::install::Error),
    /// The program's own runtime.
    #[error("failed to listen for signals: {0}")]
    Signals(#[source] io::Error),
}

impl Error {
    /// For `map_err` on what is done to `path`.
    pub fn disk(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Disk { act, path, source }
    }

    /// The CamelCase word for logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Config { .. } => "InvalidConfiguration",
            Self::Disk { .. } => "DiskError",
            Self::StateNewer { .. } => "StateNewer",
            Self::RootInUse { .. } => "RootInUse",
            Self::NoFolderName(_) => "InvalidName",
            Self::NotRegistered(_) => "NotRegistered",
            Self::NoToken(_) => "TokenMissing",
            Self::Connect(_) | Self::Cluster(_) => "ClusterError",
            Self::Install(error) => error.reason(),
            Self::Signals(_) => "InternalError",
        }
    }
}
