//! From the flags of `create-deployment` to a Deployment's manifest. Pure: the AppSpec's text, the group's aliases, and a
//! PodTemplate's container are handed in.

use kube::core::ObjectMeta;

use super::args::{BundleShortcut, Create, ServiceShortcut, Shortcut, TrafficHooks};
use super::error::Error;
use crate::api::deployment_group::FunctionTarget;
use crate::api::{AutoRollback, Deployment, DeploymentMode, DeploymentSpec, LocalRef, Revision};
use crate::appspec::{self, FunctionEvent, FunctionSpec, HookRef, Platform, ServiceEvent, ServiceSpec};

/// The most text that `spec.revision.appSpecContent.content` holds (its schema's maxLength).
const LONGEST_APPSPEC: usize = 65_536;

/// A revision and what its reader warned of.
#[derive(Debug)]
pub struct Checked {
    /// What to deploy; nothing for a restart.
    pub revision: Option<Revision>,
    /// Sentences with line numbers.
    pub warnings: Vec<String>,
}

/// Checks the text of an AppSpec file and takes it, unchanged, as the revision.
///
/// # Errors
/// An AppSpec that the controller would refuse, with the line.
pub fn from_file(file: &str, text: String) -> Result<Checked, Error> {
    let is_service = appspec::platform_of(text.as_bytes()).is_ok_and(|p| p == Some(Platform::Service));
    let warnings = if is_service {
        appspec::read_service(text.as_bytes()).map(|spec| spec.warnings)
    } else {
        appspec::read_function(text.as_bytes()).map(|spec| spec.warnings)
    };
    let warnings = warnings.map_err(|source| Error::AppSpec { file: file.into(), source })?;
    if text.chars().count() > LONGEST_APPSPEC {
        return Err(Error::Usage(format!(
            "{file}: more than {LONGEST_APPSPEC} characters, which is all that an object holds: put it into a ConfigMap and use --config-map"
        )));
    }
    Ok(Checked { revision: Some(Revision::inline(text)), warnings })
}

/// Writes the AppSpec of `--function` and checks it like a file.
///
/// # Errors
/// Names or versions that an AppSpec may not hold.
pub fn from_function(
    function: &str,
    shortcut: &Shortcut,
    hooks: &TrafficHooks,
    alias: &str,
) -> Result<Checked, Error> {
    let hooks = [
        (FunctionEvent::BeforeAllowTraffic, &hooks.before_allow_traffic),
        (FunctionEvent::AfterAllowTraffic, &hooks.after_allow_traffic),
    ];
    let text = appspec::write_function(&FunctionSpec {
        logical_name: function.into(),
        name: function.into(),
        alias: alias.into(),
        current_version: shortcut.current_version.clone(),
        target_version: shortcut.target_version.clone().unwrap_or_default(),
        hooks: named(&hooks),
        warnings: Vec::new(),
    });
    from_file("--function", text)
}

fn named<E: Copy>(hooks: &[(E, &Option<String>)]) -> Vec<HookRef<E>> {
    let given = hooks.iter().filter_map(|(event, hook)| Some((*event, (*hook).clone()?)));
    given.map(|(event, hook)| HookRef { event, hook }).collect()
}

/// Writes the AppSpec of `--task-definition` and checks it like a file.
///
/// # Errors
/// Names that an AppSpec may not hold.
pub fn from_task_definition(
    pod_template: &str,
    shortcut: &ServiceShortcut,
    hooks: &TrafficHooks,
    (container, port): (String, u16),
) -> Result<Checked, Error> {
    let hooks = [
        (ServiceEvent::BeforeInstall, &shortcut.before_install),
        (ServiceEvent::AfterInstall, &shortcut.after_install),
        (ServiceEvent::AfterAllowTestTraffic, &shortcut.after_allow_test_traffic),
        (ServiceEvent::BeforeAllowTraffic, &hooks.before_allow_traffic),
        (ServiceEvent::AfterAllowTraffic, &hooks.after_allow_traffic),
    ];
    let text = appspec::write_service(&ServiceSpec {
        task_definition: pod_template.into(),
        container_name: container,
        container_port: port,
        hooks: named(&hooks),
        warnings: Vec::new(),
    });
    from_file("--task-definition", text)
}

/// Refuses a name that no PodTemplate can have, before the API server is asked for it.
///
/// # Errors
/// What is wrong with the name, and how to write it.
pub fn check_task_definition(pod_template: &str) -> Result<(), Error> {
    let stand_in = ("container".into(), 1);
    let (shortcut, hooks) = (ServiceShortcut::default(), TrafficHooks::default());
    from_task_definition(pod_template, &shortcut, &hooks, stand_in).map(drop)
}

/// The alias of a group that has only one.
///
/// # Errors
/// Says which aliases there are to choose from.
pub fn only_alias<'a>(group: &str, target: Option<&'a FunctionTarget>) -> Result<&'a str, Error> {
    let Some(target) = target else {
        let message = format!(
            "deployment group \"{group}\" deploys no functions: say --app-spec instead of --function"
        );
        return Err(Error::Usage(message));
    };
    match target.aliases.as_slice() {
        [alias] => Ok(&alias.name),
        aliases => {
            let names: Vec<&str> = aliases.iter().map(|a| a.name.as_str()).collect();
            let names = names.join(", ");
            Err(Error::Usage(format!("deployment group \"{group}\" has the aliases {names}: say --alias")))
        }
    }
}

/// The bundle that the flags name, if they name one; the Secret is its source's.
pub fn bundle(flags: &BundleShortcut) -> Option<Revision> {
    let secret = || flags.secret.as_ref().map(LocalRef::new);
    let mut revision = Revision {
        s3: flags.s3_location.clone().map(Box::new),
        git_hub: flags.github_location.clone().map(Box::new),
        http: flags.http_location.clone().map(Box::new),
        oci: flags.oci_image.clone().map(Box::new),
        ..Revision::default()
    };
    if let Some(s3) = &mut revision.s3 {
        s3.secret_ref = secret();
    }
    if let Some(git_hub) = &mut revision.git_hub {
        git_hub.secret_ref = secret();
    }
    if let Some(oci) = &mut revision.oci {
        oci.secret_ref = secret();
    }
    revision.is_bundle().then_some(revision)
}

/// The object to create; without a revision it is a restart.
pub fn manifest(create: &Create, revision: Option<Revision>, namespace: Option<&str>) -> Deployment {
    let group = create.group();
    let auto_rollback = match (create.no_auto_rollback, create.auto_rollback_events.as_slice()) {
        (true, _) => Some(AutoRollback::default()),
        (false, []) => None,
        (false, events) => Some(AutoRollback { enabled: true, events: events.to_vec() }),
    };
    let spec = DeploymentSpec {
        deployment_group_ref: LocalRef::new(group),
        deployment_mode: if revision.is_none() { DeploymentMode::Restart } else { DeploymentMode::Standard },
        revision,
        description: create.description.clone(),
        deployment_config_name: create.deployment_config_name.clone(),
        auto_rollback,
        file_exists_behavior: create.bundle.file_exists_behavior,
        ignore_application_stop_failures: create.bundle.ignore_application_stop_failures,
        update_outdated_instances_only: create.bundle.update_outdated_instances_only,
        ..DeploymentSpec::default()
    };
    let metadata = ObjectMeta {
        name: create.name.clone(),
        generate_name: create.name.is_none().then(|| format!("{group}-")),
        namespace: namespace.map(Into::into),
        ..ObjectMeta::default()
    };
    Deployment { metadata, ..Deployment::new("", spec) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::{CommandLine, Verb};
    use super::*;
    use crate::api::deployment_group::Alias;

    fn create(line: &str) -> Create {
        let line = format!("kubectl-sluice create-deployment {line}");
        match CommandLine::try_parse_from(line.split_whitespace()).unwrap().verb {
            Verb::CreateDeployment(create) => *create,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_shortcut_writes_an_appspec_that_reads_back() {
        let create = create(
            "hello-prod --function hello --target-version 2 --current-version 1 --after-allow-traffic probe",
        );
        let checked = from_function("hello", &create.shortcut, &create.traffic_hooks, "live").unwrap();
        insta::assert_snapshot!(checked.revision.unwrap().app_spec_content.unwrap().content, @r#"
        version: 0.0
        Resources:
          - "hello":
              Type: Sluice::Function
              Properties:
                Name: "hello"
                Alias: "live"
                CurrentVersion: "1"
                TargetVersion: "2"
        Hooks:
          - AfterAllowTraffic: "probe"
        "#);
    }

    #[test]
    fn the_shortcut_of_a_service_does_so_too_and_puts_its_hooks_in_order() {
        let create = create(
            "web-prod --task-definition web-42 --after-allow-traffic probe --before-install migrate --after-allow-test-traffic probe",
        );
        let port = ("web".into(), 8080);
        let checked = from_task_definition("web-42", &create.service, &create.traffic_hooks, port).unwrap();
        insta::assert_snapshot!(checked.revision.unwrap().app_spec_content.unwrap().content, @r#"
        version: 0.0
        Resources:
          - TargetService:
              Type: Sluice::Service
              Properties:
                TaskDefinition: "web-42"
                LoadBalancerInfo:
                  ContainerName: "web"
                  ContainerPort: 8080
        Hooks:
          - BeforeInstall: "migrate"
          - AfterAllowTestTraffic: "probe"
          - AfterAllowTraffic: "probe"
        "#);
    }

    #[test]
    fn a_task_definition_in_ecs_notation_is_refused_before_anything_is_asked() {
        let said = check_task_definition("web:42").unwrap_err().report();
        assert!(said.contains("like `web-42`"), "{said}");
        assert!(check_task_definition("web-42").is_ok());
    }

    #[test]
    fn a_name_is_generated_from_the_groups_unless_it_is_given() {
        let generated = manifest(&create("g --config-map a/b"), Some(Revision::default()), None);
        assert_eq!(
            (generated.metadata.generate_name.as_deref(), generated.metadata.name),
            (Some("g-"), None)
        );
        let given =
            manifest(&create("g --config-map a/b --name d1"), Some(Revision::default()), Some("prod"));
        assert_eq!((given.metadata.generate_name, given.metadata.name.as_deref()), (None, Some("d1")));
        assert_eq!(given.metadata.namespace.as_deref(), Some("prod"));
    }

    #[test]
    fn rollback_settings_override_the_groups_only_when_given() {
        let of = |line: &str| manifest(&create(line), Some(Revision::default()), None).spec.auto_rollback;
        assert_eq!(of("g --config-map a/b"), None);
        assert!(!of("g --config-map a/b --no-auto-rollback").unwrap().enabled);
        let some = of("g --config-map a/b --auto-rollback-events DeploymentFailure").unwrap();
        assert!(some.enabled && some.events.len() == 1);
    }

    #[test]
    fn a_bundle_and_its_secret_become_the_revision() {
        let create = create(
            "shop-prod --s3-location bucket=releases,key=shop/42.tgz,bundleType=tgz --secret storage --file-exists-behavior OVERWRITE --ignore-application-stop-failures --update-outdated-instances-only",
        );
        let deployment = manifest(&create, bundle(&create.bundle), None);
        insta::assert_snapshot!(serde_json::to_string_pretty(&deployment.spec).unwrap(), @r#"
        {
          "deploymentGroupRef": {
            "name": "shop-prod"
          },
          "revision": {
            "s3": {
              "bucket": "releases",
              "key": "shop/42.tgz",
              "bundleType": "tgz",
              "secretRef": {
                "name": "storage"
              }
            }
          },
          "ignoreApplicationStopFailures": true,
          "fileExistsBehavior": "Overwrite",
          "updateOutdatedInstancesOnly": true
        }
        "#);
    }

    #[test]
    fn a_restart_has_no_revision() {
        let create = create("shop-prod --restart");
        let spec = manifest(&create, bundle(&create.bundle), None).spec;
        assert_eq!((spec.deployment_mode, spec.revision), (DeploymentMode::Restart, None));
    }

    #[test]
    fn a_broken_appspec_is_refused_with_file_and_line() {
        let text = "version: 0.0\nResources:\n  - hello:\n      Type: Sluice::Function\n      Properties:\n        Name: hello\n        Alias: live\n";
        let error = from_file("appspec.yaml", text.into()).unwrap_err();
        let said = error.report();
        assert!(said.starts_with("error: appspec.yaml: line ") && said.contains("TargetVersion"), "{said}");
    }

    #[test]
    fn an_alias_is_assumed_only_where_there_is_one() {
        let alias = |name: &str| Alias { name: name.into(), http_route: LocalRef::new("r") };
        let mut target = FunctionTarget { version_service: "{version}".into(), aliases: vec![alias("live")] };
        assert_eq!(only_alias("g", Some(&target)).unwrap(), "live");
        target.aliases.push(alias("beta"));
        let said = only_alias("g", Some(&target)).unwrap_err().to_string();
        assert_eq!(said, "deployment group \"g\" has the aliases live, beta: say --alias");
    }
}
