//! The golden stories: one for each course of events.

use serde_json::{Value, json};
use sluice::api::{ConcurrencyPolicy, Phase};

use super::objects::{Kind, Object};
use super::setup::*;
use super::world::{Pace, World};

/// Name and world of a story.
pub struct Story {
    pub name: String,
    pub tell: Box<dyn Fn() -> World + Send + Sync>,
}

impl Story {
    /// A story.
    pub fn new(name: impl Into<String>, tell: impl Fn() -> World + Send + Sync + 'static) -> Self {
        Self { name: name.into(), tell: Box::new(tell) }
    }
}

/// Every story of the three platforms.
pub fn stories() -> Vec<Story> {
    let function = STORIES.iter().chain(super::function_stories::STORIES);
    let function = function.map(|(name, tell)| Story::new(*name, tell));
    function.chain(super::service_stories::stories()).chain(super::server_stories::stories()).collect()
}

/// The world of the story of that name.
pub fn find(name: &str) -> World {
    let all = stories();
    (all.iter().find(|s| s.name == name).unwrap().tell)()
}

/// A shop with a group, calm.
pub fn plain(group: Value) -> World {
    shop(1, Pace::calm(), group)
}

/// A group that shifts in four steps of a minute.
pub fn linear() -> Value {
    json!({"deploymentConfigName": "linear-25"})
}

/// The same, with automatic rollback.
pub fn rolling_back() -> Value {
    json!({
        "deploymentConfigName": "linear-25",
        "autoRollback": {"enabled": true, "events": ["DeploymentFailure", "DeploymentStopOnRequest"]},
    })
}

/// Somebody creates a Deployment.
pub fn deploys(world: &mut World, name: &'static str, version: &'static str) {
    world.then(format!("creates Deployment {name} of version {version}"), at_once, 1_000, move |w| {
        deploy(w, name, &appspec(version, None, &[]), json!({}));
    });
}

/// Somebody creates Deployment d1 with hook probe.
pub fn hooked(world: &mut World, event: &'static str) {
    hooked_with(world, event, "probe");
}

/// The same with a hook of another name.
pub fn hooked_with(world: &mut World, event: &'static str, hook: &'static str) {
    world.then(
        format!("creates Deployment d1 of version 2 with hook {hook} at {event}"),
        at_once,
        1_000,
        move |w| {
            deploy(w, "d1", &appspec("2", None, &[(event, hook)]), json!({}));
        },
    );
}

/// How a story begins.
pub type Tell = fn() -> World;

/// Every Function story.
const STORIES: &[(&str, Tell)] = &[
    ("all_at_once", || {
        let mut w = plain(json!({}));
        deploys(&mut w, "d1", "2");
        w
    }),
    ("canary", || {
        let mut w = plain(json!({"deploymentConfigName": "CodeDeployDefault.LambdaCanary10Percent5Minutes"}));
        deploys(&mut w, "d1", "2");
        w
    }),
    ("linear", || {
        let mut w =
            plain(json!({"deploymentConfigName": "CodeDeployDefault.LambdaLinear10PercentEvery1Minute"}));
        deploys(&mut w, "d1", "2");
        w
    }),
    ("both_hooks_pass", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "passes");
        http_hook(&mut w, "check", "busy");
        w.then("creates Deployment d1 with hooks probe and check", at_once, 1_000, |w| {
            let hooks = [("BeforeAllowTraffic", "probe"), ("AfterAllowTraffic", "check")];
            deploy(w, "d1", &appspec("2", Some("1"), &hooks), json!({}));
        });
        w
    }),
    ("hook_job_fails", || {
        let mut w = plain(rolling_back());
        job_hook(&mut w, "probe", "fails");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("hook_job_vanishes", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "vanishes");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("hook_job_hangs", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "hangs");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("hook_answers_400", || {
        let mut w = plain(linear());
        http_hook(&mut w, "probe", "400");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("hook_answers_later", || {
        let mut w = plain(linear());
        http_hook(&mut w, "probe", "later");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("hook_is_silent", || {
        let mut w = plain(linear());
        http_hook(&mut w, "probe", "never");
        hooked(&mut w, "BeforeAllowTraffic");
        w
    }),
    ("failed_after_traffic_is_rolled_back", || {
        let mut w = plain(rolling_back());
        http_hook(&mut w, "probe", "fails");
        hooked(&mut w, "AfterAllowTraffic");
        w
    }),
    ("failed_after_traffic_without_rollback", || {
        let mut w = plain(linear());
        http_hook(&mut w, "probe", "fails");
        hooked(&mut w, "AfterAllowTraffic");
        w
    }),
    ("stop_with_rollback", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("stops d1", weight_is("hello-2", 50), 5_000, |w| stop(w, "d1", None));
        w
    }),
    ("stop_without_rollback", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("stops d1 without a rollback", weight_is("hello-2", 50), 5_000, |w| {
            stop(w, "d1", Some(false))
        });
        w
    }),
    ("stop_while_a_hook_runs", || {
        let mut w = plain(rolling_back());
        job_hook(&mut w, "probe", "passes");
        hooked(&mut w, "BeforeAllowTraffic");
        w.then("stops d1", |s| s.all(Kind::Job).next().is_some(), 1_000, |w| stop(w, "d1", None));
        w
    }),
    ("stop_before_its_turn", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        deploys(&mut w, "d2", "3");
        w.then("stops d2", phase_is("d2", Phase::Queued), 1_000, |w| stop(w, "d2", None));
        w
    }),
    ("replace_mid_shift", || {
        let mut w = plain(json!({"deploymentConfigName": "linear-25", "concurrencyPolicy": "Replace"}));
        deploys(&mut w, "d1", "2");
        w.then("creates Deployment d2 of version 3", weight_is("hello-2", 50), 5_000, |w| {
            deploy(w, "d2", &appspec("3", None, &[]), json!({}));
        });
        w
    }),
    ("reject", || {
        let mut w = plain(json!({"deploymentConfigName": "linear-25", "concurrencyPolicy": "Reject"}));
        deploys(&mut w, "d1", "2");
        w.then("creates Deployment d2 of version 3", weight_is("hello-2", 50), 5_000, |w| {
            deploy(w, "d2", &appspec("3", None, &[]), json!({}));
        });
        w
    }),
    ("queue_of_three", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        deploys(&mut w, "d2", "3");
        deploys(&mut w, "d3", "1");
        w
    }),
    ("delete_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("deletes d1", weight_is("hello-2", 50), 5_000, |w| delete(w, "d1"));
        w
    }),
    ("delete_while_a_hook_runs", || {
        let mut w = plain(linear());
        job_hook(&mut w, "probe", "hangs");
        hooked(&mut w, "BeforeAllowTraffic");
        w.then("deletes d1", |s| s.all(Kind::Job).next().is_some(), 1_000, |w| delete(w, "d1"));
        w
    }),
    ("missing_service_appears", || {
        let mut w = plain(json!({}));
        deploys(&mut w, "d1", "4");
        w.then("creates Service hello-4", at_once, 90_000, |w| set_ready(w, "hello-4", 1));
        w
    }),
    ("missing_group_appears", || {
        let mut w = World::new(1, Pace::calm());
        create(&mut w, service("hello-1", 2));
        create(&mut w, service("hello-2", 2));
        create(&mut w, route(&[("hello-1", 100)]));
        deploys(&mut w, "d1", "2");
        w.then("creates the group, but no application", at_once, 90_000, |w| {
            let spec = json!({
                "applicationRef": {"name": "shop"},
                "function": {"aliases": [{"name": "live", "httpRoute": {"name": ROUTE}}]},
            });
            let group = sluice::api::DeploymentGroup::new(GROUP, serde_json::from_value(spec).unwrap());
            create(w, Object::Group(group.into()));
        });
        w.then("creates the application", at_once, 90_000, |w| create(w, application()));
        w
    }),
    ("group_loses_its_config_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("names a DeploymentConfig that is not there", weight_is("hello-2", 75), 5_000, |w| {
            edit_group(w, |g| g.spec.deployment_config_name = Some("later".into()));
        });
        w.then("names linear-25 again", at_once, 90_000, |w| {
            edit_group(w, |g| g.spec.deployment_config_name = Some("linear-25".into()));
        });
        w
    }),
    ("no_endpoints", || {
        let mut w = plain(json!({}));
        set_ready(&mut w, "hello-2", 0);
        deploys(&mut w, "d1", "2");
        w
    }),
    ("endpoints_go_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("loses the pods of version 2", weight_is("hello-2", 50), 5_000, |w| {
            set_ready(w, "hello-2", 0)
        });
        w.then("has them again", at_once, 180_000, |w| set_ready(w, "hello-2", 2));
        w
    }),
    ("current_version_mismatch", || {
        let mut w = plain(linear());
        w.then("creates Deployment d1 from version 7 to 2", at_once, 1_000, |w| {
            deploy(w, "d1", &appspec("2", Some("7"), &[]), json!({}));
        });
        w
    }),
    ("split_alias", || {
        let mut w = plain(linear());
        set_backends(&mut w, &[("hello-1", 60), ("hello-3", 40)]);
        deploys(&mut w, "d1", "2");
        w
    }),
    ("human_edits_filters_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("adds a filter to the route", weight_is("hello-2", 50), 5_000, |w| {
            edit_route(w, |r| r.rules[0].filters = "mirror".into());
        });
        w
    }),
    ("rules_come_and_go_mid_shift", || {
        let mut w = plain(linear());
        edit_route(&mut w, |r| r.rules.push(rule("/tester", "hello-2")));
        deploys(&mut w, "d1", "2");
        w.then("puts a rule for version 2 before the others", weight_is("hello-2", 50), 5_000, |w| {
            edit_route(w, |r| r.rules.insert(0, rule("/preview", "hello-2")));
        });
        w.then("takes the testers' rule away", at_once, 90_000, |w| {
            edit_route(w, |r| r.rules.retain(|rule| rule.matches != "/tester"));
        });
        w
    }),
    ("rules_cannot_be_told_apart", || {
        let mut w = plain(linear());
        edit_route(&mut w, |r| r.rules.push(rule("/tester", "hello-2")));
        deploys(&mut w, "d1", "2");
        w.then("edits a rule and adds another one before it", weight_is("hello-2", 50), 5_000, |w| {
            edit_route(w, |r| {
                r.rules[0].matches = "/v2".into();
                r.rules.insert(0, rule("/preview", "hello-2"));
            });
        });
        w.then("takes both back", at_once, 90_000, |w| {
            edit_route(w, |r| {
                r.rules.remove(0);
                r.rules[0].matches = "/".into();
            });
        });
        w
    }),
    ("human_edits_weights_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("sets the weights to 90/10", weight_is("hello-2", 50), 5_000, |w| {
            set_backends(w, &[("hello-1", 90), ("hello-2", 10)]);
        });
        w.then("sets them to 50/50 again", at_once, 180_000, |w| {
            set_backends(w, &[("hello-1", 50), ("hello-2", 50)]);
        });
        w
    }),
    ("human_edits_weights_for_good", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "2");
        w.then("sets the weights to 90/10", weight_is("hello-2", 50), 5_000, |w| {
            set_backends(w, &[("hello-1", 90), ("hello-2", 10)]);
        });
        w
    }),
    ("gateway_is_silent", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("the gateway's controller is down", weight_is("hello-2", 25), 5_000, |w| {
            w.gateway_is_silent = true
        });
        w.then("it is back", weight_is("hello-2", 50), 200_000, World::gateway_recovers);
        w
    }),
    ("gateway_refuses", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("the gateway will refuse", weight_is("hello-2", 25), 5_000, |w| {
            w.gateway_refuses = Some("ResolvedRefs is False: BackendNotFound, Service hello-2".into());
        });
        w.then("it will not any more", weight_is("hello-2", 50), 100_000, World::gateway_recovers);
        w
    }),
    ("leader_crashes_mid_shift", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("kills the controller for ten minutes", weight_is("hello-2", 50), 5_000, |w| {
            w.crash(0, 600_000)
        });
        w
    }),
    ("desired_revision_a_b_a", || {
        let mut w = plain(linear());
        w.then("sets spec.revision to version 2", at_once, 1_000, |w| desire(w, &appspec("2", None, &[])));
        w.then("sets it to version 3", all_ended(1), 10_000, |w| desire(w, &appspec("3", None, &[])));
        w.then("sets it to version 2 again", all_ended(2), 10_000, |w| desire(w, &appspec("2", None, &[])));
        w
    }),
    ("desired_revision_superseded", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        w.then("sets spec.revision to version 3", weight_is("hello-2", 25), 1_000, |w| {
            desire(w, &appspec("3", None, &[]))
        });
        w.then("sets it to version 1", at_once, 10_000, |w| desire(w, &appspec("1", None, &[])));
        w
    }),
    ("desired_revision_fails", || {
        let mut w = plain(rolling_back());
        http_hook(&mut w, "probe", "fails");
        w.then("sets spec.revision to version 2 with a hook", at_once, 1_000, |w| {
            desire(w, &appspec("2", None, &[("AfterAllowTraffic", "probe")]));
        });
        w.then("edits something else of the group", all_ended(2), 60_000, |w| {
            edit_group(w, |g| g.spec.revision_history_limit = 9);
        });
        w
    }),
    ("desired_revision_is_refused", || {
        let mut w = plain(json!({}));
        w.creations_refused = Some("exceeded quota: deployments, used 5, limited 5".into());
        w.then("sets spec.revision to version 2", at_once, 1_000, |w| desire(w, &appspec("2", None, &[])));
        w.then("the quota is raised", at_once, 100_000, |w| w.creations_refused = None);
        w
    }),
    ("desired_revision_is_refused_while_another_runs", || {
        let mut w = plain(linear());
        w.creations_refused =
            Some("admission webhook \"freeze\" denied the request: no deployments today".into());
        deploys(&mut w, "d1", "2");
        w.then("sets spec.revision to version 3", weight_is("hello-2", 25), 1_000, |w| {
            desire(w, &appspec("3", None, &[]))
        });
        w.then("the freeze ends", all_ended(1), 40_000, |w| w.creations_refused = None);
        w
    }),
    ("desired_name_is_taken", || {
        let mut w = plain(json!({}));
        // The name that the group's uid and the AppSpec of version 3 make.
        const NAME: &str = "hello-prod-4baffe22";
        w.then(format!("creates Deployment {NAME} of another group"), at_once, 1_000, |w| {
            deploy(w, NAME, &appspec("2", None, &[]), json!({"deploymentGroupRef": {"name": "elsewhere"}}));
        });
        w.then("sets spec.revision to version 3", at_once, 1_000, |w| desire(w, &appspec("3", None, &[])));
        w.then(format!("deletes {NAME}"), at_once, 90_000, |w| delete(w, NAME));
        w
    }),
    ("desired_name_is_taken_in_the_group", || {
        let mut w = plain(json!({}));
        const NAME: &str = "hello-prod-4baffe22";
        deploys(&mut w, NAME, "2");
        w.then("sets spec.revision to version 3", all_ended(1), 1_000, |w| {
            desire(w, &appspec("3", None, &[]))
        });
        w.then(format!("deletes {NAME}"), at_once, 90_000, |w| delete(w, NAME));
        w
    }),
    ("redeploy_of_the_served_version", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "1");
        w
    }),
    ("third_backend_keeps_its_share", || {
        let mut w = plain(linear());
        set_backends(&mut w, &[("hello-1", 80), ("shadow", 20)]);
        deploys(&mut w, "d1", "2");
        w
    }),
    ("weight_too_coarse", || {
        let mut w = plain(linear());
        set_backends(&mut w, &[("hello-1", 3), ("shadow", 1)]);
        deploys(&mut w, "d1", "2");
        w
    }),
    ("route_reset_by_git", || {
        let mut w = plain(json!({}));
        deploys(&mut w, "d1", "2");
        w.then("retires version 1", all_ended(1), 10_000, |w| set_ready(w, "hello-1", 0));
        w.then("applies the old route from Git", at_once, 10_000, |w| set_backends(w, &[("hello-1", 100)]));
        w.then("applies it once more", weight_is("hello-2", 100), 60_000, |w| {
            set_backends(w, &[("hello-1", 100)])
        });
        w
    }),
    ("history_limit", || {
        let mut w = plain(json!({"revisionHistoryLimit": 1}));
        for version in ["2", "3", "1"] {
            w.then(
                format!("sets spec.revision to version {version}"),
                |s| {
                    let group = s.get(Kind::Group, GROUP).and_then(|o| o.group().cloned());
                    group.and_then(|g| g.status.clone()).is_none_or(|s| s.active_deployment.is_none())
                },
                30_000,
                move |w| desire(w, &appspec(version, None, &[])),
            );
        }
        w
    }),
    ("config_map_revision", || {
        let mut w =
            plain(json!({"revision": {"configMap": {"name": "hello-appspec", "key": "appspec.yaml"}}}));
        w.then("writes the ConfigMap", at_once, 90_000, |w| {
            config_map(w, "hello-appspec", &appspec("2", None, &[]))
        });
        w.then("changes it", all_ended(1), 10_000, |w| {
            config_map(w, "hello-appspec", &appspec("3", None, &[]))
        });
        w
    }),
    ("policy_turns_to_replace", || {
        let mut w = plain(linear());
        deploys(&mut w, "d1", "2");
        deploys(&mut w, "d2", "3");
        w.then("sets concurrencyPolicy to Replace", weight_is("hello-2", 25), 5_000, |w| {
            set_policy(w, ConcurrencyPolicy::Replace);
        });
        w
    }),
];
