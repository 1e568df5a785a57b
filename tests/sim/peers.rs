//! What users of other tools report and wait for, and the golden stories that show how it goes here.
//!
//! Issues are named as their project numbers them: argo-rollouts, its Gateway API plugin, flagger, and OpenKruise's rollouts.

use super::stories::stories;

/// The issues, what their users suffer from, and the stories.
const SUFFERED: &[(&str, &str, &[&str])] = &[
    (
        "argo-rollouts#4433 #4595 #3333 #2864 #3758",
        "old pods leave before the load balancer has taken the weights",
        &["service/gateway_is_silent_from_the_shift_on", "service/keep_alive_until_the_next_install"],
    ),
    (
        "argo-rollouts#2857 #3849",
        "an autoscaler counts or drives the wrong side",
        &["service/replicas_raised_mid_shift", "service/replicas_lowered_mid_shift"],
    ),
    (
        "argo-rollouts#4973",
        "an autoscaler brings an aborted replacement back to life",
        &[
            "service/replicas_raised_after_a_rollback",
            "service/replicas_raised_after_a_failure_without_rollback",
        ],
    ),
    (
        "argo-rollouts#2824 #2897 #841",
        "a retry after a failed check aborts at once",
        &["service/deployed_again_after_a_hook_failed"],
    ),
    (
        "argo-rollouts#1372",
        "a new deployment in the middle of a shift confuses the state",
        &["service/replaced_at_shift", "replace_mid_shift", "service/queue_of_three"],
    ),
    (
        "argo-rollouts#2866, flagger#1186",
        "a failure can only be rolled back, not left as it is",
        &["service/stop_at_shift", "service/after_traffic_fails_without_rollback", "stop_without_rollback"],
    ),
    (
        "rollouts-plugin-trafficrouter-gatewayapi#203 #217",
        "backends and rules of others are dropped from the route",
        &[
            "service/third_backend_keeps_its_share",
            "third_backend_keeps_its_share",
            "service/rule_added_mid_shift",
        ],
    ),
    (
        "flagger#1857 #1888 #1889 #1935",
        "filters, rules and hosts of the user's route are lost",
        &["human_edits_filters_mid_shift", "rules_come_and_go_mid_shift"],
    ),
    (
        "flagger#1816 #1663",
        "pods that never get ready and hooks before the rollout raise no alert",
        &["service/install_cannot_pull", "service/install_crashes", "service/before_install_fails"],
    ),
    (
        "flagger#1202",
        "the old side goes before slow pods of the new one are ready",
        &[
            "service/install_is_slow",
            "service/one_pod_stays_away_mid_shift",
            "service/pods_flap_at_the_first_step",
        ],
    ),
    (
        "flagger#1837 #1157 #1504 #773, rollouts#305 #197",
        "what ran before is scaled to 0, copied or switched over when it is taken up",
        &["service/foreign_original", "service/foreign_original_gets_its_traffic_back"],
    ),
    (
        "flagger#1562 #1448, rollouts#272",
        "deleting the object leaves too few pods, or releases everything at once",
        &["service/group_deleted_orphan", "service/group_deleted_mid_shift", "service/deleted_at_shift"],
    ),
    (
        "rollouts#257",
        "a release that waits for somebody's word cannot be rolled back",
        &["service/stop_at_ready_wait_with_rollback"],
    ),
    ("rollouts#113", "stuck for ever with an empty stable revision", &["service/first_deployment_ever"]),
    ("rollouts#210", "the stable Service ends without endpoints", &["service/primary_target_group_deleted"]),
];

#[test]
fn what_users_of_other_tools_suffer_from_has_a_story_here() {
    let told: std::collections::BTreeSet<String> = stories().into_iter().map(|s| s.name).collect();
    for (issues, suffered, shown) in SUFFERED {
        assert!(!shown.is_empty(), "{issues}: {suffered}");
        for story in *shown {
            assert!(told.contains(*story), "{issues} ({suffered}): no story {story}");
        }
    }
}
