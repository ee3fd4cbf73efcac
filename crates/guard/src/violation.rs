//! What a peer can do wrong, as a closed set: the words are labels of metrics and the `details` of `Proxy-Status`, so they
//! are few and never hold what the peer sent.

/// What a peer did that HTTP forbids, or that we do not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum Violation {
    /// The first line is no request line: not three parts, or a method that is no token (RFC 9112 §3).
    RequestLine,
    /// The target has a byte or a form it must not have (RFC 9112 §3.2).
    Target,
    /// The target is longer than we take.
    TargetTooLong,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// `CONNECT`: a tunnel, which is not offered.
    Connect,
    /// A line ends in a bare LF, or holds a bare CR (RFC 9112 §2.2).
    LineEnd,
    /// A line continues the field before it (RFC 9112 §5.2).
    ObsFold,
    /// A field's name is no token, or is not followed by a colon (RFC 9112 §5.1).
    FieldName,
    /// A field's value has a control character (RFC 9110 §5.5).
    FieldValue,
    /// The host is missing, said more than once, no host, or not the target's (RFC 9112 §3.2).
    Host,
    /// The length of the body is said more than once, or in no way HTTP knows (RFC 9112 §6).
    Framing,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    TransferCoding,
    /// The head is longer than we take.
    HeadTooLong,
    /// More fields than we take.
    TooManyFields,
    /// The connection ended in the middle of a head.
    HeadCut,
    /// What should be a chunk is none (RFC 9112 §7.1).
    Chunk,
    /// The chunk extensions are longer than we take (RFC 9112 §7.1.1).
    ExtensionsTooLong,
    /// The trailer section has a line that is no field, or a field that frames or routes (RFC 9110 §6.5.1).
    Trailer,
    /// The trailer section is longer than we take.
    TrailersTooLong,
    /// The first line of a response is no status line (RFC 9112 §4).
    StatusLine,
    /// More interim responses than we take.
    TooManyInterim,
    /// `101` where nothing was offered to upgrade to (RFC 9110 §15.2.2).
    Upgrade,
    /// Bytes of a response that nobody asked for.
    Unasked,
}

impl Violation {
    /// Every violation, for tables and tests.
    pub const ALL: [Self; 23] = [
        Self::RequestLine,
        Self::Target,
        Self::TargetTooLong,
        Self::Version,
        Self::Connect,
        Self::LineEnd,
        Self::ObsFold,
        Self::FieldName,
        Self::FieldValue,
        Self::Host,
        Self::Framing,
        Self::TransferCoding,
        Self::HeadTooLong,
        Self::TooManyFields,
        Self::HeadCut,
        Self::Chunk,
        Self::ExtensionsTooLong,
        Self::Trailer,
        Self::TrailersTooLong,
        Self::StatusLine,
        Self::TooManyInterim,
        Self::Upgrade,
        Self::Unasked,
    ];

    /// The word used in metrics, logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLine => "malformed_request_line",
            Self::Target => "malformed_target",
            Self::TargetTooLong => "target_too_long",
            Self::Version => "unsupported_version",
            Self::Connect => "connect_method",
            Self::LineEnd => "bare_line_end",
            Self::ObsFold => "obs_fold",
            Self::FieldName => "malformed_field_name",
            Self::FieldValue => "malformed_field_value",
            Self::Host => "malformed_host",
            Self::Framing => "malformed_framing",
            Self::TransferCoding => "transfer_coding",
            Self::HeadTooLong => "head_too_long",
            Self::TooManyFields => "too_many_fields",
            Self::HeadCut => "head_cut",
            Self::Chunk => "malformed_chunk",
            Self::ExtensionsTooLong => "chunk_extensions_too_long",
            Self::Trailer => "malformed_trailer",
            Self::TrailersTooLong => "trailers_too_long",
            Self::StatusLine => "malformed_status_line",
            Self::TooManyInterim => "too_many_interim",
            Self::Upgrade => "unasked_upgrade",
            Self::Unasked => "unasked_response",
        }
    }

    /// The status that answers it where a request did it (RFC 9110 §15.5, §15.6; RFC 6585 §5).
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::TargetTooLong => 414,
            Self::Version => 505,
            Self::Connect => 405,
            Self::TransferCoding => 501,
            Self::HeadTooLong | Self::TooManyFields | Self::TrailersTooLong => 431,
            _ => 400,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_violation_has_a_word_and_a_status_of_its_own_kind() {
        let words: BTreeSet<&str> = Violation::ALL.iter().map(|v| v.as_str()).collect();
        assert_eq!(words.len(), Violation::ALL.len());
        for violation in Violation::ALL {
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(violation.as_str().chars().all(is_plain), "{violation}");
            assert!((400..600).contains(&violation.status()), "{violation}");
        }
    }
}
