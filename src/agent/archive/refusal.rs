//! What a bundle may not hold, each by its name. The opt-outs are [`super::Allowed`].

/// A rule that a bundle breaks, and the entry that breaks it as it may be shown: escaped and cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `..` in a path.
    #[error(
        "the bundle's entry {0} has .. in its path; pack the bundle from its own directory, or allow ParentParts in the agent's configuration"
    )]
    ParentPart(String),
    /// A path from the host's root.
    #[error(
        "the bundle's entry {0} has an absolute path; pack the bundle from its own directory, or allow AbsolutePaths in the agent's configuration"
    )]
    AbsolutePath(String),
    /// No name at all.
    #[error("the bundle has an entry without a name ({0}); pack it again")]
    NameEmpty(String),
    /// A NUL within a name.
    #[error("the bundle's entry {0} has a NUL in its name; rename it")]
    NameHasNul(String),
    /// A name that is no UTF-8.
    #[error(
        "the name of the bundle's entry {0} is not UTF-8, and names are kept as text; rename it (`convmv -r -f latin1 -t utf8 --notest DIR` renames \
         all that lies in a directory) and pack the bundle again"
    )]
    NameNotUtf8(String),
    /// A link to a name that is no UTF-8.
    #[error(
        "the bundle's link {0} is to {1}, which is not UTF-8; rename what it is to, link to the new name, and pack the bundle again"
    )]
    LinkNotUtf8(String, String),
    /// A name longer than a file system takes.
    #[error("the bundle's entry {0} has a part of more than 255 bytes in its path; rename it")]
    NameTooLong(String),
    /// A path beyond the limit.
    #[error(
        "the bundle's entry {0} has a path of more than {1} bytes; shorten it, or raise the agent's limit"
    )]
    PathTooLong(String, usize),
    /// More directories in each other than the limit.
    #[error(
        "the bundle's entry {0} lies more than {1} directories deep; flatten it, or raise the agent's limit"
    )]
    PathTooDeep(String, usize),
    /// A link that leads out of the bundle.
    #[error(
        "the bundle's link {0} leads out of the bundle, to {1}; link to a file of the bundle, or allow OutsideLinks in the agent's configuration"
    )]
    LinkLeaves(String, String),
    /// A link that leads to itself, or to a directory that it lies in.
    #[error("the bundle's link {0} to {1} leads back to itself; remove it")]
    LinkLoops(String, String),
    /// A hard link to what the bundle does not have before it.
    #[error(
        "the bundle's hard link {0} is to {1}, which is no file that comes before it; pack the file itself"
    )]
    LinkTargetMissing(String, String),
    /// A path with something in it that is no directory.
    #[error("the bundle's entry {0} lies below a link or a file; pack the directory itself")]
    PathThroughLink(String),
    /// A device, a pipe or a socket.
    #[error(
        "the bundle's entry {0} is a {1}; take it out of the bundle, or allow SpecialFiles in the agent's configuration, which leaves it out"
    )]
    SpecialFile(String, &'static str),
    /// Set-id bits on a file.
    #[error(
        "the bundle's file {0} has set-id bits (mode {1:04o}); clear them before you pack it, or allow SetId in the agent's configuration"
    )]
    SetIdBits(String, u32),
    /// One path twice.
    #[error(
        "the bundle has {0} more than once; pack it again, or allow Duplicates in the agent's configuration"
    )]
    DuplicateEntry(String),
    /// Two names that some file systems take for one.
    #[error(
        "the bundle's entries {0} and {1} differ only in case or in Unicode's spelling; rename one, or allow Clashes in the agent's configuration"
    )]
    NameClash(String, String),
    /// Two sizes for one entry.
    #[error(
        "the bundle's entry {0} is given two sizes, {1} and {2}: readers disagree on what it holds; pack it again"
    )]
    SizeDesync(String, u64, u64),
    /// Headers that say different things of one entry.
    #[error("the bundle's headers disagree on entry {0}: {1}; pack it again")]
    HeaderDesync(String, String),
    /// A file with holes.
    #[error("the bundle's file {0} is packed as a sparse one; pack it without --sparse")]
    SparseFile(String),
    /// More bytes than the limit.
    #[error("the bundle unpacks to more than {0} bytes; make it smaller, or raise the agent's limit")]
    TooManyBytes(u64),
    /// More entries than the limit.
    #[error("the bundle has more than {0} entries; make it smaller, or raise the agent's limit")]
    TooManyEntries(u64),
    /// Far more unpacked bytes than packed ones.
    #[error(
        "the bundle unpacks to more than {0} times its size; if it is none that fills disks, raise the agent's limit"
    )]
    CompressionRatio(u64),
    /// More to read after the end.
    #[error(
        "the bundle goes on after its end; another archive may hide there: pack it again, or allow TrailingData in the agent's configuration"
    )]
    TrailingData,
    /// A file that needs a password.
    #[error("the bundle's file {0} is encrypted; pack it without a password")]
    EncryptedFile(String),
    /// A kind of entry or packing that is not read here.
    #[error(
        "the bundle's entry {0} is packed as {1}, which is not read here; pack it with plain tar, gzip or zip"
    )]
    UnsupportedEntry(String, String),
    /// Two files that share bytes of the archive.
    #[error("the bundle's entry {0} shares its bytes with another one; pack it again")]
    OverlappingEntries(String),
}

impl Refusal {
    /// Says that something at `path` of the bundle is no file, directory or link.
    pub fn special(path: &std::path::Path, what: &'static str) -> Self {
        Self::SpecialFile(shown(path.as_os_str().as_encoded_bytes()), what)
    }

    /// The CamelCase word for it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ParentPart(_) => "ParentPart",
            Self::AbsolutePath(_) => "AbsolutePath",
            Self::NameEmpty(_) => "NameEmpty",
            Self::NameHasNul(_) => "NameHasNul",
            Self::NameNotUtf8(_) | Self::LinkNotUtf8(..) => "NameNotUtf8",
            Self::NameTooLong(_) => "NameTooLong",
            Self::PathTooLong(..) => "PathTooLong",
            Self::PathTooDeep(..) => "PathTooDeep",
            Self::LinkLeaves(..) => "LinkLeaves",
            Self::LinkLoops(..) => "LinkLoops",
            Self::LinkTargetMissing(..) => "LinkTargetMissing",
            Self::PathThroughLink(_) => "PathThroughLink",
            Self::SpecialFile(..) => "SpecialFile",
            Self::SetIdBits(..) => "SetIdBits",
            Self::DuplicateEntry(_) => "DuplicateEntry",
            Self::NameClash(..) => "NameClash",
            Self::SizeDesync(..) => "SizeDesync",
            Self::HeaderDesync(..) => "HeaderDesync",
            Self::SparseFile(_) => "SparseFile",
            Self::TooManyBytes(_) => "TooManyBytes",
            Self::TooManyEntries(_) => "TooManyEntries",
            Self::CompressionRatio(_) => "CompressionRatio",
            Self::TrailingData => "TrailingData",
            Self::EncryptedFile(_) => "EncryptedFile",
            Self::UnsupportedEntry(..) => "UnsupportedEntry",
            Self::OverlappingEntries(_) => "OverlappingEntries",
        }
    }
}

/// How much of a name is shown.
const SHOWN: usize = 160;

/// A name that is no text, as it may stand in a message: each byte of it that is none by its number, so that it can be found.
pub(super) fn shown_bytes(name: &[u8]) -> String {
    let cut = &name[..name.len().min(SHOWN)];
    let rest = if cut.len() < name.len() { "…" } else { "" };
    format!("\"{}{rest}\"", cut.escape_ascii())
}

/// A name as it may stand in a message: quoted, escaped, cut.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}
