//! Why a revision cannot be had: a reason in CamelCase, and a sentence that names the field and the cure.
//!
//! No sentence holds a secret: URLs are shown without user, password, query and fragment.

/// What went wrong. Each holds its sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is nothing at the place that the revision names.
    #[error("{0}")]
    RevisionMissing(String),
    /// The revision itself cannot be used: its fields do not go together, or what lies there is not what they say.
    #[error("{0}")]
    InvalidRevision(String),
    /// What was found has another digest, ETag or version than the revision names.
    #[error("{0}")]
    DigestMismatch(String),
    /// The source refuses the credentials, or their absence.
    #[error("{0}")]
    AccessDenied(String),
    /// The Secret lacks a key, or a key's value cannot be used.
    #[error("{0}")]
    SecretIncomplete(String),
    /// The address is one that the egress policy keeps from us.
    #[error("{0}")]
    EgressRefused(String),
    /// Larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// The source answers too slowly.
    #[error("{0}")]
    Stalled(String),
    /// The network, the name, the certificate, or a source that is out of order.
    #[error("{0}")]
    Unreachable(String),
    /// What was sealed cannot be opened, or a key is none.
    #[error("{0}")]
    Sealing(String),
    /// The disk.
    #[error("{0}")]
    Disk(String),
}

impl Error {
    /// CamelCase, for conditions, Events and diagnostics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::RevisionMissing(_) => "RevisionMissing",
            Self::InvalidRevision(_) => "InvalidRevision",
            Self::DigestMismatch(_) => "DigestMismatch",
            Self::AccessDenied(_) => "AccessDenied",
            Self::SecretIncomplete(_) => "SecretIncomplete",
            Self::EgressRefused(_) => "EgressRefused",
            Self::TooLarge(_) => "TooLarge",
            Self::Stalled(_) => "Stalled",
            Self::Unreachable(_) => "Unreachable",
            Self::Sealing(_) => "SealingFailed",
            Self::Disk(_) => "DiskFailed",
        }
    }

    /// True if the same revision cannot come right by itself: trying again is of no use.
    pub fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::InvalidRevision(_) | Self::DigestMismatch(_) | Self::EgressRefused(_) | Self::TooLarge(_)
        )
    }
}
