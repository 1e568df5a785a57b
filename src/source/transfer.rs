//! From a revision to bytes in a sink: which request each source takes, what has to hold of the answer, what a fault means.

use http::HeaderMap;
use http::header::{ETAG, HeaderName};
use kube::client::Body;
use url::Url;

use super::explain::{self, Field};
use super::oci::{Image, Layer, Pull};
use super::s3::Object;
use super::{Credentials, Error, git_hub};
use crate::api::{BundleType, HttpRevision, ResolvedRevision, Revision};
use crate::remote::download::{Ask, Asks, Expected, Fault, Got, Limits, Sink, download};
use crate::remote::{Client, Versions, client};

/// The object's version, in an answer of S3.
pub const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");

/// Carries the bytes of `revision` into `sink`.
pub async fn transfer(
    revision: &ResolvedRevision,
    credentials: Option<&Credentials>,
    sink: Sink,
    limits: &Limits,
) -> Result<Got, Error> {
    let client = client(limits.egress.clone(), Versions::Http1)
        .map_err(|e| Error::Unreachable(format!("the system's certificates cannot be used: {e}")))?;
    let field = Field::of(&revision.source);
    let mut course = Course::of(&client, revision, credentials, limits)?;
    let got = async {
        let expected = course.expected(revision).await?;
        download(&client, sink, expected, limits, &mut course).await
    };
    let got = tokio::time::timeout(limits.total, got).await;
    got.unwrap_or(Err(Fault::Late(limits.total))).map_err(|fault| explain::error(field, revision, fault))
}

/// How the bytes are asked for, try by try.
enum Course<'a> {
    Object(Object),
    Fixed(Ask),
    Artifact { pull: Pull<'a>, layer: Option<Layer>, tries: u32 },
}

impl<'a> Course<'a> {
    fn of(
        client: &'a Client<Body>,
        revision: &ResolvedRevision,
        credentials: Option<&'a Credentials>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        match &revision.source {
            Revision { s3: Some(s3), .. } => Object::of(s3, credentials).map(Self::Object),
            Revision { git_hub: Some(commit), .. } => git_hub::ask(commit, credentials).map(Self::Fixed),
            Revision { http: Some(file), .. } => web(file).map(Self::Fixed),
            Revision { oci: Some(oci), .. } => {
                let pull = Pull::new(client, limits, Image::read(&oci.image)?, credentials);
                Ok(Self::Artifact { pull, layer: None, tries: 0 })
            }
            _ => Err(Error::InvalidRevision(
                "spec.revision names nothing that can be downloaded; use s3, gitHub, http or oci".into(),
            )),
        }
    }

    /// What has to hold of the bytes; for an artifact its manifest tells.
    async fn expected(&mut self, revision: &ResolvedRevision) -> Result<Expected, Fault> {
        let on_record = revision.digest.strip_prefix("sha256:").map(str::to_ascii_lowercase);
        match (self, &revision.source) {
            (Self::Artifact { pull, layer, .. }, _) => {
                let found = pull.layer().await?;
                let expected = Expected {
                    sha256: Some(found.sha256.clone()),
                    bytes: Some(found.bytes),
                    headers: vec![],
                };
                *layer = Some(found);
                Ok(expected)
            }
            (_, Revision { s3: Some(s3), .. }) => {
                let e_tag = s3.e_tag.as_ref().map(|e| (ETAG, e.trim_matches('"').to_owned()));
                let version = s3.version.as_ref().map(|v| (VERSION, v.clone()));
                Ok(Expected {
                    sha256: on_record,
                    bytes: None,
                    headers: e_tag.into_iter().chain(version).collect(),
                })
            }
            (_, Revision { http: Some(file), .. }) => {
                Ok(Expected { sha256: Some(file.sha256.to_ascii_lowercase()), ..Expected::default() })
            }
            _ => Ok(Expected::default()),
        }
    }
}

impl Asks for Course<'_> {
    async fn ask(&mut self) -> Result<Ask, Fault> {
        match self {
            Self::Object(object) => Ok(Ask { url: object.get(), headers: HeaderMap::new() }),
            Self::Fixed(ask) => Ok(ask.clone()),
            Self::Artifact { pull, layer, tries } => {
                *tries += 1;
                let layer = layer.as_ref().ok_or_else(|| Fault::Invalid("it has no layer".into()))?;
                pull.blob(layer, *tries > 1).await
            }
        }
    }
}

fn web(file: &HttpRevision) -> Result<Ask, Error> {
    let invalid = |what: &str| Err(Error::InvalidRevision(format!("spec.revision.http.url {what}")));
    let Ok(mut url) = Url::parse(&file.url) else {
        return invalid("is not a URL; write https://host/path");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return invalid("must begin with https:// or http:// and name a host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid(
            "holds a user or a password, which everybody sees who may read the object; leave them out, or use a source that takes a secretRef",
        );
    }
    url.set_fragment(None);
    Ok(Ask { url, headers: HeaderMap::new() })
}

/// How the revision says that it is packed; of GitHub's archives, how they really are.
///
/// Errors: [`Error::InvalidRevision`] for a form in which the source has none.
pub fn declared(revision: &Revision) -> Result<Option<BundleType>, Error> {
    if let Some(commit) = &revision.git_hub {
        return git_hub::kind(commit).map(Some);
    }
    let s3 = revision.s3.as_ref().and_then(|s| s.bundle_type);
    Ok(s3.or(revision.http.as_ref().and_then(|h| h.bundle_type)))
}

/// How a bundle is packed by its first 512 bytes; `None` if they look like none.
pub fn detected(head: &[u8]) -> Option<BundleType> {
    match head {
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(BundleType::Zip),
        [0x1f, 0x8b, ..] => Some(BundleType::Tgz),
        _ if head.get(257..262) == Some(b"ustar") || is_old_tar(head) => Some(BundleType::Tar),
        _ => None,
    }
}

/// A tar header from before `ustar` is known by its checksum: the sum of its bytes, with blanks where it stands itself.
fn is_old_tar(head: &[u8]) -> bool {
    let (Some(header), Some(field)) = (head.get(..512), head.get(148..156)) else { return false };
    let text = std::str::from_utf8(field).unwrap_or_default();
    let Ok(told) = u32::from_str_radix(text.trim_matches([' ', '\0']), 8) else { return false };
    let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
    let own: u32 = field.iter().map(|b| u32::from(*b)).sum();
    told == sum - own + 8 * u32::from(b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_known_by_its_first_bytes() {
        assert_eq!(detected(b"PK\x03\x04rest"), Some(BundleType::Zip));
        assert_eq!(detected(&[0x1f, 0x8b, 8]), Some(BundleType::Tgz));
        assert_eq!(detected(b"version: 0.0"), None);
        assert_eq!(detected(&[0; 512]), None);
        let mut old = [0u8; 512];
        old[..4].copy_from_slice(b"file");
        let sum: u32 = b"file".iter().map(|b| u32::from(*b)).sum::<u32>() + 8 * 32;
        old[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert_eq!(detected(&old), Some(BundleType::Tar));
        old[0] = b'x';
        assert_eq!(detected(&old), None);
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_repeating_it() {
        let file = |url: &str| HttpRevision { url: url.into(), sha256: "0".repeat(64), bundle_type: None };
        let error = web(&file("https://u:s3cret@host/a")).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
        assert!(web(&file("https://")).is_err() && web(&file("ftp://host/a")).is_err());
        assert_eq!(web(&file("https://host/a?b#c")).unwrap().url.as_str(), "https://host/a?b");
    }
}
