//! Each opt-out lets through what it names and nothing else.

use std::fs;

use clap::ValueEnum;

use super::super::{Allowed, Options};
use super::build_tar::{Raw, Tar};
use super::hostile::{attempt, options};
use crate::agent::host::Settings;
use crate::agent::trust::Trust;

fn with(allow: impl FnOnce(&mut Allowed)) -> Options {
    let mut options = options();
    allow(&mut options.allowed);
    options
}

/// What comes out with the opt-out; without it the same bytes are refused, and the message has the word that a host's configuration lets them
/// through by.
fn let_through(bytes: &[u8], reason: &str, allow: impl FnOnce(&mut Allowed)) -> Vec<String> {
    assert_eq!(attempt(bytes, &options()).0.unwrap_err(), reason);
    let options = with(allow);
    let mut by_word = Settings { unpacking: self::options(), ..Settings::default() };
    Trust::give(&[word_in(&refusal(bytes))], &mut by_word);
    assert_eq!(by_word.unpacking.allowed, options.allowed, "{reason}");
    let (unpacked, inside) = attempt(bytes, &options);
    unpacked.unwrap();
    inside.into_iter().map(|(name, (mode, _, _))| format!("{name} {mode:o}")).collect()
}

/// What is said of a bundle that is refused.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle");
    fs::write(&bundle, bytes).unwrap();
    super::super::unpack(&bundle, None, &folder.path().join("into"), &options()).unwrap_err().to_string()
}

/// The opt-out that a message names.
fn word_in(message: &str) -> Trust {
    let found = message.split_once(", or allow ").and_then(|(_, rest)| rest.split(' ').next());
    let word = found.unwrap_or_else(|| panic!("no opt-out: {message}"));
    Trust::from_str(word, false).unwrap_or_else(|error| panic!("{error}: {message}"))
}

#[test]
fn every_hardening_has_an_opt_out_that_stays_inside() {
    let tar = Tar::default().file("a/../b", "x").end();
    assert_eq!(let_through(&tar, "ParentPart", |a| a.parent_parts = true), ["b 100644"]);
    let tar = Tar::default().file("/etc/passwd", "x").end();
    assert_eq!(
        let_through(&tar, "AbsolutePath", |a| a.absolute_paths = true),
        ["etc 40755", "etc/passwd 100644"]
    );
    let tar = Tar::default().symlink("l", "/etc/passwd").end();
    assert_eq!(let_through(&tar, "LinkLeaves", |a| a.outside_links = true), ["l 120777"]);
    let tar = Tar::default().raw(Raw::new("f", b'0').mode(0o4755)).end();
    assert_eq!(let_through(&tar, "SetIdBits", |a| a.set_id = true), ["f 104755"]);
    let tar = Tar::default().file("f", "a").raw(Raw::new("f", b'0').mode(0o600).body("b")).end();
    assert_eq!(let_through(&tar, "DuplicateEntry", |a| a.duplicates = true), ["f 100600"]);
    let tar = Tar::default().file("F", "").file("f", "").end();
    assert_eq!(let_through(&tar, "NameClash", |a| a.clashes = true), ["F 100644", "f 100644"]);
    let tar = Tar::default().raw(Raw::new("p", b'6')).file("f", "").end();
    assert_eq!(let_through(&tar, "SpecialFile", |a| a.special_files = true), ["f 100644"]);
    let tar = [Tar::default().file("f", "").end(), Tar::default().file("g", "").end()].concat();
    assert_eq!(let_through(&tar, "TrailingData", |a| a.trailing_data = true), ["f 100644"]);
}

#[test]
fn all_of_them_together_let_no_byte_out() {
    let options = with(|allowed| {
        *allowed = Allowed {
            parent_parts: true,
            absolute_paths: true,
            outside_links: true,
            set_id: true,
            duplicates: true,
            clashes: true,
            special_files: true,
            trailing_data: true,
        };
    });
    let mut unpacked = 0;
    for case in super::hostile_tar::tars().into_iter().chain(super::hostile_zip::zips()) {
        unpacked += usize::from(attempt(&case.bytes, &options).0.is_ok());
    }
    assert!(unpacked > 50, "{unpacked}");
    let tar = Tar::default().symlink("l", "..").symlink("m", "/tmp").file("l/x", "pwned").end();
    assert_eq!(attempt(&tar, &options).0.unwrap_err(), "PathThroughLink");
    assert!(fs::metadata("/tmp").is_ok());
}
