//! Plumbing to the rest of the world: HTTP with limits on time and size.

//!
//! ```text
//! egress   which addresses may be called      download   a URL's bytes → a file, whatever the network does meanwhile
//! client   the connector that asks it         upload     a file's bytes → a URL
//! clock    the time for signatures, the pauses between tries
//! ```

mod client;
pub mod clock;
pub mod download;
mod egress;
pub mod upload;

pub use client::{Client, Versions, client};
pub use egress::{Egress, Refused};

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::BodyExt;
// The API server's client has the same body: the program holds one HTTP stack, not two.
use kube::client::Body;

/// No answer is read past this.
const MAX_BODY: usize = 64 * 1024;
/// One try takes no longer than this.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);

/// An HTTP client, set up by its first call: the certificates of public authorities take memory that most clusters need not spend.
#[derive(Clone, Debug, Default)]
pub struct Http {
    client: Arc<OnceLock<Client<Body>>>,
}

/// An answer: its status and the first 64 KiB of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, cut.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client could not be built.
    #[error("failed to set up TLS: {0}")]
    SetUp(#[source] rustls::Error),
    /// No URL, or a host whose name is not written in ASCII.
    #[error("the URL is not valid: {0}")]
    Url(#[source] http::Error),
    /// A header's name or value is not one.
    #[error("the header {0} is not valid")]
    Header(String),
    /// The network, the name, the certificate or the time.
    #[error("{0}")]
    Unreachable(String),
}

impl Http {
    fn client(&self) -> Result<&Client<Body>, Error> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Hooks are called where their owners say; what none of them can mean is refused all the same.
        let client = client(Egress::of_hosts(), Versions::All).map_err(Error::SetUp)?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Posts JSON, waiting at most `timeout` (and never longer than a minute) for the answer.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &serde_json::Value,
        timeout: Duration,
    ) -> Result<Reply, Error> {
        let request = request(url, headers, body)?;
        let exchange = exchange(self.client()?, request);
        let reply = tokio::time::timeout(timeout.min(TRY_TIMEOUT), exchange).await;
        reply.unwrap_or_else(|_| Err(Error::Unreachable("no answer in time".into())))
    }
}

fn request(
    url: &str,
    headers: &[(String, String)],
    body: &serde_json::Value,
) -> Result<Request<Body>, Error> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(ACCEPT, "*/*")
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .body(Body::from(body.to_string().into_bytes()));
    let mut request = request.map_err(Error::Url)?;
    for (name, value) in headers {
        let parsed = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()));
        let (Ok(key), Ok(mut value)) = parsed else { return Err(Error::Header(name.clone())) };
        value.set_sensitive(true);
        request.headers_mut().append(key, value);
    }
    Ok(request)
}

async fn exchange(client: &Client<Body>, request: Request<Body>) -> Result<Reply, Error> {
    let response = client.request(request).await.map_err(|e| unreachable_by(&e, e.is_connect()))?;
    let status = response.status().as_u16();
    let (mut incoming, mut body) = (response.into_body(), Vec::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|e| unreachable_by(&e, false))?;
        body.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        if body.len() >= MAX_BODY {
            body.truncate(MAX_BODY);
            break;
        }
    }
    Ok(Reply { status, body })
}

/// The cause in a few words, without the URL: it may carry what nobody should read.
fn unreachable_by(error: &(dyn StdError + 'static), is_connect: bool) -> Error {
    let mut cause = error.source();
    let mut root = None;
    while let Some(error) = cause {
        root = Some(error.to_string());
        cause = error.source();
    }
    Error::Unreachable(match (is_connect, root) {
        (true, root) => format!("cannot connect: {}", root.unwrap_or_default()),
        (false, Some(root)) => root,
        (false, None) => "the connection broke".into(),
    })
}
