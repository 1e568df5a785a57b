//! A fleet at a glance: one cell a host, zone by zone, in the order in which the hosts are worked on. Where the screen is too
//! small, a cell stands for several hosts that follow each other and shows the one that needs looking at most.

use super::look::Look;
use super::page::LABEL;
use super::target::Target;
use crate::api::EventStatus;

/// Cells between two blanks, to count by.
const BUNCH: usize = 10;
/// The most cells in a row: wider ones are not read but searched.
const ROW: usize = 100;

/// The letter of a state, as in the record but for those that have not begun.
pub fn letter(state: EventStatus) -> char {
    match state {
        EventStatus::Pending => '·',
        EventStatus::InProgress => 'I',
        EventStatus::Succeeded => 'S',
        EventStatus::Failed => 'F',
        EventStatus::Skipped => 'K',
        EventStatus::Unknown => 'U',
    }
}

/// At most `height` lines (one at least) of a label and cells.
pub fn grid(targets: &[Target], look: Look, height: usize) -> Vec<String> {
    if targets.is_empty() {
        return Vec::new();
    }
    let height = height.max(1);
    let cells = cells_a_row(look.width);
    let zones = by_zone(targets);
    let parts = if zones.len() > height { vec![("", targets.iter().collect())] } else { zones };
    let each = smallest_fold(&parts, cells, height);
    let mut lines = Vec::new();
    for (zone, targets) in &parts {
        let folded: Vec<EventStatus> = targets.chunks(each).map(most_pressing).collect();
        for (index, row) in folded.chunks(cells).enumerate() {
            let label: String =
                if index == 0 { zone.chars().take(LABEL - 1).collect() } else { String::new() };
            lines.push(format!("{label:<LABEL$}{}", paint(row, look)));
        }
    }
    if each > 1 {
        lines.push(format!(
            "{:LABEL$}(a letter stands for up to {each} hosts: the one that needs looking at most)",
            ""
        ));
    }
    lines
}

/// How many cells, with a blank after each bunch, fit beside the label.
fn cells_a_row(width: usize) -> usize {
    let room = width.saturating_sub(LABEL) + 1;
    let cells = room / (BUNCH + 1) * BUNCH + (room % (BUNCH + 1)).min(BUNCH).saturating_sub(1);
    cells.clamp(1, ROW)
}

/// The hosts of each zone, in the order in which the zones come first; without zones one part without a name.
fn by_zone(targets: &[Target]) -> Vec<(&str, Vec<&Target>)> {
    let mut parts: Vec<(&str, Vec<&Target>)> = Vec::new();
    for target in targets {
        let zone = target.zone.as_deref().unwrap_or_default();
        match parts.iter_mut().find(|(name, _)| *name == zone) {
            Some((_, members)) => members.push(target),
            None => parts.push((zone, vec![target])),
        }
    }
    parts
}

/// How many hosts a cell must stand for so that all rows fit; the line that says so takes one.
fn smallest_fold(parts: &[(&str, Vec<&Target>)], cells: usize, height: usize) -> usize {
    let rows = |each: usize| -> usize {
        parts.iter().map(|(_, members)| members.len().div_ceil(each).div_ceil(cells)).sum()
    };
    if rows(1) <= height {
        return 1;
    }
    let most = parts.iter().map(|(_, members)| members.len()).max().unwrap_or(1);
    let room = height.saturating_sub(1).max(parts.len());
    (2..=most).find(|each| rows(*each) <= room).unwrap_or(most)
}

fn most_pressing(targets: &[&Target]) -> EventStatus {
    let order = |state: EventStatus| match state {
        EventStatus::Failed => 0,
        EventStatus::Unknown => 1,
        EventStatus::InProgress => 2,
        EventStatus::Pending => 3,
        EventStatus::Skipped => 4,
        EventStatus::Succeeded => 5,
    };
    targets.iter().map(|t| t.status).min_by_key(|s| order(*s)).unwrap_or_default()
}

/// Neighbours of one state share one change of colour.
fn paint(row: &[EventStatus], look: Look) -> String {
    let mut text = String::new();
    let mut rest = row;
    let mut column = 0;
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|state| *state == first).count();
        let mut cells = String::new();
        for _ in 0..run {
            if column > 0 && column % BUNCH == 0 {
                cells.push(' ');
            }
            cells.push(letter(*first));
            column += 1;
        }
        text += &look.state(*first, &cells);
        rest = &rest[run..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::super::target::{Hosts, targets};
    use super::*;

    fn fleet(count: usize, zones: usize) -> Vec<Target> {
        let one = targets(&fixture::in_place(), &Hosts::new()).remove(0);
        let states = [
            EventStatus::Succeeded,
            EventStatus::Succeeded,
            EventStatus::Failed,
            EventStatus::InProgress,
            EventStatus::Pending,
        ];
        let zone =
            |i: usize| (zones > 0).then(|| format!("eu-1{}", char::from(b'a' + (i * zones / count) as u8)));
        (0..count)
            .map(|i| Target { status: states[i * states.len() / count], zone: zone(i), ..one.clone() })
            .collect()
    }

    fn drawn(targets: &[Target], width: usize, height: usize) -> String {
        grid(targets, Look { width, height: 24, colour: false }, height).join("\n")
    }

    #[test]
    fn a_small_fleet_is_a_row_a_zone() {
        insta::assert_snapshot!(drawn(&fleet(24, 2), 80, 10), @r"
        eu-1a        SSSSSSSSSS FF
        eu-1b        FFFIIIII·· ··
        ");
        insta::assert_snapshot!(drawn(&fleet(12, 0), 80, 10), @"             SSSSSFFFII ··");
    }

    #[test]
    fn a_thousand_hosts_are_a_letter_each_on_a_usual_terminal() {
        let shown = drawn(&fleet(1000, 0), 80, 17);
        let letters = shown.chars().filter(|c| "SFI·".contains(*c)).count();
        assert_eq!((letters, shown.lines().count()), (1000, 17));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }

    #[test]
    fn a_fleet_that_does_not_fit_is_folded_and_hides_no_failure() {
        let mut fleet = fleet(5000, 3);
        fleet.iter_mut().for_each(|t| t.status = EventStatus::Succeeded);
        fleet[4321].status = EventStatus::Failed;
        let shown = drawn(&fleet, 80, 9);
        assert!(shown.lines().count() <= 9, "{shown}");
        assert_eq!(shown.matches('F').count(), 1, "{shown}");
        assert!(shown.contains("stands for up to 14 hosts"), "{shown}");
    }

    #[test]
    fn more_zones_than_lines_are_drawn_as_one_fleet() {
        let shown = drawn(&fleet(26, 26), 80, 5);
        assert_eq!(shown.lines().count(), 1, "{shown}");
        assert!(!shown.contains("eu-1"), "{shown}");
    }

    #[test]
    fn a_row_is_never_wider_than_the_screen() {
        for width in [20, 24, 25, 40, 79, 80, 81, 200] {
            for line in grid(&fleet(500, 1), Look { width, height: 24, colour: false }, usize::MAX) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn neighbours_of_one_state_are_painted_at_once() {
        let look = Look { width: 80, height: 24, colour: true };
        let row = paint(&[EventStatus::Succeeded, EventStatus::Succeeded, EventStatus::Failed], look);
        assert_eq!(row, "\x1b[32mSS\x1b[0m\x1b[31mF\x1b[0m");
    }
}
