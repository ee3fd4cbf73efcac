//! Reads header blocks: both tables, every representation, Huffman coding. It fails on what RFC 7541 calls an error, and
//! never guesses.

use std::collections::VecDeque;

use anyhow::{Context, Result, ensure};

use super::table::STATIC;
use super::{Field, huffman};

/// What a field costs in the table besides its bytes (RFC 7541 §4.1).
const FIELD_BYTES: usize = 32;

/// The receiver's side of one direction of a connection.
#[derive(Debug)]
pub struct Decoder {
    table: VecDeque<Field>,
    size: usize,
    size_max: usize,
    /// What our own SETTINGS allow.
    allowed: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            table: VecDeque::new(),
            size: 0,
            size_max: 4096,
            allowed: 4096,
        }
    }
}

impl Decoder {
    /// Reads one complete block.
    ///
    /// # Errors
    /// When the block is not one; the connection cannot go on then.
    pub fn decode(&mut self, block: &[u8]) -> Result<Vec<Field>> {
        let mut input = Input(block);
        let mut fields = Vec::new();
        while let Some(&first) = input.0.first() {
            if first & 0x80 != 0 {
                let index = input.integer(7)?;
                fields.push(self.at(index)?);
            } else if first & 0x40 != 0 {
                let field = self.literal(&mut input, 6)?;
                self.add(field.clone());
                fields.push(field);
            } else if first & 0x20 != 0 {
                ensure!(fields.is_empty(), "a table size behind a field");
                self.resize(input.integer(5)?)?;
            } else {
                fields.push(self.literal(&mut input, 4)?);
            }
        }
        Ok(fields)
    }

    fn literal(&self, input: &mut Input<'_>, bits: u8) -> Result<Field> {
        let name = match input.integer(bits)? {
            0 => input.text()?,
            index => self.at(index)?.0,
        };
        Ok((name, input.text()?))
    }

    fn at(&self, index: usize) -> Result<Field> {
        let index = index.checked_sub(1).context("index 0")?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok(((*name).into(), (*value).into()));
        }
        let field = self.table.get(index - STATIC.len());
        field
            .cloned()
            .with_context(|| format!("no field {}", index + 1))
    }

    fn add(&mut self, field: Field) {
        self.size += cost(&field);
        self.table.push_front(field);
        self.evict();
    }

    fn resize(&mut self, bytes: usize) -> Result<()> {
        ensure!(bytes <= self.allowed, "a table of {bytes} bytes");
        self.size_max = bytes;
        self.evict();
        Ok(())
    }

    fn evict(&mut self) {
        while self.size > self.size_max {
            let Some(oldest) = self.table.pop_back() else {
                return;
            };
            self.size -= cost(&oldest);
        }
    }
}

fn cost((name, value): &Field) -> usize {
    name.len() + value.len() + FIELD_BYTES
}

/// What is left of a block.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().context("the block ends too early")?;
        self.0 = rest;
        Ok(*first)
    }

    fn integer(&mut self, bits: u8) -> Result<usize> {
        let largest = (1_u8 << bits) - 1;
        let first = self.byte()? & largest;
        let mut value = usize::from(first);
        if first < largest {
            return Ok(value);
        }
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        anyhow::bail!("an integer of more than six bytes")
    }

    fn text(&mut self) -> Result<Vec<u8>> {
        let is_coded = self.0.first().is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let split = self.0.split_at_checked(length);
        let (text, rest): (&'a [u8], &'a [u8]) = split.context("a text longer than the block")?;
        self.0 = rest;
        if is_coded {
            huffman::decode(text)
        } else {
            Ok(text.to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
        let pairs = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16));
        pairs.collect::<Result<_, _>>().unwrap()
    }

    fn shown(fields: &[Field]) -> Vec<String> {
        let line = |(name, value): &Field| {
            format!(
                "{}: {}",
                String::from_utf8_lossy(name),
                String::from_utf8_lossy(value)
            )
        };
        fields.iter().map(line).collect()
    }

    #[test]
    fn the_requests_of_the_rfc_read_as_it_says_huffman_and_tables_included() {
        // RFC 7541, C.4.
        let mut decoder = Decoder::default();
        let first = decoder.decode(&hex("828684418cf1e3c2e5f23a6ba0ab90f4ff"));
        let common = [
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
        ];
        assert_eq!(shown(&first.unwrap()), common);
        let second = decoder.decode(&hex("828684be5886a8eb10649cbf")).unwrap();
        assert_eq!(shown(&second)[4], "cache-control: no-cache");
        let third = decoder.decode(&hex("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf"));
        let third = shown(&third.unwrap());
        assert_eq!(
            third[3..],
            [":authority: www.example.com", "custom-key: custom-value"]
        );
    }

    #[test]
    fn the_oldest_field_leaves_a_full_table() {
        let mut decoder = Decoder::default();
        let filled = decoder.decode(&hex("3f03 4001 61 01 31 4001 62 01 32 bf"));
        // 31 + 3 = 34 bytes: room for one field only; the second pushed the first out.
        assert!(filled.is_err());
        let mut decoder = Decoder::default();
        let filled = decoder.decode(&hex("3f03 4001 61 01 31 4001 62 01 32 be"));
        assert_eq!(shown(&filled.unwrap()), ["a: 1", "b: 2", "b: 2"]);
    }

    #[test]
    fn what_the_rfc_calls_an_error_is_one() {
        for (block, what) in [
            ("80", "index 0"),
            ("be", "a field that the table does not have"),
            ("823f00", "a table size behind a field"),
            ("3fe21f", "a table larger than allowed"),
            ("ffffffffffffffffffff01", "an integer without an end"),
            ("0005616263", "a text longer than the block"),
            ("0081ff0161", "padding of a whole byte"),
            ("00811c0161", "padding that is no end of string"),
        ] {
            let read = Decoder::default().decode(&hex(block));
            assert!(read.is_err(), "{what}: {read:?}");
        }
    }
}
