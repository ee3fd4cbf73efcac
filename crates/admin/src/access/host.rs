//! Whether a request over TCP was meant for this listener. A page of another site can make a browser send requests here,
//! and by rebinding its own name to our address even read the answers; so names that are not ours are refused in `Host`,
//! and every foreign `Origin` is. An address as `Host` is safe: a rebinding page has a name.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

use crate::problem::{Code, Refused};

/// Checks `Host` and `Origin`. `names` are further names this machine is reached by.
///
/// # Errors
/// 403 when one of them is foreign or `Host` is missing.
pub(crate) fn check_host(uri: &Uri, headers: &HeaderMap, names: &[String]) -> Result<(), Refused> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (uri.authority(), hosts.next(), hosts.next()) {
        (_, _, Some(_)) => None,
        (Some(authority), _, None) => Some(authority.as_str()),
        (None, host, None) => host.and_then(|value| value.to_str().ok()),
    };
    let host = host.filter(|host| is_ours(name_of(host), names));
    let Some(host) = host else {
        let detail = "use the listener's address, or localhost, as Host";
        return Err(Refused::new(Code::WrongHost, detail));
    };
    for origin in headers.get_all(header::ORIGIN) {
        let same = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"))
            .is_some_and(|origin| origin.eq_ignore_ascii_case(host));
        if !same {
            let detail = "requests from pages of other origins are not taken";
            return Err(Refused::new(Code::WrongHost, detail));
        }
    }
    Ok(())
}

/// The host without its port.
fn name_of(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_ours(name: &str, names: &[String]) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|ours| name.eq_ignore_ascii_case(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &[&str], origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        for value in host {
            headers.append(header::HOST, value.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        let names = ["lb.example.org".to_owned()];
        check_host(&Uri::from_static("/v1/status"), &headers, &names).is_ok()
    }

    #[test]
    fn names_that_are_not_ours_are_refused() {
        for host in [
            "127.0.0.1:9901",
            "[::1]:9901",
            "10.0.0.7",
            "localhost:9901",
            "LB.example.org:9901",
        ] {
            assert!(check(&[host], None), "{host}");
        }
        for host in [
            "evil.example:9901",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
        ] {
            assert!(!check(&[host], None), "{host}");
        }
        assert!(!check(&[], None));
        assert!(!check(&["127.0.0.1", "evil.example"], None));
    }

    #[test]
    fn an_origin_must_be_the_host_itself() {
        let host = ["127.0.0.1:9901"];
        assert!(check(&host, Some("http://127.0.0.1:9901")));
        for origin in [
            "http://evil.example",
            "https://127.0.0.1:9901",
            "http://127.0.0.1:9902",
            "null",
        ] {
            assert!(!check(&host, Some(origin)), "{origin}");
        }
    }
}
