//! What reading a Server AppSpec brings to light: refusals, with who refuses; warnings; and advice, which only
//! `lint` gives. Bounded lists all.

use super::super::error::{Error, Position};
use super::super::names::is_rendered;
use super::super::section::Warnings;
use super::super::spelling::shown;

/// Who refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum By {
    /// AWS's agent and ours.
    Both,
    /// Ours, for safety; AWS's agent takes it.
    Us,
    /// AWS's agent; ours takes it.
    Aws,
}

/// A refusal and who it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Refused {
    pub(in super::super) error: Error,
    pub(in super::super) by: By,
}

/// Everything found in one text.
#[derive(Debug, Default)]
pub(in super::super) struct Findings {
    /// What is ignored or does not mean what it seems to.
    pub(in super::super) warnings: Warnings,
    /// What is fine and could be better.
    pub(in super::super) advice: Warnings,
    pub(in super::super) refused: Vec<Refused>,
}

impl Findings {
    const KEPT: usize = 20;

    /// What nobody takes.
    pub(super) fn refuse(&mut self, error: Error) {
        self.add(error, By::Both);
    }

    /// What AWS's agent takes and ours does not.
    pub(super) fn refuse_here(&mut self, error: Error) {
        self.add(error, By::Us);
    }

    /// What AWS's agent refuses and ours takes.
    pub(super) fn refuse_on_aws(
        &mut self,
        at: Position,
        field: impl Into<String>,
        problem: impl Into<String>,
    ) {
        self.add(Error::field(at, field, problem), By::Aws);
    }

    fn add(&mut self, error: Error, by: By) {
        if self.refused.iter().filter(|refused| refused.by == by).count() < Self::KEPT {
            self.refused.push(Refused { error, by });
        }
    }

    /// The value, or nothing and a refusal.
    pub(super) fn take<T>(&mut self, result: Result<T, Error>) -> Option<T> {
        result.map_err(|error| self.refuse(error)).ok()
    }

    /// Warns of a text that a template engine should have replaced: nobody does so later.
    pub(super) fn check_rendered(&mut self, at: Position, field: &str, text: &str) {
        if !is_rendered(text) {
            let said = format!(
                "{field} is {}, which looks like a template that was not rendered; it is taken as it stands",
                shown(text)
            );
            self.warnings.add(at, said);
        }
    }

    /// The refusal that ours gives: the first in the text.
    pub(super) fn first_of_ours(&self) -> Option<&Error> {
        let ours = self.refused.iter().filter(|refused| refused.by != By::Aws);
        ours.map(|refused| &refused.error).min_by_key(|error| error.position())
    }
}
