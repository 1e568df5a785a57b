//! Objects in S3-compatible storage, by URLs that are signed for one request each.
//!
//! Signing is the library's; the request is ours, so that its address, redirects and limits are too.

use std::time::Duration;

use rusty_s3::actions::{GetObject, PutObject};
use rusty_s3::{Bucket, S3Action, UrlStyle};
use url::Url;

use super::{Credentials, Error};
use crate::api::S3Revision;
use crate::remote::clock;

/// How long a signed URL may be used. It is used at once; the rest is for clocks that are off.
const VALID: Duration = Duration::from_secs(900);
const REGION: &str = "us-east-1";

/// One object, and who asks for it.
#[derive(Debug)]
pub struct Object {
    bucket: Bucket,
    key: String,
    version: Option<String>,
    credentials: Option<rusty_s3::Credentials>,
}

impl Object {
    /// The object that `revision` names. Custom endpoints are asked path-style, AWS' virtual-hosted.
    ///
    /// Errors: [`Error::InvalidRevision`] for a key or an endpoint that no URL can name.
    pub fn of(revision: &S3Revision, credentials: Option<&Credentials>) -> Result<Self, Error> {
        let key = &revision.key;
        if key.is_empty() || key.split('/').any(|part| part == "." || part == "..") {
            return invalid(
                "key",
                "has a part that is . or .., which no URL can name; store the bundle under another key",
            );
        }
        let region = revision.region.as_deref().unwrap_or(REGION);
        let endpoint = revision.endpoint.clone().unwrap_or_else(|| aws(region));
        let Ok(endpoint) = Url::parse(&endpoint) else {
            return invalid("endpoint", "is not a URL; write https://host or http://host:port");
        };
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return invalid(
                "endpoint",
                "holds a user or a password; put both into a Secret and name it in secretRef",
            );
        }
        // The certificates of AWS match one label before the host.
        let is_host = revision.endpoint.is_none() && !revision.bucket.contains('.');
        let style = if is_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
        let Ok(bucket) = Bucket::new(endpoint, style, revision.bucket.clone(), region.to_owned()) else {
            return invalid("bucket", "cannot be part of a URL; correct it, or the endpoint");
        };
        let credentials = credentials.and_then(signer);
        Ok(Self { bucket, key: key.clone(), version: revision.version.clone(), credentials })
    }

    /// A URL to read it by; without credentials, the plain one.
    pub fn get(&self) -> Url {
        let mut get = GetObject::new(&self.bucket, self.credentials.as_ref(), &self.key);
        if let Some(version) = &self.version {
            get.query_mut().insert("versionId", version.as_str());
        }
        get.sign_with_time(VALID, &clock::now())
    }

    /// A URL to write it by.
    pub fn put(&self) -> Url {
        let put = PutObject::new(&self.bucket, self.credentials.as_ref(), &self.key);
        put.sign_with_time(VALID, &clock::now())
    }
}

fn invalid<T>(field: &str, what: &str) -> Result<T, Error> {
    Err(Error::InvalidRevision(format!("spec.revision.s3.{field} {what}")))
}

fn signer(credentials: &Credentials) -> Option<rusty_s3::Credentials> {
    let Credentials::S3 { access_key_id: id, secret_access_key: key, session_token } = credentials else {
        return None;
    };
    Some(match session_token {
        Some(token) => rusty_s3::Credentials::new_with_token(id, key, token),
        None => rusty_s3::Credentials::new(id, key),
    })
}

fn aws(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://s3.{region}.{domain}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(key: &str, endpoint: Option<&str>) -> S3Revision {
        S3Revision {
            bucket: "releases".into(),
            key: key.into(),
            version: Some("v+1".into()),
            e_tag: None,
            bundle_type: None,
            endpoint: endpoint.map(Into::into),
            region: Some("eu-central-1".into()),
            secret_ref: None,
        }
    }

    fn url(revision: &S3Revision, credentials: Option<&Credentials>) -> String {
        Object::of(revision, credentials).unwrap().get().into()
    }

    #[test]
    fn aws_is_asked_by_host_and_others_by_path() {
        let aws = "https://releases.s3.eu-central-1.amazonaws.com/a/b%20c.zip?versionId=v%2B1";
        assert_eq!(url(&object("a/b c.zip", None), None), aws);
        let own = "http://store:9000/releases/a.zip?versionId=v%2B1";
        assert_eq!(url(&object("a.zip", Some("http://store:9000")), None), own);
        let dotted = S3Revision { bucket: "a.b".into(), version: None, ..object("c", None) };
        assert_eq!(url(&dotted, None), "https://s3.eu-central-1.amazonaws.com/a.b/c");
    }

    #[test]
    fn a_signed_url_bears_the_version_and_the_session() {
        let credentials = Credentials::S3 {
            access_key_id: "AKIA".into(),
            secret_access_key: "key".into(),
            session_token: Some("session".into()),
        };
        let url = url(&object("a.zip", None), Some(&credentials));
        for part in ["versionId=v%2B1", "X-Amz-Security-Token=session", "X-Amz-Signature=", "eu-central-1"] {
            assert!(url.contains(part), "{part}: {url}");
        }
    }

    #[test]
    fn a_key_that_leaves_the_bucket_is_refused() {
        for key in ["../other/secret", "a/../../b", "./a", ""] {
            assert!(Object::of(&object(key, None), None).is_err(), "{key}");
        }
        assert!(Object::of(&object("a/..b/...", None), None).is_ok());
        assert!(Object::of(&object("a", Some("https://user:pass@store")), None).is_err());
    }
}
