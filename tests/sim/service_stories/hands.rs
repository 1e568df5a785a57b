//! What somebody's hands, or an autoscaler's, do to Services and sizes around a deployment.

use sluice::api::TASK_SET_LABEL;

use super::*;

/// The stories.
pub fn stories() -> Vec<Story> {
    [selectors(), dead_originals(), waits(), sizes(), fronts()].into_iter().flatten().collect()
}

fn points_elsewhere(world: &mut World, service: &str) {
    edit_service(world, service, |s| s.selector = labels(&[("app", "else")]));
}

/// Points web-a at the replacement's pods, which are alive.
fn points_a_at_the_replacement(world: &mut World) {
    let replacement = behind(&world.store, B).unwrap_or_default();
    edit_service(world, A, |s| s.selector = labels(&[(TASK_SET_LABEL, &replacement)]));
}

fn selectors() -> Vec<Story> {
    vec![
        Story::new("service/original_selector_changed_mid_shift", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            let told = |s: &Store| behind(s, A);
            w.then("points web-a at the replacement, and back", weight_is(B, 50), 5_000, move |w| {
                let own = told(&w.store).unwrap_or_default();
                points_a_at_the_replacement(w);
                w.then("points web-a at its task set again", at_once, 90_000, move |w| {
                    edit_service(w, A, |s| s.selector = labels(&[(TASK_SET_LABEL, &own)]));
                });
            });
            w
        }),
        Story::new("service/original_selector_changed_and_deployment_deleted", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("points web-a at the replacement", weight_is(B, 50), 5_000, points_a_at_the_replacement);
            w.then(
                "deletes Deployment d1",
                |s| reason_is(s, "d1", "SelectorChanged"),
                5_000,
                |w| {
                    delete(w, "d1");
                },
            );
            w
        }),
    ]
}

fn dead_originals() -> Vec<Story> {
    vec![Story::new("service/original_selector_changed_to_nobody_mid_shift", || {
        let mut w = plain(rolling_back());
        deploys(&mut w, "d1", "web-2");
        w.then("points web-a at nobody", weight_is(B, 50), 5_000, |w| points_elsewhere(w, A));
        w
    })]
}

fn waits() -> Vec<Story> {
    vec![
        Story::new("service/group_deleted_while_a_pod_template_is_missing", || {
            let mut w = plain(linear());
            deploys(&mut w, "d1", "web-9");
            w.then("deletes the group", at_once, 90_000, |w| {
                w.store.delete(&Actor::User, &(Kind::Group, GROUP.into()));
            });
            w
        }),
        Story::new("service/target_port_changed_in_the_termination_wait", || {
            let mut w = plain(rolling_back());
            deploys(&mut w, "d1", "web-2");
            w.then("sends web-b to another port", waits_for_termination("d1"), 5_000, |w| {
                edit_service(w, B, |s| s.target_ports = vec!["9090".into()]);
            });
            w.then(
                "sends it back",
                |s| reason_is(s, "d1", "SelectorChanged"),
                120_000,
                |w| {
                    edit_service(w, B, |s| s.target_ports = vec!["8080".into()]);
                },
            );
            w
        }),
    ]
}

fn sizes() -> Vec<Story> {
    vec![
        // argoproj/argo-rollouts#4973: an autoscaler brings the aborted replacement back to life.
        Story::new("service/replicas_raised_after_a_rollback", || {
            let mut w = plain(rolling_back());
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTraffic", "check")]);
            w.then("wants 5 pods", all_ended(2), 30_000, |w| resize(w, 5));
            w
        }),
        Story::new("service/replicas_raised_after_a_failure_without_rollback", || {
            let mut w = plain(linear());
            http_hook(&mut w, "check", "fails");
            hooked(&mut w, "d1", "web-2", &[("BeforeAllowTraffic", "check")]);
            w.then("wants 5 pods", all_ended(1), 30_000, |w| resize(w, 5));
            w
        }),
        // A hook that failed once is asked anew by the next deployment of the same template.
        Story::new("service/deployed_again_after_a_hook_failed", || {
            let mut w = plain(rolling_back());
            job_hook(&mut w, "probe", "fails");
            hooked(&mut w, "d1", "web-2", &[("AfterAllowTestTraffic", "probe")]);
            w.then(
                "mends hook probe and deploys the same again",
                phase_is("d1", Phase::Failed),
                60_000,
                |w| {
                    w.store.delete(&Actor::User, &(Kind::Hook, "probe".into()));
                    job_hook(w, "probe", "passes");
                    deploy(w, "d2", &appspec("web-2", &[("AfterAllowTestTraffic", "probe")]));
                },
            );
            w
        }),
    ]
}

fn fronts() -> Vec<Story> {
    vec![
        Story::new("service/front_selector_changed_mid_way", || {
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("points the front at something else", waits_for_termination("d1"), 5_000, |w| {
                points_elsewhere(w, "web");
            });
            w
        }),
        // A target group is only a name for a front Service: production does not go through it.
        Story::new("service/front_goes_back_past_a_target_group_that_was_pointed_elsewhere", || {
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", json!({})));
            deploys(&mut w, "d1", "web-2");
            w.then("points web-a at something else", waits_for_termination("d1"), 5_000, |w| {
                points_elsewhere(w, A);
            });
            w.then("deletes Deployment d1", at_once, 5_000, |w| delete(w, "d1"));
            w
        }),
        Story::new("service/front_service_is_ended_at_once", || {
            let soon = json!({"blueGreen": {"terminateOriginal": {"action": "Terminate", "wait": "0s"}}});
            let mut w = fronted(1, Pace::calm(), with("CodeDeployDefault.ECSAllAtOnce", soon));
            deploys(&mut w, "d1", "web-2");
            w
        }),
    ]
}
