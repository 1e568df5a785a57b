//! Bundles that are what they say, and a corpus of those that are not.

mod bounds;
mod build_tar;
mod build_zip;
mod disk;
mod hostile;
mod hostile_tar;
mod hostile_zip;
mod opt_outs;
mod ordinary;
