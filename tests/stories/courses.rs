//! The stories, by what they are about. One of each course runs in `make test`.

mod desired;
mod disturbances;
mod edits;
mod hooks;
mod losses;
mod more;
mod servers;
mod services;
mod shifts;
mod sources;
mod stops;

use crate::case;
use crate::run::Case;
use crate::story::Stage;
use servers::{balancers, eyes, failures, fleets, mishaps, rules};
use services::{
    autoscaling, crashes, ends, foreground, holds, inputs, losses as dying, phases, stops as halts, swaps,
    takeovers,
};

const COURSE: bool = true;
const MORE: bool = false;

/// Every story, the longest first.
pub fn all() -> Vec<Case> {
    functions().into_iter().chain(services()).chain(servers()).collect()
}

fn servers() -> Vec<Case> {
    let (together, alone) = (false, true);
    let bare = Stage::Bare;
    vec![
        case!("server-load-balancer", balancers::load_balancer, COURSE, together, bare),
        case!("server-agent-killed", mishaps::agent_killed, COURSE, together, bare),
        case!(
            "server-agent-killed-around-traffic",
            mishaps::agent_killed_around_traffic,
            COURSE,
            together,
            bare
        ),
        case!("server-downloads-fail", failures::downloads, COURSE, together, bare),
        case!("server-traffic-hooks", balancers::hooks, COURSE, together, bare),
        case!("server-bundles-with-secrets", sources::bundles, COURSE, together, bare),
        case!("server-all-at-once", fleets::all_at_once, MORE, together, bare),
        case!("server-half-at-a-time", fleets::half_at_a_time, MORE, together, bare),
        case!("server-one-at-a-time", fleets::one_at_a_time, COURSE, together, bare),
        case!("server-custom-count", fleets::custom_count, MORE, together, bare),
        case!("server-custom-percent", fleets::custom_percent, MORE, together, bare),
        case!("server-zone-by-zone", fleets::zone_by_zone, COURSE, together, bare),
        case!("server-stop", fleets::stop, COURSE, together, bare),
        case!("server-rollback", fleets::rollback, COURSE, together, bare),
        case!("server-eyes", eyes::failure, COURSE, together, bare),
        case!("server-restart-mode", fleets::restart_mode, COURSE, together, bare),
        case!("server-outdated-only", fleets::outdated_only, MORE, together, bare),
        case!("server-two-applications", fleets::two_applications, COURSE, together, bare),
        case!("server-scripts-fail", failures::scripts, COURSE, together, bare),
        case!("server-disk-full", failures::disk_full, COURSE, together, bare),
        case!("server-file-exists", failures::file_exists, MORE, together, bare),
        case!("server-download-stalls", failures::stalls, MORE, together, bare),
        case!("server-rebooted", mishaps::rebooted, MORE, together, bare),
        case!("server-unplugged", mishaps::unplugged, COURSE, together, bare),
        case!("server-stop-failures-ignored", rules::stop_failures_ignored, COURSE, together, bare),
        case!("server-scripts-not-executable", rules::not_executable, COURSE, together, bare),
        case!("server-zone-minimum", rules::zone_minimum, COURSE, together, bare),
        case!("server-restart-fetches-nothing", rules::restart_fetches_nothing, COURSE, together, bare),
        case!("server-silent", mishaps::silent, COURSE, together, bare),
        case!("server-silent-at-its-turn", mishaps::silent_at_its_turn, MORE, together, bare),
        case!("server-controller-killed-often", mishaps::controller_killed_often, MORE, alone, bare),
    ]
}

fn services() -> Vec<Case> {
    let all = [
        service_swaps(),
        service_ends(),
        service_stops(),
        service_phases(),
        service_inputs(),
        service_hands(),
        service_surroundings(),
    ];
    all.into_iter().flatten().collect()
}

fn service_swaps() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!("service-linear", swaps::linear, MORE, together, stage),
        case!("service-canary", swaps::canary, COURSE, together, stage),
        case!("service-all-at-once", swaps::all_at_once, COURSE, together, stage),
        case!("service-ready-wait", swaps::ready_wait, COURSE, together, stage),
        case!("service-roles-swapped-twice", swaps::roles_twice, MORE, together, stage),
        case!("service-keep-alive", swaps::keep_alive, MORE, together, stage),
        case!("service-scaled-mid-shift", swaps::scaled, COURSE, together, stage),
        case!("service-autoscaled-mid-deployment", autoscaling::mid_deployment, COURSE, together, stage),
        case!("service-pods-crash-mid-shift", swaps::pods_crash, MORE, together, stage),
        case!("service-containers-crash-mid-shift", crashes::once, COURSE, together, stage),
        case!("service-containers-crash-for-good", crashes::for_good, MORE, together, stage),
        case!("service-between-deployments", swaps::between, MORE, together, stage),
    ]
}

fn service_ends() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!("service-hook-fails-before-install", ends::before_install, MORE, together, stage),
        case!("service-hook-fails-after-install", ends::after_install, MORE, together, stage),
        case!("service-hook-fails-after-test-traffic", ends::after_test_traffic, MORE, together, stage),
        case!("service-hook-fails-before-traffic", ends::before_traffic, MORE, together, stage),
        case!("service-hook-fails-after-traffic", ends::after_traffic, COURSE, together, stage),
        case!("service-stopped-mid-shift", ends::stopped_mid_shift, MORE, together, stage),
    ]
}

fn service_stops() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!(
            "service-stopped-in-termination-wait",
            ends::stopped_in_termination_wait,
            COURSE,
            together,
            stage
        ),
        case!(
            "service-stopped-mid-shift-without-rollback",
            halts::mid_shift_without_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-while-ready", ends::stopped_while_ready, MORE, together, stage),
        case!(
            "service-stopped-while-ready-with-rollback",
            halts::while_ready_with_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-in-before-install", halts::in_before_install, MORE, together, stage),
        case!("service-stopped-in-install", halts::in_install, COURSE, together, stage),
        case!(
            "service-stopped-in-install-without-rollback",
            halts::in_install_without_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-while-tested", halts::while_tested, MORE, together, stage),
        case!(
            "service-stopped-while-tested-without-rollback",
            halts::while_tested_without_rollback,
            MORE,
            together,
            stage
        ),
        case!(
            "service-stopped-in-termination-wait-without-rollback",
            halts::in_termination_wait_without_rollback,
            MORE,
            together,
            stage
        ),
    ]
}

fn service_phases() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!("service-stopped-after-install", phases::in_after_install, MORE, together, stage),
        case!(
            "service-stopped-after-install-without-rollback",
            phases::in_after_install_without_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-before-traffic", phases::in_before_traffic, MORE, together, stage),
        case!(
            "service-stopped-before-traffic-without-rollback",
            phases::in_before_traffic_without_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-after-traffic", phases::in_after_traffic, COURSE, together, stage),
        case!(
            "service-stopped-after-traffic-without-rollback",
            phases::in_after_traffic_without_rollback,
            MORE,
            together,
            stage
        ),
        case!("service-stopped-too-late", phases::too_late, MORE, together, stage),
        case!("service-stopped-after-the-end", phases::after_the_end, MORE, together, stage),
    ]
}

fn service_inputs() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!("service-ready-wait-expires", halts::ready_wait_expires, MORE, together, stage),
        case!(
            "service-rolled-back-without-its-application",
            halts::without_its_application,
            MORE,
            together,
            stage
        ),
        case!("service-install-times-out", ends::install_times_out, COURSE, together, stage),
        case!("service-deleted-mid-shift", ends::deleted_mid_shift, MORE, together, stage),
        case!("service-bad-input", ends::bad_input, MORE, together, stage),
    ]
}

fn service_hands() -> Vec<Case> {
    let (together, stage) = (false, Stage::Service);
    vec![
        case!("service-container-missing", inputs::missing_container, MORE, together, stage),
        case!("service-pod-template-changed", inputs::template_changed, MORE, together, stage),
        case!("service-route-shared", inputs::shared_route, MORE, together, stage),
        case!("service-third-backend-keeps-its-share", inputs::third_backend, MORE, together, stage),
        case!("service-weights-set-by-hand", inputs::weights_by_hand, COURSE, together, stage),
        case!("service-selector-changed-in-install", inputs::selector_in_install, MORE, together, stage),
        case!(
            "service-replacement-selector-changed-mid-shift",
            inputs::replacement_selector,
            MORE,
            together,
            stage
        ),
        case!(
            "service-original-selector-changed-mid-shift",
            inputs::original_selector,
            MORE,
            together,
            stage
        ),
    ]
}

fn service_surroundings() -> Vec<Case> {
    let (together, alone) = (false, true);
    let (stage, bare) = (Stage::Service, Stage::Bare);
    vec![
        case!("service-held-by-quota", holds::quota, MORE, together, stage),
        case!("service-held-by-crash-loop", holds::crash_loop, MORE, together, stage),
        case!("service-held-by-node-selector", holds::node_selector, MORE, together, stage),
        case!("service-held-by-resources", holds::resources, MORE, together, stage),
        case!("service-adoption", takeovers::adoption, COURSE, together, bare),
        case!("service-front", takeovers::front, COURSE, together, bare),
        case!("service-front-inside", takeovers::front_inside, MORE, together, bare),
        case!("service-app-spec-in-a-registry", sources::of_service, MORE, together, stage),
        case!("service-group-orphaned", takeovers::orphaned, MORE, together, stage),
        case!("service-group-deleted", takeovers::deleted, MORE, together, stage),
        case!(
            "service-group-deleted-in-the-foreground",
            foreground::rollback_has_not_begun,
            MORE,
            together,
            stage
        ),
        case!("service-target-group-shared", takeovers::shared, MORE, together, stage),
        case!("service-controller-killed-often", dying::controller_killed_often, COURSE, alone, stage),
        case!("service-rollback-while-killed", dying::rollback_while_killed, MORE, alone, stage),
    ]
}

fn functions() -> Vec<Case> {
    let (together, alone) = (false, true);
    vec![
        case!("linear", shifts::linear, COURSE, together),
        case!("canary", shifts::canary, COURSE, together),
        case!("app-spec-in-s3", sources::of_function, COURSE, together),
        case!("hook-job-fails", hooks::job_fails, COURSE, together),
        case!("all-at-once", shifts::all_at_once, COURSE, together),
        case!("hook-job-succeeds", hooks::job_succeeds, MORE, together),
        case!("hook-http-400", hooks::http_400, COURSE, together),
        case!("hook-http-later-answer", hooks::later_answer, MORE, together),
        case!("hook-http-later-failure", hooks::later_failure, MORE, together),
        case!("hook-http-silence", hooks::silence, MORE, together),
        case!("hook-http-flaky", hooks::flaky, MORE, together),
        case!("stop-with-rollback", stops::with_rollback, COURSE, together),
        case!("stop-without-rollback", stops::without_rollback, COURSE, together),
        case!("stop-while-hook-runs", stops::while_hook_runs, MORE, together),
        case!("replace-mid-shift", stops::replace, COURSE, together),
        case!("reject", stops::reject, MORE, together),
        case!("queue-of-three", stops::queue, MORE, together),
        case!("delete-mid-shift", stops::delete, MORE, together),
        case!("human-edits-route-mid-shift", edits::human_edits, COURSE, together),
        case!("desired-revision-like-git", desired::like_git, COURSE, together),
        case!("config-map-revision", desired::config_map, MORE, together),
        case!("missing-service", edits::missing_service, MORE, together),
        case!("current-version-mismatch", edits::mismatch, MORE, together),
        case!("split-alias", edits::split_alias, MORE, together),
        case!("route-reset-between-deployments", edits::route_reset, MORE, together),
        case!("third-backend-keeps-its-share", edits::third_backend, MORE, together),
        case!("get-sluice-reads-well", edits::reads_well, MORE, together),
        case!("pods-replaced-mid-shift", losses::pods, MORE, together),
        case!("snapshot-outlives-its-sources", losses::snapshot, MORE, together),
        case!("namespace-deleted-mid-shift", losses::namespace, MORE, together),
        case!("route-deleted-mid-shift", losses::route, MORE, together),
        case!("job-deleted-by-somebody", losses::job, MORE, together),
        case!("endpoints-lost-mid-shift", losses::endpoints, MORE, together),
        case!("gateway-falls-silent", more::gateway_silent, MORE, together),
        case!("hook-http-secret", more::secret, MORE, together),
        case!("two-groups-one-route", more::two_groups, MORE, together),
        case!("history-limit", more::history, MORE, together),
        case!("stop-in-queue", more::stop_in_queue, MORE, together),
        case!("hooks-while-controller-is-killed", disturbances::hooks_while_killed, MORE, alone),
        case!("leader-killed-mid-shift", disturbances::leader_killed, COURSE, alone),
        case!("leader-frozen-mid-shift", disturbances::leader_frozen, MORE, alone),
        case!("controller-killed-every-few-seconds", disturbances::controller_killed_often, COURSE, alone),
        case!("api-server-restarted-mid-shift", disturbances::api_server_restarted, COURSE, alone),
        case!("graceful-hand-over", disturbances::graceful_hand_over, MORE, alone),
    ]
}
