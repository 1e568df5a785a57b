//! A folder on its way to S3-compatible storage: packed into a temporary file, uploaded from there.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::explain::{self, Field};
use super::pack::pack;
use super::s3::Object;
use super::transfer::VERSION;
use super::{Credentials, Error};
use crate::api::{BundleType, ResolvedRevision, Revision, S3Revision};
use crate::remote::download::{Limits, hex};
use crate::remote::upload::upload;

/// What lies in the store now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The object, with the version and the ETag that the store gave it.
    pub revision: S3Revision,
    /// SHA-256 of the bundle in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Files, folders and links in it.
    pub entries: usize,
}

/// What is packed, and how.
#[derive(Clone, Debug)]
pub struct Folder<'a> {
    /// The folder.
    pub dir: &'a Path,
    /// How it is packed.
    pub kind: BundleType,
    /// Whether names that begin with a dot are taken along.
    pub hidden: bool,
}

/// Packs `folder` and stores it as the object that `place` names.
///
/// Errors: as of a fetch, and for what cannot be packed.
pub async fn push(
    folder: &Folder<'_>,
    place: &S3Revision,
    credentials: &Credentials,
    limits: &Limits,
) -> Result<Pushed, Error> {
    let disk = |e: std::io::Error| {
        Error::Disk(format!("the bundle cannot be packed in the folder for temporary files: {e}"))
    };
    let mut place =
        S3Revision { bundle_type: Some(folder.kind), version: None, e_tag: None, ..place.clone() };
    let object = Object::of(&place, Some(credentials))?;
    let mut file = tempfile::tempfile().map_err(disk)?;
    let entries = pack(folder.dir, folder.kind, folder.hidden, file.try_clone().map_err(disk)?)?;
    let (sha256, bytes) = digest(&mut file).map_err(disk)?;
    let headers = upload(&file, bytes, limits, || object.put()).await.map_err(|fault| {
        let source = Revision { s3: Some(place.clone().into()), ..Revision::default() };
        explain::error(Field::S3, &ResolvedRevision::new(&source, ""), fault)
    })?;
    let told = |name: &http::HeaderName| {
        let value = headers.get(name).and_then(|v| v.to_str().ok()).map(|v| v.trim_matches('"').to_owned());
        // A store that keeps no versions says so with this word.
        value.filter(|v| !v.is_empty() && v != "null")
    };
    place.e_tag = told(&http::header::ETAG);
    place.version = told(&VERSION);
    Ok(Pushed { revision: place, sha256, bytes, entries })
}

fn digest(file: &mut std::fs::File) -> std::io::Result<(String, u64)> {
    use std::io::{Read, Seek};
    file.rewind()?;
    let (mut hash, mut bytes, mut chunk) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok((hex(&hash.finalize()), bytes));
        }
        hash.update(&chunk[..read]);
        bytes += read as u64;
    }
}
