//! Why an AppSpec was refused: takes nothing, gives sentences with line and column where they are known.

use std::fmt;

use super::platform::Platform;
use super::tree::Limits;

/// A place in the text; both counts start at 1 and columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// What is wrong with an AppSpec. None of these passes by itself: the revision has to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than [`Limits::max_bytes`].
    #[error("the AppSpec has {bytes} bytes, at most {limit} are read: it names what to deploy, no more")]
    TooLarge {
        /// Size of the text.
        bytes: usize,
        /// The limit it broke.
        limit: usize,
    },
    /// No content but blanks and comments.
    #[error("the AppSpec is empty: it needs at least Resources, or version and os")]
    Empty,
    /// Neither YAML nor JSON, or a shape no AppSpec has.
    #[error("{at}: {problem}")]
    Syntax {
        /// Where the reader gave up.
        at: Position,
        /// What it found and how to mend it.
        problem: String,
    },
    /// A text built to cost more than it says: depth, nodes, or aliases that repeat each other.
    #[error("{at}: {problem}")]
    TooComplex {
        /// Where the limit was passed.
        at: Position,
        /// Which limit.
        problem: String,
    },
    /// A field that is missing, misplaced or holds what it must not.
    #[error("{}{field} {problem}", prefix(.at))]
    Field {
        /// The field's place; absent for a field that is missing from the top level.
        at: Option<Position>,
        /// Path of the field, as in `Properties.TargetVersion`.
        field: String,
        /// What is wrong and the cure, to be read after the field's name.
        problem: String,
    },
    /// A well-formed AppSpec of another compute platform.
    #[error(
        "{}this AppSpec describes a {described}; the application's platform is {wanted}: give it a {wanted} \
         AppSpec, or deploy this one with an application of platform {described}",
        prefix(.at)
    )]
    OtherPlatform {
        /// The line that tells.
        at: Option<Position>,
        /// The platform that the text describes.
        described: Platform,
        /// The platform whose reader was asked.
        wanted: Platform,
    },
}

impl Error {
    /// The CamelCase reason for conditions and `errorInformation.code` (CodeDeploy's `INVALID_REVISION`).
    pub fn reason(&self) -> &'static str {
        "InvalidRevision"
    }

    /// The place in the text, where one is known.
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::TooLarge { .. } | Self::Empty => None,
            Self::Syntax { at, .. } | Self::TooComplex { at, .. } => Some(*at),
            Self::Field { at, .. } | Self::OtherPlatform { at, .. } => *at,
        }
    }

    /// The sentence without its place.
    pub fn sentence(&self) -> String {
        let whole = self.to_string();
        let place = prefix(&self.position());
        whole.strip_prefix(&place).map_or_else(|| whole.clone(), Into::into)
    }

    pub(super) fn too_large(bytes: usize, limits: &Limits) -> Self {
        Self::TooLarge { bytes, limit: limits.max_bytes }
    }

    pub(super) fn field(at: Position, field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Field { at: Some(at), field: field.into(), problem: problem.into() }
    }
}

fn prefix(at: &Option<Position>) -> String {
    at.map(|at| format!("{at}: ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_error_reads_as_one_sentence_with_its_place() {
        let error = Error::field(Position { line: 3, column: 7 }, "Properties.Alias", "is missing");
        assert_eq!(error.to_string(), "line 3 column 7: Properties.Alias is missing");
        assert_eq!(error.sentence(), "Properties.Alias is missing");
        assert_eq!(error.reason(), "InvalidRevision");
        assert_eq!(error.position(), Some(Position { line: 3, column: 7 }));
    }

    #[test]
    fn a_place_that_is_not_known_is_left_out() {
        let error = Error::Field { at: None, field: "Resources".into(), problem: "is missing".into() };
        assert_eq!(error.to_string(), "Resources is missing");
        assert_eq!(error.position(), None);
    }
}
