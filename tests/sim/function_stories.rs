//! More stories of functions: what is missing at the start, what somebody does to the route behind the last step, whose rollback
//! setting counts, and two groups on one route.

use serde_json::{Value, json};
use sluice::api::{DeploymentConfig, DeploymentGroup, TRAFFIC_FINALIZER};

use super::objects::{Backend, Kind, Object};
use super::setup::*;
use super::store::{Actor, Store};
use super::stories::{Tell, deploys, hooked, hooked_with, linear, plain, rolling_back};
use super::world::World;

/// A Deployment whose hook fails after the shift, with a rollback setting of its own.
fn fails_with(world: &mut World, own: Value) {
    world.then(format!("creates Deployment d1 with autoRollback {own}"), at_once, 1_000, move |w| {
        let content = appspec("2", None, &[("AfterAllowTraffic", "probe")]);
        deploy(w, "d1", &content, json!({"autoRollback": own}));
    });
}

/// A second group on the route.
const OTHER: &str = "other-prod";

fn second_group(world: &mut World) {
    let spec = json!({
        "applicationRef": {"name": "shop"},
        "deploymentConfigName": "linear-25",
        "function": {"aliases": [{"name": "live", "httpRoute": {"name": ROUTE}}]},
    });
    create(world, Object::Group(DeploymentGroup::new(OTHER, read(spec)).into()));
}

/// Somebody creates a Deployment of the second group.
fn deploys_beside(world: &mut World, name: &'static str, function: &'static str, version: &'static str) {
    let text = format!("creates Deployment {name} of version {version} of {function} in {OTHER}");
    world.then(text, at_once, 0, move |w| {
        let content = appspec(version, None, &[]).replace("Name: hello", &format!("Name: {function}"));
        deploy_to(w, OTHER, name, &content, json!({}));
    });
}

fn config(world: &mut World, name: &str, routing: Value) {
    let spec = read(json!({"computePlatform": "Function", "trafficRouting": routing}));
    create(world, Object::Config(DeploymentConfig::new(name, spec).into()));
}

/// Every one of them.
pub const STORIES: &[(&str, Tell)] = &[
    ("group_deleted_before_the_rollback_begins", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("stops d1", weight_is("hello-2", 50), 5_000, |w| stop(w, "d1", None));
        w.then("deletes the group", has_rollback, 0, |w| {
            w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
        });
        w
    }),
    ("group_deleted_in_the_foreground_before_the_rollback_begins", || {
        let mut w = plain(rolling_back());
        w.then("sets spec.revision to version 2", at_once, 1_000, |w| desire(w, &appspec("2", None, &[])));
        w.then("stops its Deployment", weight_is("hello-2", 50), 5_000, |w| {
            let made = w.store.all(Kind::Deployment).filter_map(Object::deployment).next();
            let name = made.map(|d| d.name().to_owned()).unwrap_or_default();
            stop(w, &name, None);
        });
        w.then("deletes the group in the foreground", has_rollback, 0, |w| {
            w.store.delete_in_foreground(&Actor::User, &(Kind::Group, GROUP.into()));
        });
        w
    }),
    ("deleted_before_it_begins_though_somebody_holds_it", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("creates Deployment d2 as a copy that has the finalizer", weight_is("hello-2", 25), 0, |w| {
            deploy(w, "d2", &appspec("3", None, &[]), json!({}));
            let _ = w.store.change(&Actor::User, &(Kind::Deployment, "d2".into()), |o| {
                if let Object::Deployment(d) = o {
                    std::sync::Arc::make_mut(d).metadata.finalizers = Some(vec![TRAFFIC_FINALIZER.into()]);
                }
            });
        });
        w.then("deletes d2", at_once, 5_000, |w| delete(w, "d2"));
        w
    }),
    ("missing_references_appear_late", || {
        let mut w = plain(linear());
        w.then("creates Deployment d1 of a ConfigMap, by DeploymentConfig later", at_once, 1_000, |w| {
            let revision = json!({"configMap": {"name": "hello-appspec", "key": "appspec.yaml"}});
            deploy(w, "d1", "", json!({"revision": revision, "deploymentConfigName": "later"}));
        });
        w.then("writes the ConfigMap, which names hook probe", at_once, 600_000, |w| {
            config_map(w, "hello-appspec", &appspec("2", None, &[("BeforeAllowTraffic", "probe")]));
        });
        w.then("creates DeploymentConfig later", at_once, 600_000, |w| {
            config(w, "later", json!({"type": "AllAtOnce"}));
        });
        w.then("creates hook probe", at_once, 600_000, |w| job_hook(w, "probe", "passes"));
        w
    }),
    ("missing_hook_is_given_up", || {
        let mut w = plain(linear());
        hooked(&mut w, "BeforeAllowTraffic");
        deploys(&mut w, "d2", "3");
        w.then("stops d1", at_once, 600_000, |w| stop(w, "d1", None));
        w
    }),
    ("config_goes_after_the_grant", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        let is_granted = |s: &Store| {
            let group = s.get(Kind::Group, GROUP).and_then(|o| o.group().cloned());
            group.and_then(|g| g.status.clone()).is_some_and(|s| s.active_deployment.is_some())
        };
        w.then("deletes DeploymentConfig linear-25 and the Application", is_granted, 0, |w| {
            w.store.delete(&Actor::User, &(Kind::Config, "linear-25".into()));
            w.store.delete(&Actor::User, &(Kind::Application, "shop".into()));
        });
        w.then("creates the Application again", at_once, 600_000, |w| create(w, application()));
        w.then("creates the DeploymentConfig again", at_once, 600_000, |w| {
            let linear = json!({"percentage": 25, "interval": "1m"});
            config(w, "linear-25", json!({"type": "TimeBasedLinear", "linear": linear}));
        });
        w
    }),
    ("deployment_turns_the_groups_rollback_off", || {
        let mut w = plain(rolling_back());
        http_hook(&mut w, "probe", "fails");
        fails_with(&mut w, json!({"enabled": false}));
        w
    }),
    ("deployment_turns_its_own_rollback_on", || {
        let mut w = plain(linear());
        http_hook(&mut w, "probe", "fails");
        fails_with(&mut w, json!({"enabled": true, "events": ["DeploymentFailure"]}));
        w
    }),
    ("human_edits_weights_after_the_shift", || {
        let mut w = plain(linear());
        http_hook(&mut w, "check", "later");
        hooked_with(&mut w, "AfterAllowTraffic", "check");
        w.then("sets the weights to 60/40", weight_is("hello-2", 100), 20_000, |w| {
            set_backends(w, &[("hello-1", 60), ("hello-2", 40)]);
        });
        w.then("gives version 2 everything again", at_once, 180_000, |w| {
            set_backends(w, &[("hello-2", 100)]);
        });
        w
    }),
    ("human_edits_weights_after_the_shift_for_good", || {
        let mut w = plain(rolling_back());
        job_hook(&mut w, "probe", "passes");
        hooked(&mut w, "AfterAllowTraffic");
        w.then("sets the weights to 60/40", weight_is("hello-2", 100), 2_000, |w| {
            set_backends(w, &[("hello-1", 60), ("hello-2", 40)]);
        });
        w
    }),
    ("route_is_deleted_after_the_shift", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "passes");
        hooked(&mut w, "AfterAllowTraffic");
        let is_hooked = |s: &Store| s.all(Kind::Job).next().is_some();
        w.then("deletes the route", is_hooked, 2_000, |w| {
            w.store.delete(&Actor::User, &(Kind::Route, ROUTE.into()));
        });
        w.then("brings it back with version 2", at_once, 90_000, |w| create(w, route(&[("hello-2", 1)])));
        w
    }),
    ("served_version_is_moved_away_while_its_hook_runs", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "passes");
        w.then(
            "creates Deployment d1 of version 1 with hook probe at AfterAllowTraffic",
            at_once,
            1_000,
            |w| {
                deploy(w, "d1", &appspec("1", None, &[("AfterAllowTraffic", "probe")]), json!({}));
            },
        );
        w.then(
            "gives version 3 everything",
            |s| s.all(Kind::Job).next().is_some(),
            1_000,
            |w| set_backends(w, &[("hello-3", 100)]),
        );
        w.then("stops d1", at_once, 90_000, |w| stop(w, "d1", None));
        w
    }),
    ("human_gives_a_third_version_weight", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("gives version 3 weight beside the two", weight_is("hello-2", 50), 5_000, |w| {
            set_backends(w, &[("hello-1", 50), ("hello-2", 50), ("hello-3", 10)]);
        });
        w.then("takes it back", at_once, 180_000, |w| {
            set_backends(w, &[("hello-1", 50), ("hello-2", 50)]);
        });
        w
    }),
    ("two_groups_with_functions_of_their_own_in_one_route", || {
        let mut w = plain(linear());
        second_group(&mut w);
        for version in 1..=2 {
            create(&mut w, service(&format!("bye-{version}"), 2));
        }
        edit_route(&mut w, |r| {
            r.rules.push(rule("/bye", "bye-1"));
            // One of them stands beside the other's pair, too.
            r.rules[0].backends.push(Backend { weight: 100, ..rule("", "bye-1").backends[0].clone() });
        });
        deploys(&mut w, "d1", "2");
        deploys_beside(&mut w, "d2", "bye", "2");
        w
    }),
    ("two_groups_deploy_one_version_of_one_function", || {
        let mut w = plain(linear());
        second_group(&mut w);
        deploys(&mut w, "d1", "2");
        deploys_beside(&mut w, "d2", "hello", "2");
        w
    }),
    ("two_groups_deploy_two_versions_of_one_function", || {
        let mut w = plain(linear());
        second_group(&mut w);
        deploys(&mut w, "d1", "2");
        deploys_beside(&mut w, "d2", "hello", "3");
        w
    }),
    ("second_group_comes_mid_shift", || {
        let mut w = plain(linear());
        second_group(&mut w);
        deploys(&mut w, "d1", "2");
        w.then("waits", weight_is("hello-2", 50), 5_000, |_| {});
        deploys_beside(&mut w, "d2", "hello", "3");
        w
    }),
    ("two_groups_deploy_one_version_and_the_second_rolls_nothing_back", || {
        let mut w = plain(linear());
        second_group(&mut w);
        let settings = json!({"enabled": true, "events": ["DeploymentFailure"]});
        edit_named_group(&mut w, OTHER, |g| g.spec.auto_rollback = read(settings));
        http_hook(&mut w, "probe", "never");
        deploys(&mut w, "d1", "2");
        let content = || appspec("2", None, &[("BeforeAllowTraffic", "probe")]);
        w.then("creates Deployment d2 of version 2 with a hook in other-prod", at_once, 0, move |w| {
            deploy_to(w, OTHER, "d2", &content(), json!({}));
        });
        w
    }),
    ("desired_revision_is_corrected_while_its_hook_is_missing", || {
        let mut w = plain(linear());
        w.then("sets spec.revision to version 2 with a hook that is not there", at_once, 1_000, |w| {
            desire(w, &appspec("2", None, &[("BeforeAllowTraffic", "prbe")]));
        });
        w.then("sets it to version 2 without one", at_once, 90_000, |w| desire(w, &appspec("2", None, &[])));
        w
    }),
    ("route_made_anew_with_other_matches_behind_the_rollbacks_step", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("stops d1", weight_is("hello-2", 50), 5_000, |w| stop(w, "d1", None));
        w.then("deletes the route", weight_is("hello-1", 100), 100, |w| {
            w.store.delete(&Actor::User, &(Kind::Route, ROUTE.into()));
        });
        w.then("makes it anew for another path", at_once, 90_000, |w| {
            create(w, route(&[("hello-1", 50), ("hello-2", 50)]));
            edit_route(w, |r| r.rules[0].matches = "/elsewhere".into());
        });
        w
    }),
];
