//! Courses that end well: each pace, hooks, first deployments, waits, sizes, listeners.

use super::*;

const HOOKS: &[(&str, &str)] = &[
    ("BeforeInstall", "probe"),
    ("AfterInstall", "probe"),
    ("AfterAllowTestTraffic", "probe"),
    ("BeforeAllowTraffic", "probe"),
    ("AfterAllowTraffic", "check"),
];

/// The stories.
pub fn stories() -> Vec<Story> {
    [swaps(), sides(), waits(), deaths(), sizes(), mid_shift(), pods(), fronts(), foreigners()]
        .into_iter()
        .flatten()
        .collect()
}

fn swaps() -> Vec<Story> {
    let pace = |name: &str, config: &'static str| {
        Story::new(format!("service/{name}"), move || {
            let mut w = plain(with(config, json!({})));
            deploys(&mut w, "d1", "web-2");
            w
        })
    };
    vec![
        pace("all_at_once", "CodeDeployDefault.ECSAllAtOnce"),
        pace("canary", "CodeDeployDefault.ECSCanary10Percent5Minutes"),
        pace("linear", "CodeDeployDefault.ECSLinear10PercentEvery1Minutes"),
        Story::new("service/five_hooks_pass", || {
            let mut w = plain(linear());
            job_hook(&mut w, "probe", "passes");
            http_hook(&mut w, "check", "busy");
            hooked(&mut w, "d1", "web-2", HOOKS);
            w
        }),
        Story::new("service/roles_swap_twice", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("creates Deployment d2 of PodTemplate web-3", all_ended(1), 10_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
        Story::new("service/old_revision_redeployed", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("creates Deployment d2 of PodTemplate web-1", all_ended(1), 10_000, |w| {
                deploy(w, "d2", &appspec("web-1", &[]));
            });
            w
        }),
        Story::new("service/queue_of_three", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            deploys(&mut w, "d2", "web-3");
            deploys(&mut w, "d3", "web-4");
            w
        }),
        Story::new("service/desired_revision", || {
            let mut w = plain(linear());
            w.then("sets spec.revision to PodTemplate web-2", at_once, 1_000, |w| {
                let revision = read(json!({"appSpecContent": {"content": appspec("web-2", &[])}}));
                edit_named_group(w, GROUP, |g| g.spec.revision = Some(revision));
            });
            w
        }),
    ]
}

fn sides() -> Vec<Story> {
    vec![
        Story::new("service/no_test_listener", || {
            let mut w = standing(1, Pace::calm(), linear(), json!({"testListener": null}));
            deploys(&mut w, "d1", "web-2");
            w
        }),
        Story::new("service/first_deployment_ever", || {
            let mut w = empty(1, Pace::calm(), linear(), json!({}));
            deploys(&mut w, "d1", "web-1");
            w
        }),
        Story::new("service/foreign_original", || {
            let mut w = foreign(1, Pace::calm(), linear(), json!({}));
            deploys(&mut w, "d1", "web-2");
            w
        }),
        Story::new("service/foreign_original_gets_its_traffic_back", || {
            let mut w = foreign(1, Pace::calm(), rolling_back(), json!({}));
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w
        }),
        Story::new("service/third_backend_keeps_its_share", || {
            let mut w = plain(linear());
            set_backends(&mut w, ROUTE, &[(A, 80), (B, 0), ("shadow", 20)]);
            deploys(&mut w, "d1", "web-2");
            w
        }),
        Story::new("service/only_one_target_group_is_named", || {
            let mut w = plain(linear());
            set_backends(&mut w, ROUTE, &[(A, 100)]);
            set_backends(&mut w, TEST_ROUTE, &[(A, 1)]);
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}

fn ready(action: &str) -> Value {
    with(
        "CodeDeployDefault.ECSAllAtOnce",
        json!({
            "autoRollback": {"enabled": true, "events": ["DeploymentStopOnRequest"]},
            "blueGreen": {
                "deploymentReady": {"actionOnTimeout": action, "wait": "10m"},
                "terminateOriginal": {"action": "Terminate", "wait": "1m"},
            },
        }),
    )
}

fn waits() -> Vec<Story> {
    let waiting = |name: &str, action: &'static str| {
        Story::new(format!("service/{name}"), move || {
            let mut w = plain(ready(action));
            deploys(&mut w, "d1", "web-2");
            w
        })
    };
    vec![
        waiting("ready_wait_times_out_and_goes_on", "ContinueDeployment"),
        waiting("ready_wait_times_out_and_stops", "StopDeployment"),
        Story::new("service/ready_wait_is_continued", || {
            let mut w = plain(ready("StopDeployment"));
            deploys(&mut w, "d1", "web-2");
            w.then("continues d1", phase_is("d1", Phase::Ready), 60_000, |w| go_on(w, "d1"));
            w
        }),
        Story::new("service/termination_wait_is_continued", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({"blueGreen": {}})));
            deploys(&mut w, "d1", "web-2");
            w.then("continues d1", waits_for_termination("d1"), 1_000, |w| go_on(w, "d1"));
            w
        }),
        Story::new("service/kept_alive_and_lost_sight_of", || {
            let kept = json!({"blueGreen": {"terminateOriginal": {"action": "KeepAlive", "wait": "0s"}}});
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", kept));
            deploys(&mut w, "d1", "web-2");
            w.then("points web-a at something else", all_ended(1), 1_000, |w| {
                edit_service(w, A, |s| s.selector = labels(&[("app", "else")]));
            });
            w.then("creates Deployment d2 of PodTemplate web-3", at_once, 1_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
        Story::new("service/keep_alive_until_the_next_install", || {
            let kept = json!({"blueGreen": {"terminateOriginal": {"action": "KeepAlive", "wait": "0s"}}});
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", kept));
            deploys(&mut w, "d1", "web-2");
            w.then("creates Deployment d2 of PodTemplate web-3", all_ended(1), 1_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
    ]
}

/// While the original waits for its end.
fn deaths() -> Vec<Story> {
    vec![
        Story::new("service/replacement_dies_in_the_termination_wait", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("web-b's pods crash for good", waits_for_termination("d1"), 5_000, |w| {
                evict(w, B, Some("crash"));
            });
            w
        }),
        Story::new("service/replacement_is_away_in_the_termination_wait", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("web-b's pods are not ready", waits_for_termination("d1"), 5_000, |w| flap(w, B, false));
            w.then("they are again", at_once, 30_000, |w| flap(w, B, true));
            w
        }),
    ]
}

fn sizes() -> Vec<Story> {
    vec![
        Story::new("service/replicas_raised_mid_shift", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("wants 3 replicas", weight_is(B, 50), 5_000, |w| resize(w, 3));
            w
        }),
        Story::new("service/autoscaled_mid_shift", || {
            let mut w = plain(linear());
            pod_template(&mut w, "web-9", "slow");
            deploys(&mut w, "d1", "web-9");
            w.then("the autoscaler wants 4 replicas", weight_is(B, 25), 5_000, |w| resize(w, 4));
            w
        }),
        Story::new("service/replicas_raised_during_install", || {
            let mut w = plain(with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            let event = event_is("d1", EventName::Install, EventStatus::InProgress);
            w.then("wants 3 replicas", event, 2_000, |w| resize(w, 3));
            w
        }),
        Story::new("service/replicas_lowered_mid_shift", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("wants 1 replica", weight_is(B, 50), 5_000, |w| resize(w, 1));
            w
        }),
        Story::new("service/replicas_between_deployments", || {
            let mut w = plain(linear());
            w.then("wants 5 replicas", at_once, 5_000, |w| resize(w, 5));
            w.then("wants 1 replica", at_once, 30_000, |w| resize(w, 1));
            w
        }),
    ]
}

/// What befalls pods while traffic moves.
fn mid_shift() -> Vec<Story> {
    vec![
        Story::new("service/pods_evicted_mid_shift", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("a node with web-b's pods is drained", weight_is(B, 50), 5_000, |w| evict(w, B, None));
            w
        }),
        Story::new("service/node_lost_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("a node with a pod of either side is lost", weight_is(B, 25), 5_000, |w| lose_node(w, 1));
            w
        }),
        Story::new("service/replacement_dies_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("web-b's pods crash for good", weight_is(B, 25), 5_000, |w| evict(w, B, Some("crash")));
            w
        }),
        Story::new("service/original_dies_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("web-a's pods crash for good", weight_is(B, 25), 5_000, |w| evict(w, A, Some("crash")));
            w
        }),
        Story::new("service/original_is_away_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("web-a's pods are not ready", weight_is(B, 25), 5_000, |w| flap(w, A, false));
            w.then("they are again", at_once, 20_000, |w| flap(w, A, true));
            w
        }),
        Story::new("service/pods_flap_at_the_first_step", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-2");
            w.then("web-b's pods are not ready", routed(TEST_ROUTE, B, 100), 100, |w| flap(w, B, false));
            w.then("they are again", at_once, 30_000, |w| flap(w, B, true));
            w
        }),
    ]
}

fn fronts() -> Vec<Story> {
    vec![
        Story::new("service/front_service", || {
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("creates Deployment d2 of PodTemplate web-3", all_ended(1), 10_000, |w| {
                deploy(w, "d2", &appspec("web-3", &[]));
            });
            w
        }),
        Story::new("service/front_service_of_a_foreign_original", || {
            let listener = json!({"productionListener": {"service": {"name": "web"}}, "testListener": null});
            let group = with(
                "CodeDeployDefault.ECSAllAtOnce",
                json!({"autoRollback": {"enabled": true, "events": ["DeploymentFailure"]}}),
            );
            let mut w = empty(1, Pace::calm(), group, listener);
            legacy(&mut w, "web");
            deploys(&mut w, "d1", "web-2");
            http_hook(&mut w, "check", "fails");
            w.then(
                "creates Deployment d2 of PodTemplate web-3, hook check at AfterAllowTraffic",
                all_ended(1),
                10_000,
                |w| {
                    deploy(w, "d2", &appspec("web-3", &[("AfterAllowTraffic", "check")]));
                },
            );
            w
        }),
        Story::new("service/front_service_gives_a_foreign_original_back", || {
            let listener = json!({"productionListener": {"service": {"name": "web"}}, "testListener": null});
            let events = json!({"autoRollback": {"enabled": true, "events": ["DeploymentFailure"]}});
            let mut w = empty(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", events), listener);
            legacy(&mut w, "web");
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w
        }),
        Story::new("service/front_service_is_rolled_back", || {
            let events = json!({"autoRollback": {"enabled": true, "events": ["DeploymentFailure"]}});
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", events));
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w
        }),
        Story::new("service/front_service_refuses_linear", || {
            let mut w = fronted(1, Pace::calm(), linear());
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}

/// One of two pods.
fn pods() -> Vec<Story> {
    vec![
        Story::new("service/one_pod_ceases_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("a pod of web-b ceases", weight_is(B, 25), 5_000, |w| flap_one(w, B, false));
            w.then("it is ready again", at_once, 90_000, |w| flap_one(w, B, true));
            w
        }),
        Story::new("service/one_pod_stays_away_mid_shift", || {
            let mut w = standing(1, Pace::calm(), rolling_back(), json!({"installTimeout": "5m"}));
            deploys(&mut w, "d1", "web-2");
            w.then("a pod of web-b ceases", weight_is(B, 25), 5_000, |w| flap_one(w, B, false));
            w
        }),
        Story::new("service/one_pod_of_the_original_is_enough_on_the_way_back", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("a pod of web-a ceases", weight_is(B, 25), 5_000, |w| flap_one(w, A, false));
            w.then("stops d1", weight_is(B, 50), 5_000, |w| stop(w, "d1", None));
            w
        }),
    ]
}

/// What becomes of an original that is not Sluice's.
fn foreigners() -> Vec<Story> {
    vec![
        Story::new("service/front_service_keeps_a_foreign_original_in_words", || {
            let listener = json!({"productionListener": {"service": {"name": "web"}}, "testListener": null});
            let mut w = empty(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", json!({})), listener);
            legacy(&mut w, "web");
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w
        }),
        Story::new("service/foreign_original_waits_for_a_stop", || {
            let mut w = foreign(1, Pace::calm(), rolling_back(), json!({}));
            deploys(&mut w, "d1", "web-2");
            w.then("stops d1", weight_is(B, 100), 30_000, |w| stop(w, "d1", None));
            w
        }),
        Story::new("service/foreign_original_is_left_by_a_stop", || {
            let mut w = foreign(1, Pace::calm(), linear(), json!({}));
            deploys(&mut w, "d1", "web-2");
            w.then("stops d1", weight_is(B, 100), 30_000, |w| stop(w, "d1", None));
            w
        }),
    ]
}
