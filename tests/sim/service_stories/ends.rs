//! Courses that end otherwise: failing hooks, stops at each phase, replacement and deletion, each with what goes back.

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [failures(), stops(), interruptions(), installs(), groups(), owed(), deleted(), anew()]
        .into_iter()
        .flatten()
        .collect()
}

fn failures() -> Vec<Story> {
    let failing = |name: &str, hooks: &'static [(&'static str, &'static str)], rolls: bool| {
        Story::new(format!("service/{name}"), move || {
            let mut w = plain(if rolls { rolling_back() } else { linear() });
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", hooks);
            w
        })
    };
    vec![
        failing("before_install_fails", &[("BeforeInstall", "check")], true),
        failing("after_install_fails", &[("AfterInstall", "check")], true),
        failing("after_test_traffic_fails", &[("AfterAllowTestTraffic", "check")], true),
        failing("before_traffic_fails", &[("BeforeAllowTraffic", "check")], true),
        failing("after_traffic_fails", &[("AfterAllowTraffic", "check")], true),
        failing("after_install_fails_without_rollback", &[("AfterInstall", "check")], false),
        failing("after_test_traffic_fails_without_rollback", &[("AfterAllowTestTraffic", "check")], false),
        failing("after_traffic_fails_without_rollback", &[("AfterAllowTraffic", "check")], false),
        Story::new("service/failed_without_rollback_and_deployed_again", || {
            let mut w = plain(linear());
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w.then("creates Deployment d2 of PodTemplate web-3", phase_is("d1", Phase::Failed), 0, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
    ]
}

/// When a stop comes: name, condition, milliseconds after it.
type Moment = (&'static str, fn(&Store) -> bool, i64);

const MOMENTS: [Moment; 7] = [
    ("before_install", |s| event_is("d1", EventName::BeforeInstall, EventStatus::InProgress)(s), 1_000),
    ("install", |s| behind(s, B).is_some(), 2_000),
    ("test_traffic", |s| routed(TEST_ROUTE, B, 100)(s), 100),
    ("ready_wait", |s| phase_is("d1", Phase::Ready)(s), 5_000),
    ("shift", |s| weight_is(B, 50)(s), 5_000),
    ("termination_wait", |s| waits_for_termination("d1")(s), 5_000),
    ("termination", |s| reason_is(s, "d1", "Terminating"), 0),
];

/// A world in which d1 comes by every moment.
fn whole(more: Value) -> World {
    let mut group = with(
        "linear-25",
        json!({
            "blueGreen": {
                "deploymentReady": {"actionOnTimeout": "ContinueDeployment", "wait": "30s"},
                "terminateOriginal": {"action": "Terminate", "wait": "1m"},
            },
        }),
    );
    super::super::setup::merge(&mut group, more);
    let mut w = plain(group);
    job_hook(&mut w, "probe", "passes");
    hooked(&mut w, "d1", "web-2", &[("BeforeInstall", "probe")]);
    w
}

fn stops() -> Vec<Story> {
    let with_rollback = MOMENTS.map(|(at, when, after)| {
        Story::new(format!("service/stop_at_{at}_with_rollback"), move || {
            let mut w = whole(json!({}));
            w.then("stops d1 with a rollback", when, after, |w| stop(w, "d1", Some(true)));
            w
        })
    });
    let without = MOMENTS.map(|(at, when, after)| {
        Story::new(format!("service/stop_at_{at}"), move || {
            let mut w = whole(json!({}));
            w.then("stops d1", when, after, |w| stop(w, "d1", None));
            w
        })
    });
    with_rollback.into_iter().chain(without).collect()
}

fn interruptions() -> Vec<Story> {
    let replaced = MOMENTS.map(|(at, when, after)| {
        Story::new(format!("service/replaced_at_{at}"), move || {
            let mut w = whole(json!({"concurrencyPolicy": "Replace"}));
            w.then("creates Deployment d2 of PodTemplate web-3", when, after, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w.then("continues d2", phase_is("d2", Phase::Ready), 1_000, |w| go_on(w, "d2"));
            w
        })
    });
    let deleted = MOMENTS.map(|(at, when, after)| {
        Story::new(format!("service/deleted_at_{at}"), move || {
            let mut w = whole(json!({}));
            w.then("deletes d1", when, after, |w| delete(w, "d1"));
            w
        })
    });
    replaced.into_iter().chain(deleted).collect()
}

fn installs() -> Vec<Story> {
    let stuck = |name: &str, plan: &'static str| {
        Story::new(format!("service/{name}"), move || {
            let mut w = standing(1, Pace::calm(), rolling_back(), json!({"installTimeout": "5m"}));
            pod_template(&mut w, "web-2", plan);
            deploys(&mut w, "d1", "web-2");
            w
        })
    };
    vec![
        stuck("install_cannot_pull", "pull"),
        stuck("install_crashes", "crash"),
        stuck("install_is_over_quota", "quota"),
        stuck("install_is_slow", "slow"),
        Story::new("service/task_set_is_refused", || {
            let mut w = plain(rolling_back());
            w.task_sets_refused = Some("exceeded quota: replicasets".into());
            deploys(&mut w, "d1", "web-2");
            w
        }),
        Story::new("service/task_set_is_deleted_during_install", || {
            let mut w = standing(1, Pace::calm(), rolling_back(), json!({"installTimeout": "5m"}));
            pod_template(&mut w, "web-2", "pull");
            deploys(&mut w, "d1", "web-2");
            let event = event_is("d1", EventName::Install, EventStatus::InProgress);
            w.then("deletes the task set", event, 10_000, |w| delete_behind(w, B));
            w
        }),
        Story::new("service/stopped_before_it_points", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            let made = |s: &Store| s.all(Kind::TaskSet).count() > 1;
            w.then("stops d1", made, 0, |w| stop(w, "d1", None));
            w
        }),
        Story::new("service/original_is_deleted_and_rolled_back_to", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes the original's task set", weight_is(B, 50), 5_000, |w| delete_behind(w, A));
            w.then("stops d1", at_once, 10_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("service/gateway_is_silent_from_the_shift_on", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("the gateway's controller is down", weight_is(B, 25), 5_000, |w| {
                w.gateway_is_silent = true
            });
            w.then("deletes d1", weight_is(B, 50), 10_000, |w| delete(w, "d1"));
            w
        }),
    ]
}

fn groups() -> Vec<Story> {
    let retired = |name: &str, policy: &'static str| {
        Story::new(format!("service/{name}"), move || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({"deletionPolicy": policy})));
            deploys(&mut w, "d1", "web-2");
            w.then("deletes the group", all_ended(1), 10_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        })
    };
    vec![
        retired("group_deleted_orphan", "Orphan"),
        retired("group_deleted_delete", "Delete"),
        Story::new("service/group_deleted_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes the group", weight_is(B, 50), 5_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new("service/group_deleted_and_made_anew", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("deletes the group", all_ended(1), 10_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w.then(
                "creates it again",
                |s| s.get(Kind::Group, GROUP).is_none(),
                10_000,
                |w| {
                    let group = spec(with("CodeDeployDefault.ECSAllAtOnce", json!({})), json!({}));
                    let group = sluice::api::DeploymentGroup::new(GROUP, read(group));
                    super::super::setup::create(w, Object::Group(group.into()));
                },
            );
            w.then("creates Deployment d2 of PodTemplate web-3", at_once, 10_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
    ]
}

/// A Deployment that can be rolled back.
fn stopped() -> World {
    let mut w = plain(rolling_back());
    deploys(&mut w, "d1", "web-2");
    w
}

/// Another group, which names that Service as a target group.
fn an_older_one(target_group: &str) -> Value {
    let service = json!({
        "targetGroups": [target_group, "web-c"],
        "productionListener": {"httpRoute": {"name": "else"}},
        "testListener": null,
    });
    spec(linear(), service)
}

/// d1 is stopped while an older group names a target group of its group.
fn shared() -> World {
    let mut w = stopped();
    let group = sluice::api::DeploymentGroup::new("an-older-one", read(an_older_one("web-d")));
    super::super::setup::create(&mut w, Object::Group(group.into()));
    w.then("the older group names web-b too", weight_is(B, 50), 5_000, move |w| {
        edit_named_group(w, "an-older-one", |g| g.spec = read(an_older_one(B)));
    });
    w.then("stops d1", at_once, 10_000, |w| stop(w, "d1", None));
    w
}

/// Rollbacks that are owed while something else of their group is missing.
fn owed() -> Vec<Story> {
    vec![
        Story::new("service/rolled_back_without_its_application", move || {
            let mut w = stopped();
            w.then("deletes the Application and the configuration", weight_is(B, 50), 5_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Application, "shop".into()));
                w.store.delete(&Actor::User, &(Kind::Config, "linear-25".into()));
            });
            w.then("creates Deployment d2 of PodTemplate web-3", at_once, 1_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w.then("stops d1", at_once, 1_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("service/rolled_back_when_nobody_shares_its_target_group", move || {
            let mut w = shared();
            w.then("it does so no longer", at_once, 90_000, move |w| {
                edit_named_group(w, "an-older-one", |g| g.spec = read(an_older_one("web-d")));
            });
            w
        }),
        Story::new("service/group_deleted_before_the_rollback_has_its_turn", move || {
            let mut w = stopped();
            w.then("stops d1", weight_is(B, 50), 5_000, |w| stop(w, "d1", None));
            w.then("deletes the group", phase_is("d1", Phase::Stopped), 0, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
    ]
}

/// Rollbacks that are deleted, with their group or by themselves, before they have begun.
fn deleted() -> Vec<Story> {
    vec![
        Story::new("service/group_deleted_in_the_foreground_before_the_rollback_begins", move || {
            let mut w = stopped();
            w.then("stops d1", weight_is(B, 50), 5_000, |w| stop(w, "d1", None));
            w.then("deletes the group in the foreground", has_rollback, 0, |w| {
                w.store.delete_in_foreground(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new(
            "service/group_deleted_in_the_foreground_while_another_shares_its_target_group",
            move || {
                let mut w = shared();
                w.then("deletes the group in the foreground", at_once, 90_000, |w| {
                    w.store.delete_in_foreground(&Actor::User, &(Kind::Group, GROUP.into()));
                });
                w
            },
        ),
        Story::new("service/rollback_is_deleted_while_another_group_shares_its_target_group", move || {
            let mut w = shared();
            w.then("deletes its rollback", at_once, 90_000, delete_rollbacks);
            w
        }),
        Story::new("service/rollback_is_deleted_before_it_begins", move || {
            let mut w = stopped();
            w.then("stops d1", weight_is(B, 50), 5_000, |w| stop(w, "d1", None));
            w.then("deletes d1 and its rollback", has_rollback, 0, |w| {
                delete(w, "d1");
                delete_rollbacks(w);
            });
            w
        }),
    ]
}

/// Rollbacks whose listeners are not the ones that their Deployment began with.
fn anew() -> Vec<Story> {
    let removes = |w: &mut World, name: &str| w.store.delete(&Actor::User, &(Kind::Route, name.into()));
    vec![
        Story::new("service/route_made_anew_mid_shift", move || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes both routes", weight_is(B, 50), 5_000, move |w| {
                removes(w, ROUTE);
                removes(w, TEST_ROUTE);
            });
            w.then("makes them anew, with a rule more", at_once, 1_000, |w| {
                super::super::setup::create(w, route(ROUTE, &[(A, 40), (B, 60)]));
                edit_route(w, ROUTE, |r| r.rules.insert(0, super::super::setup::rule("/else", "else")));
                super::super::setup::create(w, route(TEST_ROUTE, &[(A, 0), (B, 1)]));
            });
            w
        }),
        Story::new("service/route_made_anew_during_the_rollback", move || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("deletes the route", weight_is(B, 50), 5_000, move |w| removes(w, ROUTE));
            w.then("stops d1", at_once, 1_000, |w| stop(w, "d1", None));
            w.then("makes it anew", at_once, 600_000, |w| {
                super::super::setup::create(w, route(ROUTE, &[(A, 40), (B, 60)]));
            });
            w
        }),
        Story::new("service/route_made_anew_behind_the_rollbacks_step", move || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("stops d1", weight_is(B, 50), 5_000, |w| stop(w, "d1", None));
            w.then("deletes the route", weight_is(A, 100), 100, move |w| removes(w, ROUTE));
            w.then("makes it anew, as it was, with a rule more", at_once, 90_000, |w| {
                super::super::setup::create(w, route(ROUTE, &[(A, 50), (B, 50)]));
                edit_route(w, ROUTE, |r| r.rules.insert(0, super::super::setup::rule("/else", "else")));
            });
            w
        }),
        Story::new("service/front_service_made_anew_mid_way", || {
            let events = json!({"autoRollback": {"enabled": true, "events": ["DeploymentFailure"]}});
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", events));
            http_hook(&mut w, "check", "never");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            let event = event_is("d1", EventName::AfterAllowTraffic, EventStatus::InProgress);
            w.then("makes Service web anew, as it was", event, 5_000, |w| {
                let was = w.store.service("web").map(|s| s.selector.clone()).unwrap_or_default();
                w.store.delete(&Actor::User, &(Kind::Service, "web".into()));
                target_group(w, "web", &was);
            });
            w
        }),
        Story::new("service/front_service_with_a_test_route_gives_a_foreign_original_back", || {
            let listener = json!({"productionListener": {"service": {"name": "web"}}});
            let events = json!({"autoRollback": {"enabled": true, "events": ["DeploymentFailure"]}});
            let mut w = empty(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", events), listener);
            legacy(&mut w, "web");
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w
        }),
    ]
}
