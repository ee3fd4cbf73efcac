//! What a request must be before anything is decided about it (RFC 9110, RFC 9112 §3 and §6.3, RFC 9113 §8.3). Two parsers
//! that disagree about a request are how requests are smuggled: whatever could be read in two ways is refused here, and
//! never forwarded. hyper has refused what is not HTTP at all.

use http::header::{self, HeaderValue};
use http::uri::{Authority, PathAndQuery};
use http::{Method, Request, Uri, Version};

use crate::http::refuse::{Malformed, Refused};

/// What a request asks for.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The host and port, checked; `None`: HTTP/1.0 without `Host`.
    pub(crate) host: Option<HeaderValue>,
    /// The path and query as they will be forwarded; `*` for the whole server.
    pub(crate) path: PathAndQuery,
}

impl Asked {
    /// The host as text.
    pub(crate) fn host_text(&self) -> Option<&str> {
        self.host.as_ref().and_then(|host| host.to_str().ok())
    }
}

/// Checks a request's head. `framed_twice`: its bytes say more than once how long its body is.
pub(crate) fn check<B>(request: &Request<B>, framed_twice: bool) -> Result<Asked, Refused> {
    if request.method() == Method::CONNECT {
        return Err(Refused::Connect);
    }
    if framed_twice {
        return Err(Malformed::FramedTwice.into());
    }
    framing(request)?;
    expectation(request)?;
    let path = path(request.method(), request.uri())?;
    let host = host(request)?;
    Ok(Asked { host, path })
}

/// One length at most, and no transfer coding that we would drop without undoing it.
fn framing<B>(request: &Request<B>) -> Result<(), Refused> {
    let headers = request.headers();
    if headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        return Err(Malformed::FramedTwice.into());
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|first| !chunked(first)) || codings.next().is_some() {
        return Err(Refused::Coding);
    }
    Ok(())
}

/// The only expectation there is (RFC 9110 §10.1.1).
fn expectation<B>(request: &Request<B>) -> Result<(), Refused> {
    let mut values = request.headers().get_all(header::EXPECT).iter();
    let known = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if values.all(known) {
        Ok(())
    } else {
        Err(Refused::Expectation)
    }
}

/// Origin form, absolute form, or `*` with `OPTIONS`.
fn path(method: &Method, uri: &Uri) -> Result<PathAndQuery, Refused> {
    let has_web_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    if uri.authority().is_some() != uri.scheme().is_some()
        || (uri.scheme().is_some() && !has_web_scheme)
    {
        return Err(Malformed::Target.into());
    }
    // An absolute form without a path asks for the root.
    let path = uri.path_and_query().cloned();
    let path = path.unwrap_or(PathAndQuery::from_static("/"));
    let is_whole_server = path.as_str() == "*" && method == Method::OPTIONS;
    if path.as_str().starts_with('/') || is_whole_server {
        Ok(path)
    } else {
        Err(Malformed::Target.into())
    }
}

/// The one host that the request names, however it names it.
fn host<B>(request: &Request<B>) -> Result<Option<HeaderValue>, Refused> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let named = hosts.next();
    if hosts.next().is_some() {
        return Err(Malformed::Host.into());
    }
    if named.is_some_and(|host| !is_host(host.as_bytes())) {
        return Err(Malformed::Host.into());
    }
    let target = request.uri().authority().map(Authority::as_str);
    match (target, named) {
        (Some(target), _) if !is_host(target.as_bytes()) => Err(Malformed::Host.into()),
        // One that says two things routes differently at whoever believes the other.
        (Some(target), Some(named))
            if !named.as_bytes().eq_ignore_ascii_case(target.as_bytes()) =>
        {
            Err(Malformed::Host.into())
        }
        (Some(_), Some(named)) | (None, Some(named)) => Ok(Some(named.clone())),
        (Some(target), None) if request.version() == Version::HTTP_2 => {
            let value = HeaderValue::from_str(target);
            value.map(Some).map_err(|_| Malformed::Host.into())
        }
        (None, None) if request.version() == Version::HTTP_10 => Ok(None),
        (_, None) => Err(Malformed::Host.into()),
    }
}

/// A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port; nothing that could end a quoted string, a
/// field or a path.
fn is_host(text: &[u8]) -> bool {
    let (host, port) = match text.strip_prefix(b"[") {
        Some(rest) => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => rest.split_at(end),
            None => return false,
        },
        None => {
            let end = text.iter().position(|byte| *byte == b':');
            text.split_at(end.unwrap_or(text.len()))
        }
    };
    let in_brackets = text.starts_with(b"[");
    let host_is_well = if in_brackets {
        let is_part = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        !host.is_empty() && host.iter().all(is_part)
    } else {
        let is_part = |byte: &u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        };
        !host.is_empty() && host.iter().all(is_part)
    };
    let port = if in_brackets {
        port.strip_prefix(b"]").unwrap_or(port)
    } else {
        port
    };
    let port_is_well = port.is_empty()
        || port
            .strip_prefix(b":")
            .is_some_and(|digits| digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit));
    host_is_well && port_is_well
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
        match check(&request(version, uri, lines), false) {
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
        assert_eq!(
            h1("/a?b", &[("host", "x.example:80")]),
            Ok("x.example:80 /a?b".into())
        );
        assert_eq!(
            h1("/", &[("host", "[::1]:8080")]),
            Ok("[::1]:8080 /".into())
        );
        assert_eq!(
            h1("http://x.example/a", &[("host", "X.example")]),
            Ok("X.example /a".into())
        );
        assert_eq!(asks(Version::HTTP_10, "/", &[]), Ok("- /".into()));
        assert_eq!(
            asks(Version::HTTP_2, "https://x.example/a", &[]),
            Ok("x.example /a".into())
        );
    }

    #[test]
    fn a_host_that_is_missing_doubled_contradicted_or_no_host_is_refused() {
        type Case = (
            Version,
            &'static str,
            &'static [(&'static str, &'static str)],
        );
        let cases: [Case; 10] = [
            (Version::HTTP_11, "/", &[]),
            (Version::HTTP_11, "/", &[("host", "a"), ("host", "a")]),
            (Version::HTTP_11, "/", &[("host", "")]),
            (Version::HTTP_11, "/", &[("host", "a b")]),
            (Version::HTTP_11, "/", &[("host", "a/b")]),
            (Version::HTTP_11, "/", &[("host", "user@a")]),
            (Version::HTTP_11, "/", &[("host", "a:99999999")]),
            (Version::HTTP_11, "/", &[("host", "[::1")]),
            (Version::HTTP_11, "http://b/", &[("host", "a")]),
            (Version::HTTP_2, "https://b/", &[("host", "a")]),
        ];
        for (version, uri, lines) in cases {
            assert_eq!(
                asks(version, uri, lines),
                Err("malformed_host"),
                "{uri} {lines:?}"
            );
        }
    }

    #[test]
    fn a_target_that_is_no_path_is_refused() {
        let host = [("host", "a")];
        for uri in ["a", "*", "ftp://a/x"] {
            assert_eq!(
                asks(Version::HTTP_11, uri, &host),
                Err("malformed_target"),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_body_framed_twice_or_coded_otherwise_is_refused() {
        let twice = [
            ("host", "a"),
            ("content-length", "3"),
            ("content-length", "3"),
        ];
        assert_eq!(
            asks(Version::HTTP_2, "https://a/", &twice),
            Err("malformed_framing")
        );
        assert_eq!(
            check(&request(Version::HTTP_11, "/", &[("host", "a")]), true)
                .map_err(|e| e.reason())
                .err(),
            Some("malformed_framing")
        );
        let coded = [("host", "a"), ("transfer-encoding", "gzip, chunked")];
        assert_eq!(asks(Version::HTTP_11, "/", &coded), Err("transfer_coding"));
        let expects = [("host", "a"), ("expect", "a-pony")];
        assert_eq!(asks(Version::HTTP_11, "/", &expects), Err("expectation"));
    }
}
