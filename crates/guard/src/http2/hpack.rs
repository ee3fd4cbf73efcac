//! Reads the fields of a header block (RFC 7541), so that what the engine would let pass can be seen before it. It keeps
//! the dynamic table as the engine does; whatever cannot be decoded ends the connection. Representations and integers are
//! here; [`table`] and [`huffman`] beside.

mod huffman;
mod table;

use table::Table;

/// The largest table that we offer, and that the peer therefore uses: the default of SETTINGS_HEADER_TABLE_SIZE.
const TABLE_BYTES: usize = 4096;
/// An integer of more bytes than this means nothing that a header block could hold.
const INTEGER_BYTES_MAX: u32 = 4;

/// Changes of the table's size that a block may begin with (RFC 7541 §4.2): the smallest since the last, and the last.
const SIZES_MAX: u32 = 2;

/// The block cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecodable;

/// A decoder: one a direction of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoder {
    table: Table,
    /// Room for texts that are Huffman-coded.
    name: Vec<u8>,
    value: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: Table::new(TABLE_BYTES),
            name: Vec::new(),
            value: Vec::new(),
        }
    }
}

impl Decoder {
    /// Decodes a whole block, and shows each field. What is shown may be anything; nothing of it is checked here.
    pub(super) fn decode(
        &mut self,
        mut block: &[u8],
        mut see: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Undecodable> {
        let (mut has_fields, mut sizes) = (false, 0);
        while let Some(first) = block.first().copied() {
            if first & 0b1110_0000 == 0b0010_0000 {
                // A new size comes before all fields (RFC 7541 §4.2).
                let size = integer(&mut block, 5)?;
                sizes += 1;
                let is_allowed = !has_fields && sizes <= SIZES_MAX && self.table.resize(size);
                is_allowed.then_some(()).ok_or(Undecodable)?;
                continue;
            }
            has_fields = true;
            if first & 0b1000_0000 != 0 {
                let index = integer(&mut block, 7)?;
                let (name, value) = self.table.get(index).ok_or(Undecodable)?;
                see(name, value);
            } else {
                self.literal(&mut block, first, &mut see)?;
            }
        }
        Ok(())
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        first: u8,
        see: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Undecodable> {
        let is_kept = first & 0b0100_0000 != 0;
        let index = integer(block, if is_kept { 6 } else { 4 })?;
        self.name.clear();
        if index == 0 {
            text(block, &mut self.name)?;
        } else {
            let (name, _) = self.table.get(index).ok_or(Undecodable)?;
            self.name.extend_from_slice(name);
        }
        self.value.clear();
        text(block, &mut self.value)?;
        see(&self.name, &self.value);
        if is_kept {
            self.table.insert(&self.name, &self.value);
        }
        Ok(())
    }
}

/// An integer whose first byte has `bits` for it (RFC 7541 §5.1).
fn integer(block: &mut &[u8], bits: u32) -> Result<usize, Undecodable> {
    let most = (1_usize << bits) - 1;
    let mut number = usize::from(byte(block)?) & most;
    if number < most {
        return Ok(number);
    }
    for at in 0..INTEGER_BYTES_MAX {
        let next = byte(block)?;
        number += usize::from(next & 0x7f) << (7 * at);
        if next & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Undecodable)
}

/// A text (RFC 7541 §5.2).
fn text(block: &mut &[u8], into: &mut Vec<u8>) -> Result<(), Undecodable> {
    let is_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (coded, rest) = block.split_at_checked(length).ok_or(Undecodable)?;
    *block = rest;
    if is_coded {
        return huffman::decode(coded, into);
    }
    into.extend_from_slice(coded);
    Ok(())
}

fn byte(block: &mut &[u8]) -> Result<u8, Undecodable> {
    let (first, rest) = block.split_first().ok_or(Undecodable)?;
    *block = rest;
    Ok(*first)
}
