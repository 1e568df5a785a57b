//! What can go wrong with the API server, and what becomes of whoever asked.

use kube::core::Status;

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
            _ if is_denial(status) => Self::Refused { what, message },
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

/// True for the no of an admission webhook, which chooses its code and reason itself: only the words that the API server puts
/// before the webhook's own tell a 409 or 422 of its from one about the object's state (apiserver's `ToStatusErr`).
fn is_denial(status: &Status) -> bool {
    status.message.starts_with("admission webhook \"") && status.message.contains("\" denied the request")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What becomes of an answer of the API server.
    fn sorted(answer: Value) -> Error {
        let status: Status = serde_json::from_value(answer).unwrap();
        Error::from_kube("Deployment shop/hello", kube::Error::Api(Box::new(status)))
    }

    fn failure(code: u16, reason: &str, message: &str, details: Value) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "code": code, "reason": reason, "message": message, "details": details,
        })
    }

    #[test]
    fn a_webhook_that_says_no_refuses_whatever_code_it_says_it_with() {
        let says = "admission webhook \"freeze.example.com\" denied the request: no changes on a Friday";
        for (code, reason) in
            [(400, ""), (403, "Forbidden"), (404, "NotFound"), (409, "Conflict"), (422, "Invalid"), (500, "")]
        {
            let error = sorted(failure(code, reason, says, json!({})));
            assert!(
                matches!(&error, Error::Refused { message, .. } if message == says),
                "{code} {reason}: {error}"
            );
            assert_eq!(error.fate(), Fate::Refuse, "{code}");
        }
        let bare = "admission webhook \"freeze.example.com\" denied the request without explanation";
        assert!(matches!(sorted(failure(409, "Conflict", bare, json!(null))), Error::Refused { .. }));
    }

    #[test]
    fn a_race_that_is_lost_is_a_conflict_and_no_refusal() {
        let stale = "Operation cannot be fulfilled on deployments.sluice.dev \"hello\": the object has been modified; please apply your changes to the latest version and try again";
        let object = json!({"name": "hello", "group": "sluice.dev", "kind": "deployments"});
        assert!(matches!(sorted(failure(409, "Conflict", stale, object.clone())), Error::Conflict { .. }));
        let test = "the server rejected our request due to an error in our request";
        assert!(matches!(sorted(failure(422, "Invalid", test, json!({}))), Error::Conflict { .. }));
        let causes = json!({"name": "hello", "causes": [{"reason": "FieldValueInvalid", "message": "no", "field": "spec"}]});
        assert!(matches!(sorted(failure(422, "Invalid", "is invalid", causes)), Error::Refused { .. }));
    }

    #[test]
    fn a_webhook_that_cannot_be_reached_is_tried_again() {
        let says =
            "Internal error occurred: failed calling webhook \"freeze.example.com\": connection refused";
        let error = sorted(failure(500, "InternalError", says, json!({})));
        assert_eq!(error.fate(), Fate::Retry);
    }
}
