//! What can go wrong with a download, and whether another try can help. No word of a URL's user, password or query gets in here.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use http::header::HeaderName;
use url::Url;

use crate::remote::egress::Refused;

/// Why a try failed. `place` is the URL without user, password, query and fragment, or only the host after a redirect.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The egress policy keeps us from it.
    #[error("{place} may not be called: {refused}")]
    Egress {
        /// Where.
        place: String,
        /// What its address is.
        refused: Refused,
    },
    /// The certificate of the server does not hold.
    #[error("{place} cannot be trusted: {why}")]
    Certificate {
        /// Where.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// The network, the name, a connection that broke.
    #[error("{place}: {why}")]
    Cut {
        /// Where.
        place: String,
        /// What happened.
        why: String,
    },
    /// An answer that is no success.
    #[error("{place} answered {status}{}", code.as_ref().map(|c| format!(" ({c})")).unwrap_or_default())]
    Status {
        /// Where.
        place: String,
        /// The HTTP status.
        status: u16,
        /// The store's own word for it.
        code: Option<String>,
        /// What a registry asks for: `WWW-Authenticate`.
        challenge: Option<String>,
        /// The pause that it asks for.
        retry_after: Option<Duration>,
    },
    /// A redirect that is not followed.
    #[error("{place} redirects {why}")]
    Redirect {
        /// Where.
        place: String,
        /// How.
        why: String,
    },
    /// Too little came for too long.
    #[error("{place} sent less than 16 KiB within {}s", stall.as_secs())]
    Stalled {
        /// Where.
        place: String,
        /// How long.
        stall: Duration,
    },
    /// All tries together took too long.
    #[error("it was not complete after {}s", .0.as_secs())]
    Late(Duration),
    /// More bytes than allowed.
    #[error("{place} has more than {max} bytes")]
    TooLarge {
        /// Where.
        place: String,
        /// How many are allowed.
        max: u64,
    },
    /// Another size than the one named.
    #[error("{place} has {found} bytes or more, not {wanted}")]
    Size {
        /// Where.
        place: String,
        /// How many there are at least.
        found: u64,
        /// How many there should be.
        wanted: u64,
    },
    /// Other bytes than those named.
    #[error("{place} has the SHA-256 {found}")]
    Digest {
        /// Where.
        place: String,
        /// Their digest.
        found: String,
    },
    /// Another ETag or version than the one named.
    #[error("{place} has {name} {found:?}")]
    Header {
        /// Where.
        place: String,
        /// Which header.
        name: HeaderName,
        /// Its value.
        found: String,
    },
    /// What is asked for is no URL that can be asked for.
    #[error("{0}")]
    Invalid(String),
    /// The file.
    #[error("{0}")]
    Disk(#[source] io::Error),
}

impl Fault {
    /// A connection that broke, or an answer that says it should be asked for again.
    pub fn cut(place: &str, why: impl Into<String>) -> Self {
        Self::Cut { place: place.into(), why: why.into() }
    }

    /// What stands behind an error of the HTTP client.
    pub fn of(place: &str, error: &(dyn StdError + 'static)) -> Self {
        let (mut cause, mut root) = (Some(error), String::new());
        while let Some(error) = cause {
            if let Some(refused) = error.downcast_ref::<Refused>() {
                return Self::Egress { place: place.into(), refused: refused.clone() };
            }
            if let Some(rustls::Error::InvalidCertificate(why)) = tls(error) {
                return Self::Certificate { place: place.into(), why: format!("{why:?}") };
            }
            root = error.to_string();
            cause = error.source();
        }
        Self::cut(place, root)
    }

    /// True if another try may go better.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Cut { .. } | Self::Stalled { .. } => true,
            Self::Status { status: 403, retry_after, .. } => retry_after.is_some(),
            Self::Status { status, .. } => matches!(status, 408 | 416 | 425 | 429 | 500..=599),
            _ => false,
        }
    }

    /// The pause that the server asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// TLS's own error is wrapped as one of I/O, which does not name it as its source.
fn tls<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a rustls::Error> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(error);
    }
    error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// A URL as it may be shown: without user, password, query and fragment.
pub fn place(url: &Url) -> String {
    let mut shown = url.clone();
    // These fail only for URLs without a host, which have none of both.
    let _ = (shown.set_username(""), shown.set_password(None));
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        let url = Url::parse("https://user:pass@host:8443/a/b.zip?X-Amz-Signature=abc#frag").unwrap();
        assert_eq!(place(&url), "https://host:8443/a/b.zip");
    }

    #[test]
    fn a_refusal_is_found_however_deep_it_lies() {
        let refused = Refused { address: [169, 254, 169, 254].into(), what: "a link-local address" };
        #[derive(Debug, thiserror::Error)]
        #[error("client error")]
        struct Outer(#[source] Box<dyn StdError + Send + Sync>);
        let error = Outer(Outer(refused.into()).into());
        let fault = Fault::of("http://x/", &error);
        assert!(matches!(fault, Fault::Egress { .. }), "{fault}");
        assert!(!fault.is_passing());
    }

    #[test]
    fn busy_is_passing_and_forbidden_is_not() {
        let status = |status, retry_after| Fault::Status {
            place: String::new(),
            status,
            code: None,
            challenge: None,
            retry_after,
        };
        assert!(status(503, None).is_passing() && status(429, None).is_passing());
        assert!(!status(403, None).is_passing() && !status(404, None).is_passing());
        assert!(status(403, Some(Duration::from_secs(1))).is_passing(), "a rate limit");
    }
}
