//! Writes tar archives as no honest program would.

use ::tar::Header;

/// An archive under construction.
#[derive(Clone, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

/// One header and its body, every field open.
#[derive(Clone)]
pub struct Raw {
    pub name: Vec<u8>,
    pub kind: u8,
    pub mode: u32,
    pub link: Vec<u8>,
    pub size: Option<u64>,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn new(name: impl AsRef<[u8]>, kind: u8) -> Self {
        let name = name.as_ref().to_vec();
        Self { name, kind, mode: 0o644, link: Vec::new(), size: None, body: Vec::new() }
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub fn link(mut self, link: impl AsRef<[u8]>) -> Self {
        self.link = link.as_ref().to_vec();
        self
    }

    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    pub fn size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..self.name.len().min(100)].copy_from_slice(&self.name[..self.name.len().min(100)]);
        bytes[156] = self.kind;
        bytes[157..157 + self.link.len().min(100)].copy_from_slice(&self.link[..self.link.len().min(100)]);
        header.set_mode(self.mode);
        header.set_mtime(1_600_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(self.size.unwrap_or(self.body.len() as u64));
        header.set_cksum();
        header
    }
}

/// A PAX header's body.
pub fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        body.extend(format!("{length} {key}=").bytes());
        body.extend(*value);
        body.push(b'\n');
    }
    body
}

impl Tar {
    pub fn raw(mut self, raw: Raw) -> Self {
        self.bytes.extend(raw.header().as_bytes());
        self.bytes.extend(&raw.body);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        self.raw(Raw::new(name, b'0').body(body))
    }

    pub fn directory(self, name: impl AsRef<[u8]>) -> Self {
        self.raw(Raw::new(name, b'5').mode(0o755))
    }

    pub fn symlink(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.raw(Raw::new(name, b'2').link(target))
    }

    pub fn hard_link(self, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.raw(Raw::new(name, b'1').link(target))
    }

    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.raw(Raw::new("PaxHeaders/x", b'x').body(pax(records)))
    }

    pub fn long(self, kind: u8, name: impl AsRef<[u8]>) -> Self {
        let mut body = name.as_ref().to_vec();
        body.push(0);
        self.raw(Raw::new("././@LongLink", kind).body(body))
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// Without the end mark.
    pub fn cut(self) -> Vec<u8> {
        self.bytes
    }

    pub fn end(mut self) -> Vec<u8> {
        self.bytes.extend([0; 1024]);
        self.bytes
    }
}

/// Bytes in gzip.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}
