//! `Strict-Transport-Security` (RFC 6797): the promise that a host is reached by HTTPS only, made by the listener in place
//! of the backends behind it. Never said in clear text, where nobody may believe it.

use bascule_config::Hsts;
use bytes::{BufMut as _, BytesMut};
use http::HeaderValue;

/// The field's value.
pub(crate) fn value(hsts: Hsts) -> Option<HeaderValue> {
    let mut text = BytesMut::with_capacity(64);
    text.extend_from_slice(b"max-age=");
    text.extend_from_slice(hsts.max_age.as_secs().to_string().as_bytes());
    for (said, directive) in [
        (hsts.include_subdomains, "includeSubDomains"),
        (hsts.preload, "preload"),
    ] {
        if said {
            text.put_slice(b"; ");
            text.extend_from_slice(directive.as_bytes());
        }
    }
    // Digits and the words above are always a value.
    HeaderValue::from_maybe_shared(text.freeze()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_value_says_what_the_configuration_says() {
        let said = |hsts| value(hsts).unwrap().to_str().unwrap().to_owned();
        assert_eq!(said(Hsts::default()), "max-age=31536000");
        let all = Hsts {
            max_age: Duration::from_secs(63_072_000),
            include_subdomains: true,
            preload: true,
        };
        assert_eq!(said(all), "max-age=63072000; includeSubDomains; preload");
        let forget = Hsts {
            max_age: Duration::ZERO,
            ..Hsts::default()
        };
        assert_eq!(said(forget), "max-age=0");
    }
}
