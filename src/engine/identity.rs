//! What tells two desired revisions apart before anything is fetched: the fields that say where it lies.
//!
//! A change behind the same fields (an object in S3 that is overwritten) is no new value; a version or an eTag makes it one.

use super::draft::digest;
use crate::api::{ResolvedRevision, Revision};

/// The identity of a source that is fetched only when its turn comes, and the revision as far as it is known by then. `None` for one
/// that is known by its content.
pub fn of_source(source: &Revision) -> Option<(String, ResolvedRevision)> {
    if !source.is_bundle() {
        return None;
    }
    if let Some(file) = &source.http {
        let content = format!("sha256:{}", file.sha256.to_ascii_lowercase());
        return Some((content.clone(), ResolvedRevision::new(source, content)));
    }
    let known = source.git_hub.as_ref().map(|g| format!("git:{}", g.commit_id.to_ascii_lowercase()));
    let text = serde_json::to_string(&source.without_secret()).unwrap_or_default();
    Some((digest(text.as_bytes()), ResolvedRevision::new(source, known.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{HttpRevision, LocalRef, OciRevision};

    fn artifact(digit: &str, secret: Option<&str>) -> Revision {
        let image = format!("host/web@sha256:{}", digit.repeat(64));
        Revision {
            oci: Some(OciRevision { image, secret_ref: secret.map(LocalRef::new) }.into()),
            ..Revision::default()
        }
    }

    fn identity(source: &Revision) -> String {
        of_source(source).unwrap().0
    }

    #[test]
    fn another_place_is_another_value_and_another_secret_is_not() {
        assert_ne!(identity(&artifact("a", None)), identity(&artifact("b", None)));
        assert_eq!(identity(&artifact("a", None)), identity(&artifact("a", Some("pull"))));
        assert_eq!(of_source(&artifact("a", None)).unwrap().1.digest, "", "not fetched yet");
    }

    #[test]
    fn a_file_is_its_content_wherever_it_lies() {
        let file = |url: &str| Revision {
            http: Some(HttpRevision { url: url.into(), sha256: "A".repeat(64), bundle_type: None }.into()),
            ..Revision::default()
        };
        assert_eq!(identity(&file("https://a/x")), format!("sha256:{}", "a".repeat(64)));
        assert_eq!(identity(&file("https://a/x")), identity(&file("https://b/y")));
        assert!(of_source(&Revision::inline("version: 0.0")).is_none());
    }
}
