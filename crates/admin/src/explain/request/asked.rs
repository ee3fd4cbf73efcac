//! The question: a request that nobody made, read from the parameters, and the listener it would come through.

use std::net::{IpAddr, Ipv4Addr};

use bascule_guard::path::without_dots;
use bascule_model::ListenerName;
use bascule_traffic::retry::is_idempotent;
use bascule_traffic::suspect::Repeatable;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{PathAndQuery, Uri};

use super::NoRequest;
use crate::api::RequestQuery;
use crate::ports::Supposed;

/// A listener, as far as a URL can choose one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// Its name.
    pub name: ListenerName,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// What is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) host: Option<String>,
    pub(super) supposed: Supposed,
}

impl Asked {
    pub(super) fn read(query: &RequestQuery, doors: &[Door]) -> Result<Self, NoRequest> {
        let wrong = |parameter, problem: String| NoRequest { parameter, problem };
        let url: Uri = query
            .url
            .parse()
            .map_err(|error| wrong("url", format!("`{}` is no URL: {error}", query.url)))?;
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            let problem = format!("`{}` is not absolute; write http://HOST/PATH", query.url);
            return Err(wrong("url", problem));
        };
        let tls = scheme == "https";
        if !tls && scheme != "http" {
            return Err(wrong("url", format!("`{scheme}` is not http or https")));
        }
        let path =
            path(&url).ok_or_else(|| wrong("url", "the path climbs above its root".to_owned()))?;
        let method = query.method.clone().unwrap_or_else(|| "GET".to_owned());
        if method.parse::<http::Method>().is_err() {
            return Err(wrong("method", format!("`{method}` is no method")));
        }
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let door = door(query.listener.as_deref(), doors, port, tls)?;
        let supposed = Supposed {
            listener: door.name.clone(),
            path,
            headers: headers(query.headers.as_deref().unwrap_or_default())?,
            client: query.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            // An address is not asked for by SNI (RFC 6066 §3).
            server_name: Some(authority.host())
                .filter(|host| door.tls && !is_address(host))
                .map(str::to_owned),
            repeatable: match is_idempotent(&method) {
                true => Repeatable::Yes,
                false => Repeatable::No,
            },
        };
        Ok(Self {
            method,
            host: query
                .host
                .clone()
                .or_else(|| Some(authority.as_str().to_owned())),
            supposed,
        })
    }
}

/// Path and query as the edge would forward them.
fn path(url: &Uri) -> Option<PathAndQuery> {
    let mut path = without_dots(url.path())?.into_owned();
    if let Some(query) = url.query() {
        path.push('?');
        path.push_str(query);
    }
    PathAndQuery::try_from(path).ok()
}

fn is_address(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse::<IpAddr>().is_ok()
}

/// One field a line.
fn headers(lines: &str) -> Result<HeaderMap, NoRequest> {
    let mut headers = HeaderMap::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let field = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::try_from(value.trim()).ok()?))
        });
        let Some((name, value)) = field else {
            // What it holds may be a secret; its place is enough.
            let problem = "a line is not `NAME: VALUE`".to_owned();
            let parameter = "headers";
            return Err(NoRequest { parameter, problem });
        };
        headers.append(name, value);
    }
    Ok(headers)
}

/// The listener that is named, or the one that fits the URL best: by port and TLS, by TLS alone, any.
fn door<'a>(
    named: Option<&str>,
    doors: &'a [Door],
    port: u16,
    tls: bool,
) -> Result<&'a Door, NoRequest> {
    let found = match named {
        Some(name) => doors.iter().find(|door| door.name.as_str() == name),
        None => doors
            .iter()
            .max_by_key(|door| (door.tls == tls, door.port == port)),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = doors.iter().map(|door| door.name.as_str()).collect();
        let problem = format!(
            "there is no listener `{}`; there is: {}",
            named.unwrap_or_default(),
            known.join(", ")
        );
        NoRequest {
            parameter: "listener",
            problem,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors() -> Vec<Door> {
        let door = |name: &str, port, tls| Door {
            name: name.parse().unwrap(),
            port,
            tls,
        };
        vec![
            door("clear", 80, false),
            door("web", 443, true),
            door("more", 8443, true),
        ]
    }

    fn name(listener: Option<&str>, port: u16, tls: bool) -> Result<String, String> {
        let doors = doors();
        let found = door(listener, &doors, port, tls);
        found.map(|d| d.name.to_string()).map_err(|e| e.to_string())
    }

    #[test]
    fn a_url_chooses_the_listener_by_tls_and_port() {
        assert_eq!(name(None, 443, true).as_deref(), Ok("web"));
        assert_eq!(name(None, 8443, true).as_deref(), Ok("more"));
        assert_eq!(name(None, 8080, false).as_deref(), Ok("clear"));
        assert_eq!(name(Some("more"), 80, false).as_deref(), Ok("more"));
        assert_eq!(
            name(Some("wbe"), 80, false),
            Err("listener: there is no listener `wbe`; there is: clear, web, more".to_owned())
        );
    }

    #[test]
    fn what_is_no_request_is_refused_by_the_parameter() {
        let doors = doors();
        let read = |url: &str, method: &str| {
            let query = RequestQuery {
                url: url.to_owned(),
                method: Some(method.to_owned()),
                ..RequestQuery::default()
            };
            Asked::read(&query, &doors)
                .map(|asked| asked.supposed.path.to_string())
                .map_err(|e| e.parameter)
        };
        assert_eq!(
            read("https://a.org/x/../room?q=1", "GET"),
            Ok("/room?q=1".to_owned())
        );
        assert_eq!(read("http://a.org", "GET"), Ok("/".to_owned()));
        for url in [
            "/room",
            "a.org/room",
            "ftp://a.org/",
            "http://a.org/../up",
            "http://",
        ] {
            assert_eq!(read(url, "GET"), Err("url"), "{url}");
        }
        assert_eq!(read("http://a.org/", "GE T"), Err("method"));
    }

    #[test]
    fn fields_and_the_name_asked_for_are_those_of_the_request() {
        let doors = doors();
        let read = |url: &str, headers: &str| {
            let query = RequestQuery {
                url: url.to_owned(),
                headers: Some(headers.to_owned()),
                ..RequestQuery::default()
            };
            Asked::read(&query, &doors).map(|asked| asked.supposed)
        };
        let asked = read("https://a.org/", "X-Room: 7\n\nCookie: a=b\nCookie: c=d").unwrap();
        assert_eq!(asked.headers["x-room"], "7");
        assert_eq!(asked.headers.get_all("cookie").iter().count(), 2);
        assert_eq!(asked.server_name.as_deref(), Some("a.org"));
        assert_eq!(asked.client.to_string(), "127.0.0.1");
        for (url, name) in [("http://a.org/", None), ("https://[::1]/", None)] {
            assert_eq!(read(url, "").unwrap().server_name.as_deref(), name, "{url}");
        }
        let error = read("http://a.org/", "Cookie secret").unwrap_err();
        assert_eq!(error.to_string(), "headers: a line is not `NAME: VALUE`");
    }
}
