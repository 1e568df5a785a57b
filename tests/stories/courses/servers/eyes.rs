//! What a person sees of a fleet: its hosts in a list, one host with all that its script said, and the grid that a terminal draws.

use super::{end, five_are_left_alone, installed};
use crate::server_manifests::deployment;
use crate::story::Story;

/// `watch` on a terminal of 120 columns, from the moment on that the Deployment is there: all that was drawn, and whether it ended with 1.
async fn watched(story: &Story, name: &str) -> (String, bool) {
    let plugin = env!("CARGO_BIN_EXE_kubectl-sluice");
    let line = format!("stty cols 120 rows 40; exec {plugin} -n {} watch {name}", story.namespace);
    let mut command = tokio::process::Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("NO_COLOR", "1")
        .env("TERM", "xterm");
    let output = command.stdin(std::process::Stdio::null()).output().await.expect("script, of bsdutils");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code() == Some(1))
}

/// The cells of every grid that was drawn, each once where it changed.
fn grids(drawn: &str) -> Vec<String> {
    let cells = |line: &str| {
        let line = line.trim();
        let is_grid = line.chars().count() == 6 && line.chars().all(|c| "·ISFKU".contains(c));
        is_grid.then(|| line.to_owned())
    };
    let mut all: Vec<String> = drawn.lines().filter_map(cells).collect();
    all.dedup();
    all
}

/// A failure on the first of six hosts, as it is watched, and as it is looked up afterwards.
pub async fn failure(story: Story) {
    let (fleet, _) = installed(&story, "CodeDeployDefault.OneAtATime", "").await;
    let bad = [("BeforeInstall", "sleep 3"), ("ValidateService", "echo 'no good' >&2; exit 3")];
    story.apply(&deployment("second", "web", &fleet.notes("2", &bad), "")).await;
    let ((drawn, says_no), failed) = tokio::join!(watched(&story, "second"), story.phase("second", "Failed"));
    assert!(says_no, "{drawn}");
    five_are_left_alone(&fleet, &failed);
    let seen = grids(&drawn);
    assert!(
        seen.contains(&"I·····".to_owned()) && seen.last().is_some_and(|g| g == "FKKKKK"),
        "{seen:?}: {drawn}"
    );
    assert!(drawn.contains("BeforeInstall on 1 ("), "which event runs where: {drawn}");
    assert!(drawn.contains("6: F 1 failed, K 5 skipped; at least 5 stay healthy"), "{drawn}");

    let name = failed["status"]["failedTargets"][0]["name"].as_str().expect("a host").to_owned();
    let list = story.plugin(&["list-deployment-targets", "second"]).await;
    let rows: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..3], ["NAME", "STATUS", "EVENT"], "{list}");
    assert_eq!(
        (rows[1][..3].to_vec(), rows.len()),
        (vec![name.as_str(), "Failed", "ValidateService"], 7),
        "{list}"
    );
    let others: Vec<_> = fleet.names.iter().filter(|n| **n != name).collect();
    for (row, other) in rows[2..].iter().zip(&others) {
        assert_eq!((row[0], row[1]), (other.as_str(), "Skipped"), "{list}");
    }
    assert!(list.lines().nth(1).is_some_and(|row| row.contains("ScriptFailed")), "{list}");
    let only = story.plugin(&["list-deployment-targets", "second", "--status", "Failed", "-o", "name"]).await;
    assert_eq!(only, format!("instance.sluice.dev/{name}\n"));

    let page = story.plugin(&["get-deployment-target", "second", &name]).await;
    for part in ["BeforeInstall", "ValidateService", "ScriptFailed", "scripts/ValidateService.sh", "no good"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    for skipped in others {
        let page = story.plugin(&["get-deployment-target", "second", skipped]).await;
        assert!(page.contains("Skipped") && !page.contains("ScriptFailed"), "{page}");
    }
    let page = story.plugin(&["get-deployment", "second"]).await;
    assert_eq!(grids(&page), ["FKKKKK"], "{page}");
    end(&story).await;
}
