//! How much of a head, of chunk extensions and of trailers is taken. Lengths of bodies are not the guard's.

/// The limits of one direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// A head, empty lines before it included.
    pub head_bytes: usize,
    /// Fields of a head.
    pub fields: usize,
    /// The target of a request.
    pub target_bytes: usize,
    /// The chunk extensions of one body, together. Nobody needs them (RFC 9112 §7.1.1 asks for such a limit).
    pub extension_bytes: usize,
    /// The trailer section of one body.
    pub trailer_bytes: usize,
    /// Fields of a trailer section.
    pub trailer_fields: usize,
}

/// What hyper's decoder allows is above these, so that it is the guard that refuses.
const EXTENSION_BYTES: usize = 4 * 1024;
const TRAILER_BYTES: usize = 8 * 1024;
const TRAILER_FIELDS: usize = 64;

/// The longest target that the engine's type for it can hold.
const TARGET_BYTES_MAX: usize = 65_534;

impl Limits {
    /// Of requests whose heads may have so many bytes and fields. A target may be half a head: 8 KiB with the default of
    /// 16 KiB, which is what RFC 9112 §3 asks for at least.
    #[must_use]
    pub fn of_requests(head_bytes: usize, fields: usize) -> Self {
        Self {
            head_bytes,
            fields,
            target_bytes: (head_bytes / 2).min(TARGET_BYTES_MAX),
            extension_bytes: EXTENSION_BYTES,
            trailer_bytes: TRAILER_BYTES.min(head_bytes),
            trailer_fields: TRAILER_FIELDS.min(fields),
        }
    }

    /// Of responses whose heads may have so many bytes and fields.
    #[must_use]
    pub fn of_responses(head_bytes: usize, fields: usize) -> Self {
        Self {
            target_bytes: 0,
            ..Self::of_requests(head_bytes, fields)
        }
    }
}
