//! The cache on a real file system.

use super::*;
use crate::api::{BundleType, HttpRevision, OciRevision, S3Revision};

fn web(bytes: &[u8]) -> ResolvedRevision {
    let sha256 = hex(&Sha256::digest(bytes));
    let http =
        HttpRevision { url: "https://host/a".into(), sha256: sha256.to_uppercase(), bundle_type: None };
    ResolvedRevision::new(
        &Revision { http: Some(http.into()), ..Revision::default() },
        format!("sha256:{sha256}"),
    )
}

fn artifact() -> ResolvedRevision {
    let oci = OciRevision { image: format!("host/a@sha256:{}", "a".repeat(64)), secret_ref: None };
    ResolvedRevision::new(&Revision { oci: Some(oci.into()), ..Revision::default() }, "")
}

fn object(digest: &str) -> ResolvedRevision {
    let s3 = S3Revision {
        bucket: "b".into(),
        key: "k".into(),
        version: None,
        e_tag: None,
        bundle_type: Some(BundleType::Tar),
        endpoint: None,
        region: None,
        secret_ref: None,
    };
    ResolvedRevision::new(&Revision { s3: Some(s3.into()), ..Revision::default() }, digest)
}

struct Host {
    dir: tempfile::TempDir,
    cache: Cache,
}

impl Host {
    fn new(max: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(dir.path().join("cache"), max);
        Self { dir, cache }
    }

    fn insert(&self, revision: &ResolvedRevision, bytes: &[u8]) -> Fetched {
        let file = self.dir.path().join("fetched");
        fs::write(&file, bytes).unwrap();
        let fetched = Fetched {
            digest: format!("sha256:{}", hex(&Sha256::digest(bytes))),
            bytes: bytes.len() as u64,
            e_tag: Some("tag".into()),
            version: None,
            kind: None,
        };
        self.cache.insert(revision, &fetched, &file).unwrap();
        fs::remove_file(file).unwrap();
        fetched
    }

    fn lookup(&self, revision: &ResolvedRevision) -> Option<(Fetched, Vec<u8>)> {
        let into = self.dir.path().join("into");
        let found = self.cache.lookup(revision, &into).unwrap()?;
        Some((found, fs::read(into).unwrap()))
    }
}

#[test]
fn what_was_fetched_once_is_found_by_whatever_names_it() {
    let host = Host::new(5);
    let fetched = host.insert(&artifact(), b"PK\x03\x04 bundle");
    let (found, bytes) = host.lookup(&artifact()).unwrap();
    assert_eq!((found.digest, &*bytes), (fetched.digest.clone(), &b"PK\x03\x04 bundle"[..]));
    assert_eq!(found.kind, Some(BundleType::Zip), "by its content");
    assert!(host.lookup(&web(&bytes)).is_some(), "the same bytes under another name");
    let (found, _) = host.lookup(&object(&fetched.digest)).unwrap();
    assert_eq!(found.kind, Some(BundleType::Tar), "as that revision says");
    assert_eq!(found.e_tag, None, "the ETag was another object's");
    assert!(host.lookup(&object("")).is_none(), "nobody knows what lies there now");
    assert!(host.lookup(&web(b"other")).is_none());
}

#[test]
fn a_bundle_that_was_written_to_is_thrown_away() {
    let host = Host::new(5);
    host.insert(&web(b"bundle"), b"bundle");
    host.lookup(&web(b"bundle")).unwrap();
    fs::write(host.dir.path().join("into"), b"hacked").unwrap();
    assert!(host.lookup(&web(b"bundle")).is_none(), "through the hard link");
    assert!(host.lookup(&web(b"bundle")).is_none());
    host.insert(&web(b"bundle"), b"bundle");
    assert!(host.lookup(&web(b"bundle")).is_some());
}

#[test]
fn only_the_last_used_stay_and_never_is_a_kept_one_lost() {
    let host = Host::new(2);
    let first = host.insert(&web(b"1"), b"1");
    host.insert(&web(b"2"), b"2");
    host.lookup(&web(b"1")).unwrap();
    host.insert(&web(b"3"), b"3");
    assert!(host.lookup(&web(b"2")).is_none(), "the one used longest ago");
    assert!(host.lookup(&web(b"1")).is_some() && host.lookup(&web(b"3")).is_some());
    Cache { max: 0, ..host.cache.clone() }.prune(&[&first.digest]).unwrap();
    assert!(host.lookup(&web(b"1")).is_some() && host.lookup(&web(b"3")).is_none());
}

#[test]
fn what_a_crash_leaves_behind_is_swept_away() {
    let host = Host::new(2);
    let fetched = host.insert(&web(b"1"), b"1");
    let dir = host.dir.path().join("cache");
    fs::write(dir.join("content.part"), b"half").unwrap();
    fs::write(dir.join("oci-0.json"), b"{half").unwrap();
    fs::remove_file(dir.join(fetched.digest.replace(':', "-"))).unwrap();
    assert!(host.lookup(&web(b"1")).is_none(), "a note without its bytes");
    host.cache.prune(&[]).unwrap();
    assert_eq!(fs::read_dir(dir).unwrap().count(), 0);
    assert!(Cache::new(host.dir.path().join("absent"), 2).prune(&[]).is_ok());
}
