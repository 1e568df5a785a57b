//! What a registry answers to those it does not know: `WWW-Authenticate`, and how to answer that. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::Url;

use crate::remote::download::Fault;

/// A registry's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// User and password.
    Basic,
    /// A token, which another server hands out.
    Bearer {
        /// That server.
        realm: String,
        /// Whom the token is for.
        service: Option<String>,
        /// What it is for.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads the header. `None` for a scheme that we don't know.
    pub fn read(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| {
            parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
        };
        Some(Self::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") })
    }
}

/// `name="value",name=value`; a comma inside of quotes belongs to the value.
fn parameters(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name.trim_matches([',', ' ']).to_owned(), value.trim().to_owned()));
        rest = after;
    }
    found
}

/// The header for user and password.
pub fn basic(user: &str, password: &str) -> Result<HeaderValue, Fault> {
    let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::from_str(&value).map_err(|e| Fault::Invalid(e.to_string()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where the token is asked for. What goes to a registry over TLS goes to its token server over TLS too.
pub fn token_url(base: &str, realm: &str, service: Option<&str>, scope: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| Fault::Invalid(format!("{base} names a server for tokens that {why}"));
    let mut url = Url::parse(realm).map_err(|_| refuse("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse("is no URL of HTTP"));
    }
    if base.starts_with("https:") && url.scheme() != "https" {
        return Err(refuse("would be asked without TLS"));
    }
    url.set_fragment(None);
    url.query_pairs_mut().extend_pairs(service.map(|s| ("service", s))).append_pair("scope", scope);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_as_registries_write_it() {
        let bearer = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.docker.io/token".into(),
            service: Some("registry.docker.io".into()),
            scope: Some("repository:a/b:pull,push".into()),
        };
        assert_eq!(Challenge::read(bearer), Some(expected));
        assert_eq!(Challenge::read("Basic realm=\"x\""), Some(Challenge::Basic));
        assert_eq!(Challenge::read("Negotiate abc"), None);
        assert_eq!(Challenge::read("Bearer scope=x"), None);
        let bare = Challenge::Bearer { realm: "http://a".into(), service: None, scope: None };
        assert_eq!(Challenge::read("bearer realm=http://a, other=1"), Some(bare));
    }

    #[test]
    fn a_token_is_never_asked_for_without_tls_on_behalf_of_tls() {
        let url = token_url("https://r", "https://a/token?x=1", Some("r"), "repository:a:pull").unwrap();
        assert_eq!(url.as_str(), "https://a/token?x=1&service=r&scope=repository%3Aa%3Apull");
        assert!(token_url("https://r", "http://a/token", None, "s").is_err());
        assert!(token_url("http://r", "http://a/token", None, "s").is_ok());
        assert!(token_url("http://r", "file:///etc/passwd", None, "s").is_err());
    }
}
