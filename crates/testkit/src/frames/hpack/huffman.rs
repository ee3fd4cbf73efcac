//! The Huffman code of RFC 7541, Appendix B. The code is canonical: codes of one length follow each other in the order of
//! their symbols, and a longer code begins where the shorter ones ended. So the lengths say it all.

use anyhow::{Result, ensure};

/// The longest code, in bits.
const BITS_MAX: u8 = 30;

/// The length of each byte's code, in bits. The end of string, 30 bits of ones, is never part of a text.
#[rustfmt::skip]
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// Decodes a text.
///
/// # Errors
/// When its end is no padding: more than seven bits, or bits that are not ones.
pub(super) fn decode(coded: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut code = Code::default();
    for byte in coded {
        for place in (0..8).rev() {
            if let Some(symbol) = code.push((byte >> place) & 1) {
                text.push(symbol);
                code = Code::default();
            }
            ensure!(code.bits < BITS_MAX, "the end of string in a text");
        }
    }
    ensure!(
        code.bits < 8 && code.value + 1 == 1 << code.bits,
        "padding that is none"
    );
    Ok(text)
}

/// A code that is being read: its bits so far, and the first code of that many bits.
#[derive(Default)]
struct Code {
    value: u32,
    bits: u8,
    first: u32,
}

impl Code {
    fn push(&mut self, bit: u8) -> Option<u8> {
        self.value = (self.value << 1) | u32::from(bit);
        self.bits += 1;
        self.first <<= 1;
        let of_this_length = || (0..=u8::MAX).zip(LENGTHS).filter(|(_, l)| *l == self.bits);
        let offset = self.value.checked_sub(self.first);
        let found = offset
            .and_then(|offset| usize::try_from(offset).ok())
            .and_then(|offset| of_this_length().nth(offset));
        let count = u32::try_from(of_this_length().count()).unwrap_or(u32::MAX);
        self.first += count;
        found.map(|(symbol, _)| symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_rfc_decode_and_rare_bytes_too() {
        // RFC 7541, C.4.1, C.4.2 and C.6.1.
        let coded = [
            0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ];
        assert_eq!(decode(&coded).unwrap(), b"www.example.com");
        assert_eq!(
            decode(&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]).unwrap(),
            b"no-cache"
        );
        // The three codes of 30 bits before the end of string: LF, CR, and 22.
        let bits = "111111111111111111111111111100\
                    111111111111111111111111111101\
                    111111111111111111111111111110111111";
        let bytes: Vec<u8> = (0..bits.len() / 8)
            .map(|n| u8::from_str_radix(&bits[n * 8..n * 8 + 8], 2).unwrap())
            .collect();
        assert_eq!(decode(&bytes).unwrap(), [10, 13, 22]);
    }

    #[test]
    fn the_end_of_string_is_an_error() {
        assert!(decode(&[0xff; 4]).is_err());
    }
}
