//! One tar header: its sum, its size and its kind, read strictly.

use ::tar::{EntryType, Header};

/// Where the header's sum stands; it counts as blanks.
const SUM: std::ops::Range<usize> = 148..156;
/// Where the size stands.
const SIZE: std::ops::Range<usize> = 124..136;

/// True if the header adds up.
pub(super) fn sum_is_right(header: &Header) -> bool {
    let bytes = header.as_bytes();
    let sum: u32 = bytes.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = bytes[SUM].iter().map(|byte| u32::from(*byte)).sum();
    header.cksum().is_ok_and(|said| said == sum - own + u32::from(b' ') * 8)
}

/// The size: octal digits, or a binary number that fits.
pub(super) fn size(header: &Header) -> Result<u64, String> {
    let field = &header.as_bytes()[SIZE];
    if field[0] & 0x80 == 0 {
        return header.entry_size().map_err(|error| error.to_string());
    }
    let is_small = field[0] == 0x80 && field[1..4] == [0, 0, 0];
    let number = field[4..].iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    if is_small && number <= i64::MAX as u64 { Ok(number) } else { Err("an entry's size is absurd".into()) }
}

/// True for headers that only describe the next one.
pub(super) fn is_extension(header: &Header) -> bool {
    let kind = header.entry_type();
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

/// What an entry is. Old archives mark directories by a slash at the name's end only.
pub(super) fn kind(header: &Header, name: &[u8]) -> EntryType {
    match header.entry_type() {
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => EntryType::Directory,
        EntryType::Continuous => EntryType::Regular,
        other => other,
    }
}
