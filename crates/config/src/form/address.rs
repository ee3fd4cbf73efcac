//! Addresses, URLs, networks and hosts: how they are read and written. Names are only looked at here, never
//! resolved.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bascule_model::Scheme;
use bascule_traffic::spec::{EndpointHost, EndpointUrl, HostPattern};
use ipnet::IpNet;

use super::advice::Advised;
use super::{Problem, advice, srv};
use crate::config::ListenAddress;
use crate::node::{Core, Scalar};

const LISTEN_NOTE: &str = "written as \":8080\" (all addresses), 127.0.0.1:8080 or \"[::1]:8080\"";

/// `:8080`, `127.0.0.1:0`, `[::1]:80`.
pub(crate) fn listen(scalar: &Scalar) -> Result<ListenAddress, Problem> {
    let text = scalar.text.as_str();
    let port = |t: &str| port(t).map(|port| ListenAddress { ip: None, port });
    if scalar.core == Core::Text {
        if let Some(address) = text.strip_prefix(':').and_then(port) {
            return Ok(address);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(ListenAddress {
                ip: Some(address.ip()),
                port: address.port(),
            });
        }
    }
    let problem = Problem::new(
        "E0205",
        format!("`{text}` is not an address to listen on"),
        "not an address with a port",
    )
    .note(LISTEN_NOTE);
    let bare = text.strip_prefix("*:").unwrap_or(text);
    if port(bare).is_some() {
        return Err(problem.fix(format!(":{bare}")));
    }
    Err(address_help(problem, text))
}

/// What an address without port, or a name, could be meant as. Nothing of it is safe to apply.
fn address_help(problem: Problem, text: &str) -> Problem {
    if let Some(port) = text
        .strip_prefix("localhost:")
        .filter(|t| port(t).is_some())
    {
        return problem.help(format!(
            "names are not accepted here: 127.0.0.1:{port} or \"[::1]:{port}\""
        ));
    }
    let ipv6 = text
        .rsplit_once(':')
        .filter(|(ip, p)| port(p).is_some() && ip.parse::<Ipv6Addr>().is_ok());
    if let Some((ip, port)) = ipv6 {
        return problem.help(format!(
            "an IPv6 address stands in brackets: \"[{ip}]:{port}\""
        ));
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => problem.help(format!("add the port: {text}:8080")),
        Ok(IpAddr::V6(_)) => problem.help(format!("add the port: \"[{text}]:8080\"")),
        Err(_) => match advice::listen(text) {
            Some(help) => problem.help(help),
            None => problem,
        },
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

/// `127.0.0.1:9901`, `[::1]:9901`.
pub(crate) fn socket(text: &str) -> Result<SocketAddr, Problem> {
    text.parse().map_err(|_| {
        let problem = Problem::new(
            "E0205",
            format!("`{text}` is not an address with a port"),
            "not an address with a port",
        );
        match text.strip_prefix(':').filter(|t| port(t).is_some()) {
            Some(port) => problem.help(format!(
                "say which address: 127.0.0.1:{port}, or \"[::]:{port}\" for all"
            )),
            None => address_help(problem, text),
        }
    })
}

/// `10.0.0.0/8`, `fd00::/8`.
pub(crate) fn network(text: &str) -> Result<IpNet, Problem> {
    let problem = Problem::new(
        "E0207",
        format!("`{text}` is not a network"),
        "not a network, such as 10.0.0.0/8",
    );
    if let Ok(network) = text.parse::<IpNet>() {
        if network == network.trunc() {
            return Ok(network);
        }
        let (all, one) = (network.trunc(), IpNet::from(network.addr()));
        let problem = Problem::new(
            "E0207",
            format!("`{text}` has bits set behind its prefix"),
            "an address, not a network",
        );
        return Err(problem.help(format!(
            "`{all}` for the network, `{one}` for the one address"
        )));
    }
    Err(match text.parse::<IpAddr>() {
        Ok(ip) => problem.fix(IpNet::from(ip).to_string()),
        Err(_) => problem.advised(advice::network(text)),
    })
}

/// `http://10.0.1.10:8080`, `https://media.example.org`, `h2c://[::1]:9000`, `http+srv://_http._tcp.media.example.org`.
pub(crate) fn url(text: &str) -> Result<EndpointUrl, Problem> {
    let Some((scheme, rest)) = text.split_once("://") else {
        let problem = Problem::new("E0206", format!("`{text}` has no scheme"), "not a URL")
            .note("schemes: http, https, h2c");
        let advised = advice::url(text).unwrap_or_else(|| {
            Advised::Help(format!(
                "`http://{text}` for clear text, `https://{text}` for TLS"
            ))
        });
        return Err(problem.advised(Some(advised)));
    };
    let spoken = scheme.strip_suffix(srv::SUFFIX);
    let known = match spoken.unwrap_or(scheme) {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "h2c" => Scheme::H2c,
        _ => return Err(unknown_scheme(text, scheme, rest)),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if tail == "/" {
        let problem = Problem::new("E0206", "an endpoint has no path", "ends in `/`");
        return Err(problem.fix(format!("{scheme}://{authority}")));
    }
    if !tail.is_empty() {
        let problem = Problem::new(
            "E0206",
            "an endpoint has no path",
            format!("`{tail}` is not part of an endpoint"),
        );
        return Err(problem
            .help(advice::tail(tail))
            .note("an endpoint is scheme, address or name, and port; the path is the client's"));
    }
    if spoken.is_some() {
        return srv::url(known, authority);
    }
    if srv::is_srv(authority) {
        return Err(srv::without_suffix(known, authority));
    }
    let (host, port) = authority_parts(authority, known).map_err(|label| {
        let problem = Problem::new("E0206", format!("`{text}` is not an endpoint"), label);
        match advice::brackets(authority) {
            Some(right) => problem.help(format!("`{scheme}://{right}`")),
            None => problem.advised(advice::url(text)),
        }
    })?;
    Ok(EndpointUrl {
        scheme: known,
        host,
        port,
    })
}

fn unknown_scheme(text: &str, scheme: &str, rest: &str) -> Problem {
    let problem = Problem::new(
        "E0206",
        format!("scheme `{scheme}` of `{text}` is not known"),
        "not http, https or h2c",
    )
    .note("schemes: http, https, h2c; each with `+srv` for an SRV name");
    let lower = scheme.to_ascii_lowercase();
    match lower.as_str() {
        "http" | "https" | "h2c" | "http+srv" | "https+srv" | "h2c+srv" => {
            problem.fix(format!("{lower}://{rest}"))
        }
        _ => problem.advised(advice::scheme(&lower, rest).map(Advised::Help)),
    }
}

fn authority_parts(authority: &str, scheme: Scheme) -> Result<(EndpointHost, u16), String> {
    if authority.contains('@') {
        return Err("holds a user name: secrets do not belong into a URL".to_owned());
    }
    let (host, port_text) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (ip, tail) = rest.split_once(']').ok_or("the bracket is not closed")?;
            match (tail, tail.strip_prefix(':')) {
                ("", _) => (ip, None),
                (_, Some(port)) => (ip, Some(port)),
                (_, None) => return Err(format!("`{tail}` is not a port")),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let bracketed = authority.starts_with('[');
    let port = match port_text {
        None => scheme.port_default(),
        Some(text) => match port(text) {
            Some(0) => return Err("port 0 cannot be connected to".to_owned()),
            Some(port) => port,
            None if !bracketed && authority.parse::<Ipv6Addr>().is_ok() => {
                return Err("an IPv6 address stands in brackets".to_owned());
            }
            None if text.is_empty() => return Err("the port is missing behind `:`".to_owned()),
            None if text.chars().all(|c| c.is_ascii_digit()) => {
                return Err(format!("`{text}` is above the highest port, 65535"));
            }
            None => return Err(format!("`{text}` is not a port")),
        },
    };
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv6() == bracketed => {
            Ok((EndpointHost::Address(SocketAddr::new(ip, port)), port))
        }
        Ok(_) => Err("brackets belong around IPv6 addresses, and only there".to_owned()),
        Err(_) if bracketed => Err(format!("`{host}` is not an IPv6 address")),
        Err(_) => {
            let name = host.to_ascii_lowercase();
            host_name(&name)
                .map(|()| (EndpointHost::Name(Arc::from(name)), port))
                .map_err(str::to_owned)
        }
    }
}

/// As [`url`] reads it.
pub(crate) fn show_url(url: &EndpointUrl) -> String {
    match &url.host {
        EndpointHost::Address(address) => format!("{}://{address}", url.scheme.as_str()),
        EndpointHost::Name(name) => format!("{}://{name}:{}", url.scheme.as_str(), url.port),
        EndpointHost::Srv(name) => format!("{}{}://{name}", url.scheme.as_str(), srv::SUFFIX),
    }
}

/// Whether a text is a host name, in lower case.
pub(super) fn host_name(name: &str) -> Result<(), &'static str> {
    let trimmed = name.strip_suffix('.').unwrap_or(name);
    if trimmed.is_empty() {
        return Err("the host is empty");
    }
    if trimmed.len() > 253 {
        return Err("a host name has at most 253 characters");
    }
    if !trimmed.is_ascii() {
        return Err("a name with letters outside ASCII is written in its xn-- form");
    }
    let fine = |label: &str| {
        let allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        (1..=63).contains(&label.len())
            && label.chars().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !trimmed.split('.').all(fine) {
        return Err("not a host name");
    }
    let numeric = trimmed
        .rsplit('.')
        .next()
        .is_some_and(|l| l.chars().all(|c| c.is_ascii_digit()));
    // `10.0.1.10-20` would be a name by its letters, and is none of anybody.
    let starts_in_digit = |label: &str| label.starts_with(|c: char| c.is_ascii_digit());
    let like_address = trimmed.contains('.') && trimmed.split('.').all(starts_in_digit);
    match (numeric, like_address) {
        (true, _) => Err("neither an address nor a name: its last part is a number"),
        (false, true) => Err("neither an address nor a name: all its parts begin with a number"),
        (false, false) => Ok(()),
    }
}

/// `meet.example.org`, `*.example.org`, `10.0.0.1`.
pub(crate) fn host(text: &str) -> Result<HostPattern, Problem> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix('.').unwrap_or(&lower);
    let bare = lower.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    if let Some(Ok(ip)) = bare.map(str::parse::<Ipv6Addr>) {
        return Ok(HostPattern::Exact(format!("[{ip}]")));
    }
    if lower.parse::<std::net::Ipv4Addr>().is_ok() {
        return Ok(HostPattern::Exact(lower.to_owned()));
    }
    let (name, wildcard) = match lower.strip_prefix("*.") {
        Some(name) => (name, true),
        None => (lower, false),
    };
    let Err(label) = host_name(name) else {
        let pattern = if wildcard {
            HostPattern::Wildcard
        } else {
            HostPattern::Exact
        };
        return Ok(pattern(name.to_owned()));
    };
    let problem = Problem::new("E0208", format!("`{text}` is not a host"), label);
    if lower == "*" {
        return Err(problem.help("leave `hosts` out to match every host"));
    }
    let is_name = |t: &str| host_name(t.to_ascii_lowercase().trim_start_matches("*.")).is_ok();
    let with_port = text
        .rsplit_once(':')
        .filter(|(name, p)| port(p).is_some() && is_name(name));
    if let Some((without, port_text)) = with_port {
        let label = format!("`:{port_text}` is too much");
        return Err(
            Problem::new("E0208", "a host is matched without its port", label).fix(without),
        );
    }
    let advised = advice::host(text, |name| host_name(&name.to_ascii_lowercase()).is_ok());
    Err(problem.note("a name, or `*.` and a name").advised(advised))
}

/// As [`host`] reads it; `None` for any.
pub(crate) fn show_host(host: &HostPattern) -> Option<String> {
    match host {
        HostPattern::Exact(name) => Some(name.clone()),
        HostPattern::Wildcard(name) => Some(format!("*.{name}")),
        HostPattern::Any => None,
    }
}

/// `meet.example.org`, `meet.example.org:8443`, `[::1]:80`.
pub(crate) fn authority(text: &str) -> Result<String, Problem> {
    let parts = authority_parts(text, Scheme::Http);
    parts
        .map(|_| text.to_owned())
        .map_err(|label| Problem::new("E0208", format!("`{text}` is not a host"), label))
}

/// `X-Room`: the name of a header field (RFC 9110 §5.1).
pub(crate) fn field(text: &str) -> Result<String, Problem> {
    token(text, ':', "E0216", "a header field")
}

/// `session`: the name of a cookie (RFC 6265 §4.1.1).
pub(crate) fn cookie(text: &str) -> Result<String, Problem> {
    token(text, '=', "E0217", "a cookie")
}

fn token(text: &str, end: char, code: &'static str, what: &str) -> Result<String, Problem> {
    let is_token = |text: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !text.is_empty() && text.bytes().all(allowed)
    };
    if is_token(text) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` is not the name of {what}");
    let problem = Problem::new(code, message, "not letters, digits, `-` and `_`");
    let bare = text.trim().trim_end_matches(end);
    Err(if is_token(bare) {
        problem.fix(bare)
    } else {
        problem
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::Replacement;

    fn text(text: &str) -> Scalar {
        Scalar {
            text: text.to_owned(),
            core: Core::of_plain(text),
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        for (written, shown) in [
            (":8080", ":8080"),
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("[::1]:80", "[::1]:80"),
            ("0.0.0.0:65535", "0.0.0.0:65535"),
        ] {
            assert_eq!(
                listen(&text(written)).map(|a| a.to_string()),
                Ok(shown.to_owned())
            );
        }
        for bad in [
            "8080",
            ":65536",
            ":",
            "",
            "localhost:80",
            "::1:80",
            "10.0.0.1",
            ":+80",
            "a b:80",
        ] {
            assert!(listen(&text(bad)).is_err(), "{bad:?}");
        }
        let fix = listen(&text("8080")).unwrap_err().advice.fix;
        assert_eq!(fix, Some(Replacement::Text(":8080".to_owned())));
    }

    #[test]
    fn endpoints_are_scheme_host_and_port() {
        for (written, shown) in [
            ("http://10.0.1.10:8080", "http://10.0.1.10:8080"),
            ("http://10.0.1.10", "http://10.0.1.10:80"),
            ("https://Media.Example.org", "https://media.example.org:443"),
            ("h2c://[::1]:9000", "h2c://[::1]:9000"),
            ("https://[::1]", "https://[::1]:443"),
        ] {
            assert_eq!(
                url(written).map(|u| show_url(&u)),
                Ok(shown.to_owned()),
                "{written}"
            );
        }
        for bad in [
            "10.0.1.10:8080",
            "http://",
            "http://:80",
            "http://a:0",
            "http://a:65536",
            "http://a:b",
            "http://u@a",
            "http://a/b",
            "http://a?b",
            "http://a#b",
            "http://::1",
            "http://[::1",
            "http://[10.0.0.1]",
            "ftp://a",
            "http://a b",
            "http://ä.example",
            "http://10.0.0.256",
            "http://-a",
            "http://a..b",
            "http://[::1]80",
        ] {
            assert_eq!(
                url(bad).map(|u| show_url(&u)).map_err(|p| p.code),
                Err("E0206"),
                "{bad}"
            );
        }
    }

    #[test]
    fn hosts_are_names_without_port() {
        assert_eq!(
            host("Meet.Example.org."),
            Ok(HostPattern::Exact("meet.example.org".into()))
        );
        assert_eq!(
            host("*.example.org"),
            Ok(HostPattern::Wildcard("example.org".into()))
        );
        for bad in [
            "*",
            "a:80",
            "a/b",
            "",
            "*.*.org",
            "a.*.org",
            "ä.org",
            "1.2.3.4.5",
        ] {
            assert!(host(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn networks_have_no_bits_behind_the_prefix() {
        assert!(network("10.0.0.0/8").is_ok() && network("fd00::/8").is_ok());
        for bad in ["10.0.0.1/8", "10.0.0.0", "10.0.0.0/33", "x/8", ""] {
            assert!(network(bad).is_err(), "{bad:?}");
        }
    }
}
