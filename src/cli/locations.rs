//! Where a bundle lies, in the AWS CLI's shorthand (`bucket=releases,key=shop/42.tgz`) or as JSON. Pure.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{GitHubRevision, HttpRevision, OciRevision, S3Revision};

/// The words of one kind of location: which there are, and which must be said.
struct Words {
    known: &'static [&'static str],
    required: &'static [&'static str],
}

const S3: Words = Words {
    known: &["bucket", "key", "bundleType", "version", "eTag", "endpoint", "region"],
    required: &["bucket", "key"],
};
const GIT_HUB: Words = Words {
    known: &["repository", "commitId", "bundleType", "apiUrl"],
    required: &["repository", "commitId"],
};
const HTTP: Words = Words { known: &["url", "sha256", "bundleType"], required: &["url", "sha256"] };

/// `bucket=releases,key=shop/42.tgz,bundleType=tgz`
pub fn s3(text: &str) -> Result<S3Revision, String> {
    location(text, &S3)
}

/// `repository=org/app,commitId=0123…`
pub fn git_hub(text: &str) -> Result<GitHubRevision, String> {
    location(text, &GIT_HUB)
}

/// `url=https://…,sha256=0a1b…`
pub fn http(text: &str) -> Result<HttpRevision, String> {
    location(text, &HTTP)
}

/// `host/repository@sha256:0a1b…`
pub fn oci(text: &str) -> Result<OciRevision, String> {
    let is_fixed = text.split_once("@sha256:").is_some_and(|(name, digest)| {
        name.contains('/') && digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())
    });
    if !is_fixed {
        return Err("write it as HOST/REPOSITORY@sha256:DIGEST: a tag moves, a digest does not".into());
    }
    Ok(OciRevision { image: text.into(), secret_ref: None })
}

fn location<T: DeserializeOwned>(text: &str, words: &Words) -> Result<T, String> {
    let given = if text.trim_start().starts_with('{') {
        serde_json::from_str::<Map<String, Value>>(text).map_err(|e| e.to_string())?
    } else {
        shorthand(text, words)?
    };
    if let Some(unknown) = given.keys().find(|key| !words.known.contains(&key.as_str())) {
        return Err(format!("{unknown} is not among {}", words.known.join(", ")));
    }
    if let Some(missing) = words.required.iter().find(|word| !given.contains_key(**word)) {
        return Err(format!("{missing} is missing: {} must be given", words.required.join(" and ")));
    }
    serde_json::from_value(Value::Object(with_known_packing(given))).map_err(|e| e.to_string())
}

/// A comma separates only where a word and `=` follow, so that a URL or a key may hold commas.
fn shorthand(text: &str, words: &Words) -> Result<Map<String, Value>, String> {
    let mut given = Map::new();
    let mut last: Option<String> = None;
    for piece in text.split(',') {
        let pair = piece.split_once('=').filter(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric()));
        match (pair, &last) {
            (Some((key, value)), _) if words.known.contains(&key) || last.is_none() => {
                if given.insert(key.into(), value.into()).is_some() {
                    return Err(format!("{key} is given twice"));
                }
                last = Some(key.into());
            }
            (_, Some(key)) => {
                if let Some(Value::String(value)) = given.get_mut(key) {
                    *value = format!("{value},{piece}");
                }
            }
            _ => return Err(format!("write it as {}=…", words.required.join("=…,"))),
        }
    }
    Ok(given)
}

/// `TGZ` and `yaml` are taken too.
fn with_known_packing(mut given: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::String(packing)) = given.get_mut("bundleType") {
        let known = ["tar", "tgz", "zip", "YAML", "JSON"];
        if let Some(known) = known.iter().find(|known| known.eq_ignore_ascii_case(packing)) {
            *packing = (*known).into();
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::BundleType;

    #[test]
    fn an_object_in_s3_is_written_as_in_the_aws_cli() {
        let revision = s3("bucket=releases,bundleType=tgz,key=shop/42.tgz,version=v1,eTag=\"a\"").unwrap();
        assert_eq!((revision.bucket.as_str(), revision.key.as_str()), ("releases", "shop/42.tgz"));
        assert_eq!(revision.bundle_type, Some(BundleType::Tgz));
        assert_eq!((revision.version.as_deref(), revision.e_tag.as_deref()), (Some("v1"), Some("\"a\"")));
        let other = s3("bucket=b,key=k,endpoint=http://10.0.0.9:9000,region=eu-1,bundleType=ZIP").unwrap();
        assert_eq!(other.endpoint.as_deref(), Some("http://10.0.0.9:9000"));
        assert_eq!(other.bundle_type, Some(BundleType::Zip));
    }

    #[test]
    fn the_same_is_taken_as_json() {
        let short = s3("bucket=b,key=k,bundleType=zip").unwrap();
        assert_eq!(s3(r#"{"bucket": "b", "key": "k", "bundleType": "zip"}"#).unwrap(), short);
    }

    #[test]
    fn values_may_hold_commas_and_equals_signs() {
        assert_eq!(s3("bucket=b,key=a,b=c,d").unwrap().key, "a,b=c,d");
        let sha256 = "0a".repeat(32);
        let file = http(&format!("url=https://x.example/a?b=c,d&e=f,sha256={sha256}")).unwrap();
        assert_eq!(file.url, "https://x.example/a?b=c,d&e=f");
    }

    #[test]
    fn a_commit_is_written_as_in_the_aws_cli() {
        let revision =
            git_hub("repository=org/app,commitId=0123456789abcdef0123456789abcdef01234567").unwrap();
        assert_eq!(revision.repository, "org/app");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_cure() {
        let said = |result: Result<S3Revision, String>| result.unwrap_err();
        assert_eq!(said(s3("bucket=b")), "key is missing: bucket and key must be given");
        assert_eq!(said(s3("shop/42.tgz")), "write it as bucket=…,key=…");
        assert_eq!(said(s3("bucket=b,key=k,bucket=c")), "bucket is given twice");
        assert!(said(s3("bukket=b,key=k")).starts_with("bukket is not among bucket, key"));
        assert!(said(s3("bucket=b,key=k,bundleType=rar")).contains("unknown variant `rar`"));
        assert!(oci("registry.example/web:v1").unwrap_err().contains("a tag moves"));
    }
}
