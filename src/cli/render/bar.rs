//! The traffic of the pair as a bar.

use crate::api::deployment_status::Traffic;

const WIDTH: i32 = 14;

/// `hello-1 ██████████░░░░ 70 % | hello-2 30 %`; only one side where nothing has to move.
pub fn bar(traffic: &Traffic) -> String {
    let (original, replacement) = (&traffic.original, &traffic.replacement);
    if original.name == replacement.name {
        return format!("{} {} 100 %", original.name, "█".repeat(WIDTH as usize));
    }
    let full = filled(original.weight);
    let blocks = "█".repeat(full) + &"░".repeat(WIDTH as usize - full);
    format!(
        "{} {blocks} {} % | {} {} %",
        original.name, original.weight, replacement.name, replacement.weight
    )
}

/// Blocks of the original's side: rounded, but a side that has traffic shows at least one.
fn filled(percent: i32) -> usize {
    let rounded = (percent.clamp(0, 100) * WIDTH + 50) / 100;
    let blocks = match percent {
        ..=0 => 0,
        100.. => WIDTH,
        _ => rounded.clamp(1, WIDTH - 1),
    };
    usize::try_from(blocks).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::deployment_status::Share;

    fn drawn(original: i32, replacement: i32) -> String {
        between("hello-1", original, "hello-2", replacement)
    }

    fn between(gives: &str, original: i32, takes: &str, replacement: i32) -> String {
        let share = |name: &str, weight| Share { name: name.into(), weight };
        bar(&Traffic {
            original: share(gives, original),
            replacement: share(takes, replacement),
            summary: String::new(),
            start_time: None,
            next_step_time: None,
            steps: Vec::new(),
        })
    }

    #[test]
    fn the_bar_is_the_originals_share() {
        assert_eq!(drawn(70, 30), "hello-1 ██████████░░░░ 70 % | hello-2 30 %");
        assert_eq!(drawn(100, 0), "hello-1 ██████████████ 100 % | hello-2 0 %");
        assert_eq!(drawn(0, 100), "hello-1 ░░░░░░░░░░░░░░ 0 % | hello-2 100 %");
    }

    #[test]
    fn what_serves_already_is_one_side() {
        assert_eq!(between("web-a", 100, "web-a", 0), "web-a ██████████████ 100 %");
    }

    #[test]
    fn a_side_that_has_traffic_is_seen() {
        assert_eq!(drawn(99, 1), "hello-1 █████████████░ 99 % | hello-2 1 %");
        assert_eq!(drawn(1, 99), "hello-1 █░░░░░░░░░░░░░ 1 % | hello-2 99 %");
    }
}
