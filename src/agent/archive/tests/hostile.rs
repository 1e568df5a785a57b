//! The corpus: every archive is refused by its name, or unpacked with nothing outside of its directory.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::{Limits, Options, Report, unpack};
use super::hostile_tar::tars;
use super::hostile_zip::zips;

/// One archive, and the word that it is refused with; nothing for one that does no harm.
pub struct Case {
    pub label: String,
    pub bytes: Vec<u8>,
    pub reason: Option<&'static str>,
}

impl Case {
    pub fn refused(label: impl Into<String>, reason: &'static str, bytes: Vec<u8>) -> Self {
        Self { label: label.into(), bytes, reason: Some(reason) }
    }

    pub fn harmless(label: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { label: label.into(), bytes, reason: None }
    }
}

/// Small limits, so that what breaks them can be small.
pub fn options() -> Options {
    let limits =
        Limits { bytes: 64 << 20, entries: 2_000, ratio: 100, ratio_from: 1 << 20, ..Limits::default() };
    Options { limits, ..Options::default() }
}

/// Everything below a directory, with what would show that it was touched.
pub fn everything(root: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let content = match meta.file_type() {
                kind if kind.is_dir() => Vec::new(),
                kind if kind.is_symlink() => {
                    fs::read_link(&path).unwrap().to_string_lossy().as_bytes().to_vec()
                }
                kind if kind.is_file() && meta.len() < 1 << 16 => fs::read(&path).unwrap(),
                _ => Vec::new(),
            };
            if meta.is_dir() {
                open.push(path.clone());
            }
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, (meta.mode(), meta.len() * u64::from(!meta.is_dir()), content));
        }
    }
    found
}

/// What lies there: mode, size and content by name.
type Found = BTreeMap<String, (u32, u64, Vec<u8>)>;

/// Unpacks into `into` below a fresh directory with other things in it, and holds that only `into` came to be.
pub fn attempt(bytes: &[u8], options: &Options) -> (Result<Report, String>, Found) {
    let outer = tempfile::tempdir().unwrap();
    let host = outer.path().join("host");
    fs::create_dir_all(host.join("etc")).unwrap();
    fs::write(host.join("etc/passwd"), "root").unwrap();
    fs::write(host.join("x"), "precious").unwrap();
    fs::write(outer.path().join("x"), "precious").unwrap();
    let bundle = outer.path().join("bundle");
    fs::write(&bundle, bytes).unwrap();
    let before = everything(outer.path());
    let into = host.join("into");
    let unpacked = unpack(&bundle, None, &into, options).map_err(|error| {
        assert!(error.to_string().len() < 1_000, "a message of {} bytes", error.to_string().len());
        error.reason().to_owned()
    });
    let inside = if into.exists() { everything(&into) } else { BTreeMap::new() };
    assert_eq!(into.exists(), unpacked.is_ok(), "what is left of a refused bundle");
    let mut after = everything(outer.path());
    after.retain(|name, _| name != "host/into" && !name.starts_with("host/into/"));
    assert_eq!(before, after, "the host was touched");
    (unpacked, inside)
}

#[test]
fn no_hostile_archive_gets_a_byte_out_or_past_its_name() {
    let cases: Vec<Case> = tars().into_iter().chain(zips()).collect();
    assert!(cases.len() >= 200, "the corpus has shrunk to {}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let (unpacked, inside) = attempt(&case.bytes, &options());
        let reason = unpacked.as_ref().err().map(String::as_str);
        if reason != case.reason {
            wrong.push(format!("{}: wanted {:?}, got {reason:?}", case.label, case.reason));
        }
        for (name, (mode, _, _)) in inside {
            if mode & 0o6000 != 0 || !matches!(mode & 0o170_000, 0o040_000 | 0o100_000 | 0o120_000) {
                wrong.push(format!("{}: {name} has mode {mode:o}", case.label));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn an_archive_cut_at_any_byte_or_with_any_byte_changed_gets_nothing_out() {
    use super::build_tar::{Tar, gzip};
    use super::build_zip::{Entry, zip};
    let tar = Tar::default().directory("d").file("d/f", "hello").symlink("l", "d/f").end();
    let zip =
        zip(&[Entry::new("d/f", "hello"), Entry::deflated("g", "hello".repeat(9)), Entry::link("l", "g")]);
    for whole in [tar.clone(), gzip(&tar), zip] {
        let step = whole.len() / 300 + 1;
        for at in (0..whole.len()).step_by(step) {
            let (cut, _) = attempt(&whole[..at], &options());
            assert!(cut.is_err() || at > whole.len() - 1024, "cut at {at} of {}", whole.len());
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            attempt(&changed, &options()).0.ok();
        }
    }
}

#[test]
fn a_bomb_is_stopped_long_before_it_fills_the_disk() {
    use super::build_tar::{Raw, Tar, gzip};
    // Ten gigabytes are announced; a gigabyte would really come.
    let header = Tar::default().raw(Raw::new("zeros", b'0').size(10 << 30)).cut();
    let mut packed = gzip(&header);
    let zeros = gzip(&vec![0; 64 << 20]);
    (0..16).for_each(|_| packed.extend(&zeros));
    let mut strict = options();
    strict.limits.ratio = 20;
    let (unpacked, _) = attempt(&packed, &strict);
    assert_eq!(unpacked.unwrap_err(), "CompressionRatio");
    let mut generous = options();
    generous.limits.ratio = u64::MAX;
    let (unpacked, _) = attempt(&packed, &generous);
    assert_eq!(unpacked.unwrap_err(), "TooManyBytes");
}
