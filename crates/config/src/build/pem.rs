//! Whether a file holds the PEM blocks it should. Only the frame is looked at: that a certificate is one, and that the
//! key belongs to it, is found when TLS is set up.

use bascule_model::hash::Fnv;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Holds {
    pub(super) certificates: usize,
    pub(super) keys: usize,
    pub(super) encrypted_keys: usize,
}

/// Looks through a file.
pub(super) fn look(content: &[u8]) -> Holds {
    let text = String::from_utf8_lossy(content);
    let mut holds = Holds::default();
    let mut begun: Option<(&str, usize)> = None;
    for line in text.lines().map(str::trim) {
        let frame = |begin: &str| {
            line.strip_prefix(begin)
                .and_then(|l| l.strip_suffix("-----"))
        };
        if let Some(label) = frame("-----BEGIN ") {
            begun = Some((label, 0));
            continue;
        }
        match (frame("-----END "), &mut begun) {
            (Some(end), Some((label, body))) if end == *label && *body > 0 => {
                match *label {
                    "CERTIFICATE" => holds.certificates += 1,
                    "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" => holds.keys += 1,
                    "ENCRYPTED PRIVATE KEY" => holds.encrypted_keys += 1,
                    _ => {}
                }
                begun = None;
            }
            (Some(_), _) => begun = None,
            (None, Some((_, body))) if !line.is_empty() => *body += 1,
            (None, _) => {}
        }
    }
    holds
}

/// A number that changes when one of the contents changes: FNV-1a over both, lengths included. Not cryptographic.
pub(super) fn hash(contents: [&[u8]; 2]) -> u64 {
    let hash = contents.iter().fold(Fnv::new(), |hash, content| {
        hash.write(&content.len().to_le_bytes()).write(content)
    });
    hash.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(label: &str) -> String {
        format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n")
    }

    #[test]
    fn blocks_are_counted_by_their_labels() {
        let text =
            block("CERTIFICATE") + &block("CERTIFICATE") + &block("EC PRIVATE KEY") + &block("X");
        assert_eq!(
            look(text.as_bytes()),
            Holds {
                certificates: 2,
                keys: 1,
                encrypted_keys: 0
            }
        );
    }

    #[test]
    fn a_frame_without_body_or_end_is_nothing() {
        for text in [
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAAAA",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----",
            "",
            "AAAA",
        ] {
            assert_eq!(look(text.as_bytes()), Holds::default(), "{text}");
        }
        assert_eq!(look(&[0xff, 0xfe, 0]), Holds::default());
    }

    #[test]
    fn a_hash_tells_where_one_content_ends() {
        assert_ne!(hash([b"ab", b"c"]), hash([b"a", b"bc"]));
        assert_eq!(hash([b"ab", b"c"]), hash([b"ab", b"c"]));
    }
}
