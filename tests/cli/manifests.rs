//! `create-deployment --dry-run`: what would be created, and AppSpecs that are refused before anything is.

use serde_json::{Value, json};

use crate::program::{Said, file, kubeconfig, run, run_with, serve_once};

const APPSPEC: &str = "version: 0.0
Resources:
  - hello:
      Type: AWS::Lambda::Function
      Properties:
        Name: hello
        Alias: live
        CurrentVersion: 1
        TargetVersion: 2
";

fn manifest(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{said:?}");
    serde_saphyr::from_str(&said.out).unwrap()
}

#[test]
fn a_dry_run_prints_a_manifest_without_asking_any_cluster() {
    let said = run(
        "create-deployment hello-prod -n prod --function hello --alias live --target-version 2 --description new --dry-run",
    );
    let manifest = manifest(&said);
    assert_eq!(manifest["metadata"], json!({"generateName": "hello-prod-", "namespace": "prod"}));
    assert_eq!(manifest["spec"]["deploymentGroupRef"], json!({"name": "hello-prod"}));
    assert_eq!(manifest["spec"]["description"], "new");
    let content = manifest["spec"]["revision"]["appSpecContent"]["content"].as_str().unwrap();
    assert!(content.contains("TargetVersion: \"2\""), "{content}");
}

#[test]
fn json_is_printed_where_it_is_asked_for() {
    let said = run("create-deployment g --config-map hello-2/appspec.yaml --name d1 --dry-run -o json");
    let manifest: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(manifest["metadata"], json!({"name": "d1"}));
    assert_eq!(
        manifest["spec"]["revision"],
        json!({"configMap": {"name": "hello-2", "key": "appspec.yaml"}})
    );
}

#[test]
fn an_appspec_is_taken_unchanged_from_a_file_and_from_standard_input() {
    let (_folder, path) = file(APPSPEC);
    let from_file = run(&format!("create-deployment g --app-spec {} --dry-run", path.display()));
    let from_input = run_with("create-deployment g --app-spec - --dry-run", APPSPEC);
    for said in [from_file, from_input] {
        assert_eq!(manifest(&said)["spec"]["revision"]["appSpecContent"]["content"], APPSPEC);
    }
}

#[test]
fn a_broken_appspec_is_refused_with_its_line_before_anything_is_created() {
    let broken = APPSPEC.replace("        TargetVersion: 2\n", "");
    let said = run_with("create-deployment g --app-spec -", &broken);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with("error: standard input: line "), "{said:?}");
    assert!(said.err.contains("TargetVersion") && said.out.is_empty(), "{said:?}");
    let said = run_with("create-deployment g --app-spec - --watch", &broken);
    assert_eq!(said.code, 2, "what follows a deployment keeps 1 for its end: {said:?}");
}

#[test]
fn warnings_go_to_standard_error_and_stop_nothing() {
    let odd = APPSPEC.replace("        Name: hello\n", "        Name: hello\n        Colour: blue\n");
    let said = run_with("create-deployment g --app-spec - --dry-run", &odd);
    assert_eq!(manifest(&said)["kind"], "Deployment");
    assert!(said.err.starts_with("warning: ") && said.err.contains("Colour"), "{said:?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = run("create-deployment g --app-spec /nowhere/appspec.yaml");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with("error: /nowhere/appspec.yaml: "), "{said:?}");
}

const SERVICE: &str = "version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: web-42
        LoadBalancerInfo: {ContainerName: web, ContainerPort: 8080}
Hooks:
  - AfterAllowTestTraffic: web-probe
";

#[test]
fn an_appspec_of_a_service_is_taken_and_checked_like_a_functions() {
    let said = run_with("create-deployment web-prod --app-spec - --dry-run", SERVICE);
    assert_eq!(manifest(&said)["spec"]["revision"]["appSpecContent"]["content"], SERVICE);
    let said = run_with("create-deployment web-prod --app-spec -", &SERVICE.replace("web-42", "web:42"));
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("like `web-42`"), "{said:?}");
}

#[test]
fn the_shortcut_of_a_service_asks_no_cluster_where_nothing_is_left_out() {
    let said = run(
        "create-deployment web-prod --task-definition web-42 --container web --container-port 8080 --after-allow-test-traffic web-probe --before-allow-traffic gate --dry-run",
    );
    let manifest = manifest(&said);
    let content = manifest["spec"]["revision"]["appSpecContent"]["content"].as_str().unwrap();
    for line in [
        "TaskDefinition: \"web-42\"",
        "ContainerPort: 8080",
        "AfterAllowTestTraffic: \"web-probe\"",
        "BeforeAllowTraffic: \"gate\"",
    ] {
        assert!(content.contains(line), "{line} is missing:\n{content}");
    }
}

#[test]
fn container_and_port_are_read_from_the_podtemplate() {
    let template = json!({
        "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "web-42", "namespace": "prod"},
        "template": {"spec": {"containers": [{"name": "web", "image": "web:42", "ports": [{"containerPort": 8080}]}]}}
    });
    let (url, asked) = serve_once(&template.to_string());
    let (_folder, path) = kubeconfig(&url);
    let line = format!(
        "create-deployment web-prod -n prod --task-definition web-42 --dry-run --kubeconfig {}",
        path.display()
    );
    let manifest = manifest(&run(&line));
    let content = manifest["spec"]["revision"]["appSpecContent"]["content"].as_str().unwrap();
    assert!(
        content.contains("ContainerName: \"web\"") && content.contains("ContainerPort: 8080"),
        "{content}"
    );
    assert_eq!(asked.join().unwrap(), "GET /api/v1/namespaces/prod/podtemplates/web-42");
}

#[test]
fn a_task_definition_of_ecs_is_refused_before_any_cluster_is_asked() {
    let said = run("create-deployment web-prod --task-definition web:42 --kubeconfig /nowhere/config");
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("like `web-42`"), "{said:?}");
}
