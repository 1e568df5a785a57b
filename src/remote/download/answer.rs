//! What the headers and the error pages of answers say. Pure.

use std::time::Duration;

use http::header::{CONTENT_RANGE, HeaderMap, HeaderName, RETRY_AFTER};

/// A header's value as text, without quotes and without the mark of a weak ETag.
pub fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    let value = value.strip_prefix("W/").unwrap_or(value);
    Some(value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value).to_owned())
}

/// A header's value as a number.
pub fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The pause that the server asks for, when it gives it in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    number(headers, &RETRY_AFTER).map(Duration::from_secs)
}

/// `bytes START-END/TOTAL`: the start, and the total unless it is `*`.
pub fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

/// The word by which an S3 store or an OCI registry names what is wrong: `<Code>WORD</Code>`, `"code":"WORD"`. Only letters and
/// underscores: nothing else that a server writes gets into our sentences.
pub fn code(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let rest = match body.split_once("<Code>") {
        Some((_, rest)) => rest,
        None => body.split_once("\"code\"")?.1.trim_start_matches([':', ' ', '"']),
    };
    let word: String = rest.chars().take_while(|c| c.is_ascii_alphabetic() || *c == '_').take(64).collect();
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        [(HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn a_range_is_read_as_it_is_written() {
        let range = |value| content_range(&headers("content-range", value));
        assert_eq!(range("bytes 10-19/20"), Some((10, Some(20))));
        assert_eq!(range("bytes 10-19/*"), Some((10, None)));
        assert_eq!(range("bytes */20"), None);
        assert_eq!(range("items 1-2/3"), None);
    }

    #[test]
    fn an_etag_loses_its_quotes() {
        let e_tag = |value| text(&headers("etag", value), &http::header::ETAG);
        assert_eq!(e_tag("\"abc-2\"").as_deref(), Some("abc-2"));
        assert_eq!(e_tag("W/\"abc\"").as_deref(), Some("abc"));
        assert_eq!(e_tag("abc").as_deref(), Some("abc"));
    }

    #[test]
    fn an_error_page_gives_one_word_at_most() {
        assert_eq!(code(b"<Error><Code>NoSuchKey</Code><Message>x</Message>").as_deref(), Some("NoSuchKey"));
        assert_eq!(code(br#"{"errors":[{"code":"BLOB_UNKNOWN"}]}"#).as_deref(), Some("BLOB_UNKNOWN"));
        assert_eq!(code(br#"{"errors":[{"code": "DENIED, and a lie"}]}"#).as_deref(), Some("DENIED"));
        assert_eq!(code(b"<html>404</html>"), None);
        assert_eq!(code(b"<Code>\x1b[31m</Code>"), None);
    }
}
