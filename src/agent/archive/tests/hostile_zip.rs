//! Hostile zip archives.

use super::build_zip::{Entry, zip, zip_counting};
use super::hostile::Case;
use super::hostile_tar::names;

pub fn zips() -> Vec<Case> {
    let mut cases = by_name();
    cases.extend(links());
    cases.extend(headers());
    cases.extend(forms());
    cases
}

fn by_name() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, reason) in names().into_iter().filter(|(_, reason)| *reason != "NameNotUtf8") {
        let show = format!("zip {}", String::from_utf8_lossy(&name));
        cases.push(Case::refused(show.clone(), reason, zip(&[Entry::new(&name, "pwned")])));
        let directory = [&name[..], b"/"].concat();
        cases.push(Case::refused(format!("{show}/"), reason, zip(&[Entry::new(&directory, "")])));
        cases.push(Case::refused(format!("{show}, a link"), reason, zip(&[Entry::link(&name, "x")])));
    }
    for (name, reason) in [
        (&b"a\0b"[..], "NameHasNul"),
        (&[b'n'; 256], "NameTooLong"),
        (&b"a/".repeat(65), "PathTooDeep"),
        (&format!("{}/", "n".repeat(250)).repeat(9).into_bytes(), "PathTooLong"),
    ] {
        cases.push(Case::refused(format!("zip, {reason}"), reason, zip(&[Entry::new(name, "")])));
    }
    for name in ["..\\..\\x", "\\etc\\passwd", "a\\..\\..\\x"] {
        let dos = |entry: &mut Entry| entry.system = 0;
        let reason = if name.starts_with('\\') { "AbsolutePath" } else { "ParentPart" };
        cases.push(Case::refused(
            format!("zip from Windows, {name}"),
            reason,
            zip(&[Entry::new(name, "").with(dos)]),
        ));
        cases.push(Case::harmless(format!("zip from Unix, {name}"), zip(&[Entry::new(name, "")])));
    }
    cases
}

fn links() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in ["/etc/passwd", "..", "../x", "d/../../x"] {
        let reason = "LinkLeaves";
        cases.push(Case::refused(format!("zip link to {target}"), reason, zip(&[Entry::link("l", target)])));
        let through = zip(&[Entry::link("l", target), Entry::new("l/f", "pwned")]);
        cases.push(Case::refused(format!("zip, through a link to {target}"), "PathThroughLink", through));
        let over = zip(&[Entry::link("l", target), Entry::new("l", "pwned")]);
        cases.push(Case::refused(format!("zip, over a link to {target}"), "DuplicateEntry", over));
    }
    cases.push(Case::refused("zip link to itself", "LinkLoops", zip(&[Entry::link("l", "l")])));
    cases.push(Case::refused("zip link to nothing", "NameEmpty", zip(&[Entry::link("l", "")])));
    cases.push(Case::refused("zip link, a NUL", "NameHasNul", zip(&[Entry::link("l", "a\0b")])));
    cases.push(Case::refused("zip link, no UTF-8", "NameNotUtf8", zip(&[Entry::link("l", b"\xff\xfe")])));
    cases.push(Case::refused("zip link of 5000", "PathTooLong", zip(&[Entry::link("l", "a".repeat(5000))])));
    let both = zip(&[Entry::link("l/", "")]);
    cases.push(Case::refused("zip, a link and a directory", "HeaderDesync", both));
    for (mode, label) in [
        (0o020_644, "character device"),
        (0o060_644, "block device"),
        (0o010_644, "pipe"),
        (0o140_644, "socket"),
    ] {
        let special = zip(&[Entry::new("s", "").with(|e| e.mode = mode)]);
        cases.push(Case::refused(format!("zip {label}"), "SpecialFile", special));
    }
    for mode in [0o104_755, 0o102_755, 0o106_755] {
        let set = zip(&[Entry::new("f", "x").with(|e| e.mode = mode)]);
        cases.push(Case::refused(format!("zip, mode {mode:o}"), "SetIdBits", set));
    }
    cases
}

fn headers() -> Vec<Case> {
    let entry = || Entry::new("f", "hello");
    let lies: Vec<(&str, &'static str, Entry)> = vec![
        ("another local name", "HeaderDesync", entry().with(|e| e.local_name = b"g".to_vec())),
        ("a local name that leaves", "HeaderDesync", entry().with(|e| e.local_name = b"../x".to_vec())),
        ("another local size", "HeaderDesync", entry().with(|e| e.local_size = 4)),
        ("a wrong sum", "BundleDamaged", entry().with(|e| e.sum ^= 1)),
        (
            "a size too small",
            "BundleDamaged",
            Entry::deflated("f", "hello").with(|e| (e.size, e.local_size) = (4, 4)),
        ),
        (
            "a size too large",
            "BundleTruncated",
            Entry::deflated("f", "hello").with(|e| (e.size, e.local_size) = (9, 9)),
        ),
        (
            "a size of nothing",
            "BundleDamaged",
            Entry::deflated("f", "hello").with(|e| (e.size, e.local_size) = (0, 0)),
        ),
        ("packed beyond the end", "BundleDamaged", entry().with(|e| e.packed_size = Some(9_999))),
        ("a header that is none", "BundleDamaged", entry().with(|e| e.offset = Some(3))),
        ("a header beyond the end", "BundleDamaged", entry().with(|e| e.offset = Some(1 << 30))),
        ("encrypted", "EncryptedFile", entry().with(|e| e.flags = 1)),
        ("packed with bzip2", "UnsupportedEntry", entry().with(|e| e.method = 12)),
        ("packed with zstd", "UnsupportedEntry", entry().with(|e| e.method = 93)),
        ("packed with what nobody knows", "UnsupportedEntry", entry().with(|e| e.method = 4242)),
        ("deflate that is none", "BundleDamaged", entry().with(|e| e.method = 8)),
        ("a directory with a body", "SizeDesync", Entry::new("d/", "hello")),
    ];
    let mut cases: Vec<Case> = lies
        .into_iter()
        .map(|(label, reason, entry)| Case::refused(format!("zip, {label}"), reason, zip(&[entry])))
        .collect();
    let shared = zip(&[entry(), Entry::new("f", "hello").with(|e| e.offset = Some(0))]);
    cases.push(Case::refused("zip, two names for the same bytes", "OverlappingEntries", shared));
    let inner = zip(&[Entry::new("in", "x")]);
    let quoted = zip(&[Entry::new("f", &inner), Entry::new("in", "x").with(|e| e.offset = Some(31))]);
    cases.push(Case::refused("zip, a header within a file", "OverlappingEntries", quoted));
    cases
}

fn forms() -> Vec<Case> {
    let whole = zip(&[Entry::new("f", "hello"), Entry::deflated("g", "hello".repeat(20))]);
    let twice = zip(&[Entry::new("f", "a"), Entry::new("f", "b")]);
    let clash = zip(&[Entry::new("README", "a"), Entry::new("readme", "b")]);
    let mut cases = vec![
        Case::refused("zip, a file twice", "DuplicateEntry", twice),
        Case::refused("zip, names that clash", "NameClash", clash),
        Case::refused("zip, cut", "BundleDamaged", whole[..whole.len() - 30].to_vec()),
        Case::refused("zip, only its beginning", "BundleDamaged", whole[..40].to_vec()),
        Case::refused(
            "zip, more entries than there are",
            "BundleDamaged",
            zip_counting(&[Entry::new("f", "")], Some(9)),
        ),
        Case::refused(
            "zip, an absurd count",
            "BundleDamaged",
            zip_counting(&[Entry::new("f", "")], Some(65_000)),
        ),
        Case::refused(
            "zip, something before it",
            "BundleDamaged",
            [b"PK\x03\x04#!".to_vec(), whole].concat(),
        ),
        Case::harmless("zip, empty", zip(&[])),
        Case::harmless("zip, directories twice", zip(&[Entry::new("d/", ""), Entry::new("d/", "")])),
    ];
    let zeros = zip(&[Entry::deflated("zeros", vec![0; 8 << 20])]);
    cases.push(Case::refused("zip of zeros", "CompressionRatio", zeros));
    let many: Vec<Entry> = (0..2_100).map(|n| Entry::new(format!("f{n}"), "")).collect();
    cases.push(Case::refused("zip, too many entries", "TooManyEntries", zip(&many)));
    cases
}
