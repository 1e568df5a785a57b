//! What can be checked without a cluster and is no unit test: the order of the rooms, corpora.

// Clippy lets tests unwrap, but not the functions that they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod appspec_corpus;
mod docs;
mod rooms;
