//! Rules of the Service AppSpec, one sentence each. Those of Function hold what the two share.

use proptest::prelude::*;

use super::super::{Position, write_service};
use super::*;

const FULL: &str = "\
version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: web-42
        LoadBalancerInfo:
          ContainerName: web
          ContainerPort: 8080
Hooks:
  - BeforeInstall: migrate
  - AfterInstall: warm
  - AfterAllowTestTraffic: web.probe
  - BeforeAllowTraffic: smoke
  - AfterAllowTraffic: verify
";

fn read(text: &str) -> ServiceSpec {
    read_service(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refusal(text: &str) -> String {
    match read_service(text.as_bytes()) {
        Ok(spec) => panic!("accepted as {spec:?}:\n{text}"),
        Err(error) => error.to_string(),
    }
}

/// [`FULL`] with one line exchanged; the line must be there.
fn with(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    FULL.replace(from, to)
}

/// [`FULL`] with one more line, the seventh, in `Properties`.
fn with_property(line: &str) -> String {
    with("        LoadBalancerInfo:", &format!("        {line}\n        LoadBalancerInfo:"))
}

#[track_caller]
fn says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

fn web() -> ServiceSpec {
    let hooks = ["migrate", "warm", "web.probe", "smoke", "verify"];
    ServiceSpec {
        task_definition: "web-42".into(),
        container_name: "web".into(),
        container_port: 8080,
        hooks: ServiceEvent::ALL
            .into_iter()
            .zip(hooks)
            .map(|(event, hook)| HookRef { event, hook: hook.into() })
            .collect(),
        warnings: Vec::new(),
    }
}

#[test]
fn the_form_of_the_user_guide_is_read_whole() {
    assert_eq!(read(FULL), web());
}

#[test]
fn our_own_type_reads_as_ecs_does() {
    assert_eq!(read(&with("AWS::ECS::Service", "Sluice::Service")), web());
}

#[test]
fn keys_are_read_in_any_case_and_order_in_maps_or_lists() {
    let text = "\
hooks:
  AFTERALLOWTRAFFIC: verify
  beforeAllowTraffic: smoke
  afterallowtesttraffic: web.probe
  beforeinstall: migrate
  AfterInstall: warm
resources:
  targetservice:
    properties:
      loadbalancerinfo: {CONTAINERPORT: '8080', containername: web}
      taskdefinition: web-42
    type: AWS::ECS::Service
";
    assert_eq!(read(text), web());
}

#[test]
fn json_is_read_with_the_port_as_a_number_or_a_text() {
    for port in ["8080", "\"8080\"", "\" 8080 \""] {
        let text = format!(
            "{{\"version\": 0.0, \"Resources\": [{{\"TargetService\": {{\"Type\": \"AWS::ECS::Service\",\n\
             \t\"Properties\": {{\"TaskDefinition\": \"web-42\",\n\
             \t\t\"LoadBalancerInfo\": {{\"ContainerName\": \"web\", \"ContainerPort\": {port}}}}}}}}}]}}"
        );
        assert_eq!(read(&text), ServiceSpec { hooks: vec![], ..web() }, "{port}");
    }
}

#[test]
fn each_required_field_is_named_when_it_is_missing() {
    for (line, field) in [
        ("        TaskDefinition: web-42\n", "line 6 column 9: Properties.TaskDefinition is missing"),
        ("          ContainerName: web\n", "Properties.LoadBalancerInfo.ContainerName is missing"),
        ("          ContainerPort: 8080\n", "Properties.LoadBalancerInfo.ContainerPort is missing"),
    ] {
        says(&refusal(&with(line, "")), &[field, ": write the "]);
        let key = line.split_inclusive(':').next().unwrap();
        says(&refusal(&with(line, &format!("{key}\n"))), &["is empty: write the "]);
    }
    let balancer = "        LoadBalancerInfo:\n          ContainerName: web\n          ContainerPort: 8080\n";
    says(
        &refusal(&with(balancer, "")),
        &["Properties.LoadBalancerInfo is missing: it holds ContainerName and ContainerPort"],
    );
    says(
        &refusal(&with(balancer, "        LoadBalancerInfo: [web]\n")),
        &[
            "line 7",
            "Properties.LoadBalancerInfo must be a map of ContainerName, ContainerPort; this is a list",
        ],
    );
    says(
        &refusal("Resources:\n  - TargetService:\n"),
        &["Resources.Type is missing: indent Type and Properties below TargetService"],
    );
    says(
        &refusal("Resources: {TargetService: {Type: Sluice::Service}}"),
        &["Resources.Properties is missing: it holds TaskDefinition and LoadBalancerInfo"],
    );
    says(&refusal("version: 0.0\n"), &["Resources is missing: it names the service to deploy"]);
}

#[test]
fn a_container_beside_its_load_balancer_is_pointed_at() {
    let text =
        with("          ContainerName", "        ContainerName").replace("  ContainerPort", "ContainerPort");
    says(&refusal(&text), &["line 7", "LoadBalancerInfo is empty"]);
    let spec = read(&with_property("ContainerPort: 80"));
    says(
        &spec.warnings[0],
        &["line 7: ContainerPort in Properties is ignored: it belongs under LoadBalancerInfo"],
    );
}

#[test]
fn hooks_beside_the_resources_are_pointed_at() {
    let spec = read(
        &with("Hooks:\n  - BeforeInstall", "BeforeInstall")
            .replace("  - After", "After")
            .replace("  - Before", "Before"),
    );
    assert_eq!(spec.hooks, []);
    says(&spec.warnings[4], &["AfterAllowTraffic is ignored: it belongs under Hooks"]);
    says(
        &read(&with_property("AfterInstall: warm")).warnings[0],
        &["AfterInstall in Properties is ignored: it belongs under Hooks"],
    );
}

#[test]
fn the_name_of_the_resource_is_read_whatever_it_is_and_said() {
    let spec = read(&with("TargetService", "Web"));
    assert_eq!(
        spec.warnings,
        ["line 3: `Web` in Resources is taken for TargetService, as CodeDeploy calls it"]
    );
    assert_eq!(ServiceSpec { warnings: vec![], ..spec }, web());
}

#[test]
fn two_services_are_refused_by_name() {
    let second = "  - TargetService: {Type: Sluice::Service, Properties: {}}\nHooks:";
    says(
        &refusal(&with("Hooks:", second)),
        &["line 10", "names 2 entries (`TargetService`, `TargetService`): a deployment moves one service"],
    );
}

#[test]
fn fields_beside_the_target_service_are_refused() {
    let text = "Resources:\n  - TargetService:\n    Type: AWS::ECS::Service\n    Properties: {}\n";
    says(
        &refusal(text),
        &["line 3 column 5: Resources has `Type` beside TargetService: indent Type and Properties below it"],
    );
}

#[test]
fn an_appspec_of_another_platform_is_refused_by_name() {
    let function = "Resources:\n  - hello:\n      Type: AWS::Lambda::Function\n";
    says(
        &refusal(function),
        &["line 3 column 13: this AppSpec describes a Function; the application's platform is Service"],
    );
    says(&refusal("Resources: {hello: {Properties: {Alias: live}}}"), &["this AppSpec describes a Function"]);
    says(
        &refusal("version: 0.0\nos: linux\nfiles: []\n"),
        &["line 2 column 5: this AppSpec describes a Server"],
    );
}

#[test]
fn another_type_is_refused_with_the_two_accepted() {
    for other in ["ECS", "AWS::ECS::TaskSet", "aws::ecs::service"] {
        says(
            &refusal(&with("AWS::ECS::Service", other)),
            &["line 4 column 13: Resources.Type is", other, "only AWS::ECS::Service and Sluice::Service"],
        );
    }
}

#[test]
fn a_task_definition_of_ecs_is_refused_with_the_name_to_use() {
    for (written, problem) in [
        (
            "arn:aws:ecs:eu-west-1:111122223333:task-definition/web:42",
            "is an ARN: write the name of a PodTemplate",
        ),
        ("arn:aws-cn:ecs:cn-north-1:111122223333:task-definition/web:42", "is an ARN"),
        ("'web:42'", "is `web:42`, a family and revision of ECS: write the name of a PodTemplate"),
        ("Web:42", "a family and revision of ECS"),
        ("Web_42", "is not the name of a PodTemplate"),
    ] {
        says(
            &refusal(&with("web-42", written)),
            &["line 6 column 25: Properties.TaskDefinition", problem, "like `web-42`"],
        );
    }
    let arn = "arn:aws:ecs:eu-west-1:111122223333:task-definition/checkout_web";
    says(&refusal(&with("web-42", arn)), &["is an ARN", "like `checkout-web`"]);
    let half = refusal(&with("web-42", "arn:aws:ecs:${REGION}:${ACCOUNT}:task-definition/web:${REVISION}"));
    assert!(
        half.ends_with("is an ARN: write the name of a PodTemplate in the deployment's namespace"),
        "{half}"
    );
}

#[test]
fn a_placeholder_is_refused_with_its_field_and_cure() {
    says(
        &refusal(&with("web-42", "<TASK_DEFINITION>")),
        &[
            "line 6 column 25: Properties.TaskDefinition is `<TASK_DEFINITION>`, a template that was not rendered",
            "CodePipeline",
            "write the name of a PodTemplate in the deployment's namespace",
        ],
    );
    says(
        &refusal(&with("ContainerName: web", "ContainerName: \"${name}\"")),
        &[
            "line 8",
            "LoadBalancerInfo.ContainerName is `${name}`",
            "not rendered: write the container's name",
        ],
    );
    says(
        &refusal(&with("8080", "\"<CONTAINER_PORT>\"")),
        &["line 9", "ContainerPort is `<CONTAINER_PORT>`", "not rendered: write a number from 1 to 65535"],
    );
    says(
        &refusal(&with("smoke", "\"{{ hook }}\"")),
        &["line 14", "Hooks.BeforeAllowTraffic is `{{ hook }}`", "write the name of a LifecycleHook"],
    );
}

#[test]
fn a_function_of_cloudformation_is_refused_with_its_field_and_cure() {
    for (written, name) in [
        ("!Ref WebTask", "`!Ref`"),
        ("!Sub 'web-${Version}'", "`!Sub`"),
        ("!Join ['-', [web, 42]]", "`!Join`"),
        ("!If [IsNew, a, b]", "`!If`"),
        ("{Ref: WebTask}", "`Ref`"),
        ("{Fn::Sub: 'web-${Version}'}", "`Fn::Sub`"),
        ("{'Fn::ImportValue': !Sub x}", "`Fn::ImportValue`"),
    ] {
        says(
            &refusal(&with("web-42", written)),
            &[
                "line 6",
                "Properties.TaskDefinition must be one text; this is CloudFormation's",
                name,
                "write the value out",
            ],
        );
    }
    says(&refusal(&with("8080", "!Ref Port")), &["line 9", "ContainerPort must be one text", "`!Ref`"]);
    says(
        &refusal(&with("smoke", "!GetAtt Smoke.Arn")),
        &["line 14", "Hooks.BeforeAllowTraffic must", "`!GetAtt`"],
    );
    says(
        &refusal("Resources: {Fn::Transform: {Name: AWS::Include}}"),
        &["Resources must be a list of maps", "CloudFormation's `Fn::Transform`"],
    );
    says(&refusal(&with("web-42", "!vault web-42")), &["line 6", "the tag `!vault` is not read here"]);
}

#[test]
fn a_map_of_one_key_is_no_function_of_cloudformation_by_its_name_alone() {
    let spec = read(&with("TargetService", "Ref"));
    assert_eq!(ServiceSpec { warnings: vec![], ..spec }, web());
}

#[test]
fn the_latest_platform_version_is_taken_and_no_other() {
    for harmless in ["LATEST", "\"LATEST\"", "latest", "", "~", "''"] {
        assert_eq!(read(&with_property(&format!("PlatformVersion: {harmless}"))), web(), "{harmless}");
    }
    for other in ["1.4.0", "[LATEST]", "!Ref Version", "${VERSION}"] {
        says(
            &refusal(&with_property(&format!("platformVersion: {other}"))),
            &["line 7 column 9: Properties.PlatformVersion only means something on AWS", "nodeSelector"],
        );
    }
}

#[test]
fn a_network_configuration_that_asks_for_nothing_passes() {
    for empty in [
        "",
        "~",
        "{}",
        "''",
        "{AwsvpcConfiguration: }",
        "{AwsvpcConfiguration: {}}",
        "{AwsvpcConfiguration: {Subnets: [], SecurityGroups: [], AssignPublicIp: ''}}",
        "{AwsvpcConfiguration: {Subnets: [''], SecurityGroups: ~}}",
    ] {
        assert_eq!(read(&with_property(&format!("NetworkConfiguration: {empty}"))), web(), "{empty}");
    }
}

#[test]
fn a_network_configuration_is_refused_with_what_to_use_instead() {
    for some in [
        "{AwsvpcConfiguration: {Subnets: [subnet-1], SecurityGroups: [sg-1], AssignPublicIp: ENABLED}}",
        "{AwsvpcConfiguration: {AssignPublicIp: DISABLED}}",
        "{AwsvpcConfiguration: !Ref Network}",
    ] {
        says(
            &refusal(&with_property(&format!("NetworkConfiguration: {some}"))),
            &[
                "line 7 column 9: Properties.NetworkConfiguration only means",
                "NetworkPolicies",
                "PodTemplate",
            ],
        );
    }
    let lost =
        with("ContainerPort: 8080", "ContainerPort: 8080\n          NetworkConfiguration: {Subnets: [a]}");
    says(
        &refusal(&lost),
        &["line 10 column 11: Properties.LoadBalancerInfo.NetworkConfiguration only means"],
    );
}

#[test]
fn a_capacity_provider_strategy_is_refused_with_what_to_use_instead() {
    says(
        &refusal(&with_property("CapacityProviderStrategy: [{CapacityProvider: FARGATE_SPOT, Weight: 1}]")),
        &["line 7", "Properties.CapacityProviderStrategy only means", "node affinity", "priorityClassName"],
    );
    for empty in ["", "[]", "[{}]"] {
        assert_eq!(read(&with_property(&format!("CapacityProviderStrategy: {empty}"))), web(), "{empty}");
    }
}

#[test]
fn a_port_is_a_number_that_a_container_can_listen_on() {
    for (good, port) in [("1", 1), ("80", 80), ("65535", 65535)] {
        assert_eq!(read(&with("8080", good)).container_port, port);
    }
    for bad in
        ["0", "65536", "99999999999999999999", "-1", "+80", "080", "0x50", "80.0", "8e3", "http", "80/tcp"]
    {
        says(
            &refusal(&with("8080", bad)),
            &[
                "line 9 column 26: Properties.LoadBalancerInfo.ContainerPort is",
                bad,
                "no port: write a number from 1 to 65535",
            ],
        );
    }
    says(&refusal(&with("8080", "[8080]")), &["ContainerPort must be one text; this is a list"]);
}

#[test]
fn a_container_has_the_name_that_a_pod_gives_it() {
    says(
        &refusal(&with("ContainerName: web", "ContainerName: Web_App")),
        &["line 8 column 26", "ContainerName `Web_App` is not the name of a container", "like `web-app`"],
    );
    let long = "a".repeat(63);
    assert_eq!(read(&with("ContainerName: web", &format!("ContainerName: {long}"))).container_name, long);
    says(&refusal(&with("ContainerName: web", &format!("ContainerName: {long}a"))), &["at most 63"]);
}

#[test]
fn a_pod_template_has_the_name_of_an_object() {
    for good in ["42", "web.v42", &"a".repeat(253)] {
        assert_eq!(read(&with("web-42", &format!("'{good}'"))).task_definition, good);
    }
    for bad in ["web..42", "-web", "web/42", &"a".repeat(254)] {
        says(&refusal(&with("web-42", bad)), &["line 6", "is not the name of a PodTemplate"]);
    }
}

#[test]
fn a_hook_s_arn_is_refused_with_the_name_inside_it() {
    let arn = "arn:aws:lambda:eu-west-1:111122223333:function:WebProbe:3";
    says(
        &refusal(&with("web.probe", arn)),
        &["line 13 column 28: Hooks.AfterAllowTestTraffic is an ARN", "LifecycleHook", "like `web-probe`"],
    );
}

#[test]
fn an_event_without_a_hook_runs_none_and_warns() {
    let spec = read(&with("AfterInstall: warm", "AfterInstall:"));
    assert_eq!(spec.hooks.len(), 4);
    assert_eq!(spec.warnings, ["line 12: Hooks.AfterInstall is empty: no hook runs then"]);
}

#[test]
fn an_event_of_another_platform_is_refused_with_the_five() {
    for other in ["ApplicationStart", "Install", "AllowTestTraffic", "BeforeBlockTraffic"] {
        says(
            &refusal(&with("BeforeInstall", other)),
            &[
                "line 11 column 5: Hooks has",
                other,
                "takes no hook on Service: only BeforeInstall, AfterInstall, AfterAllowTestTraffic, \
                 BeforeAllowTraffic and AfterAllowTraffic do",
            ],
        );
    }
    says(&refusal(&with("BeforeInstall", "BeforeInstal")), &["BeforeInstall is the nearest"]);
    says(
        &refusal(&with("BeforeInstall", "OnDeploy")),
        &["has no event `OnDeploy`: there are BeforeInstall, "],
    );
}

#[test]
fn an_event_named_twice_is_refused() {
    says(
        &refusal(&with("AfterInstall", "BeforeInstall")),
        &["line 12 column 5: Hooks.BeforeInstall is here and in line 11"],
    );
}

#[test]
fn limits_hold_as_they_do_for_a_function() {
    let limits = Limits { max_bytes: FULL.len(), ..Limits::default() };
    assert_eq!(read_service_within(FULL.as_bytes(), &limits), Ok(web()));
    let smaller = Limits { max_bytes: FULL.len() - 1, ..limits };
    assert!(matches!(read_service_within(FULL.as_bytes(), &smaller), Err(Error::TooLarge { .. })));
    let flat = Limits { max_depth: 3, ..limits };
    let error = read_service_within(FULL.as_bytes(), &flat).unwrap_err();
    assert!(matches!(error, Error::TooComplex { .. } | Error::Syntax { .. }), "{error}");
    let repeated = format!("x: &x [!Sub {}]\ny: [{}]", "x".repeat(100_000), vec!["*x"; 1000].join(", "));
    says(&refusal(&repeated), &["more than 1048576 bytes of values"]);
    let error = read_service(b"version: 0.0\nName: \xff").unwrap_err();
    assert_eq!(error.position(), Some(Position { line: 2, column: 7 }));
}

#[test]
fn a_user_s_text_cannot_break_out_of_a_message() {
    let hostile = "\"a:\\nb\\u001b[0m\"";
    says(&refusal(&with("web-42", hostile)), &["`a:\\nb\\u{1b}[0m`"]);
    let spec = read(&with("TargetService", &"x".repeat(1000)));
    assert!(spec.warnings[0].len() < 200, "{}", spec.warnings[0]);
    let said = refusal(&with("web-42", &"X".repeat(10_000)));
    assert!(said.len() < 800, "{said}");
}

fn one_line_with_a_reason(error: &Error) {
    let said = error.to_string();
    assert!(!said.contains(['\n', '\u{1b}']) && said.len() < 800, "{said:?}");
    assert_eq!(error.reason(), "InvalidRevision");
}

proptest! {
    #[test]
    fn any_change_of_a_good_text_gives_an_answer(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..3usize, any::<u8>()), 1..12),
    ) {
        let mut bytes = FULL.as_bytes().to_vec();
        for (place, kind, byte) in edits {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte % 128),
                _ => { bytes.remove(place); }
            }
        }
        match read_service(&bytes) {
            Ok(spec) => {
                let again = read_service(write_service(&spec).as_bytes());
                prop_assert_eq!(again, Ok(ServiceSpec { warnings: vec![], ..spec }));
            }
            Err(error) => one_line_with_a_reason(&error),
        }
    }

    #[test]
    fn any_value_in_any_field_gives_an_answer(
        field in prop::sample::select(vec!["web-42", "ContainerName: web", "8080", "smoke", "TargetService"]),
        value in "([a-zA-Z0-9:{}\\[\\],&*!|>'\"%@`#?~ \t-]|!Ref |Fn::Sub: |arn:aws:ecs:|[$]\\{){0,40}",
    ) {
        if let Err(error) = read_service(with(field, &value).as_bytes()) {
            one_line_with_a_reason(&error);
        }
    }
}
