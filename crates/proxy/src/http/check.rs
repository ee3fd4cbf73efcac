//! What a request must be before anything is decided about it (RFC 9110, RFC 9113 §8.3). Two parsers that disagree about a
//! request are how requests are smuggled: whatever could be read in two ways is refused, and never forwarded. Of HTTP/1
//! the guard has read the bytes before the engine did (`bascule_guard::http1`); what it has checked is not checked again.
//! Of HTTP/2 the same rules are applied here, to the fields that came out of the frames.

use std::borrow::Cow;

use bascule_guard::{Violation, grammar, path};
use http::header::{self, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Version};

use crate::http::hop;
use crate::http::intake::Target;
use crate::http::refuse::Refused;

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The host and port, checked; `None`: HTTP/1.0 without `Host`.
    pub(crate) host: Option<HeaderValue>,
    /// The path and query as they are routed and will be forwarded, without dot segments; `*` for the whole server.
    pub(crate) path: PathAndQuery,
}

impl Asked {
    /// The host as text.
    pub(crate) fn host_text(&self) -> Option<&str> {
        self.host.as_ref().and_then(|host| host.to_str().ok())
    }
}

/// Checks a request's head.
pub(crate) fn check<B>(request: &Request<B>, target: Target) -> Result<Asked, Refused> {
    if request.method() == Method::CONNECT {
        return Err(Violation::Connect.into());
    }
    if request.method() == Method::TRACE {
        return Err(Refused::Trace);
    }
    if request.version() == Version::HTTP_2 {
        form(request)?;
    }
    let host = host(request)?;
    expectation(request)?;
    let path = path_of(request, target)?;
    if request.method() == Method::OPTIONS && hop::forwards(request.headers())? == Some(0) {
        return Err(Refused::LastHop);
    }
    Ok(Asked { host, path })
}

/// What the guard checks of HTTP/1: the target's form and bytes, and one length at most,
/// in digits.
fn form<B>(request: &Request<B>) -> Result<(), Violation> {
    let (headers, uri) = (request.headers(), request.uri());
    // The engine takes an empty one for zero, and another reader for none.
    let is_length =
        |said: &HeaderValue| !said.is_empty() && said.as_bytes().iter().all(u8::is_ascii_digit);
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    if !lengths.next().is_none_or(is_length) || lengths.next().is_some() {
        return Err(Violation::Framing);
    }
    if headers.contains_key(header::TRANSFER_ENCODING) {
        return Err(Violation::TransferCoding);
    }
    if !matches!(uri.scheme_str(), None | Some("http" | "https")) {
        return Err(Violation::Target);
    }
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let is_whole_server = target == "*" && request.method() == Method::OPTIONS;
    if is_whole_server || grammar::is_path(target.as_bytes()) {
        Ok(())
    } else {
        Err(Violation::Target)
    }
}

/// The only expectation there is (RFC 9110 §10.1.1); HTTP/1.0 has none.
fn expectation<B>(request: &Request<B>) -> Result<(), Refused> {
    let mut values = request.headers().get_all(header::EXPECT).iter();
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if request.version() == Version::HTTP_10 || values.all(known) {
        Ok(())
    } else {
        Err(Refused::Expectation)
    }
}

/// The path that is routed, and no other is forwarded.
fn path_of<B>(request: &Request<B>, target: Target) -> Result<PathAndQuery, Violation> {
    let said = request.uri().path_and_query();
    // An absolute form without a path asks for the root, or for the whole server (RFC 9112 §3.2.4).
    if target == Target::WithoutPath && request.method() == Method::OPTIONS {
        return Ok(PathAndQuery::from_static("*"));
    }
    let Some(said) = said.filter(|said| said.as_str() != "*") else {
        let root = PathAndQuery::from_static("/");
        return Ok(said.cloned().unwrap_or(root));
    };
    let mut target = match path::without_dots(said.path()).ok_or(Violation::Target)? {
        Cow::Borrowed(_) if said.as_str().starts_with('/') => return Ok(said.clone()),
        meant => meant.into_owned(),
    };
    if let Some(query) = said.query() {
        target.push('?');
        target.push_str(query);
    }
    PathAndQuery::try_from(target).map_err(|_| Violation::Target)
}

/// The one host that the request names, however it names it.
fn host<B>(request: &Request<B>) -> Result<Option<HeaderValue>, Violation> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = hosts.next();
    let target = request.uri().authority().map(Authority::as_str);
    if request.version() != Version::HTTP_2 {
        let target = || target.and_then(|target| HeaderValue::from_str(target).ok());
        return Ok(named.cloned().or_else(target));
    }
    let is_host = |text: &[u8]| grammar::is_host(text).then_some(()).ok_or(Violation::Host);
    match (target, named, hosts.next()) {
        (Some(target), None, _) => {
            is_host(target.as_bytes())?;
            HeaderValue::from_str(target)
                .map(Some)
                .map_err(|_| Violation::Host)
        }
        // One that says two things routes differently at whoever believes the other.
        (Some(target), Some(named), None)
            if named.as_bytes().eq_ignore_ascii_case(target.as_bytes()) =>
        {
            is_host(target.as_bytes())?;
            Ok(Some(named.clone()))
        }
        (None, Some(named), None) => {
            is_host(named.as_bytes())?;
            Ok(Some(named.clone()))
        }
        _ => Err(Violation::Host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, uri: &str, lines: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().version(version).uri(uri);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    fn asks(version: Version, uri: &str, lines: &[(&str, &str)]) -> Result<String, &'static str> {
        match check(&request(version, uri, lines), Target::Usual) {
            Ok(asked) => Ok(format!(
                "{} {}",
                asked.host_text().unwrap_or("-"),
                asked.path
            )),
            Err(refused) => Err(refused.reason()),
        }
    }

    #[test]
    fn a_request_names_one_host_however_it_does() {
        let h1 = |uri, lines: &[(&str, &str)]| asks(Version::HTTP_11, uri, lines);
        let named = [("host", "x.example:80")];
        assert_eq!(h1("/a?b", &named), Ok("x.example:80 /a?b".into()));
        let absolute = h1("http://x.example/a", &[("host", "X.example")]);
        assert_eq!(absolute, Ok("X.example /a".into()));
        assert_eq!(asks(Version::HTTP_10, "/", &[]), Ok("- /".into()));
        let old = asks(Version::HTTP_10, "http://a/", &[]);
        assert_eq!(old, Ok("a /".into()));
        let h2 = |uri, lines: &[(&str, &str)]| asks(Version::HTTP_2, uri, lines);
        assert_eq!(h2("https://x.example/a", &[]), Ok("x.example /a".into()));
        let both = h2("https://x.example/a", &[("host", "X.example")]);
        assert_eq!(both, Ok("X.example /a".into()));
        assert_eq!(
            h2("/a", &[("host", "x.example")]),
            Ok("x.example /a".into())
        );
    }

    #[test]
    fn over_http2_a_host_that_is_missing_doubled_contradicted_or_no_host_is_refused() {
        let h2 = |uri, lines: &[(&str, &str)]| asks(Version::HTTP_2, uri, lines);
        for (uri, lines) in [
            ("/", &[][..]),
            ("/", &[("host", "a"), ("host", "a")]),
            ("https://a/", &[("host", "a"), ("host", "a")]),
            ("/", &[("host", "")]),
            ("/", &[("host", "a b")]),
            ("/", &[("host", "a:99999")]),
            ("https://b/", &[("host", "a")]),
            ("https://user@b/", &[]),
        ] {
            assert_eq!(h2(uri, lines), Err("malformed_host"), "{uri} {lines:?}");
        }
    }

    #[test]
    fn over_http2_a_target_is_a_path_and_a_length_is_a_number_said_once() {
        let h2 = |uri, lines: &[(&str, &str)]| asks(Version::HTTP_2, uri, lines);
        for uri in ["https://a/\"", "*", "ftp://a/x"] {
            assert_eq!(h2(uri, &[("host", "a")]), Err("malformed_target"), "{uri}");
        }
        let twice = [("content-length", "3"), ("content-length", "3")];
        assert_eq!(h2("https://a/", &twice), Err("malformed_framing"));
        for said in ["", "+3", "3, 3"] {
            let odd = [("content-length", said)];
            assert_eq!(h2("https://a/", &odd), Err("malformed_framing"), "{said}");
        }
        let coded = [("transfer-encoding", "chunked")];
        assert_eq!(h2("https://a/", &coded), Err("transfer_coding"));
    }

    #[test]
    fn the_path_that_is_routed_has_no_dot_segments() {
        let path = |uri| asks(Version::HTTP_11, uri, &[("host", "a")]);
        assert_eq!(path("/a/../b?x=/../y"), Ok("a /b?x=/../y".into()));
        assert_eq!(path("/a/."), Ok("a /a/".into()));
        assert_eq!(path("/a/%2E%2e/b"), Ok("a /b".into()));
        assert_eq!(path("http://a?x"), Ok("a /?x".into()));
        assert_eq!(path("http://a"), Ok("a /".into()));
        assert_eq!(path("/../b"), Err("malformed_target"));
        assert_eq!(
            asks(Version::HTTP_2, "https://a/b/..", &[]),
            Ok("a /".into())
        );
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        let expects = [("host", "a"), ("expect", "a-pony")];
        assert_eq!(asks(Version::HTTP_11, "/", &expects), Err("expectation"));
        assert_eq!(asks(Version::HTTP_10, "/", &expects), Ok("a /".into()));
        let refused = |method: Method, hops: &str| {
            let mut request = request(
                Version::HTTP_11,
                "/",
                &[("host", "a"), ("max-forwards", hops)],
            );
            *request.method_mut() = method;
            check(&request, Target::Usual)
                .map_err(|refused| refused.reason())
                .err()
        };
        assert_eq!(refused(Method::TRACE, "5"), Some("trace_method"));
        assert_eq!(refused(Method::CONNECT, "5"), Some("connect_method"));
        assert_eq!(refused(Method::OPTIONS, "0"), Some("max_forwards"));
        assert_eq!(refused(Method::OPTIONS, "1"), None);
        assert_eq!(
            refused(Method::OPTIONS, "-1"),
            Some("malformed_field_value")
        );
        assert_eq!(refused(Method::GET, "0"), None);
    }

    #[test]
    fn options_without_a_path_are_for_the_whole_server() {
        let path = |uri: &str, target| {
            let mut request = request(Version::HTTP_11, uri, &[("host", "a")]);
            *request.method_mut() = Method::OPTIONS;
            let asked = check(&request, target).unwrap();
            asked.path.to_string()
        };
        assert_eq!(path("http://a", Target::WithoutPath), "*");
        assert_eq!(path("*", Target::Usual), "*");
        assert_eq!(path("http://a/", Target::Usual), "/");
    }
}
