//! Access control lists in the form that the kernel keeps them in (an extended attribute): what `setfacl --set` would write, without the program.
//!
//! As CodeDeploy's agent does it: the entries for owner, group and others are the mode's, and where an account is named and no mask is, the mask is the
//! group's permissions.

use crate::appspec::AclKind;

/// Whom an entry is about, with the account's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// True for an entry of the default list.
    pub is_default: bool,
    /// Whom it is about.
    pub kind: AclKind,
    /// The account; absent for the owner, the owning group, the mask and others.
    pub id: Option<u32>,
    /// `r` = 4, `w` = 2, `x` = 1.
    pub permissions: u8,
}

const VERSION: u32 = 2;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
/// The number of whoever is not named.
const NOBODY: u32 = u32::MAX;

/// The list for what has the mode `mode`.
pub fn access_list(places: &[Place], mode: u32) -> Vec<u8> {
    list(places.iter().filter(|place| !place.is_default), mode)
}

/// The default list for a directory that has the mode `mode`; nothing if no entry is of it.
pub fn default_list(places: &[Place], mode: u32) -> Option<Vec<u8>> {
    let is_any = places.iter().any(|place| place.is_default);
    is_any.then(|| list(places.iter().filter(|place| place.is_default), mode))
}

fn list<'a>(places: impl Iterator<Item = &'a Place>, mode: u32) -> Vec<u8> {
    let bits = |shift: u32| ((mode >> shift) & 7) as u16;
    let mut entries: Vec<(u16, u32, u16)> = places
        .map(|place| (tag(place), place.id.unwrap_or(NOBODY), u16::from(place.permissions & 7)))
        .collect();
    let has = |entries: &[(u16, u32, u16)], wanted: u16| entries.iter().any(|(tag, _, _)| *tag == wanted);
    for (tag, shift) in [(OWNER, 6), (OWNING_GROUP, 3), (OTHERS, 0)] {
        if !has(&entries, tag) {
            entries.push((tag, NOBODY, bits(shift)));
        }
    }
    let is_named = has(&entries, USER) || has(&entries, GROUP);
    if is_named && !has(&entries, MASK) {
        let group = entries.iter().find(|(tag, _, _)| *tag == OWNING_GROUP);
        entries.push((MASK, NOBODY, group.map_or(0, |(_, _, permissions)| *permissions)));
    }
    entries.sort_unstable();
    entries.dedup_by_key(|(tag, id, _)| (*tag, *id));
    let mut bytes = VERSION.to_le_bytes().to_vec();
    for (tag, id, permissions) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

fn tag(place: &Place) -> u16 {
    match (place.kind, place.id) {
        (AclKind::User, Some(_)) => USER,
        (AclKind::User, None) => OWNER,
        (AclKind::Group, Some(_)) => GROUP,
        (AclKind::Group, None) => OWNING_GROUP,
        (AclKind::Mask, _) => MASK,
        (AclKind::Other, _) => OTHERS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(is_default: bool, kind: AclKind, id: Option<u32>, permissions: u8) -> Place {
        Place { is_default, kind, id, permissions }
    }

    fn read(list: &[u8]) -> Vec<(u16, u16, u32)> {
        assert_eq!(list[..4], 2_u32.to_le_bytes());
        let short = |bytes: &[u8]| u16::from_le_bytes(bytes.try_into().unwrap());
        let entry =
            |e: &[u8]| (short(&e[..2]), short(&e[2..4]), u32::from_le_bytes(e[4..].try_into().unwrap()));
        list[4..].chunks(8).map(entry).collect()
    }

    #[test]
    fn a_named_user_brings_the_group_s_permissions_as_mask() {
        let list = access_list(&[place(false, AclKind::User, Some(33), 6)], 0o640);
        let nobody = u32::MAX;
        assert_eq!(
            read(&list),
            [(1, 6, nobody), (2, 6, 33), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody)]
        );
    }

    #[test]
    fn a_mask_that_is_given_stands() {
        let places = [place(false, AclKind::Group, Some(5), 7), place(false, AclKind::Mask, None, 5)];
        assert!(read(&access_list(&places, 0o700)).contains(&(16, 5, u32::MAX)));
    }

    #[test]
    fn defaults_are_a_list_of_their_own() {
        let places = [place(true, AclKind::User, Some(33), 7), place(true, AclKind::Group, None, 5)];
        let list = default_list(&places, 0o750).unwrap();
        let nobody = u32::MAX;
        assert_eq!(
            read(&list),
            [(1, 7, nobody), (2, 7, 33), (4, 5, nobody), (16, 5, nobody), (32, 0, nobody)]
        );
        assert_eq!(read(&access_list(&places, 0o750)).len(), 3);
        assert_eq!(default_list(&places[..0], 0o750), None);
    }
}
