//! Where text goes: standard output as a whole, or the live view of `watch`. Takes rendered text and decides nothing else.

use std::io::{self, IsTerminal, Write};

use jiff::{SignedDuration, Timestamp};

use super::error::Error;
use super::render::{self, Hosts, Look};
use crate::api::Deployment;

/// A lost connection is told for this long after the last attempt that failed: longer than two attempts are apart.
const NOTICE_STAYS: SignedDuration = SignedDuration::from_secs(60);

/// Prints `text` as it is.
///
/// # Errors
/// Standard output that is closed or full.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Error::Write)
}

/// Tells the person, not the program that reads standard output.
pub fn tell(text: &str) {
    // If standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// What standard output can show.
pub fn look() -> Look {
    if !io::stdout().is_terminal() {
        return Look::PLAIN;
    }
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let size = terminal_size::terminal_size();
    size.map_or(Look { colour, ..Look::PLAIN }, |(width, height)| Look {
        width: usize::from(width.0),
        height: usize::from(height.0),
        colour,
    })
}

/// How a Deployment is followed.
#[derive(Debug)]
pub enum Screen {
    /// A terminal: one view, drawn over itself.
    Live(Live),
    /// A file or a pipe: a line a change.
    Lines {
        /// True while the connection is lost.
        is_lost: bool,
    },
    /// Nothing at all.
    Silent,
}

/// The state of a view on a terminal.
#[derive(Debug, Default)]
pub struct Live {
    drawn: usize,
    hosts: Hosts,
    notice: Option<(String, Timestamp)>,
}

impl Screen {
    /// The view that suits standard output.
    pub fn for_stdout() -> Self {
        if io::stdout().is_terminal() { Self::Live(Live::default()) } else { Self::Lines { is_lost: false } }
    }

    /// True if the view changes with the time alone.
    pub fn counts_down(&self) -> bool {
        matches!(self, Self::Live(_))
    }

    /// What is known of the hosts, for the next time that the view is drawn; nothing where no view is.
    pub fn hosts(&mut self) -> Option<&mut Hosts> {
        match self {
            Self::Live(live) => Some(&mut live.hosts),
            Self::Lines { .. } | Self::Silent => None,
        }
    }

    /// Shows what changed.
    ///
    /// # Errors
    /// Standard output that is closed or full.
    pub fn update(
        &mut self,
        before: Option<&Deployment>,
        after: &Deployment,
        now: Timestamp,
    ) -> Result<(), Error> {
        match self {
            Self::Live(live) => {
                live.notice = None;
                live.draw(after, look(), now)
            }
            Self::Lines { is_lost } => {
                if std::mem::take(is_lost) {
                    tell("connected again");
                }
                let lines = render::changes(before, after, now);
                print(&lines.iter().map(|l| format!("{l}\n")).collect::<String>())
            }
            Self::Silent => Ok(()),
        }
    }

    /// Shows the same again at a later time.
    ///
    /// # Errors
    /// Standard output that is closed or full.
    pub fn redraw(&mut self, shown: &Deployment, now: Timestamp) -> Result<(), Error> {
        match self {
            Self::Live(live) => live.draw(shown, look(), now),
            Self::Lines { .. } | Self::Silent => Ok(()),
        }
    }

    /// Says that the connection is lost, once.
    pub fn lose(&mut self, cause: &str, now: Timestamp) {
        let text = format!("connection lost ({cause}), trying again");
        match self {
            Self::Live(live) => live.notice = Some((text, now)),
            Self::Lines { is_lost } => {
                if !std::mem::replace(is_lost, true) {
                    tell(&text);
                }
            }
            Self::Silent => {}
        }
    }
}

impl Live {
    fn draw(&mut self, deployment: &Deployment, look: Look, now: Timestamp) -> Result<(), Error> {
        print(&self.paint(deployment, look, now))
    }

    /// The bytes that put the view over the one before.
    fn paint(&mut self, deployment: &Deployment, look: Look, now: Timestamp) -> String {
        let mut text = render::frame(deployment, &self.hosts, look, now);
        if let Some((notice, _)) =
            self.notice.as_ref().filter(|(_, at)| now.duration_since(*at) < NOTICE_STAYS)
        {
            text += &format!("\n{notice}\n");
        }
        let back = if self.drawn > 0 { format!("\x1b[{}F\x1b[J", self.drawn) } else { String::new() };
        self.drawn = rows(&text, look.width);
        back + &text
    }
}

/// Rows that `text` takes up on a terminal that wraps at `width`; colours take no room.
fn rows(text: &str, width: usize) -> usize {
    text.lines().map(|line| visible(line).div_ceil(width.max(1)).max(1)).sum()
}

fn visible(line: &str) -> usize {
    let mut pieces = line.split('\x1b');
    let first = pieces.next().unwrap_or_default();
    let after = |piece: &str| piece.split_once('m').map_or(0, |(_, text)| text.chars().count());
    first.chars().count() + pieces.map(after).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::super::render::fixture;
    use super::*;

    #[test]
    fn a_view_is_drawn_over_the_one_before() {
        let mut live = Live::default();
        let look = Look { width: 100, height: 40, colour: true };
        let first = live.paint(&fixture::shifting(), look, fixture::now());
        assert!(!first.contains("\x1b[J"));
        let lines = first.lines().count();
        let second = live.paint(&fixture::shifting(), look, fixture::now());
        assert!(second.starts_with(&format!("\x1b[{lines}F\x1b[J")), "{second:?}");
    }

    #[test]
    fn a_line_that_the_terminal_wraps_counts_as_often() {
        assert_eq!(rows("12345\n\n1234567890\n", 5), 4);
        assert_eq!(rows("\x1b[32m12345\x1b[0m\n", 5), 1);
    }

    #[test]
    fn a_lost_connection_is_told_until_it_is_old() {
        let mut screen = Screen::Live(Live::default());
        screen.lose("refused", fixture::now());
        let Screen::Live(live) = &mut screen else { unreachable!() };
        assert!(
            live.paint(&fixture::shifting(), Look::PLAIN, fixture::now())
                .contains("connection lost (refused)")
        );
        let later = fixture::now() + NOTICE_STAYS;
        assert!(!live.paint(&fixture::shifting(), Look::PLAIN, later).contains("connection lost"));
    }
}
