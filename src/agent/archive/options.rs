//! How far a bundle is trusted: limits, and an opt-out for each thing that is refused. Nothing here lets a byte out of the directory.

/// Limits and opt-outs; the default trusts a bundle with nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// What a bundle may come to.
    pub limits: Limits,
    /// What is let through that is refused otherwise.
    pub allowed: Allowed,
    /// True leaves every file to who unpacks; false gives those of a tar the numeric owners that they have in it, where root unpacks, as
    /// tar does.
    pub ignores_ownership: bool,
}

/// What a bundle may come to. A limit at its type's greatest value is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all files, a file with several names counted once for each.
    pub bytes: u64,
    /// Entries of the archive, those that only describe others included.
    pub entries: u64,
    /// Bytes of a path below the bundle's root.
    pub path: usize,
    /// Directories that a path may go down.
    pub depth: usize,
    /// Unpacked bytes a packed one, once [`Self::ratio_from`] bytes are unpacked.
    pub ratio: u64,
    /// Unpacked bytes below which the ratio is nobody's business.
    pub ratio_from: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 10 << 30, entries: 500_000, path: 2048, depth: 64, ratio: 250, ratio_from: 64 << 20 }
    }
}

/// What is let through; each of these is one opt-out of the hardening.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `..` in a path, as long as the path stays inside.
    pub parent_parts: bool,
    /// Paths that begin with `/`: taken from the bundle's root.
    pub absolute_paths: bool,
    /// Links that lead out of the bundle, or to nowhere else than themselves: kept, never followed.
    pub outside_links: bool,
    /// The set-id bits of files: kept.
    pub set_id: bool,
    /// Two entries of one path: the last one stands.
    pub duplicates: bool,
    /// Names that only differ in case or in the way that Unicode spells them.
    pub clashes: bool,
    /// Devices, pipes and sockets: left out, with a warning.
    pub special_files: bool,
    /// Bytes after the archive's end: not read.
    pub trailing_data: bool,
}
