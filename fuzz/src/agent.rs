//! Unpacking, and what must hold whatever it is given.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[path = "../../src/agent/archive/mod.rs"]
pub mod archive;
#[path = "../../src/agent/beneath.rs"]
mod beneath;
#[path = "../../src/agent/trouble.rs"]
mod trouble;
#[path = "../../src/agent/warnings.rs"]
pub mod warnings;

use crate::api::BundleType;

/// Unpacks bytes in memory: nothing panics, nothing is written outside, and what comes out is files, directories and links that stay.
pub fn unpack_harmlessly(bytes: &[u8], kind: Option<BundleType>) {
    let outer = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let (bundle, into) = (outer.path().join("bundle"), outer.path().join("host/into"));
    fs::create_dir(outer.path().join("host")).expect("a directory");
    fs::write(&bundle, bytes).expect("a file");
    let mut options = archive::Options::default();
    options.limits = archive::Limits { bytes: 16 << 20, entries: 5_000, ..options.limits };
    let unpacked = archive::unpack(&bundle, kind, &into, &options);
    if let Err(error) = &unpacked {
        let said = error.to_string();
        assert!(said.len() < 2_000 && !said.contains(char::is_control), "{said:?}");
        assert!(!error.reason().is_empty());
    }
    assert_eq!(fs::read(&bundle).expect("the bundle"), bytes);
    assert_eq!(names(outer.path()), ["bundle", "host"]);
    assert_eq!(names(&outer.path().join("host")), if unpacked.is_ok() { vec!["into"] } else { vec![] });
    if unpacked.is_ok() {
        check(&into, &into);
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory").flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn check(directory: &Path, root: &Path) {
    for name in names(directory) {
        let path = directory.join(name);
        let found = path.symlink_metadata().expect("what was listed");
        if found.is_symlink() {
            if let Ok(real) = fs::canonicalize(&path) {
                assert!(
                    real.starts_with(fs::canonicalize(root).expect("the root")),
                    "{path:?} leads to {real:?}"
                );
            }
            continue;
        }
        assert!(found.is_dir() || found.is_file(), "{path:?}");
        assert_eq!(found.mode() & 0o6000, 0, "{path:?}");
        if found.is_dir() {
            check(&path, root);
        }
    }
}
