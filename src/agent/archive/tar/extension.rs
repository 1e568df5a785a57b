//! What extension headers say of the entry that follows: GNU's long names, and PAX records.

use ::tar::{EntryType, Header, PaxExtensions};

use super::super::error::Error;
use super::super::refusal::{Refusal, shown};

/// Bytes of one extension header. Paths are shorter; what else PAX records hold (attributes) is not taken.
pub(super) const LIMIT: u64 = 1 << 20;
/// The greatest size that a ustar header can say; only beyond it may PAX say another one.
const USTAR_SIZE: u64 = 0o77_777_777_777;

/// What was said so far of the next entry.
#[derive(Debug, Default)]
pub(super) struct Extension {
    /// Its path.
    pub path: Option<Vec<u8>>,
    /// The link's target.
    pub target: Option<Vec<u8>>,
    /// When it was changed, in seconds.
    pub changed: Option<i64>,
    size: Option<u64>,
    user: Option<u64>,
    group: Option<u64>,
    headers: usize,
}

impl Extension {
    /// True if nothing was said.
    pub fn is_empty(&self) -> bool {
        self.headers == 0
    }

    /// Takes in one extension header.
    pub fn add(&mut self, kind: EntryType, body: &[u8]) -> Result<(), Error> {
        if kind.is_pax_global_extensions() {
            return global(body);
        }
        self.headers += 1;
        match kind {
            EntryType::GNULongName => once(&mut self.path, without_end(body), "two long names"),
            EntryType::GNULongLink => once(&mut self.target, without_end(body), "two link targets"),
            _ => self.pax(body),
        }
    }

    fn pax(&mut self, body: &[u8]) -> Result<(), Error> {
        for (key, value) in records(body)? {
            match key {
                "path" => once(&mut self.path, value, "two paths")?,
                "linkpath" => once(&mut self.target, value, "two link targets")?,
                "size" => once(&mut self.size, number(value)?, "two sizes")?,
                "mtime" => self.changed = seconds(value),
                "uid" => self.user = number(value).ok(),
                "gid" => self.group = number(value).ok(),
                _ if key.starts_with("GNU.sparse.") => {
                    let name = self.path.as_deref().unwrap_or(value);
                    return Err(Refusal::SparseFile(shown(name)).into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The numbers of the entry's user and group, if a system can have such.
    pub fn owner(&self, header: &Header) -> Option<(u32, u32)> {
        let user = self.user.or_else(|| header.uid().ok())?;
        let group = self.group.or_else(|| header.gid().ok())?;
        // The greatest number means "as it is".
        let is_one = |number: &u32| *number != u32::MAX;
        Some((u32::try_from(user).ok().filter(is_one)?, u32::try_from(group).ok().filter(is_one)?))
    }

    /// The entry's size, given what its own header says.
    pub fn size(&self, own: u64, name: &[u8]) -> Result<u64, Refusal> {
        match self.size {
            Some(said) if said != own && said <= USTAR_SIZE => {
                Err(Refusal::SizeDesync(shown(name), own, said))
            }
            Some(said) => Ok(said),
            None => Ok(own),
        }
    }
}

/// A header for all that follow may comment (git writes the commit), not rename or resize them.
fn global(body: &[u8]) -> Result<(), Error> {
    for (key, value) in records(body)? {
        if matches!(key, "path" | "linkpath" | "size") || key.starts_with("GNU.sparse.") {
            let what = format!("a header for all of them sets {key}");
            return Err(Refusal::HeaderDesync(shown(value), what).into());
        }
    }
    Ok(())
}

fn records(body: &[u8]) -> Result<Vec<(&str, &[u8])>, Error> {
    let damaged = |what: String| Error::Damaged(format!("a PAX header is malformed: {what}"));
    let mut records = Vec::new();
    for record in PaxExtensions::new(body) {
        let record = record.map_err(|error| damaged(error.to_string()))?;
        records.push((record.key().map_err(|error| damaged(error.to_string()))?, record.value_bytes()));
    }
    Ok(records)
}

/// Sets what may be said once; a second word that differs is a disagreement.
fn once<T: PartialEq>(said: &mut Option<T>, value: impl Into<T>, what: &str) -> Result<(), Error> {
    let value = value.into();
    match said {
        Some(before) if *before != value => {
            Err(Refusal::HeaderDesync("of its extension headers".into(), what.into()).into())
        }
        _ => {
            *said = Some(value);
            Ok(())
        }
    }
}

fn without_end(body: &[u8]) -> &[u8] {
    body.strip_suffix(&[0]).unwrap_or(body)
}

fn number(value: &[u8]) -> Result<u64, Error> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = text.and_then(|text| text.parse::<u64>().ok()).filter(|number| *number <= i64::MAX as u64);
    number.ok_or_else(|| Error::Damaged("a PAX header gives a size that is no number".into()))
}

/// Whole seconds; the fraction is dropped.
fn seconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    text.split('.').next()?.parse().ok()
}
