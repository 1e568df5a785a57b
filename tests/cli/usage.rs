//! Help, versions, misuse, and clusters that cannot be reached.

use std::net::TcpListener;

use crate::program::{file, kubeconfig, run};

const VERBS: [&str; 20] = [
    "create-deployment",
    "get-deployment",
    "list-deployments",
    "list-deployment-targets",
    "get-deployment-target",
    "push",
    "register",
    "deregister",
    "stop-deployment",
    "continue-deployment",
    "put-lifecycle-event-hook-execution-status",
    "get-deployment-group",
    "list-deployment-groups",
    "list-applications",
    "list-deployment-configs",
    "watch",
    "wait",
    "appspec",
    "completion",
    "version",
];

#[test]
fn help_names_every_verb_as_kubectl_calls_it() {
    let said = run("--help");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("Usage: kubectl sluice"), "{}", said.out);
    for verb in VERBS {
        assert!(said.out.contains(&format!("  {verb}")), "{verb} is missing:\n{}", said.out);
    }
}

#[test]
fn every_verb_has_a_help_text_of_its_own() {
    for verb in VERBS {
        let said = run(&format!("{verb} --help"));
        assert_eq!(said.code, 0, "{verb}: {said:?}");
        assert!(said.out.contains(&format!("Usage: kubectl sluice {verb}")), "{verb}:\n{}", said.out);
    }
}

#[test]
fn misuse_ends_with_2_and_says_what_was_wrong() {
    for (line, word) in [
        ("", "Usage"),
        ("deploy", "unrecognized subcommand"),
        ("watch", "<NAME"),
        ("create-deployment g", "--app-spec"),
        ("create-deployment g --config-map a", "NAME/KEY"),
        ("create-deployment g --app-spec a --config-map a/b", "cannot be used with"),
        ("create-deployment g --function f", "--target-version"),
        ("create-deployment g --task-definition t --function f --target-version 2", "cannot be used with"),
        ("create-deployment g --config-map a/b --container-port 80", "cannot be used with"),
        ("create-deployment g --task-definition t --container-port 0", "1..=65535"),
        ("create-deployment g --config-map a/b --before-install h", "cannot be used with"),
        ("create-deployment g --config-map a/b --auto-rollback-events Rain", "DeploymentFailure"),
        ("create-deployment g --config-map a/b --timeout 5m", "--watch"),
        ("create-deployment g --s3-location bucket=b", "key is missing"),
        ("create-deployment g --s3-location bucket=b,key=k --restart", "cannot be used with"),
        ("create-deployment g --config-map a/b --secret s", "--s3-location"),
        ("create-deployment g --http-location url=http://a,sha256=b --secret s", "cannot be used with"),
        ("create-deployment g --restart --update-outdated-instances-only", "cannot be used with"),
        ("create-deployment g --restart --file-exists-behavior KEEP", "Retain"),
        ("register", "<NAME"),
        ("register web-7 --tag =prod", "KEY=VALUE"),
        ("register web-7 --token-duration 5m", "at least 10m"),
        ("register web-7 --server http://10.0.0.1", "https://"),
        ("list-deployment-targets d --status Done", "one of Pending"),
        ("get-deployment-target d", "<TARGET"),
        ("get-deployment-target --deployment-id d", "--target-id"),
        ("list-deployments --phase Done", "one of Created"),
        ("list-deployments -o pdf", "json"),
        ("stop-deployment x --auto-rollback-enabled --no-auto-rollback-enabled", "cannot be used with"),
        (
            "put-lifecycle-event-hook-execution-status x --status Succeeded",
            "--lifecycle-event-hook-execution-id",
        ),
        ("watch x --timeout soon", "1h30m"),
        ("appspec", "lint"),
        ("appspec lint", "<DIR|FILE>"),
        ("appspec lint x -o yaml", "json"),
        ("appspec lint /nowhere/appspec.yml", "/nowhere/appspec.yml: "),
    ] {
        let said = run(line);
        assert_eq!(said.code, 2, "{line}: {said:?}");
        assert!(said.err.contains(word) && said.out.is_empty(), "{line}: {said:?}");
    }
}

#[test]
fn the_version_names_program_and_api() {
    let expected = format!("kubectl-sluice {} (sluice.dev/v1alpha1)\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run("version").out, expected);
}

#[test]
fn completion_scripts_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let said = run(&format!("completion {shell}"));
        assert!(said.code == 0 && said.out.contains("stop-deployment"), "{shell}: {said:?}");
    }
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_told_as_an_error() {
    let (_folder, broken) = file("clusters: [");
    let (_other, fine) = kubeconfig("https://127.0.0.1:1");
    for (flags, word) in [
        ("--kubeconfig /nowhere/config".to_owned(), "/nowhere/config"),
        (format!("--kubeconfig {}", broken.display()), "kubeconfig YAML"),
        (format!("--kubeconfig {} --context other", fine.display()), "other"),
        (String::new(), "kubeconfig"),
    ] {
        let said = run(&format!("get-deployment x {flags}"));
        assert_eq!(said.code, 1, "{flags}: {said:?}");
        assert!(said.err.starts_with("error: ") && said.err.contains(word), "{flags}: {said:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_in_one_line() {
    // A port that was free a moment ago, and is not among those that the kernel gives to outgoing connections by chance.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (_folder, path) = kubeconfig(&format!("http://127.0.0.1:{port}"));
    for (line, code) in [("list-deployments", 1), ("watch x", 2), ("wait deployment-successful x", 2)] {
        let said = run(&format!("{line} --kubeconfig {}", path.display()));
        assert_eq!(said.code, code, "{line}: {said:?}");
        assert!(said.err.starts_with("Unable to connect to the server: "), "{line}: {said:?}");
        assert!(said.err.contains("refused") && said.err.lines().count() == 1, "{line}: {said:?}");
    }
}
