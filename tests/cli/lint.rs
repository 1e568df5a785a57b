//! `appspec lint`: an AppSpec alone and in its bundle, in words and in JSON, with its exit codes.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use serde_json::Value;

use crate::program::{Said, file, run, run_with};

const APPSPEC: &str = "version: 0.0
os: linux
files:
  - source: /
    destination: /srv/web
  - source: conf/web.service
    destination: /etc/systemd/system
hooks:
  AfterInstall:
    - location: ops/install.sh
      timeout: 60
";

/// A bundle with `appspec` under `name`, a unit and an executable script.
fn bundle(name: &str, appspec: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, content: &str, mode| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    put(name, appspec, 0o644);
    put("conf/web.service", "[Unit]\n", 0o644);
    put("ops/install.sh", "#!/bin/sh\n", 0o755);
    folder
}

fn lint(path: &Path) -> Said {
    run(&format!("appspec lint {}", path.display()))
}

/// What was said of the bundle's AppSpec, without the names of files.
#[track_caller]
fn says(folder: &tempfile::TempDir, code: i32, lines: &[&str]) {
    let said = lint(folder.path());
    let prefix = format!("{}/appspec.yml:", folder.path().display());
    let found: Vec<&str> = said.out.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line)).collect();
    assert_eq!(said.code, code, "{said:?}");
    assert_eq!(found.len(), lines.len(), "{said:?}");
    for (found, part) in found.iter().zip(lines) {
        assert!(found.starts_with(part), "{found}\nbegins not with\n{part}");
    }
}

#[test]
fn a_good_bundle_has_nothing_said_of_it() {
    let folder = bundle("appspec.yml", APPSPEC);
    let said = lint(folder.path());
    assert_eq!((said.code, &*said.out), (0, ""), "{said:?}");
    assert!(said.err.ends_with("/appspec.yml: Server AppSpec, 0 errors, 0 warnings\n"), "{said:?}");
}

#[test]
fn no_cluster_and_no_kubeconfig_is_needed() {
    let folder = bundle("appspec.yml", APPSPEC);
    let said = run(&format!("appspec lint {} --kubeconfig /nowhere", folder.path().display()));
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn each_finding_is_one_line_with_file_line_and_weight() {
    let odd = APPSPEC
        .replace("    destination: /srv/web\n", "    destination: /srv/web\n    overwrite: true\n")
        .replace("AfterInstall:", "After Install:");
    says(
        &bundle("appspec.yml", &odd),
        1,
        &["6: warning: `overwrite` in files is ignored", "10: error: hooks has no event `After Install`"],
    );
}

#[test]
fn what_the_bundle_lacks_is_an_error_at_its_line() {
    let folder = bundle("appspec.yml", APPSPEC);
    fs::remove_file(folder.path().join("conf/web.service")).unwrap();
    fs::rename(folder.path().join("ops/install.sh"), folder.path().join("ops/Install.sh")).unwrap();
    says(
        &folder,
        1,
        &[
            "6: error: files.source is `conf/web.service`, which is not in the bundle",
            "10: error: hooks.AfterInstall.location is `ops/install.sh`, which is not in the bundle: `ops/Install.sh` is",
        ],
    );
    fs::create_dir_all(folder.path().join("conf/web.service")).unwrap();
    fs::remove_file(folder.path().join("ops/Install.sh")).unwrap();
    fs::create_dir(folder.path().join("ops/install.sh")).unwrap();
    says(&folder, 1, &["10: error: hooks.AfterInstall.location is `ops/install.sh`, which is no file"]);
}

#[test]
fn a_file_alone_is_not_held_against_its_folder() {
    let folder = bundle("appspec.yml", APPSPEC);
    fs::remove_file(folder.path().join("conf/web.service")).unwrap();
    assert_eq!(lint(&folder.path().join("appspec.yml")).code, 0);
}

#[test]
fn a_script_that_does_not_run_as_it_is_is_advice() {
    let folder = bundle("appspec.yml", APPSPEC);
    let script = folder.path().join("ops/install.sh");
    fs::set_permissions(&script, Permissions::from_mode(0o644)).unwrap();
    says(
        &folder,
        0,
        &["10: warning: hooks.AfterInstall.location is `ops/install.sh`, which is not executable"],
    );
    fs::write(&script, "#!/bin/sh\r\nexit 0\r\n").unwrap();
    says(
        &folder,
        0,
        &["10: warning: hooks.AfterInstall.location is `ops/install.sh`, whose first line ends in"],
    );
}

#[test]
fn a_destination_that_names_the_file_again_is_told() {
    let folder =
        bundle("appspec.yml", &APPSPEC.replace("conf/web.service", "tool").replace("system\n", "tool\n"));
    fs::write(folder.path().join("tool"), "").unwrap();
    says(&folder, 0, &["6: warning: files.destination is a directory, always: `tool` becomes"]);
    fs::remove_file(folder.path().join("tool")).unwrap();
    fs::create_dir(folder.path().join("tool")).unwrap();
    says(&folder, 0, &[]);
}

#[test]
fn the_other_extension_is_found_and_another_case_is_named() {
    let folder = bundle("appspec.yaml", APPSPEC);
    let said = lint(folder.path());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("/appspec.yaml:1: warning: appspec.yaml is found here; AWS's agent 1.x"),
        "{said:?}"
    );
    says(&bundle("AppSpec.yml", APPSPEC), 1, &["1: error: there is no appspec.yml: rename AppSpec.yml"]);
    says(&bundle("other.yml", APPSPEC), 1, &["1: error: there is no appspec.yml, and no appspec.yaml"]);
}

#[test]
fn what_we_alone_refuse_leaves_the_exit_code_at_0() {
    let said = run_with("appspec lint -", &APPSPEC.replace("destination: /srv/web", "destination: srv/web"));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("standard input:5: warning: files.destination"), "{said:?}");
    assert!(said.out.contains("(refused here; AWS's agent takes it)"), "{said:?}");
}

#[test]
fn what_hosts_refuse_in_a_bundle_and_aws_takes_is_told_once_for_each_kind() {
    let folder = bundle("appspec.yml", APPSPEC);
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("venv/bin")).unwrap();
    for (name, target) in [
        ("venv/bin/python3", "/usr/bin/python3"),
        ("venv/bin/pip", "../../../pip"),
        ("venv/bin/python", "python3"),
        ("venv/up", ".."),
        ("venv/unit", "../conf/./web.service"),
        ("venv/nothing", "nowhere"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    for (name, mode) in [("tool", 0o4755), ("tool2", 0o2755), ("README", 0o644), ("readme", 0o644)] {
        fs::write(at(name), "").unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(at("venv"), Permissions::from_mode(0o2775)).unwrap();
    let _socket = UnixListener::bind(at("socket")).unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    says(
        &folder,
        0,
        &[
            "1: warning: the bundle's link `venv/bin/pip` to `../../../pip` leads out of it (and 2 more): link to a \
             file of the bundle, or have hosts allow OutsideLinks (refused here; AWS's agent takes it)",
            "1: warning: the bundle's link `venv/up` to `..` leads back to itself: ",
            "1: warning: the bundle's file `tool` has set-id bits (and 1 more): clear them, or have hosts allow SetId (",
            "1: warning: the bundle's entry `socket` is neither a file nor a directory nor a link: ",
            "1: warning: the bundle's entries `README` and `readme` differ only in case or in Unicode's spelling: ",
            "1: warning: the name of the bundle's entry \"caf\\xE9\" is not UTF-8: rename it (refused here; ",
        ],
    );
    let said = run(&format!("appspec lint {} -o json", folder.path().display()));
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, &found["valid"]), (0, &true.into()));
    let refused =
        found["findings"].as_array().unwrap().iter().map(|f| (&f["refusedHere"], &f["refusedOnAws"]));
    assert!(refused.into_iter().all(|who| who == (&true.into(), &false.into())), "{found}");
}

/// The bundle is somebody else's who keeps one directory to himself.
#[test]
fn a_directory_that_cannot_be_read_costs_no_other_finding() {
    use std::os::unix::process::CommandExt;
    let folder = bundle("appspec.yml", APPSPEC);
    let at = |path: &str| folder.path().join(path);
    fs::create_dir(at("private")).unwrap();
    symlink("../../out", at("ops/out")).unwrap();
    symlink(OsStr::from_bytes(b"caf\xe9"), at("ops/cafe")).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(at("private"), Permissions::from_mode(0o000)).unwrap();
    let program = at("kubectl-sluice");
    fs::hard_link(env!("CARGO_BIN_EXE_kubectl-sluice"), &program)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_kubectl-sluice"), &program).map(drop))
        .unwrap();
    let mut command = std::process::Command::new(&program);
    command.args(["appspec", "lint"]).arg(folder.path()).env_clear();
    if fs::read_dir(at("private")).is_ok() {
        // Root reads everything.
        command.uid(65_534).gid(65_534);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for finding in [
        "the bundle's directory `private` (Permission denied (os error 13)) cannot be read, and was not looked at: ",
        "the bundle's link `ops/out` to `../../out` leads out of it: ",
        "the name of the bundle's entry \"caf\\xE9\", to which `ops/cafe` is a link, is not UTF-8: ",
    ] {
        assert!(said.contains(finding), "{finding}: {said}");
    }
}

#[test]
fn what_aws_alone_refuses_is_an_error() {
    let said = run_with("appspec lint -", &APPSPEC.replace("version: 0.0", "version: '0.0'"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("(refused by AWS's agent; taken here)"), "{said:?}");
}

/// AWS's verdict on each Server AppSpec of the corpus: what its agent does of that file's OS, and nothing that is only ours.
const VERDICTS: [(&str, i32); 22] = [
    ("any-merge.yaml", 1),
    ("any-odd-values.yaml", 1),
    ("any-shapes.yaml", 1),
    ("no-acls-map.yaml", 1),
    ("no-event-with-space.yaml", 1),
    ("no-function.yaml", 1),
    ("no-glob.yaml", 1),
    // It leaves the bundle, or lands wherever the agent runs: refused here, taken there.
    ("no-parent.yaml", 0),
    ("no-relative.yaml", 0),
    ("no-template.yaml", 1),
    ("no-timeout-zero.yaml", 1),
    ("no-ubuntu.yaml", 1),
    ("no-version-one.yaml", 1),
    ("no-version.yaml", 1),
    ("no-windows-permissions.yaml", 1),
    // A byte order mark loses AWS's agent the first key.
    ("ok-bom.json", 1),
    ("ok-every-permission.yaml", 0),
    ("ok-guide-form.yaml", 0),
    ("ok-indentation-lost.yaml", 0),
    ("ok-many-scripts.yaml", 0),
    // Its version is in quotes, which AWS's agent does not take.
    ("ok-misplaced-keys.yaml", 1),
    ("ok-windows.yaml", 0),
];

#[test]
fn the_exit_code_is_awss_verdict_on_each_server_appspec_of_the_corpus_and_a_refusal_has_its_line() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/appspec/server");
    let mut files: Vec<_> = fs::read_dir(&corpus).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, VERDICTS.map(|(name, _)| name), "each has a verdict");
    let mut wrong = vec![];
    for (name, verdict) in VERDICTS {
        let said = lint(&corpus.join(name));
        let prefix = format!("{}:", corpus.join(name).display());
        let errors = said.out.lines().filter_map(|line| line.strip_prefix(&prefix)).filter(|line| {
            line.split_once(": ")
                .is_some_and(|(at, rest)| at.parse::<u32>().is_ok() && rest.starts_with("error: "))
        });
        let errors = errors.count();
        if said.code != verdict || (errors > 0) != (verdict == 1) {
            wrong.push(format!("{name}: wanted {verdict}, {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As docs/server.md has it, step 1.
#[test]
fn the_examples_appspec_is_good_and_its_folder_is_told_what_it_lacks_until_it_is_packed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/server/bundle");
    let said = lint(&folder.join("appspec.yml"));
    assert_eq!((said.code, &*said.out), (0, ""), "{said:?}");
    let said = lint(&folder);
    let lacks = |line: u32, source: &str| {
        let file = folder.join("appspec.yml");
        format!("{}:{line}: error: files.source is `{source}`, which is not in the bundle", file.display())
    };
    let found: Vec<&str> = said.out.lines().collect();
    assert_eq!((said.code, found), (1, vec![&*lacks(4, "bin"), &*lacks(6, "settings.env")]), "{said:?}");
}

#[test]
fn an_appspec_for_windows_finds_its_files_in_any_case() {
    let windows = "version: 0.0\nos: windows\nfiles:\n  - source: \\CONF\n    destination: c:\\web\nhooks:\n  AfterInstall:\n    - location: Ops\\Install.SH\n";
    says(&bundle("appspec.yml", windows), 0, &["2: warning: os is windows: there is no agent for it here"]);
}

#[test]
fn json_says_the_same() {
    let said = run_with("appspec lint - -o json", &APPSPEC.replace("AfterInstall", "AfterInstal"));
    assert_eq!((said.code, &*said.err), (1, ""), "{said:?}");
    let found: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&found["platform"], &found["os"], &found["valid"]),
        (&"Server".into(), &"linux".into(), &false.into())
    );
    let finding = &found["findings"][0];
    assert_eq!((&finding["line"], &finding["severity"]), (&9.into(), &"error".into()));
    assert_eq!((&finding["refusedHere"], &finding["refusedOnAws"]), (&true.into(), &true.into()));
    assert!(finding["message"].as_str().unwrap().contains("AfterInstall is the nearest"));
}

#[test]
fn the_other_platforms_are_linted_too() {
    let function =
        "Resources: [{f: {Type: Sluice::Function, Properties: {Name: f, Alias: live, TargetVersion: 2}}}]";
    let said = run_with("appspec lint -", function);
    assert_eq!((said.code, &*said.err), (0, "standard input: Function AppSpec, 0 errors, 0 warnings\n"));
    let said = run_with("appspec lint -", &function.replace("TargetVersion: 2", "TargetVersion: $LATEST"));
    assert!(
        said.code == 1 && said.out.starts_with("standard input:1: error: Properties.TargetVersion"),
        "{said:?}"
    );
    let folder = bundle("appspec.yml", function);
    assert_eq!(lint(folder.path()).code, 0);
}

#[test]
fn more_than_is_read_is_told_and_not_read() {
    let (_folder, path) = file(&"#".repeat(600 * 1024));
    let said = lint(&path);
    assert!(said.out.contains("bytes, at most"), "{said:?}");
}
