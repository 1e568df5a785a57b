//! Opens an answer: sends the request, follows redirects within bounds, and gives the first answer that has the bytes.

use http::header::{
    ACCEPT, ACCEPT_ENCODING, HeaderValue, IF_RANGE, LOCATION, RANGE, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::client::Body;
use url::Url;

use super::{Ask, Fault, Limits, answer, place};
use crate::remote::client::Client;

/// More hops than this lead nowhere.
const MAX_REDIRECTS: usize = 5;
/// So much of an error page is read, for the one word that it may hold.
const ERROR_PAGE: usize = 2048;

/// The answer with the bytes, and the place that gave it.
pub async fn open(
    client: &Client<Body>,
    ask: &Ask,
    limits: &Limits,
    range: Option<(u64, HeaderValue)>,
) -> Result<(String, Response<Incoming>), Fault> {
    let (mut url, mut is_home) = (ask.url.clone(), true);
    for _ in 0..=MAX_REDIRECTS {
        let shown = if is_home { place(&url) } else { origin(&url) };
        let request = request(&url, ask, is_home, range.as_ref())?;
        let answered = tokio::time::timeout(limits.stall, client.request(request)).await;
        let response = match answered {
            Ok(response) => response.map_err(|e| Fault::of(&shown, &e))?,
            Err(_) => return Err(Fault::Stalled { place: shown, stall: limits.stall }),
        };
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok((shown, response)),
            status if status.is_redirection() && response.headers().contains_key(LOCATION) => {
                let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok());
                let next = next(&url, &shown, location)?;
                // Once away from home, no header of ours is sent any more, wherever it leads.
                is_home &= next.origin() == url.origin();
                url = next;
            }
            _ => return Err(refusal(shown, limits, response).await),
        }
    }
    Err(Fault::Redirect { place: place(&ask.url), why: format!("more than {MAX_REDIRECTS} times") })
}

fn request(
    url: &Url,
    ask: &Ask,
    is_home: bool,
    range: Option<&(u64, HeaderValue)>,
) -> Result<Request<Body>, Fault> {
    let request = Request::get(url.as_str())
        .header(USER_AGENT, concat!("sluice/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT_ENCODING, "identity")
        .body(Body::empty());
    let mut request = request.map_err(|e| Fault::Invalid(format!("{} is not valid: {e}", place(url))))?;
    if is_home {
        request.headers_mut().extend(ask.headers.clone());
    }
    request.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    if let Some((start, validator)) = range {
        let range = HeaderValue::from_str(&format!("bytes={start}-"));
        request.headers_mut().insert(RANGE, range.map_err(|e| Fault::Invalid(e.to_string()))?);
        request.headers_mut().insert(IF_RANGE, validator.clone());
    }
    Ok(request)
}

/// Where a redirect leads. Never from TLS to plain text, and to nothing but HTTP.
fn next(from: &Url, shown: &str, location: Option<&str>) -> Result<Url, Fault> {
    let refuse = |why: &str| Fault::Redirect { place: shown.into(), why: why.into() };
    let mut to = location
        .and_then(|l| from.join(l).ok())
        .filter(|to| to.has_host())
        .ok_or_else(|| refuse("to something that is no URL"))?;
    to.set_fragment(None);
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => Ok(to),
        ("https", "http") => Err(refuse("from https to http, where anybody could change what is sent")),
        _ => Err(refuse("to something that is neither http nor https")),
    }
}

/// The scheme, host and port: of a place that a redirect named, even the path may be a secret.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The fault that an answer without success stands for.
pub async fn refusal(place: String, limits: &Limits, response: Response<Incoming>) -> Fault {
    let (head, body) = response.into_parts();
    let challenge = head.headers.get(WWW_AUTHENTICATE).and_then(|c| c.to_str().ok()).map(Into::into);
    let page = tokio::time::timeout(limits.stall, beginning(body)).await.unwrap_or_default();
    Fault::Status {
        place,
        status: head.status.as_u16(),
        code: answer::code(&page),
        challenge,
        retry_after: answer::retry_after(&head.headers),
    }
}

async fn beginning(mut body: Incoming) -> Vec<u8> {
    let mut page = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        page.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        if page.len() >= ERROR_PAGE {
            page.truncate(ERROR_PAGE);
            break;
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(from: &str, location: &str) -> Option<String> {
        next(&Url::parse(from).unwrap(), "x", Some(location)).ok().map(Into::into)
    }

    #[test]
    fn redirects_lead_to_http_and_never_down_from_tls() {
        assert_eq!(led("https://a/b/c", "../d?e#f").as_deref(), Some("https://a/d?e"));
        assert_eq!(led("http://a/b", "https://c/").as_deref(), Some("https://c/"));
        assert_eq!(led("https://a/b", "//c/d").as_deref(), Some("https://c/d"));
        assert_eq!(led("https://a/b", "http://a/b"), None);
        assert_eq!(led("http://a/b", "file:///etc/passwd"), None);
        assert_eq!(led("http://a/b", "http://"), None);
        assert!(next(&Url::parse("http://a/").unwrap(), "x", None).is_err());
    }
}
