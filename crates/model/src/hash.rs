//! Hashes that are fixed for ever and the same on every machine: where edges or versions must agree, or one must see whether
//! two things are the same. Not for secrets, and whoever chooses the input can make inputs that meet.

/// FNV-1a over 64 bits (Fowler, Noll, Vo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fnv(u64);

impl Fnv {
    /// Of nothing yet.
    #[must_use]
    #[inline]
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Of these bytes after those before: how they are cut makes no difference.
    #[must_use]
    #[inline]
    pub fn write(self, bytes: &[u8]) -> Self {
        let step =
            |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        Self(bytes.iter().fold(self.0, step))
    }

    /// The number. Its low bits are those that differ least; [`mix`] helps.
    #[must_use]
    #[inline]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl Default for Fnv {
    fn default() -> Self {
        Self::new()
    }
}

/// A step of SplitMix64 (Steele, Lea, Flood 2014): a bijection by which every bit moves every other.
#[must_use]
#[inline]
pub const fn mix(before: u64) -> u64 {
    let mut z = before.wrapping_add(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What the state of SplitMix64 grows by: 2⁶⁴ ÷ the golden ratio.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        for (text, hash) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(Fnv::new().write(text.as_bytes()).value(), hash, "{text}");
        }
        let cut = Fnv::new().write(b"foo").write(b"").write(b"bar");
        assert_eq!(cut, Fnv::new().write(b"foobar"));
    }
}
