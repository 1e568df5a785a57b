//! What a host lets through although a bundle or an AppSpec cannot be trusted with it: one word for each opt-out.

use clap::ValueEnum;
use serde::Deserialize;

use super::host::Settings;

/// One opt-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Trust {
    /// `..` in a bundle's paths, as long as they stay inside.
    ParentParts,
    /// Paths of a bundle that begin with `/`: taken from its root.
    AbsolutePaths,
    /// Links that lead out of the bundle: kept, and installed as they are.
    OutsideLinks,
    /// Sources of an AppSpec that leave the bundle by `..`.
    OutsideSources,
    /// Modes with set-id bits.
    SetId,
    /// Two entries of one path: the last one stands.
    Duplicates,
    /// Names that only differ in case or in the way that Unicode spells them.
    Clashes,
    /// Devices, pipes and sockets: left out, with a warning.
    SpecialFiles,
    /// Bytes after a bundle's end.
    TrailingData,
    /// Directories below a destination that are links on the host: followed, also where others than root can turn them.
    FollowDirectoryLinks,
}

impl Trust {
    /// Gives each of `all`.
    pub fn give(all: &[Self], settings: &mut Settings) {
        let (unpacking, installing) = (&mut settings.unpacking.allowed, &mut settings.installing);
        for trust in all {
            match trust {
                Self::ParentParts => unpacking.parent_parts = true,
                Self::AbsolutePaths => unpacking.absolute_paths = true,
                Self::OutsideLinks => {
                    unpacking.outside_links = true;
                    installing.allow_outside_links = true;
                }
                Self::OutsideSources => installing.allow_outside_sources = true,
                Self::SetId => {
                    unpacking.set_id = true;
                    installing.allow_set_id = true;
                }
                Self::Duplicates => unpacking.duplicates = true,
                Self::Clashes => unpacking.clashes = true,
                Self::SpecialFiles => unpacking.special_files = true,
                Self::TrailingData => unpacking.trailing_data = true,
                Self::FollowDirectoryLinks => installing.follow_directory_links = true,
            }
        }
    }
}
