//! Writes zip archives as no honest program would.

/// One file: what its local header says, what the directory says, and its bytes.
#[derive(Clone)]
pub struct Entry {
    pub local_name: Vec<u8>,
    pub name: Vec<u8>,
    pub mode: u32,
    pub system: u8,
    pub method: u16,
    pub flags: u16,
    pub sum: u32,
    pub local_size: u32,
    pub size: u32,
    pub packed: Vec<u8>,
    pub packed_size: Option<u32>,
    pub offset: Option<u32>,
    pub is_listed: bool,
}

impl Entry {
    pub fn new(name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        let (name, body) = (name.as_ref().to_vec(), body.as_ref());
        let size = u32::try_from(body.len()).unwrap();
        Self {
            local_name: name.clone(),
            name,
            mode: 0o100_644,
            system: 3,
            method: 0,
            flags: 0,
            sum: sum(body),
            local_size: size,
            size,
            packed: body.to_vec(),
            packed_size: None,
            offset: None,
            is_listed: true,
        }
    }

    pub fn deflated(name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        use std::io::Write;
        let mut entry = Self::new(name, &body);
        let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(body.as_ref()).unwrap();
        entry.packed = packed.finish().unwrap();
        entry.method = 8;
        entry
    }

    pub fn link(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        let mut entry = Self::new(name, target);
        entry.mode = 0o120_777;
        entry
    }

    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn common(&self, size: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for short in [20, self.flags, self.method, 0, 0x5021] {
            out.extend(short.to_le_bytes());
        }
        let packed = self.packed_size.unwrap_or(self.packed.len() as u32);
        for long in [self.sum, packed, size] {
            out.extend(long.to_le_bytes());
        }
        out
    }
}

fn sum(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The archive of these entries.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    zip_counting(entries, None)
}

/// The same, with another count of entries in its end record.
pub fn zip_counting(entries: &[Entry], count: Option<u16>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let at = entry.offset.unwrap_or(out.len() as u32);
        out.extend(b"PK\x03\x04");
        out.extend(entry.common(entry.local_size));
        out.extend((entry.local_name.len() as u16).to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(&entry.local_name);
        out.extend(&entry.packed);
        if !entry.is_listed {
            continue;
        }
        directory.extend(b"PK\x01\x02");
        directory.extend([20, entry.system]);
        directory.extend(entry.common(entry.size));
        directory.extend((entry.name.len() as u16).to_le_bytes());
        directory.extend([0; 8]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(at.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = out.len() as u32;
    out.extend(&directory);
    let count = count.unwrap_or(entries.iter().filter(|entry| entry.is_listed).count() as u16);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}
