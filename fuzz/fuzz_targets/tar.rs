//! Any bytes, unpacked as a tar archive, in gzip or not.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice_fuzz::agent::unpack_harmlessly;
use sluice_fuzz::api::BundleType;

fuzz_target!(|bytes: &[u8]| unpack_harmlessly(bytes, Some(BundleType::Tar)));
