//! Why a bundle was not unpacked: the host or the bytes; what breaks a rule is a [`Refusal`].

use std::io;
use std::path::{Path, PathBuf};

use super::refusal::Refusal;
use crate::agent::trouble;

/// What is wrong with a bundle, or with the place that it was to be unpacked into.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bundle breaks a rule. It does not pass by itself: the bundle has to change, or the host's options.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bytes are no archive that is read here, or are damaged.
    #[error("the bundle cannot be read: {0}; pack and upload it again")]
    Damaged(String),
    /// The file ends before the archive does.
    #[error(
        "the bundle ends too early, {0}; it was cut off on its way or while it was packed: upload it again"
    )]
    Truncated(String),
    /// The revision's type is not one that has files.
    #[error("a bundle cannot be of type {0}; bundleType is tar, tgz or zip")]
    NotABundle(&'static str),
    /// The host's file system said no.
    #[error("failed to {action} {}: {source}{}", .path.display(), trouble::cure(.source))]
    Host {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Error {
    /// The CamelCase word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Damaged(_) => "BundleDamaged",
            Self::Truncated(_) => "BundleTruncated",
            Self::NotABundle(_) => "BundleTypeUnsupported",
            Self::Host { source, .. } => trouble::reason(source),
        }
    }

    /// What the system said while something was tried on a path.
    pub(super) fn host<E: Into<io::Error>>(action: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_owned();
        move |source| Self::Host { action, path, source: source.into() }
    }

    /// What went wrong while the bundle's own bytes were read.
    pub(super) fn reading(place: &str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated(place.to_owned()),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                Self::Damaged(format!("{place}: {source}"))
            }
            _ => Self::Host { action: "read", path: PathBuf::from("the bundle"), source },
        }
    }
}
