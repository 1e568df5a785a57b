//! What can go wrong in the cli, in kubectl's words, and the exit code it ends with.

use std::error::Error as StdError;
use std::io;

use jiff::SignedDuration;
use kube::config::KubeconfigError;
use kube::core::Status;

use crate::api::Phase;
use crate::api::duration::Spoken;
use crate::appspec;
use crate::source::Error as SourceError;

/// Why a verb did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The flags are well-formed and make no sense together.
    #[error("{0}")]
    Usage(String),
    /// A file or standard input that cannot be read.
    #[error("{what}: {source}")]
    Read {
        /// The file's name.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// A file that cannot be written.
    #[error("{what}: {source}")]
    WriteFile {
        /// The file's name.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output that cannot be written.
    #[error("standard output: {0}")]
    Write(#[source] io::Error),
    /// The AppSpec does not hold.
    #[error("{file}: {source}")]
    AppSpec {
        /// The file's name.
        file: String,
        /// What is wrong, with its line.
        source: appspec::Error,
    },
    /// A bundle that hosts would refuse.
    #[error("{0}: hosts would refuse this bundle; correct what is said above")]
    Invalid(String),
    /// A bundle that cannot be made or stored.
    #[error("{0}")]
    Source(SourceError),
    /// No usable kubeconfig.
    #[error("{}", unusable(.0))]
    Kubeconfig(#[source] KubeconfigError),
    /// The API server refused, or cannot be reached.
    #[error("{}", spoken(.0))]
    Server(#[from] kube::Error),
    /// An object that this version of the program cannot read.
    #[error("{name}: {source}; is this program older than the controller?")]
    Unreadable {
        /// The object's name.
        name: String,
        /// The field.
        source: serde_json::Error,
    },
    /// An object that cannot be printed.
    #[error("cannot be printed: {0}")]
    Unwritable(String),
    /// An API server that numbers no versions.
    #[error("the server cannot be watched: its answer has no resourceVersion")]
    Unwatchable,
    /// A stop, a continuation or an answer that came too late.
    #[error("deployment \"{name}\" has already completed{}", phase.map(|p| format!(" ({p})")).unwrap_or_default())]
    AlreadyCompleted {
        /// The Deployment.
        name: String,
        /// How it ended, if the answer tells.
        phase: Option<Phase>,
    },
    /// The Deployment is not there.
    #[error("deployments.sluice.dev \"{0}\" not found")]
    NotFound(String),
    /// The host is none of the Deployment's.
    #[error(
        "deployment \"{deployment}\" has no target \"{target}\": list-deployment-targets names those that it has"
    )]
    NoTarget {
        /// The Deployment.
        deployment: String,
        /// The Instance.
        target: String,
    },
    /// The watched Deployment went away.
    #[error("deployment \"{0}\" was deleted before its end was seen")]
    Deleted(String),
    /// The watched Deployment is not the one that was created.
    #[error("deployment \"{0}\" was deleted, and another of that name was created")]
    Recreated(String),
    /// The time given by `--timeout` is over.
    #[error("timed out after {} waiting for deployment \"{name}\" to end", Spoken(*after))]
    TimedOut {
        /// The Deployment.
        name: String,
        /// The time given.
        after: SignedDuration,
    },
}

impl Error {
    /// The line for standard error, as kubectl would word it.
    pub fn report(&self) -> String {
        match self {
            Self::Server(kube::Error::Api(status)) if is_unknown_kind(status) => format!("error: {self}"),
            Self::Server(kube::Error::Api(status)) if status.reason.is_empty() => {
                format!("Error from server: {self}")
            }
            Self::Server(kube::Error::Api(status)) => {
                format!("Error from server ({}): {self}", status.reason)
            }
            Self::Server(error) if is_connection(error) => format!("Unable to connect to the server: {self}"),
            Self::NotFound(_) => format!("Error from server (NotFound): {self}"),
            _ => format!("error: {self}"),
        }
    }

    /// 2 for misuse, else 1; verbs that follow a Deployment keep 1 for its end and turn these into 2.
    pub fn exit_code(&self) -> u8 {
        if matches!(self, Self::Usage(_)) { 2 } else { 1 }
    }

    /// True if whoever read our output has gone.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write(e) if e.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn unusable(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(cause, path) => format!("kubeconfig {}: {cause}", path.display()),
        other => other.to_string(),
    }
}

fn is_connection(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Service(_) | kube::Error::HyperError(_))
}

/// A path that the API server does not know is answered in plain text, without details.
fn is_unknown_kind(status: &Status) -> bool {
    status.code == 404 && status.details.as_ref().is_none_or(|d| d.name.is_empty() && d.kind.is_empty())
}

fn spoken(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if is_unknown_kind(status) => {
            "the server doesn't have the kinds of sluice.dev/v1alpha1: install Sluice's chart first".into()
        }
        kube::Error::Api(status) => status.message.trim().into(),
        other => root_cause(other),
    }
}

/// The innermost cause: the outer layers only say that a request was made.
pub(super) fn root_cause(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(value: serde_json::Value) -> Error {
        Error::Server(kube::Error::Api(Box::new(serde_json::from_value(value).unwrap())))
    }

    #[test]
    fn a_servers_refusal_is_worded_as_kubectl_words_it() {
        let error = server(serde_json::json!({
            "code": 404, "reason": "NotFound", "message": "deployments.sluice.dev \"x\" not found",
            "details": {"name": "x", "group": "sluice.dev", "kind": "deployments"}
        }));
        assert_eq!(error.report(), "Error from server (NotFound): deployments.sluice.dev \"x\" not found");
        assert_eq!(error.exit_code(), 1);
        assert_eq!(Error::NotFound("x".into()).report(), error.report());
    }

    #[test]
    fn a_cluster_without_our_kinds_is_told_from_an_object_that_is_missing() {
        let error =
            server(serde_json::json!({"code": 404, "message": "404 page not found\n", "reason": "x"}));
        assert_eq!(
            error.report(),
            "error: the server doesn't have the kinds of sluice.dev/v1alpha1: install Sluice's chart first"
        );
    }

    #[test]
    fn a_lost_connection_names_its_innermost_cause() {
        let cause = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        let error = Error::Server(kube::Error::Service(Box::new(cause)));
        assert_eq!(error.report(), "Unable to connect to the server: connection refused");
    }

    #[test]
    fn a_late_request_says_how_the_deployment_ended() {
        let error = Error::AlreadyCompleted { name: "x".into(), phase: Some(Phase::Failed) };
        assert_eq!(error.report(), "error: deployment \"x\" has already completed (Failed)");
        assert_eq!(Error::Usage("no".into()).exit_code(), 2);
    }
}
