//! Cookies that name an endpoint, sealed so that nobody else can make, change or read one. A cookie is for one service and
//! one name; elsewhere it is foreign and does not open. It says which endpoint, and since when; it grants nothing else.
//!
//! Sealed by AES-256-GCM-SIV (RFC 8452) with keys drawn from the secrets by HKDF: nonces are random, and two that are the
//! same by chance say no more than that two cookies are the same.

use std::fmt;

use aws_lc_rs::aead::{self, AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, rand};
use bascule_config::Secrets;
use bascule_traffic::keys::Ignored;

/// What keys are drawn for: another use of the same secrets has other keys.
const SALT: &[u8] = b"bascule affinity cookie 1";
/// The first byte of what is sealed; another form has another.
const FORM: u8 = 1;
/// Form, time, mark; the backend's name follows.
const FIXED_BYTES: usize = 1 + 8 + 8;
/// No cookie of ours is longer: a name has at most 63 bytes.
const SEALED_BYTES_MAX: usize = aead::NONCE_LEN + FIXED_BYTES + 63 + 16;

/// What a cookie says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket<'a> {
    /// When it was made, in seconds since 1970.
    pub(crate) at: u64,
    /// The endpoint, by the hash of its identity.
    pub(crate) endpoint: u64,
    /// The backend's name.
    pub(crate) backend: &'a str,
}

/// A cookie that was opened: what it says, in bytes of its own.
#[derive(Debug)]
pub(crate) struct Opened {
    bytes: [u8; SEALED_BYTES_MAX],
    from: usize,
    to: usize,
}

/// Seals and opens the cookies of one file of secrets.
pub(crate) struct Sealer {
    secrets: Secrets,
    /// The first seals.
    keys: Vec<LessSafeKey>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").finish_non_exhaustive()
    }
}

impl Sealer {
    /// Of these secrets; `None` when the library refuses, which it does not for keys of this length.
    pub(crate) fn new(secrets: &Secrets) -> Option<Self> {
        let keys: Option<Vec<LessSafeKey>> = secrets.iter().map(key).collect();
        Some(Self {
            secrets: secrets.clone(),
            keys: keys?,
        })
    }

    /// Whether it is of these.
    pub(crate) fn is_of(&self, secrets: &Secrets) -> bool {
        self.secrets == *secrets
    }

    /// The value of a cookie. `context` is what it is for. `None` where there is no randomness.
    pub(crate) fn seal(&self, context: &str, ticket: Ticket<'_>) -> Option<String> {
        let mut nonce = [0_u8; aead::NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut sealed = Vec::with_capacity(SEALED_BYTES_MAX);
        sealed.push(FORM);
        sealed.extend_from_slice(&ticket.at.to_le_bytes());
        sealed.extend_from_slice(&ticket.endpoint.to_le_bytes());
        sealed.extend_from_slice(ticket.backend.as_bytes());
        let aad = Aad::from(context.as_bytes());
        let unique = Nonce::assume_unique_for_key(nonce);
        let key = self.keys.first()?;
        key.seal_in_place_append_tag(unique, aad, &mut sealed)
            .ok()?;
        Some(hexadecimal(nonce.iter().chain(&sealed)))
    }

    /// What a cookie says.
    ///
    /// # Errors
    /// [`Ignored::Malformed`] for what cannot be ours, [`Ignored::Forged`] for what no secret opens.
    pub(crate) fn open(&self, context: &str, value: &[u8]) -> Result<Opened, Ignored> {
        let mut read = [0_u8; SEALED_BYTES_MAX];
        let sealed = unhexadecimal(value, &mut read).ok_or(Ignored::Malformed)?;
        let (nonce, sealed) = sealed
            .split_first_chunk::<{ aead::NONCE_LEN }>()
            .ok_or(Ignored::Malformed)?;
        for key in &self.keys {
            let mut bytes = [0_u8; SEALED_BYTES_MAX];
            let Some(place) = bytes.get_mut(..sealed.len()) else {
                return Err(Ignored::Malformed);
            };
            place.copy_from_slice(sealed);
            let unique = Nonce::assume_unique_for_key(*nonce);
            let aad = Aad::from(context.as_bytes());
            let Ok(opened) = key.open_in_place(unique, aad, place) else {
                continue;
            };
            let to = opened.len();
            return match opened.first() {
                Some(&FORM) if to > FIXED_BYTES => Ok(Opened { bytes, from: 1, to }),
                _ => Err(Ignored::Malformed),
            };
        }
        Err(Ignored::Forged)
    }
}

impl Opened {
    /// What it says; `None` where that is no ticket, which nobody without a secret can have made.
    pub(crate) fn ticket(&self) -> Option<Ticket<'_>> {
        let said = self.bytes.get(self.from..self.to)?;
        let (at, said) = said.split_first_chunk::<8>()?;
        let (endpoint, backend) = said.split_first_chunk::<8>()?;
        Some(Ticket {
            at: u64::from_le_bytes(*at),
            endpoint: u64::from_le_bytes(*endpoint),
            backend: std::str::from_utf8(backend).ok()?,
        })
    }
}

fn key(secret: &[u8]) -> Option<LessSafeKey> {
    let drawn = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(secret);
    let info = [b"AES-256-GCM-SIV".as_slice()];
    let okm = drawn.expand(&info, &AES_256_GCM_SIV).ok()?;
    Some(LessSafeKey::new(UnboundKey::from(okm)))
}

fn hexadecimal<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    bytes
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Reads digits in lower case, as they are written: a cookie has one form.
fn unhexadecimal<'a>(text: &[u8], to: &'a mut [u8]) -> Option<&'a [u8]> {
    let half = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let place = to.get_mut(..pairs.len()).filter(|_| rest.is_empty())?;
    for (byte, [high, low]) in place.iter_mut().zip(pairs) {
        *byte = (half(*high)? << 4) | half(*low)?;
    }
    Some(place)
}

#[cfg(test)]
mod tests;
