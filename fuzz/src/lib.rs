//! What is fuzzed, taken from the crate by path: with the whole of it, a cluster's client would be built for nothing.
#![forbid(unsafe_code)]

#[path = "../../src/appspec/mod.rs"]
pub mod appspec;

#[cfg(target_os = "linux")]
pub mod agent;
pub mod source;

/// The one word that unpacking takes from the kinds.
pub mod api {
    /// How a bundle is packed; the same variants as the crate's.
    #[derive(Copy, Clone, Debug, PartialEq, Eq)]
    pub enum BundleType {
        /// A tar archive.
        Tar,
        /// A tar archive in gzip.
        Tgz,
        /// A zip archive.
        Zip,
        /// An AppSpec in YAML.
        Yaml,
        /// An AppSpec in JSON.
        Json,
    }
}
