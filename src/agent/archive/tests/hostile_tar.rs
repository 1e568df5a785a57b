//! Hostile tar archives.

use super::build_tar::{Raw, Tar, gzip, pax};
use super::hostile::Case;

/// Names that no entry may have, and why.
pub fn names() -> Vec<(Vec<u8>, &'static str)> {
    let mut names: Vec<(Vec<u8>, &'static str)> = [
        ("../x", "ParentPart"),
        ("..", "ParentPart"),
        ("../../x", "ParentPart"),
        ("a/../../x", "ParentPart"),
        ("./../x", "ParentPart"),
        ("a/..", "ParentPart"),
        ("a/b/../../../x", "ParentPart"),
        (".//..//x", "ParentPart"),
        ("a/./../b", "ParentPart"),
        ("/etc/passwd", "AbsolutePath"),
        ("//x", "AbsolutePath"),
        ("/../x", "AbsolutePath"),
        ("/", "AbsolutePath"),
    ]
    .map(|(name, reason)| (name.as_bytes().to_vec(), reason))
    .to_vec();
    names.push((b"caf\xe9".to_vec(), "NameNotUtf8"));
    names.push((b"\xff\xfe".to_vec(), "NameNotUtf8"));
    names.push((b"\xc0\xae\xc0\xae/x".to_vec(), "NameNotUtf8"));
    names
}

/// Names that only an extension header can give.
fn long_names() -> Vec<(Vec<u8>, &'static str)> {
    vec![
        (vec![b'n'; 256], "NameTooLong"),
        ([b"a/".repeat(64), b"x".to_vec()].concat(), "PathTooDeep"),
        (format!("{}/", "n".repeat(250)).repeat(9).into_bytes(), "PathTooLong"),
        (b"a\0b".to_vec(), "NameHasNul"),
        (b"x\0/../../etc/passwd".to_vec(), "NameHasNul"),
    ]
}

pub fn tars() -> Vec<Case> {
    let mut cases = by_name();
    cases.extend(links());
    cases.extend(kinds());
    cases.extend(twice());
    cases.extend(sizes());
    cases.extend(forms());
    let packed: Vec<Case> = cases
        .iter()
        .step_by(7)
        .filter(|case| !case.bytes.starts_with(b"\x1f\x8b") && case.bytes.len() < 64 << 10)
        .map(|case| Case {
            label: format!("{} in gzip", case.label),
            bytes: gzip(&case.bytes),
            reason: case.reason,
        })
        .collect();
    cases.extend(packed);
    cases
}

fn by_name() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, reason) in names() {
        let show = String::from_utf8_lossy(&name).into_owned();
        for kind in [b'0', 0, b'7', b'5', b'2', b'1'] {
            let raw = Raw::new(&name, kind).link("x");
            let label = format!("{show} as {:?}", char::from(kind));
            cases.push(Case::refused(label, reason, Tar::default().file("x", "").raw(raw).end()));
        }
        let long = Tar::default().long(b'L', &name).file("x", "pwned").end();
        cases.push(Case::refused(format!("{show} as a long name"), reason, long));
        let said = Tar::default().pax(&[("path", &name)]).file("x", "pwned").end();
        cases.push(Case::refused(format!("{show} by PAX"), reason, said));
    }
    for (name, reason) in long_names() {
        let show = format!("{} bytes, {reason}", name.len());
        let long = Tar::default().long(b'L', &name).file("x", "pwned").end();
        cases.push(Case::refused(format!("{show}, long name"), reason, long));
        let said = Tar::default().pax(&[("path", &name)]).file("x", "pwned").end();
        cases.push(Case::refused(format!("{show}, PAX"), reason, said));
    }
    cases.push(Case::refused("no name", "NameEmpty", Tar::default().file("", "").end()));
    cases.push(Case::refused("a file named .", "NameEmpty", Tar::default().file(".", "x").end()));
    for name in ["...", "..x", "x..", "..\\..\\x", "C:\\x", "a\nb", "\u{202e}gnp", "-rf", "~", "$(id)"] {
        cases.push(Case::harmless(format!("{name:?}"), Tar::default().file(name, "x").end()));
    }
    cases
}

#[allow(clippy::too_many_lines)] // a table
fn links() -> Vec<Case> {
    let mut cases = Vec::new();
    for target in
        ["/etc/passwd", "/", "..", "../x", "a/../../x", "./../../etc/passwd", "d/../../x", "../into/x"]
    {
        let link = Tar::default().directory("d").symlink("l", target).end();
        cases.push(Case::refused(format!("link to {target}"), "LinkLeaves", link));
        let long = Tar::default().directory("d").long(b'K', target).symlink("l", "d").end();
        cases.push(Case::refused(format!("long link to {target}"), "LinkLeaves", long));
        let said =
            Tar::default().directory("d").pax(&[("linkpath", target.as_bytes())]).symlink("l", "d").end();
        cases.push(Case::refused(format!("PAX link to {target}"), "LinkLeaves", said));
    }
    let chain = |links: &[(&str, &str)]| {
        let base = Tar::default().directory("d/e/f");
        links.iter().fold(base, |tar, (name, target)| tar.symlink(name, target)).end()
    };
    for (label, reason, links) in [
        ("out by two links", "LinkLeaves", vec![("a", "d/e/f"), ("b", "a/../../../../x")]),
        ("out by a deeper link", "LinkLeaves", vec![("d/up", "e/.."), ("l", "d/up/../../x")]),
        ("out past what is missing", "LinkLeaves", vec![("l", "no/../../x")]),
        ("itself", "LinkLoops", vec![("l", "l")]),
        ("each other", "LinkLoops", vec![("a", "b"), ("b", "a")]),
        ("three in a ring", "LinkLoops", vec![("a", "b"), ("b", "c"), ("c", "a")]),
        ("its own directory", "LinkLoops", vec![("d/l", ".")]),
        ("the directory above", "LinkLoops", vec![("d/e/l", "..")]),
        ("the root", "LinkLoops", vec![("d/l", "..")]),
        ("the directory above, by a link", "LinkLoops", vec![("up", "d"), ("d/e/l", "../../up")]),
    ] {
        cases.push(Case::refused(label, reason, chain(&links)));
    }
    let many = (0..60)
        .fold(Tar::default().file("l60", "x"), |tar, n| tar.symlink(format!("l{n}"), format!("l{}", n + 1)));
    cases.push(Case::refused("a chain of sixty", "LinkLoops", many.end()));
    cases.push(Case::refused("no target", "NameEmpty", Tar::default().symlink("l", "").end()));
    let nul = Tar::default().pax(&[("linkpath", b"a\0b")]).symlink("l", "x").end();
    cases.push(Case::refused("a NUL in the target", "NameHasNul", nul));
    let through = |first: Tar, name: &str| first.file(name, "pwned").end();
    for target in ["..", "/tmp", "d", "../x"] {
        let tar = through(Tar::default().directory("d").symlink("l", target), "l/f");
        cases.push(Case::refused(format!("a file through a link to {target}"), "PathThroughLink", tar));
        let tar = Tar::default().directory("d").symlink("l", target).directory("l/g").end();
        cases.push(Case::refused(format!("a directory through a link to {target}"), "PathThroughLink", tar));
        let tar = Tar::default().directory("d").symlink("l", target).directory("l").end();
        cases.push(Case::refused(format!("a directory over a link to {target}"), "PathThroughLink", tar));
        let tar = Tar::default().directory("d").symlink("l", target).file("l", "pwned").end();
        cases.push(Case::refused(format!("a file over a link to {target}"), "DuplicateEntry", tar));
    }
    cases.push(Case::refused(
        "a file below a file",
        "PathThroughLink",
        through(Tar::default().file("f", ""), "f/g"),
    ));
    for target in ["/etc/passwd", "../x", "x/../../y"] {
        let reason = if target.starts_with('/') { "AbsolutePath" } else { "ParentPart" };
        let tar = Tar::default().hard_link("h", target).end();
        cases.push(Case::refused(format!("hard link to {target}"), reason, tar));
    }
    let dir = Tar::default().directory("d");
    for (label, tar) in [
        ("hard link to nothing", dir.clone().hard_link("h", "no")),
        ("hard link to itself", dir.clone().hard_link("h", "h")),
        ("hard link to a directory", dir.clone().hard_link("h", "d")),
        ("hard link to a link", dir.clone().symlink("l", "/etc/passwd").hard_link("h", "l")),
        ("hard link through a link", dir.clone().symlink("l", "/etc").hard_link("h", "l/passwd")),
        ("hard link to what comes later", dir.clone().hard_link("h", "f").file("f", "")),
    ] {
        cases.push(Case::refused(label, "LinkTargetMissing", tar.end()));
    }
    let twice = Tar::default().file("f", "a").hard_link("h", "f").file("h", "pwned").end();
    cases.push(Case::refused("writing through a hard link", "DuplicateEntry", twice));
    let inside =
        Tar::default().file("d/f", "x").symlink("l", "d/f").symlink("d/up", "../l").hard_link("h", "d/f");
    cases.push(Case::harmless("links that stay", inside.end()));
    cases
}

fn kinds() -> Vec<Case> {
    let mut cases = Vec::new();
    for (kind, label) in [(b'3', "character device"), (b'4', "block device"), (b'6', "named pipe")] {
        cases.push(Case::refused(label, "SpecialFile", Tar::default().raw(Raw::new("s", kind)).end()));
    }
    for kind in [b'V', b'M', b'N', b'D', b'A', b'X', b'I', b'Z', 0xff] {
        let tar = Tar::default().raw(Raw::new("s", kind)).end();
        cases.push(Case::refused(format!("type {kind:#x}"), "UnsupportedEntry", tar));
    }
    for mode in [0o4755, 0o2755, 0o6755, 0o7777] {
        let tar = Tar::default().raw(Raw::new("f", b'0').mode(mode).body("#!/bin/sh")).end();
        cases.push(Case::refused(format!("a file of mode {mode:o}"), "SetIdBits", tar));
    }
    let directory = Tar::default().raw(Raw::new("d", b'5').mode(0o6777)).file("d/f", "x").end();
    cases.push(Case::harmless("a set-id directory", directory));
    let none = Tar::default().raw(Raw::new("d", b'5').mode(0)).file("d/f", "x").end();
    cases.push(Case::harmless("a directory of mode 0", none));
    cases.push(Case::refused("holes", "SparseFile", Tar::default().raw(Raw::new("s", b'S')).end()));
    for key in ["GNU.sparse.major", "GNU.sparse.map", "GNU.sparse.name", "GNU.sparse.realsize"] {
        let tar = Tar::default().pax(&[(key, b"1")]).file("s", "x").end();
        cases.push(Case::refused(format!("holes by {key}"), "SparseFile", tar));
    }
    cases
}

fn twice() -> Vec<Case> {
    let mut cases = Vec::new();
    let base = || Tar::default().file("f", "a").directory("d").symlink("l", "f");
    for (label, tar) in [
        ("a file twice", base().file("f", "b")),
        ("a file twice, by dots", base().file("./f", "b")),
        ("a link over a file", base().symlink("f", "d")),
        ("a file over a directory", base().file("d", "b")),
        ("a link over a directory", base().symlink("d", "f")),
        ("a link twice", base().symlink("l", "d")),
    ] {
        cases.push(Case::refused(label, "DuplicateEntry", tar.end()));
    }
    cases.push(Case::refused("a directory over a file", "PathThroughLink", base().directory("f").end()));
    cases.push(Case::harmless("a directory twice", base().directory("d").directory("./d/").end()));
    for (one, other) in [
        ("README", "readme"),
        ("Straße", "STRAßE"),
        ("caf\u{e9}", "cafe\u{301}"),
        ("CAF\u{c9}", "cafe\u{301}"),
        ("\u{212b}", "\u{e5}"),
        ("Dir/a", "dir/b"),
    ] {
        let tar = Tar::default().file(one, "a").file(other, "b").end();
        cases.push(Case::refused(format!("{one} and {other}"), "NameClash", tar));
    }
    cases
}

fn sizes() -> Vec<Case> {
    let mut cases = Vec::new();
    let hidden = Tar::default().file("hidden", "pwned").cut();
    let desync = Tar::default()
        .pax(&[("size", hidden.len().to_string().as_bytes())])
        .raw(Raw::new("f", b'0').size(0))
        .bytes(&hidden)
        .end();
    cases.push(Case::refused("PAX says more than ustar", "SizeDesync", desync));
    let less = Tar::default().pax(&[("size", b"0")]).raw(Raw::new("f", b'0').body(&hidden)).end();
    cases.push(Case::refused("PAX says less than ustar", "SizeDesync", less));
    for kind in [b'5', b'2', b'1', b'3'] {
        let tar = Tar::default().file("x", "").raw(Raw::new("e", kind).link("x").body(&hidden)).end();
        cases.push(Case::refused(format!("a body for type {:?}", char::from(kind)), "SizeDesync", tar));
    }
    let slash = Tar::default().file("d/", &hidden).end();
    cases.push(Case::refused("a directory by its slash, with a body", "SizeDesync", slash));
    for (label, value) in
        [("negative", "-1"), ("no number", "x"), ("huge", "99999999999999999999"), ("signed", "+5")]
    {
        let tar = Tar::default().pax(&[("size", value.as_bytes())]).file("f", "hello").end();
        cases.push(Case::refused(format!("a {label} PAX size"), "BundleDamaged", tar));
    }
    for (label, field) in [
        ("binary, negative", [0xff; 12]),
        ("binary, beyond 64 bits", [0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]),
        ("binary, 2^63", [0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0]),
        ("no digits", *b"zzzzzzzzzzz\0"),
    ] {
        let mut header = Raw::new("f", b'0').header();
        header.as_mut_bytes()[124..136].copy_from_slice(&field);
        header.set_cksum();
        let tar = Tar::default().bytes(header.as_bytes()).end();
        cases.push(Case::refused(format!("size {label}"), "BundleDamaged", tar));
    }
    let twice = Tar::default().pax(&[("size", b"5"), ("size", b"6")]).file("f", "hello").end();
    cases.push(Case::refused("two PAX sizes", "HeaderDesync", twice));
    let huge = Tar::default().raw(Raw::new("f", b'0').size(1 << 32)).end();
    cases.push(Case::refused("more announced than there is", "BundleTruncated", huge));
    let long = Tar::default().raw(Raw::new("././@LongLink", b'L').size(8 << 30)).end();
    cases.push(Case::refused("a long name of gigabytes", "PathTooLong", long));
    let many = (0..2_100).fold(Tar::default(), |tar, n| tar.file(format!("f{n}"), "")).end();
    cases.push(Case::refused("too many entries", "TooManyEntries", many));
    let headers = (0..2_100).fold(Tar::default(), |tar, _| tar.pax(&[("comment", b"x")])).file("f", "").end();
    cases.push(Case::refused("too many headers for one entry", "TooManyEntries", headers));
    let file = Tar::default().raw(Raw::new("f", b'0').body(vec![0; 1 << 20]));
    let copies = (0..80).fold(file, |tar, n| tar.hard_link(format!("h{n}"), "f")).end();
    cases.push(Case::refused("a megabyte by eighty names", "TooManyBytes", copies));
    let zeros = gzip(&Tar::default().raw(Raw::new("f", b'0').body(vec![0; 8 << 20])).end());
    cases.push(Case::refused("eight megabytes of zeros", "CompressionRatio", zeros));
    cases
}

fn forms() -> Vec<Case> {
    let whole = Tar::default().file("f", "hello");
    let mut cases = vec![
        Case::refused("nothing at all", "BundleTruncated", Vec::new()),
        Case::refused("text", "BundleTruncated", b"version: 0.0\nos: linux\n".to_vec()),
        Case::refused("a page of text", "BundleDamaged", b"version: 0.0\nos: linux\n".repeat(99)),
        Case::refused("no end mark", "BundleTruncated", whole.clone().cut()),
        Case::refused("cut within a header", "BundleTruncated", whole.clone().cut()[..300].to_vec()),
        Case::refused("cut within a file", "BundleTruncated", whole.clone().cut()[..514].to_vec()),
        Case::refused("cut within the padding", "BundleTruncated", whole.clone().cut()[..600].to_vec()),
        Case::refused(
            "an announcement without an entry",
            "BundleTruncated",
            Tar::default().long(b'L', "x").end(),
        ),
        Case::refused(
            "a second archive",
            "TrailingData",
            [whole.clone().end(), whole.clone().end()].concat(),
        ),
        Case::refused("text after the end", "TrailingData", [whole.clone().end(), b"x".to_vec()].concat()),
        Case::refused("zeros without end", "TrailingData", [whole.clone().end(), vec![0; 5 << 20]].concat()),
        Case::refused("gzip cut off", "BundleTruncated", {
            let mut packed = gzip(&whole.clone().end());
            packed.truncate(packed.len() - 12);
            packed
        }),
        Case::refused("gzip with a wrong sum", "BundleDamaged", {
            let mut packed = gzip(&whole.clone().end());
            let at = packed.len() - 6;
            packed[at] ^= 1;
            packed
        }),
        Case::refused("xz", "BundleDamaged", b"\xfd7zXZ\0\0\0".repeat(99)),
        Case::harmless("an empty archive", Tar::default().end()),
        Case::harmless("tar's padding", [whole.clone().end(), vec![0; 9 * 1024]].concat()),
    ];
    for key in ["path", "linkpath", "size", "GNU.sparse.map"] {
        let global = Raw::new("pax_global_header", b'g').body(pax(&[(key, b"7")]));
        let tar = Tar::default().raw(global).file("f", "hello").end();
        cases.push(Case::refused(format!("{key} for all entries"), "HeaderDesync", tar));
    }
    let commit = Raw::new("pax_global_header", b'g').body(pax(&[("comment", &[b'a'; 40])]));
    cases.push(Case::harmless("git's comment", Tar::default().raw(commit).file("f", "hello").end()));
    let two = Tar::default().long(b'L', "a").long(b'L', "b").file("f", "").end();
    cases.push(Case::refused("two long names", "HeaderDesync", two));
    let both = Tar::default().long(b'L', "a").pax(&[("path", b"b")]).file("f", "").end();
    cases.push(Case::refused("a long name and a PAX path", "HeaderDesync", both));
    let two = Tar::default().pax(&[("path", b"a"), ("path", b"b")]).file("f", "").end();
    cases.push(Case::refused("two PAX paths", "HeaderDesync", two));
    for body in [&b"5 path=x\n"[..], b"999 path=x\n", b"path=x\n", b"12 path=a\nb\n", b"\xff\xff=\n"] {
        let tar = Tar::default().raw(Raw::new("x", b'x').body(body)).file("f", "").end();
        cases.push(Case::refused(format!("PAX {:?}", String::from_utf8_lossy(body)), "BundleDamaged", tar));
    }
    let mut wrong = whole.clone().end();
    wrong[148] ^= 1;
    cases.push(Case::refused("a wrong header sum", "BundleDamaged", wrong));
    cases
}
