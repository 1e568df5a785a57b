//! Bundles as people make them, with the programs that they make them with.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use super::super::{Options, unpack};
use super::build_tar::{Raw, Tar, gzip, pax};
use super::build_zip::{Entry, zip};
use super::hostile::everything;
use crate::api::BundleType;

fn bundle(root: &Path) {
    fs::create_dir_all(root.join("app/empty")).unwrap();
    fs::write(root.join("appspec.yml"), "version: 0.0\nos: linux\n").unwrap();
    fs::write(root.join("app/run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(root.join("app/run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    fs::write(root.join("app/caf\u{e9} \u{1f980}.txt"), "unicode").unwrap();
    fs::write(root.join("app/large"), vec![7; 3 << 20]).unwrap();
    fs::write(root.join(format!("app/{}", "long".repeat(60))), "long").unwrap();
    symlink("run.sh", root.join("app/start")).unwrap();
    symlink("../appspec.yml", root.join("app/up")).unwrap();
    fs::hard_link(root.join("app/run.sh"), root.join("app/same.sh")).unwrap();
}

fn run(program: &str, arguments: &[&str], at: &Path) {
    let status = Command::new(program).args(arguments).current_dir(at).output().unwrap();
    assert!(status.status.success(), "{program}: {}", String::from_utf8_lossy(&status.stderr));
}

/// Packs the same tree in each way, and holds that it comes out as it went in.
#[test]
fn what_tar_and_zip_pack_comes_out_as_it_went_in() {
    let outer = tempfile::tempdir().unwrap();
    let from = outer.path().join("from");
    bundle(&from);
    let ways: [(&str, &[&str], BundleType); 7] = [
        ("tar", &["-cf", "../a", "."], BundleType::Tar),
        ("tar", &["-czf", "../a", "."], BundleType::Tgz),
        ("tar", &["--format=v7", "--exclude=*long*", "--exclude=*caf*", "-cf", "../a", "."], BundleType::Tar),
        ("tar", &["--format=posix", "-cf", "../a", "."], BundleType::Tar),
        ("tar", &["--format=ustar", "--exclude=*longlong*", "-cf", "../a", "."], BundleType::Tar),
        ("tar", &["-cf", "../a", "appspec.yml", "app"], BundleType::Tar),
        ("zip", &["-qry", "../a.zip", "."], BundleType::Zip),
    ];
    for (program, arguments, kind) in ways {
        run(program, arguments, &from);
        let packed = outer.path().join(if kind == BundleType::Zip { "a.zip" } else { "a" });
        for said in [Some(kind), None] {
            let into = outer.path().join("into");
            let report = unpack(&packed, said, &into, &Options::default()).unwrap();
            assert_eq!(report.warnings.sentences(), Vec::<String>::new(), "{arguments:?}");
            let (mut wanted, found) = (everything(&from), everything(&into));
            if found.len() < wanted.len() {
                wanted.retain(|name, _| {
                    !name.contains("long") && !name.contains("caf") || found.contains_key(name)
                });
            }
            assert!(wanted.keys().eq(found.keys()), "{arguments:?}: {:?}", found.keys());
            for (name, (mode, size, content)) in wanted {
                let (found_mode, found_size, found_content) = &found[&name];
                assert_eq!((size, &content), (*found_size, found_content), "{arguments:?}: {name}");
                let is_directory = mode & 0o170_000 == 0o040_000;
                assert_eq!(if is_directory { 0o040_755 } else { mode }, *found_mode, "{arguments:?}: {name}");
            }
            let (was, is) = (from.join("app/run.sh"), into.join("app/run.sh"));
            let difference = was.metadata().unwrap().mtime() - is.metadata().unwrap().mtime();
            assert!(kind == BundleType::Zip || difference == 0, "{arguments:?}: {difference} s");
        }
        fs::remove_file(packed).unwrap();
    }
}

fn unpacked(bytes: &[u8], said: Option<BundleType>) -> (tempfile::TempDir, Vec<String>) {
    let outer = tempfile::tempdir().unwrap();
    let (packed, into) = (outer.path().join("a"), outer.path().join("in/to"));
    fs::write(&packed, bytes).unwrap();
    unpack(&packed, said, &into, &Options::default()).unwrap();
    let names = everything(&into).into_keys().collect();
    (outer, names)
}

#[test]
fn github_s_one_directory_is_taken_off() {
    let comment = Raw::new("pax_global_header", b'g').body(pax(&[("comment", &[b'a'; 40])]));
    let tar =
        Tar::default().raw(comment).directory("r-abc/").file("r-abc/appspec.yml", "").file("r-abc/src/a", "");
    let tar = tar.symlink("r-abc/l", "src/a").end();
    let wanted = ["appspec.yml", "l", "src", "src/a"];
    assert_eq!(unpacked(&gzip(&tar), Some(BundleType::Tar)).1, wanted);
    let entries = [
        Entry::new("r-abc/", ""),
        Entry::new("r-abc/appspec.yaml", ""),
        Entry::link("r-abc/l", "appspec.yaml"),
    ];
    assert_eq!(unpacked(&zip(&entries), None).1, ["appspec.yaml", "l"]);
}

#[test]
fn a_link_out_of_the_one_directory_that_is_taken_off_leaves_the_bundle() {
    let tar = Tar::default().file("r/appspec.yml", "").symlink("r/l", "../r/appspec.yml").end();
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("a"), tar).unwrap();
    let refused = unpack(&outer.path().join("a"), None, &outer.path().join("into"), &Options::default());
    assert_eq!(refused.unwrap_err().reason(), "LinkLeaves");
}

#[test]
fn one_directory_without_an_appspec_stays() {
    let tar = Tar::default().file("r/file", "").end();
    assert_eq!(unpacked(&tar, None).1, ["r", "r/file"]);
    let tar = Tar::default().file("r/appspec.yml", "").file("appspec.yml", "").end();
    assert_eq!(unpacked(&tar, None).1, ["appspec.yml", "r", "r/appspec.yml"]);
}

#[test]
fn a_bundle_made_on_windows_has_its_directories() {
    let dos = |entry: &mut Entry| entry.system = 0;
    let entries = [Entry::new("scripts\\stop.sh", "x").with(dos), Entry::new("appspec.yml", "").with(dos)];
    assert_eq!(unpacked(&zip(&entries), None).1, ["appspec.yml", "scripts", "scripts/stop.sh"]);
}

#[test]
fn what_was_there_is_replaced_and_a_link_to_nothing_is_told() {
    let outer = tempfile::tempdir().unwrap();
    let (packed, into) = (outer.path().join("a"), outer.path().join("into"));
    fs::create_dir(&into).unwrap();
    fs::write(into.join("old"), "").unwrap();
    fs::write(&packed, Tar::default().file("new", "").symlink("l", "gone").end()).unwrap();
    let report = unpack(&packed, None, &into, &Options::default()).unwrap();
    assert_eq!(everything(&into).into_keys().collect::<Vec<_>>(), ["l", "new"]);
    assert_eq!((report.files, report.links), (1, 1));
    assert_eq!(report.warnings.sentences(), ["the bundle's link \"l\" leads to nothing, \"gone\""]);
}

#[test]
fn of_more_than_is_told_the_rest_is_counted() {
    let mut tar = Tar::default();
    for number in 0..130 {
        let pipe = Raw::new(format!("pipe{number}"), b'6');
        tar = tar.symlink(format!("l{number}"), "gone").raw(pipe);
    }
    let outer = tempfile::tempdir().unwrap();
    let packed = outer.path().join("a");
    fs::write(&packed, tar.file("f", "").end()).unwrap();
    let mut options = Options::default();
    options.allowed.special_files = true;
    let said = unpack(&packed, None, &outer.path().join("into"), &options).unwrap().warnings.sentences();
    assert_eq!((said.len(), said[99].as_str()), (100, "and 161 more of these"));
}
