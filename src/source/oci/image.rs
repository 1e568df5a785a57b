//! `host/repository@sha256:digest`, taken apart. Pure.

use std::net::IpAddr;

use crate::source::Error;

/// An image by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The registry's URL without a path.
    pub base: String,
    /// The repository.
    pub repository: String,
    /// The manifest's SHA-256 in lower-case hex.
    pub sha256: String,
}

/// True for 64 lower-case hex digits.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

impl Image {
    /// Takes `image` apart. A registry is asked over TLS, but on this machine, or when the name begins with `http://`.
    ///
    /// Errors: [`Error::InvalidRevision`] if it has another form.
    pub fn read(image: &str) -> Result<Self, Error> {
        Self::parts(image).ok_or_else(|| {
            Error::InvalidRevision(
                "spec.revision.oci.image must be host/repository@sha256:digest with 64 lower-case hex digits"
                    .into(),
            )
        })
    }

    fn parts(image: &str) -> Option<Self> {
        let (name, digest) = image.rsplit_once('@')?;
        let sha256 = digest.strip_prefix("sha256:").filter(|d| is_sha256(d))?.to_owned();
        let (scheme, name) = match name.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => (Some(scheme), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (host, repository) = name.split_once('/')?;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/".contains(c);
        let has_parts = repository.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        let is_host = !host.is_empty() && !host.contains(['?', '#', '\\', '@']);
        if !has_parts || !repository.chars().all(is_plain) || !is_host {
            return None;
        }
        let (host, repository) = match host {
            // Docker's hub has another address than name, and shortens its own images.
            "docker.io" | "index.docker.io" if !repository.contains('/') => {
                ("registry-1.docker.io", format!("library/{repository}"))
            }
            "docker.io" | "index.docker.io" => ("registry-1.docker.io", repository.to_owned()),
            _ => (host, repository.to_owned()),
        };
        let scheme = scheme.unwrap_or(if is_this_machine(host) { "http" } else { "https" });
        Some(Self { base: format!("{scheme}://{host}"), repository, sha256 })
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((name, _)) => name,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> Option<(String, String)> {
        let image = Image::read(&format!("{name}@sha256:{}", "a".repeat(64))).ok()?;
        Some((image.base, image.repository))
    }

    #[test]
    fn a_registry_is_asked_over_tls_unless_it_is_this_machine() {
        let is = |name, base: &str, repository: &str| {
            assert_eq!(read(name), Some((base.into(), repository.into())), "{name}");
        };
        is("ghcr.io/acme/web", "https://ghcr.io", "acme/web");
        is("registry:5000/web", "https://registry:5000", "web");
        is("http://registry:5000/web", "http://registry:5000", "web");
        is("localhost:5000/web", "http://localhost:5000", "web");
        is("127.0.0.1:5000/web", "http://127.0.0.1:5000", "web");
        is("[::1]:5000/web", "http://[::1]:5000", "web");
        is("docker.io/redis", "https://registry-1.docker.io", "library/redis");
        is("docker.io/acme/web", "https://registry-1.docker.io", "acme/web");
    }

    #[test]
    fn what_could_lead_elsewhere_is_refused() {
        for name in
            ["host", "host/../v2", "host/a//b", "ftp://host/a", "user@host/a", "host?x=/a", "host/A", "/a"]
        {
            assert_eq!(read(name), None, "{name}");
        }
        assert!(Image::read("host/a@sha256:abc").is_err());
        assert!(Image::read(&format!("host/a@sha256:{}", "A".repeat(64))).is_err());
    }
}
