//! What unpacking judges links and names by.

#[path = "../../src/source/entries.rs"]
pub mod entries;
