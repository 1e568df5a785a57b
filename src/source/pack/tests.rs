//! Packing real folders.

use std::os::unix::fs::symlink;

use super::*;

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("scripts/empty")).unwrap();
    fs::write(root.join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    fs::write(root.join("scripts/start.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("scripts/start.sh"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::write(root.join(".hidden"), "x").unwrap();
    fs::write(root.join("z".repeat(200)), "a long name").unwrap();
    symlink("start.sh", root.join("scripts/run")).unwrap();
    dir
}

fn packed(dir: &Path, kind: BundleType, hidden: bool) -> Result<Vec<u8>, Error> {
    let mut file = tempfile::tempfile().unwrap();
    pack(dir, kind, hidden, file.try_clone().unwrap())?;
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    for kind in [BundleType::Tar, BundleType::Tgz, BundleType::Zip] {
        let (one, other) = (folder(), folder());
        let touched = File::options().append(true).open(other.path().join("appspec.yml")).unwrap();
        touched.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
        assert_eq!(packed(one.path(), kind, true), packed(other.path(), kind, true), "{kind:?}");
        fs::write(other.path().join("appspec.yml"), "version: 0.1\nos: linux\n").unwrap();
        assert_ne!(packed(one.path(), kind, true), packed(other.path(), kind, true), "{kind:?}");
    }
}

#[test]
fn a_tar_holds_everything_and_no_bit_that_lends_rights() {
    let bytes = packed(folder().path(), BundleType::Tgz, true).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
    let mut seen = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.mtime().unwrap()), (0, TIME));
        let link = entry.link_name().unwrap().map(|l| l.display().to_string());
        seen.push((entry.path().unwrap().display().to_string(), header.mode().unwrap(), link));
    }
    let find =
        |name: &str| seen.iter().find(|(n, ..)| n == name).unwrap_or_else(|| panic!("{name}: {seen:?}"));
    assert_eq!(find("scripts/start.sh").1, 0o755);
    assert_eq!(find("scripts/run").2.as_deref(), Some("start.sh"));
    find("scripts/empty/");
    find(".hidden");
    find(&"z".repeat(200));
}

#[test]
fn a_zip_holds_the_same() {
    let bytes = packed(folder().path(), BundleType::Zip, false).unwrap();
    let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
    assert_eq!(archive.by_name("scripts/start.sh").unwrap().unix_mode().map(|m| m & 0o7777), Some(0o755));
    assert!(archive.by_name("scripts/run").unwrap().is_symlink());
    assert!(archive.by_name("scripts/empty/").unwrap().is_dir());
    assert!(archive.by_name(".hidden").is_err(), "hidden names were left out");
}

#[test]
fn what_hosts_would_refuse_is_refused_here_by_name() {
    for target in ["/etc/passwd", "../../outside", "a/../../../x"] {
        let dir = folder();
        symlink(target, dir.path().join("scripts/evil")).unwrap();
        let error = packed(dir.path(), BundleType::Tgz, true).unwrap_err().to_string();
        assert!(error.starts_with("scripts/evil is a link"), "{target}: {error}");
    }
    let dir = folder();
    symlink("../appspec.yml", dir.path().join("scripts/kept")).unwrap();
    assert!(packed(dir.path(), BundleType::Tgz, true).is_ok(), "a link that stays inside");
    symlink("scripts/empty", dir.path().join("deep")).unwrap();
    symlink("deep/../../appspec.yml", dir.path().join("around")).unwrap();
    assert!(packed(dir.path(), BundleType::Tgz, true).is_ok(), "a link that stays inside by another");
    symlink("scripts/empty", dir.path().join(".deep")).unwrap();
    symlink(".deep/../../appspec.yml", dir.path().join("evil")).unwrap();
    assert!(packed(dir.path(), BundleType::Tgz, true).is_ok(), "a link that stays inside by a hidden one");
    let error = packed(dir.path(), BundleType::Tgz, false).unwrap_err().to_string();
    assert!(error.starts_with("evil is a link"), "by a hidden one that is not packed: {error}");
    let dir = folder();
    symlink("scripts/empty", dir.path().join("deep")).unwrap();
    symlink("deep/../../../x", dir.path().join("evil")).unwrap();
    let error = packed(dir.path(), BundleType::Tgz, true).unwrap_err().to_string();
    assert!(error.starts_with("evil is a link that leads out"), "a link that leads out by another: {error}");
    let dir = folder();
    std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
    let error = packed(dir.path(), BundleType::Zip, true).unwrap_err();
    assert!(error.to_string().starts_with("socket is neither"), "{error}");
}

#[test]
fn what_every_host_refuses_is_refused_before_it_is_sent() {
    for (links, files, told) in [
        (&[("scripts/up", ".")][..], &[][..], "scripts/up is a link that leads back to itself"),
        (&[("scripts/up", "..")], &[], "scripts/up is a link that leads back to itself"),
        (&[("self", "self")], &[], "self is a link that leads back to itself"),
        (&[("out", "../else")], &[], "out is a link that leads out of the folder"),
        (&[], &["scripts/START.sh"], "differ in case or in Unicode's spelling alone"),
        (&[], &["caf\u{e9}", "cafe\u{301}"], "differ in case or in Unicode's spelling alone"),
    ] {
        let dir = folder();
        links.iter().for_each(|(link, target)| symlink(target, dir.path().join(link)).unwrap());
        files.iter().for_each(|file| fs::write(dir.path().join(file), "").unwrap());
        let error = packed(dir.path(), BundleType::Tgz, true).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    let dir = folder();
    fs::write(dir.path().join(".HIDDEN"), "").unwrap();
    assert!(packed(dir.path(), BundleType::Tgz, false).is_ok(), "what is not sent is refused nowhere");
}
