//! What the reader's screen can show: width and colour, and the words in it.

use crate::api::{EventStatus, Phase};

/// How text may look.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns; longer sentences are wrapped.
    pub width: usize,
    /// Lines that are seen at once.
    pub height: usize,
    /// True if ANSI colours are understood and wanted.
    pub colour: bool,
}

impl Look {
    /// For files and pipes.
    pub const PLAIN: Self = Self { width: 100, height: usize::MAX, colour: false };

    /// `text`, padded to `width` columns, in the colour of a phase.
    pub fn phase(self, phase: Phase, width: usize) -> String {
        let colour = match phase {
            Phase::Succeeded => GREEN,
            Phase::Failed | Phase::Stopped => RED,
            Phase::Created | Phase::Queued => DIM,
            Phase::InProgress | Phase::Ready | Phase::Baking => YELLOW,
        };
        self.paint(&format!("{:<width$}", phase.to_string()), colour)
    }

    /// `text`, padded to `width` columns, in the colour of an event's status.
    pub fn status(self, status: EventStatus, width: usize) -> String {
        self.state(status, &format!("{:<width$}", format!("{status:?}")))
    }

    /// `text` in the colour of a status.
    pub fn state(self, status: EventStatus, text: &str) -> String {
        let colour = match status {
            EventStatus::Succeeded => GREEN,
            EventStatus::Failed => RED,
            EventStatus::InProgress => YELLOW,
            EventStatus::Unknown => MAGENTA,
            EventStatus::Pending | EventStatus::Skipped => DIM,
        };
        self.paint(text, colour)
    }

    fn paint(self, text: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.into() }
    }
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const MAGENTA: &str = "35";
const DIM: &str = "2";

/// Breaks `text` at blanks into lines of at most `width` characters; a longer word is cut.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut letters = word.chars().peekable();
        let length = word.chars().count();
        if used > 0 && used + 1 + length <= width {
            lines.last_mut().into_iter().for_each(|l| l.push(' '));
            used += 1;
        } else if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        while let Some(letter) = letters.next() {
            lines.last_mut().into_iter().for_each(|l| l.push(letter));
            used += 1;
            if used == width && letters.peek().is_some() {
                lines.push(String::new());
                used = 0;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_break_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrap("a b\nc", 10), ["a b c"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""]);
    }

    #[test]
    fn colour_is_only_there_where_it_is_wanted() {
        assert_eq!(Look::PLAIN.phase(Phase::Failed, 8), "Failed  ");
        let look = Look { width: 80, height: 24, colour: true };
        assert_eq!(look.status(EventStatus::Succeeded, 0), "\x1b[32mSucceeded\x1b[0m");
    }
}
