//! A file's bytes to a URL by PUT, streamed, tried again from the beginning when the way breaks.

use std::fs::File;
use std::io::{self, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, stream};
use http::header::{CONTENT_LENGTH, HeaderMap, USER_AGENT};
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Frame, Incoming};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use url::Url;

use super::client::{Client, Versions, client};
use super::clock;
use super::download::{Fault, Limits, place, refusal};

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// So much is read and sent at once.
const CHUNK: usize = 64 * 1024;

/// Puts the first `bytes` bytes of `file` where `url` says, which is asked anew for each try; gives the answer's headers.
///
/// Errors: the last try's fault.
pub async fn upload(
    file: &File,
    bytes: u64,
    limits: &Limits,
    url: impl Fn() -> Url,
) -> Result<HeaderMap, Fault> {
    let client = client::<Body>(limits.egress.clone(), Versions::Http1)
        .map_err(|e| Fault::Invalid(format!("the system's certificates cannot be used: {e}")))?;
    let mut pauses = limits.pauses.iter();
    loop {
        let fault = match attempt(&client, file, bytes, limits, &url()).await {
            Ok(response) => return Ok(response.into_parts().0.headers),
            Err(fault) => fault,
        };
        let Some(pause) = pauses.next().filter(|_| fault.is_passing()) else { return Err(fault) };
        clock::pause(*pause).await;
    }
}

async fn attempt(
    client: &Client<Body>,
    file: &File,
    bytes: u64,
    limits: &Limits,
    url: &Url,
) -> Result<Response<Incoming>, Fault> {
    let mut file = tokio::fs::File::from_std(file.try_clone().map_err(Fault::Disk)?);
    file.seek(SeekFrom::Start(0)).await.map_err(Fault::Disk)?;
    let sent = Arc::new(AtomicU64::new(0));
    let request = Request::put(url.as_str())
        .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_LENGTH, bytes)
        .body(StreamBody::new(frames(file, Arc::clone(&sent))).boxed_unsync())
        .map_err(|e| Fault::Invalid(format!("{} is not valid: {e}", place(url))))?;
    let shown = place(url);
    let mut answer = std::pin::pin!(client.request(request));
    let mut before = 0;
    let response = loop {
        match tokio::time::timeout(limits.stall, &mut answer).await {
            Ok(answer) => break answer.map_err(|e| Fault::of(&shown, &e))?,
            Err(_) if sent.load(Ordering::Relaxed) > before => before = sent.load(Ordering::Relaxed),
            Err(_) => return Err(Fault::Stalled { place: shown, stall: limits.stall }),
        }
    };
    if response.status().is_success() { Ok(response) } else { Err(refusal(shown, limits, response).await) }
}

fn frames(file: tokio::fs::File, sent: Arc<AtomicU64>) -> impl Stream<Item = io::Result<Frame<Bytes>>> {
    stream::try_unfold((file, sent), async |(mut file, sent)| {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        sent.fetch_add(read as u64, Ordering::Relaxed);
        Ok((read > 0).then(|| (Frame::data(Bytes::from(chunk)), (file, sent))))
    })
}
