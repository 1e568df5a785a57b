//! What can go wrong with the API server, and what becomes of whoever asked.

/// What to do about an error.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Try again, later each time.
    Retry,
    /// Do nothing: a watch will bring news.
    Wait,
    /// It will not get better by trying.
    Refuse,
}

/// An error of the API server or on the way to it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object has changed since it was looked at; whatever was planned is void.
    #[error("{what} has changed since it was looked at")]
    Conflict {
        /// Kind, namespace and name.
        what: String,
    },
    /// An object of that name exists and is not ours.
    #[error("{what} exists and is not ours")]
    NameTaken {
        /// Kind, namespace and name.
        what: String,
    },
    /// The API server says no.
    #[error("{what} was refused: {message}")]
    Refused {
        /// Kind, namespace and name.
        what: String,
        /// The API server's words.
        message: String,
    },
    /// The object is gone.
    #[error("{what} is gone")]
    Gone {
        /// Kind, namespace and name.
        what: String,
    },
    /// We believe no longer that we lead.
    #[error("the lease was lost")]
    LeaseLost,
    /// No answer in time.
    #[error("{what} took too long")]
    Slow {
        /// Kind, namespace and name.
        what: String,
    },
    /// Anything else: the network, an overload, a restart.
    #[error("failed to reach {what}: {source}")]
    Unreachable {
        /// Kind, namespace and name.
        what: String,
        /// The client's error.
        #[source]
        source: Box<kube::Error>,
    },
}

impl Error {
    /// Sorts a client's error.
    pub fn from_kube(what: impl Into<String>, error: kube::Error) -> Self {
        let what = what.into();
        let kube::Error::Api(status) = &error else {
            return Self::Unreachable { what, source: Box::new(error) };
        };
        let message = status.message.clone();
        match status.code {
            404 | 410 => Self::Gone { what },
            // A failed JSON Patch test is 422 without causes; a failed validation names them.
            409 => Self::Conflict { what },
            422 if status.details.as_ref().is_none_or(|d| d.causes.is_empty()) => Self::Conflict { what },
            400 | 401 | 403 | 405 | 413 | 415 | 422 => Self::Refused { what, message },
            _ => Self::Unreachable { what, source: Box::new(error) },
        }
    }

    /// What becomes of whoever asked.
    pub fn fate(&self) -> Fate {
        match self {
            Self::Conflict { .. } | Self::Gone { .. } | Self::LeaseLost => Fate::Wait,
            Self::NameTaken { .. } | Self::Refused { .. } => Fate::Refuse,
            Self::Unreachable { .. } | Self::Slow { .. } => Fate::Retry,
        }
    }
}
