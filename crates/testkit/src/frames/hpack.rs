//! Header blocks (RFC 7541): [`Block`] writes one representation by representation, in forms that no good encoder would
//! choose, and nothing stops it from being wrong; [`Decoder`] reads what a good encoder wrote, and fails where it is not.

mod decode;
mod huffman;
mod table;

pub use decode::Decoder;

/// A name and a value, any bytes.
pub type Field = (Vec<u8>, Vec<u8>);

/// A header block that is being written.
#[derive(Debug, Clone, Default)]
pub struct Block(Vec<u8>);

impl Block {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A literal field without indexing, without Huffman coding: any bytes in name and value.
    #[must_use]
    pub fn field(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.literal(0x00, name.as_ref(), value.as_ref())
    }

    /// A literal field that must never be indexed.
    #[must_use]
    pub fn field_never_indexed(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.literal(0x10, name.as_ref(), value.as_ref())
    }

    /// A literal field that the receiver adds to its table.
    #[must_use]
    pub fn field_to_index(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.literal(0x40, name.as_ref(), value.as_ref())
    }

    /// A field of the tables, by its number.
    #[must_use]
    pub fn indexed(mut self, index: u64) -> Self {
        integer(&mut self.0, 0x80, 7, index);
        self
    }

    /// A literal value without indexing for a name of the tables.
    #[must_use]
    pub fn field_named(mut self, index: u64, value: impl AsRef<[u8]>) -> Self {
        integer(&mut self.0, 0x00, 4, index);
        self.text(value.as_ref())
    }

    /// A change of the table's size.
    #[must_use]
    pub fn table_size(mut self, bytes: u64) -> Self {
        integer(&mut self.0, 0x20, 5, bytes);
        self
    }

    /// Any bytes.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The pseudo-fields of a plain `GET`.
    #[must_use]
    pub fn get(authority: &str, path: &str) -> Self {
        Self::request("GET", authority, path)
    }

    /// The pseudo-fields of a plain request over `http`.
    #[must_use]
    pub fn request(method: &str, authority: &str, path: &str) -> Self {
        Self::new()
            .field(":method", method)
            .field(":scheme", "http")
            .field(":authority", authority)
            .field(":path", path)
    }

    fn literal(mut self, first: u8, name: &[u8], value: &[u8]) -> Self {
        self.0.push(first);
        self.text(name).text(value)
    }

    fn text(mut self, text: &[u8]) -> Self {
        integer(&mut self.0, 0x00, 7, text.len() as u64);
        self.raw(text)
    }
}

impl From<Block> for Vec<u8> {
    fn from(block: Block) -> Self {
        block.0
    }
}

/// An integer in the low `bits` of its first byte (RFC 7541 §5.1); `first` holds the bits above.
fn integer(out: &mut Vec<u8>, first: u8, bits: u8, value: u64) {
    let largest = (1_u64 << bits) - 1;
    let fits = |value: u64| u8::try_from(value).unwrap_or(u8::MAX);
    if value < largest {
        return out.push(first | fits(value));
    }
    out.push(first | fits(largest));
    let mut rest = value - largest;
    while rest >= 0x80 {
        out.push(fits(rest & 0x7f) | 0x80);
        rest >>= 7;
    }
    out.push(fits(rest));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(block: Block) -> Vec<Field> {
        Decoder::default().decode(&Vec::from(block)).unwrap()
    }

    fn text(fields: &[(&str, &str)]) -> Vec<Field> {
        let own = |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), (*value).into());
        fields.iter().map(own).collect()
    }

    #[test]
    fn every_form_of_a_field_reads_as_it_was_written() {
        let long = "x".repeat(300);
        let block = Block::new()
            .table_size(100)
            .indexed(2)
            .field_named(1, "a.example")
            .field_to_index("x-kept", "1")
            .field_never_indexed("x-secret", &long)
            .field("x-plain", "")
            .indexed(62);
        let read = text(&[
            (":method", "GET"),
            (":authority", "a.example"),
            ("x-kept", "1"),
            ("x-secret", &long),
            ("x-plain", ""),
            ("x-kept", "1"),
        ]);
        assert_eq!(decoded(block), read);
    }

    #[test]
    fn integers_are_written_as_the_examples_of_the_rfc_are() {
        // RFC 7541, C.1.
        let written = |first, bits, value| {
            let mut out = Vec::new();
            integer(&mut out, first, bits, value);
            out
        };
        assert_eq!(written(0, 5, 10), [0b01010]);
        assert_eq!(written(0, 5, 1337), [0b11111, 0b1001_1010, 0b1010]);
        assert_eq!(written(0, 8, 42), [42]);
    }
}
