//! The Huffman code of RFC 7541, Appendix B. The code is canonical: of two symbols the one with the shorter code, or the
//! smaller number, has the smaller code; so the lengths say everything, and the rest is worked out from them when this is
//! compiled.

use super::Undecodable;

/// The code's length of each byte. EOS, which must not occur, has thirty bits, all ones.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];
const LENGTH_MAX: usize = 30;

/// Of the codes of one length: the first, how many there are, and where their symbols begin in [`SYMBOLS`].
#[derive(Debug, Clone, Copy)]
struct Row {
    first: u32,
    count: u32,
    at: u32,
}

const ROWS: [Row; LENGTH_MAX + 1] = rows();
/// All bytes, those with short codes first.
const SYMBOLS: [u8; 256] = symbols();

#[expect(
    clippy::indexing_slicing,
    reason = "worked out by the compiler, which sees that every index is within"
)]
const fn rows() -> [Row; LENGTH_MAX + 1] {
    let none = Row {
        first: 0,
        count: 0,
        at: 0,
    };
    let mut rows = [none; LENGTH_MAX + 1];
    let mut symbol = 0;
    while symbol < 256 {
        rows[LENGTHS[symbol] as usize].count += 1;
        symbol += 1;
    }
    let (mut code, mut at, mut length) = (0, 0, 1);
    while length <= LENGTH_MAX {
        code <<= 1;
        rows[length].first = code;
        rows[length].at = at;
        code += rows[length].count;
        at += rows[length].count;
        length += 1;
    }
    rows
}

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "worked out by the compiler, which sees that every index is within"
)]
const fn symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let (mut at, mut length) = (0, 1);
    while length <= LENGTH_MAX {
        let mut symbol = 0;
        while symbol < 256 {
            if LENGTHS[symbol] as usize == length {
                symbols[at] = symbol as u8;
                at += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    symbols
}

/// Decodes a text.
pub(super) fn decode(coded: &[u8], into: &mut Vec<u8>) -> Result<(), Undecodable> {
    let (mut code, mut length) = (0_u32, 0_usize);
    for byte in coded {
        for bit in (0..8).rev() {
            code = code << 1 | u32::from(byte >> bit & 1);
            length += 1;
            let row = ROWS.get(length).ok_or(Undecodable)?;
            let Some(offset) = code.checked_sub(row.first).filter(|at| *at < row.count) else {
                continue;
            };
            let at = usize::try_from(row.at + offset).map_err(|_| Undecodable)?;
            into.push(SYMBOLS.get(at).copied().ok_or(Undecodable)?);
            (code, length) = (0, 0);
        }
    }
    // What is left is padding: at most seven bits, the first of EOS (RFC 7541 §5.2).
    let is_padding = length < 8 && code == (1 << length) - 1;
    if is_padding { Ok(()) } else { Err(Undecodable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(coded: &[u8]) -> Result<String, Undecodable> {
        let mut text = Vec::new();
        decode(coded, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    #[test]
    fn the_examples_of_the_rfc_decode() {
        let host = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        assert_eq!(decoded(&host).unwrap(), "www.example.com");
        let no_cache = [0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf];
        assert_eq!(decoded(&no_cache).unwrap(), "no-cache");
        let status = [0x64, 0x02];
        assert_eq!(decoded(&status).unwrap(), "302");
        assert_eq!(decoded(&[]).unwrap(), "");
    }

    #[test]
    fn padding_is_short_and_all_ones_and_the_end_of_string_never_occurs() {
        let no_cache = [0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf, 0xff];
        assert_eq!(decoded(&no_cache), Err(Undecodable));
        assert_eq!(decoded(&[0b0000_0000]), Err(Undecodable));
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), Err(Undecodable));
    }

    #[test]
    fn every_byte_has_a_code_of_its_own() {
        let mut seen = SYMBOLS;
        seen.sort_unstable();
        assert!(
            seen.iter()
                .enumerate()
                .all(|(at, byte)| at == usize::from(*byte))
        );
        let used: u64 = ROWS
            .iter()
            .zip(0_u32..)
            .map(|(row, length)| u64::from(row.count) << (30 - length))
            .sum();
        // All but the code of EOS.
        assert_eq!(used, (1 << 30) - 1);
    }
}
