//! Bundles: their packings, their AppSpecs, their files.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::host::{EVENTS, Host, Said, is_root};

fn pack(host: &Host, command: &str) {
    let done = Command::new("sh").arg("-c").arg(command).current_dir(host.path("")).status().unwrap();
    assert!(done.success(), "{command}");
}

#[test]
fn every_packing_is_unpacked() {
    let host = Host::new();
    host.bundle("b").file("web/page", "hello").install("web", &host.path("www")).done();
    pack(&host, "tar -cf b.tar -C b . && tar -czf b.tgz -C b .");
    zip(&host);
    for (location, packing) in [("b", "directory"), ("b.tar", "tar"), ("b.tgz", "tgz"), ("b.zip", "zip")] {
        let _ = fs::remove_dir_all(host.path("www"));
        host.deploy(location, &format!("--type {packing} --deployment-group {packing}")).succeeded();
        assert_eq!(host.read("www/page"), "hello", "{packing}");
    }
}

fn zip(host: &Host) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(fs::File::create(host.path("b.zip")).unwrap());
    for name in ["appspec.yml", "web/page"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(host.read(&format!("b/{name}")).as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn a_bundle_that_is_not_there_is_wrong_usage_and_one_that_is_none_fails_the_download() {
    let host = Host::new();
    fs::write(host.path("junk"), "no archive").unwrap();
    host.bundle("b").done();
    for (location, words, problem) in [
        ("nowhere", "--type directory", "nowhere cannot be looked at"),
        ("nowhere", "--type tgz", "nowhere cannot be looked at"),
        ("junk", "--type directory", "say with --type"),
        ("b", "--type tar", "say --type directory"),
        ("s3://releases/shop.tgz", "--type tgz", "download it first"),
        ("https://github.com/shop/web", "--type zip", "download it first"),
    ] {
        let said = host.deploy(location, words);
        assert!(said.code == 2 && said.out.is_empty() && said.err.contains(problem), "{said:?}");
        assert!(!host.root().exists());
    }
    let said = host.deploy("junk", "--type tgz");
    assert_eq!((said.event("DownloadBundle").as_str(), said.error().0.as_str()), ("Failed", "UnknownError"));
}

#[test]
fn an_appspec_is_judged_before_anything_of_it_runs() {
    for (text, problem) in [
        ("version: 0.0\nos: windows\nhooks:\n  BeforeInstall:\n    - location: a.sh\n", "windows"),
        ("version: 0.0\nos: linux\nhooks:\n  BeforeInstal:\n    - location: a.sh\n", "BeforeInstal"),
        ("version: 0.0\nos: linux\nhooks: [\n", "line"),
        ("version: 0.1\nos: linux\n", "version"),
    ] {
        let host = Host::new();
        let touch = format!("touch {}", host.path("ran").display());
        host.bundle("b").file("a.sh", &touch).file("appspec.yml", text);
        let said = host.deploy("b", "");
        assert_eq!((said.code, said.event("DownloadBundle")), (1, "Failed".into()), "{text}");
        let (code, _, message) = said.error();
        assert!(code == "UnknownError" && message.contains(problem), "{text}: {message}");
        assert!(!host.path("ran").exists());
    }
}

#[test]
fn an_appspec_is_found_under_its_names_throughout() {
    let host = Host::new();
    let stop = format!("echo $DEPLOYMENT_ID >> {}", host.path("stopped").display());
    for (name, file) in [("a", "appspec.yaml"), ("b", "appspec.yml"), ("c", "deploy.yml")] {
        host.bundle(name).hook("ApplicationStop", &stop).done_as(file);
    }
    host.deploy("a", "--deployment-id d-1").succeeded();
    host.deploy("b", "--deployment-id d-2").succeeded();
    host.deploy("c", "--deployment-id d-3 --appspec-filename deploy.yml").succeeded();
    host.deploy("a", "--deployment-id d-4").succeeded();
    assert_eq!(host.read("stopped"), "d-2\nd-3\nd-4\n");
    let (_, _, message) = host.deploy("c", "").error();
    assert!(message.contains("no appspec.yml or appspec.yaml"), "{message}");
    host.bundle("d").done_as("AppSpec.yml");
    let (_, _, message) = host.deploy("d", "").error();
    assert!(message.contains("there is AppSpec.yml: rename it"), "{message}");
}

#[test]
fn files_are_put_in_place_and_the_earlier_revisions_go() {
    let host = Host::new();
    host.bundle("v1").file("web/old", "1").file("web/both", "1").install("web", &host.path("www")).done();
    host.bundle("v2").file("web/new", "2").file("web/both", "2").install("web", &host.path("www")).done();
    host.deploy("v1", "").succeeded();
    host.deploy("v2", "").succeeded();
    assert_eq!((host.read("www/both").as_str(), host.read("www/new").as_str()), ("2", "2"));
    assert!(!host.path("www/old").exists());
}

#[test]
fn a_file_that_is_there_and_not_the_groups_is_left_alone_unless_told_otherwise() {
    let host = Host::new();
    host.bundle("b").file("web/page", "mine").install("web", &host.path("www")).done();
    fs::create_dir(host.path("www")).unwrap();
    fs::write(host.path("www/page"), "theirs").unwrap();
    let said = host.deploy("b", "");
    assert_eq!(
        (said.code, said.event("Install"), said.error().0),
        (1, "Failed".into(), "UnknownError".into())
    );
    assert!(said.error().2.contains("www/page"), "{said:?}");
    host.deploy("b", "--file-exists-behavior RETAIN").succeeded();
    assert_eq!(host.read("www/page"), "theirs");
    host.deploy("b", "--file-exists-behavior OVERWRITE").succeeded();
    assert_eq!(host.read("www/page"), "mine");
}

#[test]
fn a_root_folder_inside_the_bundle_is_no_part_of_it() {
    let host = Host::new();
    host.bundle("").file("web/page", "hello").install("web", &host.path("elsewhere")).done();
    for _ in 0..2 {
        host.deploy(".", "--file-exists-behavior OVERWRITE").succeeded();
    }
    assert_eq!(host.read("elsewhere/page"), "hello");
}

#[test]
fn a_bundle_without_files_or_hooks_deploys() {
    let host = Host::new();
    host.bundle("b").done();
    let said = host.deploy("b", "").succeeded();
    assert_eq!(said.events(), EVENTS.map(|event| format!("{event} Succeeded")));
}

#[test]
fn where_codedeploys_agent_has_worked_its_records_are_neither_read_nor_touched() {
    let host = Host::new();
    host.bundle("b").file("web/page", "ours").install("web", &host.path("www")).done();
    let instructions = host.root().join("deployment-instructions");
    fs::create_dir_all(&instructions).unwrap();
    fs::create_dir(host.path("www")).unwrap();
    fs::write(host.path("www/page"), "theirs").unwrap();
    let page = host.path("www/page").display().to_string();
    let copy = format!(r#"{{"type":"copy","source":"/a/page","destination":"{page}"}}"#);
    let theirs = [
        ("one-line-install.json", format!(r#"{{"instructions":[{copy}]}}"#)),
        ("pretty-install.json", format!("{{\n  \"instructions\": [\n    {copy}\n  ]\n}}\n")),
        ("g1-install.json", format!("{{\n  \"instructions\": [\n    {copy}\n  ]\n}}")),
        ("g1-cleanup", format!("{page}\n")),
        ("other-cleanup", format!("{page}\n")),
    ];
    for (name, text) in &theirs {
        fs::write(instructions.join(name), text).unwrap();
    }
    let said = host.deploy("b", "");
    assert!(said.event("Install") == "Failed" && said.error().2.contains("FileExists"), "{said:?}");
    host.deploy("b", "--file-exists-behavior OVERWRITE").succeeded();
    host.deploy("b", "").succeeded();
    assert_eq!(host.read("www/page"), "ours");
    for (name, text) in &theirs {
        assert_eq!(fs::read_to_string(instructions.join(name)).unwrap(), *text, "{name}");
    }
}

#[test]
fn of_a_bundle_that_could_not_be_had_nothing_stays_on_the_disk() {
    let host = Host::new();
    host.bundle("b").done();
    let is_tidy =
        || !["bundle", "bundle.tar"].iter().any(|name| host.root().join("sluice").join(name).exists());
    host.deploy("b", "").succeeded();
    assert!(is_tidy());
    // What an earlier life had begun to fetch.
    fs::write(host.root().join("sluice/bundle"), "half").unwrap();
    fs::write(host.root().join("sluice/bundle.tar"), "half").unwrap();
    host.deploy("b", "").succeeded();
    assert!(is_tidy());
    let socket = host.path("b/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(host.deploy("b", "").event("DownloadBundle"), "Failed");
    assert!(is_tidy());
}

#[test]
fn sockets_and_pipes_in_a_bundles_folder_are_refused_by_name_and_left_out_where_the_host_allows_it() {
    let host = Host::new();
    host.bundle("b").file("web/page", "hello").install("web", &host.path("www")).done();
    let socket = host.path("b/web/socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let (_, _, message) = host.deploy("b", "").error();
    assert!(message.contains("SpecialFile: the bundle's entry \"web/socket\" is a socket"), "{message}");
    assert!(message.contains("allow SpecialFiles"), "{message}");
    pack(&host, "mkfifo b/web/pipe");
    let said = Said::of(host.command("--bundle-location b --allow SpecialFiles").output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    for left in ["socket \"web/socket\" was left out", "named pipe \"web/pipe\" was left out"] {
        assert!(said.out.contains(left) || said.err.contains(left), "{left}: {said:?}");
    }
    assert_eq!(fs::read_dir(host.path("www")).unwrap().count(), 1);
    fs::remove_file(socket).unwrap();
    let (_, _, message) = host.deploy("b", "").error();
    assert!(message.contains("SpecialFile: the bundle's entry \"web/pipe\" is a named pipe"), "{message}");
}

#[test]
fn a_name_that_is_no_text_is_shown_by_its_bytes_with_what_renames_it() {
    use std::os::unix::ffi::OsStrExt;
    let host = Host::new();
    host.bundle("b").file("web/page", "hello").install("web", &host.path("www")).done();
    fs::write(host.path("b/web").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let (_, _, message) = host.deploy("b", "").error();
    assert!(
        message.contains(r#"NameNotUtf8: the name of the bundle's entry "web/caf\xe9" is not"#),
        "{message}"
    );
    assert!(message.contains("convmv -r -f latin1 -t utf8"), "{message}");
}

#[test]
fn a_source_outside_the_bundle_is_refused_unless_the_host_allows_it() {
    let host = Host::new();
    fs::write(host.path("secret"), "outside").unwrap();
    // From the unpacked revision, root/g1/DEPLOYMENT/deployment-archive.
    host.bundle("b").install("../../../../secret", &host.path("www")).done();
    let said = host.deploy("b", "");
    let (_, _, message) = said.error();
    assert!(said.event("DownloadBundle") == "Failed" && message.contains("leaves the bundle"), "{message}");
    host.deploy("b", "--allow OutsideSources").succeeded();
    assert_eq!(host.read("www/secret"), "outside");
}

#[test]
fn owners_of_a_tars_files_are_kept_where_the_host_allows_it_and_an_appspec_wins() {
    use std::os::unix::fs::MetadataExt;
    if !is_root() {
        return;
    }
    let host = Host::new();
    host.bundle("b").file("web/theirs", "1").file("web/named", "1").install("web", &host.path("www")).done();
    let named = format!("permissions:\n  - object: {}/named\n    owner: root\n", host.path("www").display());
    fs::write(host.path("b/appspec.yml"), host.read("b/appspec.yml") + &named).unwrap();
    pack(&host, "tar --owner=4321 --group=4322 -cf b.tar -C b .");
    let owners = |name: &str| {
        let found = fs::metadata(host.path("www").join(name)).unwrap();
        (found.uid(), found.gid())
    };
    host.deploy("b.tar", "--type tar").succeeded();
    assert_eq!((owners("theirs"), owners("named")), ((0, 0), (0, 0)));
    host.deploy("b.tar", "--type tar --allow Owners").succeeded();
    assert_eq!((owners("theirs"), owners("named")), ((4321, 4322), (0, 4322)));
}

#[test]
fn of_more_than_is_told_of_a_bundle_the_rest_is_counted() {
    let host = Host::new();
    host.bundle("b").done();
    for number in 0..60 {
        symlink("gone", host.path("b").join(format!("l{number}"))).unwrap();
    }
    pack(&host, "cd b && mkfifo $(seq -f pipe%g 60)");
    let said = Said::of(host.command("--bundle-location b --allow SpecialFiles").output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("and 21 more of these"), "{said:?}");
}

/// A bundle with directories and these links.
fn linked(host: &Host, links: &[(&str, &str)]) {
    host.bundle("b").file("d/e/f", "").file("g/f", "").file("f", "").done();
    for (link, target) in links {
        symlink(target, host.path("b").join(link)).unwrap();
    }
}

#[test]
fn what_lint_says_of_a_bundles_links_and_names_is_what_a_host_says() {
    let (leaves, loops, clash) = ("leads out of it", "leads back to itself", "differ only in case");
    for (links, found) in [
        (&[("l", "d/../f")][..], None),
        (&[("l", "gone")], None),
        (&[("d/l", "gone/..")], None),
        (&[("a", "d/e"), ("l", "a/../../f")], None),
        (&[("l", "/etc")], Some(("LinkLeaves", leaves))),
        (&[("l", "gone/../../x")], Some(("LinkLeaves", leaves))),
        (&[("d/e/a", "../../g"), ("l", "d/e/a/../../x")], Some(("LinkLeaves", leaves))),
        (&[("l", "l")], Some(("LinkLoops", loops))),
        (&[("a", "d"), ("d/e/l", "../../a")], Some(("LinkLoops", loops))),
        (&[("F", "f")], Some(("NameClash", clash))),
        (&[("d/caf\u{e9}", "e"), ("d/CAFE\u{301}", "e")], Some(("NameClash", clash))),
    ] {
        let host = Host::new();
        linked(&host, links);
        let lint = Command::new(env!("CARGO_BIN_EXE_kubectl-sluice"))
            .args(["appspec", "lint"])
            .arg(host.path("b"))
            .output();
        let lint = String::from_utf8(lint.unwrap().stdout).unwrap();
        assert_eq!(lint.lines().count(), usize::from(found.is_some()), "{links:?}: {lint}");
        let said = host.deploy("b", "");
        let message = said.error().2;
        match found {
            None => drop(said.succeeded()),
            Some((reason, words)) => {
                assert!(lint.contains(words) && lint.contains("refused here"), "{links:?}: {lint}");
                assert!(message.starts_with(&format!("{reason}: ")), "{links:?}: {message}");
            }
        }
    }
}
