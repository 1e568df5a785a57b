//! How a bundle is packed: what the revision says, and what the first bytes say.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::error::Error;
use crate::api::BundleType;

/// The packings that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// A tar archive.
    Tar,
    /// A tar archive in gzip.
    Tgz,
    /// A zip archive.
    Zip,
}

/// What the beginning of a file that we do not read says.
const OTHERS: [(&[u8], &str); 5] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"\x42\x5a\x68", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
];

/// The packing; where the revision says tar, gzip around it is taken off, as tar itself does.
///
/// Errors: outer, the file cannot be read; inner, it is no bundle.
pub(super) fn of(file: &File, said: Option<BundleType>) -> io::Result<Result<Packing, Error>> {
    let mut first = [0; 8];
    let mut filled = 0;
    while filled < first.len() {
        match file.read_at(&mut first[filled..], filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(judge(&first[..filled], said))
}

fn judge(first: &[u8], said: Option<BundleType>) -> Result<Packing, Error> {
    let is_gzip = first.starts_with(b"\x1f\x8b");
    let is_zip = first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06");
    match said {
        Some(BundleType::Yaml) => return Err(Error::NotABundle("YAML")),
        Some(BundleType::Json) => return Err(Error::NotABundle("JSON")),
        _ => {}
    }
    if first.is_empty() {
        return Err(Error::Truncated("it is empty".into()));
    }
    if let Some((_, name)) = OTHERS.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Err(Error::Damaged(format!(
            "it is packed with {name}, and only tar, tar with gzip, and zip are read"
        )));
    }
    match said {
        Some(BundleType::Zip) if is_zip => Ok(Packing::Zip),
        Some(BundleType::Zip) => {
            Err(Error::Damaged("bundleType says zip, and it does not begin as one".into()))
        }
        Some(BundleType::Tgz) if is_gzip => Ok(Packing::Tgz),
        Some(BundleType::Tgz) => {
            Err(Error::Damaged("bundleType says tgz, and it does not begin as gzip".into()))
        }
        Some(_) if is_zip => Err(Error::Damaged("bundleType says tar, and it is a zip archive".into())),
        None if is_zip => Ok(Packing::Zip),
        _ if is_gzip => Ok(Packing::Tgz),
        _ => Ok(Packing::Tar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_where_the_revision_does_not() {
        for (first, packing) in
            [(&b"\x1f\x8b\x08"[..], Packing::Tgz), (b"PK\x03\x04", Packing::Zip), (b"app/", Packing::Tar)]
        {
            assert_eq!(judge(first, None).unwrap(), packing);
        }
        assert_eq!(judge(b"\x1f\x8b\x08", Some(BundleType::Tar)).unwrap(), Packing::Tgz);
    }

    #[test]
    fn a_type_that_is_not_true_is_refused() {
        for (first, said) in [
            (&b"app/"[..], BundleType::Zip),
            (b"app/", BundleType::Tgz),
            (b"PK\x03\x04", BundleType::Tar),
            (b"version: 0.0", BundleType::Yaml),
            (b"\xfd7zXZ\0\0", BundleType::Tar),
            (b"", BundleType::Tar),
        ] {
            assert!(judge(first, Some(said)).is_err(), "{said:?}");
        }
    }
}
