//! A URL's bytes, whatever the network does meanwhile: resumed after a cut, begun anew when the server cannot, within limits of
//! size and time, hashed on the way, never whole in memory unless that is where they are wanted.
//!
//! Bytes are taken as they are sent: nothing is decoded, and `identity` is asked for.

mod answer;
mod fault;
mod open;
mod sink;

use std::future::Future;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, TRANSFER_ENCODING};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::client::Body;
use sha2::{Digest, Sha256};
use url::Url;

use super::client::Client;
use super::clock;
use super::egress::Egress;

pub use fault::{Fault, place};
pub use open::refusal;
pub use sink::Sink;

/// Within [`Limits::stall`] this much has to arrive, or the end.
const LEAST: u64 = 16 * 1024;
/// A server that asks for a longer pause than this gets this one.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// So much of the beginning is kept, for whoever wants to know what it is.
const HEAD: usize = 512;

/// Limits of a download.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Which addresses may be called.
    pub egress: Egress,
    /// Nothing larger is fetched.
    pub max_bytes: u64,
    /// Within each stretch of this length something has to arrive: 16 KiB, or the end.
    pub stall: Duration,
    /// The whole, with all tries, takes no longer.
    pub total: Duration,
    /// The pauses before the second, third, … try; a try that brought the download further starts the row anew.
    pub pauses: Vec<Duration>,
}

impl Limits {
    /// For bundles on hosts: 8 GiB, an hour, and pauses that ride out two and a half minutes.
    pub fn of_hosts() -> Self {
        Self {
            egress: Egress::of_hosts(),
            max_bytes: 8 << 30,
            stall: Duration::from_secs(60),
            total: Duration::from_secs(3600),
            pauses: [1, 3, 10, 30, 90].map(Duration::from_secs).into(),
        }
    }
}

/// Who makes the requests of a download, one for each try: a signature ages, a token ends.
pub trait Asks: Send {
    /// The next request.
    fn ask(&mut self) -> impl Future<Output = Result<Ask, Fault>> + Send;
}

impl Asks for Ask {
    async fn ask(&mut self) -> Result<Ask, Fault> {
        Ok(self.clone())
    }
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What is asked for.
    pub url: Url,
    /// Headers that only the host of `url` may see.
    pub headers: HeaderMap,
}

/// What has to hold of the answer.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The digest of its bytes, in lower-case hex.
    pub sha256: Option<String>,
    /// Its size.
    pub bytes: Option<u64>,
    /// Headers and their values, without quotes.
    pub headers: Vec<(HeaderName, String)>,
}

/// What came.
#[derive(Debug)]
pub struct Got {
    /// How many bytes.
    pub bytes: u64,
    /// Their digest, in lower-case hex.
    pub sha256: String,
    /// The first 512 of them.
    pub head: Vec<u8>,
    /// The headers of the last answer.
    pub headers: HeaderMap,
    /// Where they are.
    pub sink: Sink,
}

/// Downloads what `asks` asks for into `sink`.
///
/// Errors: the last try's fault, once trying again is of no use or the pauses are used up.
pub async fn download(
    client: &Client<Body>,
    sink: Sink,
    expected: Expected,
    limits: &Limits,
    asks: &mut impl Asks,
) -> Result<Got, Fault> {
    let download = Download { client, limits, expected, sink, state: State::default() };
    let whole = tokio::time::timeout(limits.total, download.carry(asks)).await;
    whole.unwrap_or_else(|_| Err(Fault::Late(limits.total)))
}

struct Download<'a> {
    client: &'a Client<Body>,
    limits: &'a Limits,
    expected: Expected,
    sink: Sink,
    state: State,
}

/// What is there so far.
#[derive(Default)]
struct State {
    hash: Sha256,
    bytes: u64,
    head: Vec<u8>,
    /// The size that the server told.
    total: Option<u64>,
    /// What tells that the server still has the same bytes.
    validator: Option<http::HeaderValue>,
    headers: HeaderMap,
    /// True once bytes of two answers were put together.
    was_resumed: bool,
}

impl Download<'_> {
    async fn carry(mut self, asks: &mut impl Asks) -> Result<Got, Fault> {
        let (mut pauses, mut may_mistrust) = (self.limits.pauses.iter(), true);
        loop {
            let before = self.state.bytes;
            let fault = match self.attempt(asks).await {
                Ok(sha256) => return Ok(self.give(sha256)),
                Err(fault) => fault,
            };
            if matches!(fault, Fault::Digest { .. }) && self.state.was_resumed && may_mistrust {
                // Two halves that don't go together: once more in one piece, before the source is blamed.
                may_mistrust = false;
                self.state = State::default();
                continue;
            }
            if !fault.is_passing() {
                return Err(fault);
            }
            if matches!(fault, Fault::Status { status: 416, .. }) {
                // There is nothing where we wanted to go on: what is here is no beginning of what is there.
                self.state = State::default();
            }
            if self.state.bytes > before && !matches!(fault, Fault::Stalled { .. }) {
                pauses = self.limits.pauses.iter();
            }
            let Some(pause) = pauses.next() else { return Err(fault) };
            tracing::info!(%fault, bytes = self.state.bytes, "a download is interrupted; trying again");
            clock::pause((*pause).max(fault.retry_after().unwrap_or_default().min(MAX_PAUSE))).await;
        }
    }

    fn give(self, sha256: String) -> Got {
        let State { bytes, head, headers, .. } = self.state;
        Got { bytes, sha256, head, headers, sink: self.sink }
    }

    async fn attempt(&mut self, asks: &mut impl Asks) -> Result<String, Fault> {
        let ask = asks.ask().await?;
        let (place, response) = open::open(self.client, &ask, self.limits, self.range()).await?;
        self.begin(&place, &response)?;
        self.sink.settle(self.state.bytes).await?;
        let mut body = response.into_body();
        loop {
            let gulp = tokio::time::timeout(self.limits.stall, self.gulp(&place, &mut body)).await;
            match gulp {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => break,
                Ok(Err(fault)) => return Err(fault),
                Err(_) => return Err(Fault::Stalled { place, stall: self.limits.stall }),
            }
        }
        self.end(place).await
    }

    /// From where on to ask, if there is something to go on from and a word that tells whether it is still the same.
    fn range(&self) -> Option<(u64, http::HeaderValue)> {
        let validator = self.state.validator.clone().filter(|_| self.state.bytes > 0)?;
        Some((self.state.bytes, validator))
    }

    /// Looks at an answer's head: which bytes these are, and whether they are wanted.
    fn begin(&mut self, place: &str, response: &Response<Incoming>) -> Result<(), Fault> {
        let headers = response.headers();
        let told = if response.status() == StatusCode::PARTIAL_CONTENT {
            let range = answer::content_range(headers);
            let is_same = headers.get(ETAG).is_none_or(|e| {
                self.state.bytes == 0 || self.state.headers.get(ETAG).is_none_or(|known| known == e)
            });
            let Some((_, total)) = range.filter(|(start, _)| *start == self.state.bytes && is_same) else {
                self.state = State::default();
                return Err(Fault::cut(place, "it answered with other bytes than those asked for"));
            };
            self.state.was_resumed |= self.state.bytes > 0;
            total
        } else {
            self.state = State::default();
            answer::number(headers, &CONTENT_LENGTH)
        };
        if self.state.total.is_some() && told.is_some() && told != self.state.total {
            self.state = State::default();
            return Err(Fault::cut(place, "what it has there changed meanwhile"));
        }
        self.state.total = self.state.total.or(told);
        if self.state.total.is_none()
            && self.expected.sha256.is_none()
            && !headers.contains_key(TRANSFER_ENCODING)
        {
            return Err(Fault::cut(
                place,
                "it does not tell how long its answer is, so that a cut could not be told from its end",
            ));
        }
        self.check(place, headers)?;
        let is_strong = |e: &&http::HeaderValue| !e.as_bytes().starts_with(b"W/");
        let dated = headers.get(LAST_MODIFIED).filter(|_| self.expected.sha256.is_some());
        self.state.validator = headers.get(ETAG).filter(is_strong).or(dated).cloned();
        self.state.headers = headers.clone();
        Ok(())
    }

    fn check(&self, place: &str, headers: &HeaderMap) -> Result<(), Fault> {
        for (name, wanted) in &self.expected.headers {
            let found = answer::text(headers, name).unwrap_or_default();
            if found != *wanted {
                return Err(Fault::Header { place: place.into(), name: name.clone(), found });
            }
        }
        match (self.state.total, self.expected.bytes) {
            (Some(found), Some(wanted)) if found < wanted => {
                Err(Fault::Size { place: place.into(), found, wanted })
            }
            (Some(total), _) => self.weigh(place, total),
            _ => Ok(()),
        }
    }

    /// So many bytes must be neither more than named nor more than allowed.
    fn weigh(&self, place: &str, found: u64) -> Result<(), Fault> {
        let max = self.limits.max_bytes;
        match self.expected.bytes {
            _ if found > max => Err(Fault::TooLarge { place: place.into(), max }),
            Some(wanted) if found > wanted => Err(Fault::Size { place: place.into(), found, wanted }),
            _ => Ok(()),
        }
    }

    /// Takes at least [`LEAST`] bytes, or what there is to the end. False at the end.
    async fn gulp(&mut self, place: &str, body: &mut Incoming) -> Result<bool, Fault> {
        let enough = self.state.bytes + LEAST;
        while self.state.bytes < enough {
            let Some(frame) = body.frame().await else { return Ok(false) };
            let frame = frame.map_err(|e| Fault::of(place, &e))?;
            let Some(data) = frame.data_ref() else { continue };
            self.weigh(place, self.state.bytes + data.len() as u64)?;
            self.sink.write(data).await?;
            self.state.hash.update(data);
            self.state.bytes += data.len() as u64;
            let room = HEAD.saturating_sub(self.state.head.len()).min(data.len());
            self.state.head.extend_from_slice(&data[..room]);
        }
        Ok(true)
    }

    /// Looks at the whole: its length, its digest, which it gives.
    async fn end(&mut self, place: String) -> Result<String, Fault> {
        if self.state.total.is_some_and(|total| self.state.bytes < total) {
            return Err(Fault::cut(&place, "the answer ended early"));
        }
        self.sink.flush().await?;
        let found = hex(&self.state.hash.clone().finalize());
        match &self.expected.sha256 {
            Some(wanted) if *wanted != found => Err(Fault::Digest { place, found }),
            _ => Ok(found),
        }
    }
}

/// Bytes in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
