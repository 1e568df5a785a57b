//! Flags: what is refused before anything is done, and what is said of the program itself.

use std::process::{Command, Stdio};

use super::host::{Host, Said};

fn run(line: &str) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice-agent"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    Said::of(command.output().unwrap())
}

#[test]
fn wrong_flags_end_with_2_and_touch_nothing() {
    let host = Host::new();
    host.bundle("b").done();
    for words in [
        "--type rar",
        "--events Nothing",
        "--events ApplicationStop,ApplicationStop",
        "--events BeforeInstall,DownloadBundle",
        "--file-exists-behavior MAYBE",
        "--no-such-flag",
        "-o yaml",
    ] {
        let said = host.deploy("b", words);
        assert_eq!(said.code, 2, "{words}: {said:?}");
        assert!(!said.err.is_empty() && said.out.is_empty(), "{words}: {said:?}");
    }
    assert!(!host.root().exists());
}

#[test]
fn ids_that_are_no_names_of_folders_are_refused() {
    let host = Host::new();
    host.bundle("b").done();
    for words in [
        "--deployment-group ../g",
        "--deployment-group sluice",
        "--deployment-group deployment-logs",
        "--deployment-id ..",
        "--deployment-id a/b",
    ] {
        let said = host.deploy("b", words);
        assert_eq!(said.code, 1, "{words}: {said:?}");
        assert!(said.error().2.contains("cannot be the name of a folder"), "{words}: {said:?}");
    }
}

#[test]
fn json_says_events_and_error_and_nothing_else() {
    let host = Host::new();
    host.bundle("b").done();
    let said = host.deploy("b", "--events DownloadBundle");
    assert_eq!(
        said.out,
        "{\"error\":null,\"events\":[{\"name\":\"DownloadBundle\",\"status\":\"Succeeded\"},{\"name\":\"Install\",\"status\":\"Succeeded\"}]}\n"
    );
}

#[test]
fn an_error_has_three_keys_and_no_other() {
    let host = Host::new();
    host.bundle("b").hook("AfterInstall", "echo no; exit 7").done();
    host.bundle("empty").done_as("other.yml");
    for (bundle, code, script) in
        [("b", "ScriptFailed", "ops/AfterInstall.sh"), ("empty", "UnknownError", "")]
    {
        let said = host.deploy(bundle, "");
        let json = said.json();
        let mut keys: Vec<&str> = json["error"].as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort();
        assert_eq!((said.code, keys), (1, vec!["errorCode", "message", "scriptName"]), "{bundle}: {said:?}");
        let (told, whose, message) = said.error();
        assert_eq!((&*told, &*whose, message.is_empty()), (code, script, false), "{bundle}: {said:?}");
        assert_eq!(json.as_object().unwrap().len(), 2, "events and error: {said:?}");
    }
}

/// CodeDeploy's own, and `-o json`.
const FLAGS: [&str; 12] = [
    "--bundle-location",
    "--type",
    "--application-name",
    "--deployment-group",
    "--deployment-group-name",
    "--deployment-id",
    "--inherit-env",
    "--working-dir",
    "--events",
    "--file-exists-behavior",
    "--appspec-filename",
    "--root-dir",
];

#[test]
fn the_help_of_deploy_local_names_every_flag() {
    let said = run("deploy-local --help");
    assert_eq!(said.code, 0, "{said:?}");
    let words: Vec<&str> = said.out.split([' ', '\n', ',']).collect();
    for flag in FLAGS.iter().chain(&["--output"]) {
        assert!(words.contains(flag), "{flag} is missing:\n{}", said.out);
    }
    for packing in ["directory", "tar", "tgz", "zip"] {
        assert!(said.out.contains(&format!("- {packing}:")), "{packing} is missing:\n{}", said.out);
    }
}

#[test]
fn without_a_configuration_it_says_how_to_get_one() {
    let said = run("run --config /nowhere/config.yaml");
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("/nowhere/config.yaml") && said.err.contains("kubectl sluice register"),
        "{said:?}"
    );
}

#[test]
fn its_help_names_what_it_does() {
    let said = run("--help");
    assert_eq!(said.code, 0);
    assert!(said.out.contains("deploy-local") && said.out.contains("run"), "{said:?}");
    assert_eq!(run("--version").out.split_whitespace().next(), Some("sluice-agent"));
}
