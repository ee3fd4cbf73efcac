//! What HTTP/2 asks of a request's fields and the engine does not hold (RFC 9113 §8.2, §8.3). Of HTTP/1 the guard has read
//! the bytes; here the fields have come out of frames. It refuses and changes nothing; host, target and framing are
//! [`check`](crate::http::check)'s.

use bascule_guard::{Violation, grammar};
use http::header::{HeaderName, HeaderValue};
use http::{Request, Version};

use crate::http::client::Client;

/// Checks a request of HTTP/2.
pub(crate) fn check<B>(request: &Request<B>, client: &Client) -> Result<(), Violation> {
    if request.version() != Version::HTTP_2 {
        return Ok(());
    }
    // Each crumb of a cookie is a field that costs as much as any.
    if request.headers().len() > client.listener.limits.header_count {
        return Err(Violation::TooManyFields);
    }
    pseudo_fields(request, client.listener.tls.is_some())?;
    request.headers().iter().try_for_each(field)
}

/// A path is said (`:path`, RFC 9113 §8.3.1); and whoever speaks TLS with us asks for `https`. In clear both are heard:
/// someone in front may have ended TLS.
fn pseudo_fields<B>(request: &Request<B>, is_secure: bool) -> Result<(), Violation> {
    let uri = request.uri();
    let asks_in_clear = uri.scheme_str() == Some("http");
    if uri.path().is_empty() || (is_secure && asks_in_clear) {
        return Err(Violation::Target);
    }
    Ok(())
}

/// The engine lets through names that are no tokens, and values with space around them.
fn field((name, value): (&HeaderName, &HeaderValue)) -> Result<(), Violation> {
    let value = value.as_bytes();
    if !grammar::is_field_name(name.as_str().as_bytes()) {
        return Err(Violation::FieldName);
    }
    let is_tight = value.trim_ascii().len() == value.len();
    if !is_tight || !grammar::is_field_value(value) {
        return Err(Violation::FieldValue);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &str, value: &str) -> Result<(), Violation> {
        let name = HeaderName::from_lowercase(name.as_bytes()).unwrap();
        field((&name, &HeaderValue::from_str(value).unwrap()))
    }

    #[test]
    fn a_field_has_a_token_for_a_name_and_no_space_around_its_value() {
        assert_eq!(checked("x-a", "a b"), Ok(()));
        assert_eq!(checked("x-a", ""), Ok(()));
        for value in [" a", "a ", "\ta", " "] {
            assert_eq!(checked("x-a", value), Err(Violation::FieldValue));
        }
        assert_eq!(checked("x\"a", "1"), Err(Violation::FieldName));
    }

    #[test]
    fn a_path_is_said_and_over_tls_the_scheme_is_https() {
        let request = |uri: &str| Request::get(uri).body(()).unwrap();
        assert_eq!(pseudo_fields(&request("https://a/"), true), Ok(()));
        for uri in ["http://a/", "https://a/"] {
            assert_eq!(pseudo_fields(&request(uri), false), Ok(()));
        }
        let clear = request("http://a/");
        assert_eq!(pseudo_fields(&clear, true), Err(Violation::Target));
        let mut bare = request("/");
        *bare.uri_mut() = http::Uri::from_parts(http::uri::Parts::default()).unwrap();
        assert_eq!(pseudo_fields(&bare, false), Err(Violation::Target));
    }
}
