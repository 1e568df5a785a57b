//! Bad input: each has a named reason, and nothing is moved.

use super::*;
use crate::setup::create;

/// A world that a story begins with.
type Tell = fn() -> World;

/// The stories.
pub fn stories() -> Vec<Story> {
    let all = [before(), shared(), edits(), seen(), during(), target_groups()];
    let all: Vec<(&str, Tell)> = all.into_iter().flatten().collect();
    all.into_iter().map(|(name, tell)| Story::new(format!("service/{name}"), tell)).collect()
}

fn create_group(world: &mut World, name: &str, spec: Value) {
    let group = sluice::api::DeploymentGroup::new(name, read(spec));
    create(world, Object::Group(group.into()));
}

/// A group of the Function platform with an alias on the production route.
fn function_group(world: &mut World, name: &str) {
    let application = json!({"computePlatform": "Function"});
    let application = sluice::api::Application::new("functions", read(application));
    create(world, Object::Application(application.into()));
    let spec = json!({
        "applicationRef": {"name": "functions"},
        "function": {"aliases": [{"name": "live", "httpRoute": {"name": ROUTE}}]},
    });
    create_group(world, name, spec);
}

fn deploy_function(world: &mut World, group: &str, name: &str) {
    let content = crate::setup::appspec("b", None, &[]).replace("Name: hello", "Name: web");
    crate::setup::deploy_to(world, group, name, &content, json!({}));
}

fn of(content: String) -> World {
    let mut w = plain(linear());
    w.then("creates Deployment d1", at_once, 1_000, move |w| deploy(w, "d1", &content));
    w
}

/// A younger group with these target groups and listeners, and a Deployment in it.
fn another(target_groups: [&'static str; 2], route: &'static str, test: Option<&'static str>) -> World {
    let mut w = plain(linear());
    w.then("creates group web-other, an hour later", at_once, 3_600_000, move |w| {
        let test = test.map(|name| json!({"httpRoute": {"name": name}}));
        let production = json!({"httpRoute": {"name": route}});
        let other =
            json!({"targetGroups": target_groups, "productionListener": production, "testListener": test});
        let group = sluice::api::DeploymentGroup::new("web-other", read(spec(linear(), other)));
        super::super::setup::create(w, Object::Group(group.into()));
    });
    w.then("creates Deployment d1 of PodTemplate web-2 in it", at_once, 1_000, |w| {
        super::super::setup::deploy_to(w, "web-other", "d1", &appspec("web-2", &[]), json!({}));
    });
    w
}

/// Groups that name what is another one's.
fn shared() -> Vec<(&'static str, Tell)> {
    vec![
        ("function_group_takes_its_route", || {
            let mut w = plain(linear());
            w.then(
                "creates group aside of a function on route web, an hour later",
                at_once,
                3_600_000,
                |w| {
                    function_group(w, "aside");
                },
            );
            w.then("creates Deployment d1 of the function", at_once, 0, |w| {
                deploy_function(w, "aside", "d1")
            });
            deploys(&mut w, "d2", "web-2");
            w
        }),
        ("its_route_is_a_function_groups", || {
            let mut w = plain(linear());
            w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            function_group(&mut w, "aside");
            w.then("creates group web-prod, an hour later", at_once, 3_600_000, |w| {
                create_group(w, GROUP, spec(linear(), json!({})));
            });
            deploys(&mut w, "d1", "web-2");
            w.then("deletes group aside", at_once, 90_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, "aside".into()));
            });
            w
        }),
        ("two_groups_share_a_target_group", || another([B, "web-c"], "else", None)),
        ("two_groups_share_a_route", || another(["web-c", "web-d"], ROUTE, None)),
        ("two_groups_share_a_test_route", || another(["web-c", "web-d"], "else", Some(TEST_ROUTE))),
    ]
}

fn before() -> Vec<(&'static str, Tell)> {
    vec![
        ("missing_pod_template", || of(appspec("web-9", &[]))),
        ("pod_template_appears", || {
            let mut w = of(appspec("web-9", &[]));
            w.then("creates PodTemplate web-9", at_once, 90_000, |w| pod_template(w, "web-9", "starts"));
            w
        }),
        ("missing_container", || of(appspec_at("web-2", "sidecar", 8080, &[]))),
        ("missing_port", || of(appspec_at("web-2", "web", 9090, &[]))),
        ("selector_overlap", || {
            let mut w = plain(linear());
            edit_service(&mut w, A, |s| s.selector = labels(&[("app", "web")]));
            deploys(&mut w, "d1", "web-2");
            w
        }),
        ("appspec_warning", || of(appspec("web-2", &[]).replace("TargetService", "Web"))),
        ("route_names_neither", || {
            let mut w = plain(linear());
            set_backends(&mut w, ROUTE, &[("else", 100)]);
            deploys(&mut w, "d1", "web-2");
            w
        }),
        ("test_route_names_neither", || {
            let mut w = plain(linear());
            set_backends(&mut w, TEST_ROUTE, &[("else", 100)]);
            deploys(&mut w, "d1", "web-2");
            w
        }),
        ("split_weights", || {
            let mut w = plain(linear());
            set_backends(&mut w, ROUTE, &[(A, 60), (B, 40)]);
            deploys(&mut w, "d1", "web-2");
            w
        }),
        ("replicas_0", || {
            let mut w = standing(1, Pace::calm(), linear(), json!({"replicas": 0}));
            deploys(&mut w, "d1", "web-2");
            w
        }),
        ("no_route", || {
            let mut w = empty(1, Pace::calm(), linear(), json!({}));
            w.store.delete(&Actor::User, &(Kind::Route, ROUTE.into()));
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}

/// What somebody does to the selectors and weights meanwhile.
fn edits() -> Vec<(&'static str, Tell)> {
    vec![
        ("selector_changed_mid_install", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            let event = event_is("d1", EventName::Install, EventStatus::InProgress);
            w.then("points web-b at something else", event, 2_000, |w| {
                edit_service(w, B, |s| s.selector = labels(&[("app", "else")]));
            });
            w
        }),
        ("selector_changed_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("points web-b at something else", weight_is(B, 50), 5_000, |w| {
                edit_service(w, B, |s| s.selector = labels(&[("app", "else")]));
            });
            w
        }),
        ("weights_set_by_hand_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("sets the weights to 90/10", weight_is(B, 50), 5_000, |w| {
                set_backends(w, ROUTE, &[(A, 90), (B, 10)]);
            });
            w
        }),
        ("weights_set_by_hand_in_the_termination_wait", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("sets the weights to 100/0", waits_for_termination("d1"), 5_000, |w| {
                set_backends(w, ROUTE, &[(A, 100), (B, 0)]);
            });
            w
        }),
    ]
}

/// What somebody adds to the route, changes of a port, or wants meanwhile.
fn seen() -> Vec<(&'static str, Tell)> {
    vec![
        ("target_port_changed_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("sends web-b to another port", weight_is(B, 50), 5_000, |w| {
                edit_service(w, B, |s| s.target_ports = vec!["9090".into()]);
            });
            w.then("sends it back", weight_is(B, 50), 90_000, |w| {
                edit_service(w, B, |s| s.target_ports = vec!["8080".into()]);
            });
            w
        }),
        ("rule_added_mid_shift", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("adds a rule that sends to web-a", weight_is(B, 50), 5_000, |w| {
                edit_route(w, ROUTE, |r| r.rules.push(super::super::setup::rule("/v2", A)));
            });
            let holds = |s: &Store| {
                let status = s.deployment("d1").and_then(|d| d.status.clone());
                status.is_some_and(|s| s.conditions.iter().any(|c| c.reason == "WeightsChanged"))
            };
            w.then("sends it to web-b", holds, 60_000, |w| {
                edit_route(w, ROUTE, |r| r.rules[1] = super::super::setup::rule("/v2", B));
            });
            w
        }),
        ("foreign_rule_added_mid_shift", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("adds a rule that sends elsewhere, before the others", weight_is(B, 50), 5_000, |w| {
                edit_route(w, ROUTE, |r| r.rules.insert(0, super::super::setup::rule("/else", "else")));
            });
            w
        }),
        ("scaled_while_a_deployment_waits", || {
            let mut w = of(appspec("web-9", &[]));
            w.then("wants 5 pods", at_once, 30_000, |w| resize(w, 5));
            w.then("wants 1 pod", at_once, 30_000, |w| resize(w, 1));
            w.then("creates PodTemplate web-9", at_once, 30_000, |w| pod_template(w, "web-9", "starts"));
            w
        }),
    ]
}

/// What somebody does to other objects meanwhile.
fn during() -> Vec<(&'static str, Tell)> {
    vec![
        ("test_listener_set_back_by_hand", || {
            let mut w = plain(rolling_back());
            job_hook(&mut w, "probe", "passes");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTestTraffic", "probe")]);
            let hook = |s: &Store| s.all(Kind::Job).next().is_some();
            w.then("sets the test listener back", hook, 1_000, |w| {
                set_backends(w, TEST_ROUTE, &[(A, 100), (B, 0)]);
            });
            w
        }),
        ("pod_template_changes_mid_way", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("edits PodTemplate web-2", weight_is(B, 25), 1_000, |w| pod_template(w, "web-2", "crash"));
            w
        }),
        ("target_group_deleted_during_install", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            let event = event_is("d1", EventName::Install, EventStatus::InProgress);
            w.then("deletes Service web-b", event, 2_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Service, B.into()));
            });
            w
        }),
        ("route_reset_by_git", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("applies the old route from Git", all_ended(1), 10_000, |w| {
                set_backends(w, ROUTE, &[(A, 100), (B, 0)]);
            });
            w
        }),
    ]
}

/// What somebody does to the target groups themselves.
fn target_groups() -> Vec<(&'static str, Tell)> {
    vec![
        ("selector_changed_again_and_again", || {
            let mut w = plain(rolling_back());
            pod_template(&mut w, "web-9", "slow");
            deploys(&mut w, "d1", "web-9");
            let event = || event_is("d1", EventName::Install, EventStatus::InProgress);
            for after in [2_000, 5_000, 5_000, 28_000, 5_000] {
                w.then("points web-b at something else", event(), after, |w| {
                    edit_service(w, B, |s| s.selector = labels(&[("app", "else")]));
                });
            }
            w
        }),
        ("primary_target_group_deleted", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("deletes Service web-b", all_ended(1), 10_000, |w| deletes(w, B));
            w
        }),
        ("primary_target_group_deleted_without_a_record", || {
            let mut w = plain(linear());
            w.then("deletes Service web-a", at_once, 10_000, |w| deletes(w, A));
            w
        }),
        ("original_target_group_deleted_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes Service web-a", weight_is(B, 50), 5_000, |w| deletes(w, A));
            w
        }),
        ("replacement_target_group_deleted_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes Service web-b", weight_is(B, 50), 5_000, |w| deletes(w, B));
            w
        }),
        ("foreign_target_group_deleted_mid_shift", || {
            let mut w = foreign(1, Pace::calm(), rolling_back(), json!({}));
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w.then("deletes Service web-a", weight_is(B, 75), 5_000, |w| deletes(w, A));
            w
        }),
        ("foreign_original_is_not_ready", || {
            let mut w = foreign(1, Pace::calm(), rolling_back(), json!({}));
            w.then("its pods cease", at_once, 500, |w| flap(w, A, false));
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}

fn deletes(world: &mut World, service: &str) {
    world.store.delete(&Actor::User, &(Kind::Service, service.into()));
}
