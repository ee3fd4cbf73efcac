//! When a session token ends, as it says itself. Its signature is OCI's business; nothing else in it is read.

use bascule_model::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// What is read of it.
#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970.
    exp: u64,
}

/// When it ends; `None` where it does not say so.
pub(super) fn ends(token: &str) -> Option<Timestamp> {
    let claims = token.split('.').nth(1)?;
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    Some(Timestamp::from_millis(claims.exp.saturating_mul(1000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_what_the_token_says_and_none_where_it_says_nothing() {
        let claims = URL_SAFE_NO_PAD.encode(br#"{"exp":1790000000,"sub":"x"}"#);
        let token = format!("e30.{claims}.c2ln");
        assert_eq!(
            ends(&token),
            Some(Timestamp::from_millis(1_790_000_000_000))
        );
        for token in ["", "a.b", "a.e30.c", "one word"] {
            assert_eq!(ends(token), None);
        }
    }
}
