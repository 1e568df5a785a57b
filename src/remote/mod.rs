//! Plumbing to the rest of the world: HTTP with limits on time and size.

use std::time::Duration;

/// No answer is read past this.
const MAX_BODY: usize = 64 * 1024;
/// One try takes no longer than this.
const TRY_TIMEOUT: Duration = Duration::from_secs(60);

/// An HTTP client.
#[derive(Clone, Debug)]
pub struct Http {
    client: reqwest::Client,
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
    SetUp(#[source] reqwest::Error),
    /// A header's name or value is not one.
    #[error("the header {0} is not valid")]
    Header(String),
    /// The network, the name, the certificate or the time.
    #[error("{0}")]
    Unreachable(String),
}

impl Http {
    /// A client that follows no redirects: what was validated is what is called.
    pub fn new() -> Result<Self, Error> {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .pool_max_idle_per_host(1)
            .user_agent(concat!("sluice/", env!("CARGO_PKG_VERSION")));
        Ok(Self { client: builder.build().map_err(Error::SetUp)? })
    }

    /// Posts JSON, waiting at most `timeout` (and never longer than a minute) for the answer.
    pub async fn post_json(
        &self,
        url: &str,
        headers: &[(String, String)],
        body: &serde_json::Value,
        timeout: Duration,
    ) -> Result<Reply, Error> {
        let mut request = self.client.post(url).timeout(timeout.min(TRY_TIMEOUT)).json(body);
        for (name, value) in headers {
            let parsed =
                (http::HeaderName::try_from(name.as_str()), http::HeaderValue::try_from(value.as_str()));
            let (Ok(key), Ok(mut value)) = parsed else { return Err(Error::Header(name.clone())) };
            value.set_sensitive(true);
            request = request.header(key, value);
        }
        let mut response = request.send().await.map_err(|e| unreachable_by(&e))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| unreachable_by(&e))? {
            body.extend_from_slice(&chunk);
            if body.len() >= MAX_BODY {
                body.truncate(MAX_BODY);
                break;
            }
        }
        Ok(Reply { status, body })
    }
}

/// The cause in a few words, without the URL: it may carry what nobody should read.
fn unreachable_by(error: &reqwest::Error) -> Error {
    let mut source: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    let mut root = None;
    while let Some(cause) = source {
        root = Some(cause.to_string());
        source = cause.source();
    }
    let what = match () {
        () if error.is_timeout() => "no answer in time".to_owned(),
        () if error.is_connect() => format!("cannot connect: {}", root.unwrap_or_default()),
        () => root.unwrap_or_else(|| "the connection broke".into()),
    };
    Error::Unreachable(what)
}
