//! `push`: a folder becomes a bundle in S3-compatible storage, and what a Deployment has to say of it is printed. Asks nothing of
//! the cluster.

mod profile;

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::args::{Push, PushFormat};
use super::error::Error;
use super::lint;
use super::render;
use super::screen::{print, tell};
use crate::api::{BundleType, Revision, S3Revision};
use crate::source::bundle::FetchOptions;
use crate::source::push::{Folder, Pushed, push};
use crate::source::{Credentials, Error as SourceError};

/// Does it.
///
/// # Errors
/// A folder that hosts would refuse, credentials that are nowhere, a store that refuses.
pub async fn run(args: &Push) -> Result<(), Error> {
    let (bucket, key) = args.s3_location.clone();
    let kind = args.kind.unwrap_or_else(|| kind_of(&key));
    lint::vet(&args.source)?;
    let place = S3Revision {
        bucket,
        key,
        version: None,
        e_tag: None,
        bundle_type: Some(kind),
        endpoint: args.endpoint.clone().or_else(|| variable(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"])),
        region: args.region.clone().or_else(|| variable(&["AWS_REGION", "AWS_DEFAULT_REGION"])),
        secret_ref: None,
    };
    let folder = Folder { dir: &args.source, kind, hidden: !args.ignore_hidden_files };
    let pushed = push(&folder, &place, &credentials()?, &FetchOptions::of_hosts()).await?;
    match args.output {
        PushFormat::Json => print(&format!("{:#}\n", fields(&pushed))),
        PushFormat::Yaml => print(&snippet(&pushed, args.application_name.as_deref())?),
    }
}

/// The first of these environment variables that says something.
fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn kind_of(key: &str) -> BundleType {
    match key.rsplit_once('.') {
        Some((_, "zip")) => BundleType::Zip,
        Some((_, "tar")) => BundleType::Tar,
        _ => BundleType::Tgz,
    }
}

fn credentials() -> Result<Credentials, Error> {
    let id_and_key = (variable(&["AWS_ACCESS_KEY_ID"]), variable(&["AWS_SECRET_ACCESS_KEY"]));
    if let (Some(access_key_id), Some(secret_access_key)) = id_and_key {
        let session_token = variable(&["AWS_SESSION_TOKEN"]);
        return Ok(Credentials::S3 { access_key_id, secret_access_key, session_token });
    }
    let path = variable(&["AWS_SHARED_CREDENTIALS_FILE"])
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable(&["HOME"])?).join(".aws/credentials")));
    let name = variable(&["AWS_PROFILE"]).unwrap_or_else(|| "default".into());
    let text = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
    text.and_then(|text| profile::credentials(&text, &name)).ok_or_else(|| {
        Error::Usage(format!(
            "no credentials for the storage: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write both into profile {name} of {}",
            path.unwrap_or_else(|| "~/.aws/credentials".into()).display()
        ))
    })
}

fn fields(pushed: &Pushed) -> serde_json::Value {
    let mut value = json!(pushed.revision);
    value["sha256"] = json!(pushed.sha256);
    value["bytes"] = json!(pushed.bytes);
    value
}

/// The revision as a Deployment names it, and the command that deploys it.
fn snippet(pushed: &Pushed, application: Option<&str>) -> Result<String, Error> {
    let s3 = &pushed.revision;
    let optional =
        |name: &str, value: Option<&String>| value.map(|v| format!(",{name}={v}")).unwrap_or_default();
    let kind = json!(s3.bundle_type);
    let location = format!(
        "bucket={},key={},bundleType={}{}{}{}{}",
        s3.bucket,
        s3.key,
        kind.as_str().unwrap_or_default(),
        optional("version", s3.version.as_ref()),
        optional("eTag", s3.e_tag.as_ref()),
        optional("endpoint", s3.endpoint.as_ref()),
        optional("region", s3.region.as_ref()),
    );
    let group = application.map_or_else(|| "GROUP".into(), |name| format!("GROUP-OF-{name}"));
    tell(&format!("pushed {} entries, {} bytes, sha256:{}", pushed.entries, pushed.bytes, pushed.sha256));
    tell(&format!("to deploy it: kubectl sluice create-deployment {group} --s3-location {location}"));
    let revision = Revision { s3: Some(s3.clone().into()), ..Revision::default() };
    render::document(&[json!({ "revision": revision })], render::Extent::One, true)
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed() -> Pushed {
        let revision = S3Revision {
            bucket: "releases".into(),
            key: "web/1.tgz".into(),
            version: Some("v1".into()),
            e_tag: Some("abc".into()),
            bundle_type: Some(BundleType::Tgz),
            endpoint: None,
            region: Some("eu-central-1".into()),
            secret_ref: None,
        };
        Pushed { revision, sha256: "0".repeat(64), bytes: 12, entries: 2 }
    }

    #[test]
    fn what_is_printed_is_a_revision() {
        let yaml = snippet(&pushed(), None).unwrap();
        for line in [
            "revision:",
            "s3:",
            "bucket: releases",
            "key: web/1.tgz",
            "version: v1",
            "eTag: abc",
            "bundleType: tgz",
        ] {
            assert!(yaml.contains(line), "{line}: {yaml}");
        }
        let fields = fields(&pushed());
        for (name, value) in
            [("bucket", "releases"), ("eTag", "abc"), ("bundleType", "tgz"), ("sha256", &"0".repeat(64))]
        {
            assert_eq!(fields[name], value);
        }
    }

    #[test]
    fn the_keys_ending_tells_how_to_pack() {
        assert_eq!(kind_of("a/b.zip"), BundleType::Zip);
        assert_eq!(kind_of("a/b.tar"), BundleType::Tar);
        assert_eq!(kind_of("a/b.tar.gz"), BundleType::Tgz);
        assert_eq!(kind_of("a.zip/b"), BundleType::Tgz);
    }
}
