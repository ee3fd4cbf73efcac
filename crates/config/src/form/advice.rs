//! What people write instead of a value, and what it can be meant as: spellings of other tools, other units, other forms of
//! an address. It gives texts for help and fixes; whether a value is right is decided elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Words of other tools for one of ours: what was written, what it is here.
const WORDS: &[(&str, &str)] = &[
    ("least_conn", "least_request"),
    ("leastconn", "least_request"),
    ("least_connections", "least_request"),
    ("least_loaded", "least_request"),
    ("p2c", "least_request"),
    ("rr", "round_robin"),
    ("wrr", "round_robin"),
    ("weighted", "round_robin"),
    ("http2", "h2"),
    ("http/2", "h2"),
    ("h2c", "h2"),
    ("http1", "h1"),
    ("http/1.1", "h1"),
    ("http", "h1"),
    ("http/1", "h1"),
    ("backup", "standby"),
    ("passive", "standby"),
    ("secondary", "standby"),
    ("logfmt", "text"),
    ("plain", "text"),
    ("console", "text"),
    ("fatal", "error"),
    ("critical", "error"),
    ("notice", "info"),
    ("verbose", "debug"),
    ("true", "when_no_backend_up"),
    ("false", "never"),
    ("rewrite", "endpoint"),
    ("upstream", "endpoint"),
    ("keep", "preserve"),
];

/// Our word for a word of another tool, if it is accepted here.
pub(super) fn word(written: &str, accepted: &'static [&'static str]) -> Option<&'static str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    let mut ours = WORDS.iter().filter(|(other, _)| *other == written);
    ours.find_map(|(_, ours)| accepted.iter().find(|word| *word == ours).copied())
}

/// Decimals times a unit, where that is a whole number of a smaller one: `1.5s` is `1500ms`.
pub(super) fn whole(text: &str, units: &[(&str, u64)]) -> Option<String> {
    let text = text.trim().replace(',', ".");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at_checked(end)?;
    let (whole, decimals) = number.split_once('.')?;
    let at = units.iter().position(|(name, _)| *name == unit.trim())?;
    let (_, factor) = units.get(at)?;
    let digits = |t: &str| !t.is_empty() && t.len() <= 9 && t.chars().all(|c| c.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return None;
    }
    let scale = 10_u64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
    let all: u64 = format!("{whole}{decimals}").parse().ok()?;
    let product = all.checked_mul(*factor)?;
    let smallest = product.is_multiple_of(scale).then_some(product / scale)?;
    // The smaller units follow.
    let smaller = units.get(at..)?.iter();
    let (name, factor) = smaller
        .into_iter()
        .find(|(_, f)| smallest.is_multiple_of(*f))?;
    Some(format!("{}{name}", smallest / factor))
}

/// What to do about a duration that is none.
pub(super) fn duration(text: &str) -> Option<String> {
    let text = text.trim();
    let number = |unit: &str| text.strip_suffix(unit)?.trim().parse::<u64>().ok();
    if let Some(weeks) = number("w") {
        return Some(format!(
            "a week is seven days: `{}d`",
            weeks.saturating_mul(7)
        ));
    }
    if let Some(years) = number("y") {
        return Some(format!(
            "a year is 365 days: `{}d`",
            years.saturating_mul(365)
        ));
    }
    if number("us").is_some() || number("µs").is_some() || number("ns").is_some() {
        return Some("a millisecond is the shortest time: `1ms`".to_owned());
    }
    if text.starts_with('-') {
        return Some("a time is not negative".to_owned());
    }
    if ["never", "off", "none", "infinite", "infinity", "inf"]
        .contains(&text.to_ascii_lowercase().as_str())
    {
        return Some("there is no time without end here: give a long one, such as `1d`".to_owned());
    }
    let has_units = text.chars().filter(char::is_ascii_alphabetic).count() > 1;
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    (starts
        && has_units
        && text
            .chars()
            .all(|c| c.is_ascii_digit() || "dhms".contains(c)))
    .then(|| "each unit once, the larger first: `1h30m`".to_owned())
}

/// What to do about a size that is none: `16K` and `16KB` are powers of 1000 for some and of 1024 for others.
pub(super) fn size(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    let (number, unit) = text.split_at_checked(end)?;
    let ours = match unit.trim().to_ascii_lowercase().as_str() {
        "k" | "kb" => "KiB",
        "m" | "mb" => "MiB",
        "g" | "gb" => "GiB",
        "t" | "tb" => "TiB",
        _ => return None,
    };
    Some(format!(
        "`{number}{ours}` (powers of 1024), if that is meant"
    ))
}

/// A size without unit: in bytes, and in the largest unit that fits.
pub(super) fn bare_size(text: &str, shown: impl Fn(u64) -> String) -> String {
    let bytes = format!("{text}B");
    match text.parse::<u64>().map(shown) {
        Ok(shown) if shown != bytes => format!("if bytes are meant: `{shown}` (`{bytes}`)"),
        _ => format!("if bytes are meant: `{bytes}`"),
    }
}

/// A range of shares in another spelling: `20%-80%`, `20..80`, `20%...80%`.
pub(super) fn bounds(text: &str) -> Option<String> {
    let text: String = text.split_whitespace().collect();
    let (low, high) = ["...", "..", "-", "–", ":", "to"]
        .iter()
        .find_map(|s| text.split_once(s))?;
    let percent = |end: &str| {
        let number = end.trim_end_matches('%');
        number
            .parse::<f64>()
            .ok()
            .filter(|n| (0.0..=100.0).contains(n))
            .map(|_| format!("{number}%"))
    };
    Some(format!("{}..{}", percent(low)?, percent(high)?))
}

/// What to do about an address to listen on that is none.
pub(super) fn listen(text: &str) -> Option<String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let rest = rest.trim_end_matches('/');
        return Some(match scheme {
            "unix" => "listeners are TCP; only `admin.socket` is a unix socket".to_owned(),
            _ => format!("without scheme: `\"{rest}\"`; TLS is the key `tls`"),
        });
    }
    if text.starts_with("unix:") || text.starts_with('/') {
        return Some("listeners are TCP; only `admin.socket` is a unix socket".to_owned());
    }
    if text.contains(',') || text.contains(' ') && text.matches(':').count() > 1 {
        return Some("one address a listener: give the second a name of its own".to_owned());
    }
    let (host, port) = text.rsplit_once(':')?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if bare.is_some_and(|h| h.parse::<Ipv4Addr>().is_ok()) {
        return Some(format!(
            "brackets are for IPv6: `{}:{port}`",
            bare.unwrap_or_default()
        ));
    }
    if host.chars().all(|c| c.is_ascii_digit()) && !host.is_empty() {
        return Some(format!("one port: `\":{host}\"`; nothing is mapped here"));
    }
    if port.is_empty() {
        return Some(format!("add the port: `{host}:8080`"));
    }
    if let Ok(number) = port.parse::<u64>() {
        return (number > 65_535)
            .then(|| format!("a port is from 0 to 65535, and {number} is above"));
    }
    if port.contains('-') {
        return Some("one port a listener: give the others names of their own".to_owned());
    }
    Some(format!("`{port}` is not a port"))
}

/// What to do about an endpoint's URL that is none.
pub(super) fn url(text: &str) -> Option<Advised> {
    let lower = text.to_ascii_lowercase();
    for (slip, scheme) in [
        ("http:/", "http"),
        ("https:/", "https"),
        ("http//", "http"),
        ("https//", "https"),
        ("http:", "http"),
        ("https:", "https"),
    ] {
        let is_right = lower.starts_with("http://") || lower.starts_with("https://");
        if let Some(rest) = lower.strip_prefix(slip).filter(|_| !is_right) {
            return Some(Advised::Fix(format!(
                "{scheme}://{}",
                rest.trim_start_matches('/')
            )));
        }
    }
    let help = |text: &str| Some(Advised::Help(text.to_owned()));
    if text.is_empty() {
        return help("such as `http://10.0.1.10:8080`");
    }
    if text.contains(',') || text.split_whitespace().count() > 1 {
        return help("one URL an entry: `[\"http://a:80\", \"http://b:80\"]`");
    }
    if text.contains('*') {
        return help("an endpoint is one host: `*` stands for nothing here");
    }
    None
}

/// Advice with or without a text that can only have been meant.
pub(super) enum Advised {
    /// In words.
    Help(String),
    /// To be put in place.
    Fix(String),
}

/// What to do about a scheme that is not known.
pub(super) fn scheme(scheme: &str, rest: &str) -> Option<String> {
    Some(match scheme {
        "ws" => format!("WebSocket is not there yet; over clear text it would be `http://{rest}`"),
        "wss" => format!("WebSocket is not there yet; over TLS it would be `https://{rest}`"),
        "srv" | "dns+srv" | "dnssrv" | "srv+http" | "http-srv" => {
            format!("`http+srv://{rest}` for clear text, `https+srv://{rest}` for TLS")
        }
        "dns" => format!("`http://{rest}` for its addresses, `http+srv://…` for its SRV records"),
        "tcp" => "TCP is not there yet: endpoints speak HTTP".to_owned(),
        "unix" => "endpoints are reached over TCP: an address or name, and a port".to_owned(),
        "h2" | "grpc" => {
            format!("`h2c://{rest}` for HTTP/2 in clear text, `https://{rest}` with TLS")
        }
        "grpcs" => format!("`https://{rest}`"),
        _ => return None,
    })
}

/// What to do about the tail of an endpoint's URL.
pub(super) fn tail(tail: &str) -> String {
    let bits = tail.strip_prefix('/').unwrap_or_default();
    if bits.len() <= 3 && !bits.is_empty() && bits.chars().all(|c| c.is_ascii_digit()) {
        return "an endpoint is one address, not a network; name each, or a host name with all of them".to_owned();
    }
    if tail.starts_with("//") {
        return "one URL an entry, with one scheme".to_owned();
    }
    if tail.starts_with('/') {
        return format!("leave `{tail}` out; a path for checks is `check.path`");
    }
    format!("leave `{tail}` out")
}

/// Where the brackets of an IPv6 address belong.
pub(super) fn brackets(authority: &str) -> Option<String> {
    let with_port = authority.rsplit_once(':').filter(|(ip, port)| {
        // What could be the last group of an address is taken for a port when it is long enough to be one.
        let is_port = port.len() >= 2 && port.parse::<u16>().is_ok();
        is_port && ip.parse::<Ipv6Addr>().is_ok()
    });
    match with_port {
        Some((ip, port)) => Some(format!("[{ip}]:{port}")),
        None => authority
            .parse::<Ipv6Addr>()
            .is_ok()
            .then(|| format!("[{authority}]")),
    }
}

/// What to do about a network that is none.
pub(super) fn network(text: &str) -> Option<Advised> {
    let help = |text: String| Some(Advised::Help(text));
    if let Some((ip, bits)) = text.split_once('/') {
        let ip: IpAddr = match ip.parse() {
            Ok(ip) => ip,
            Err(_) => return help("a network is written by address, not by name".to_owned()),
        };
        let most = if ip.is_ipv4() { 32 } else { 128 };
        if bits.parse::<u32>().is_ok_and(|bits| bits > most) {
            return help(format!("the prefix is at most /{most}"));
        }
        let mask = u32::from(bits.parse::<Ipv4Addr>().ok()?);
        let bits = mask.leading_ones();
        let is_mask = mask.checked_shl(bits).unwrap_or(0) == 0;
        return is_mask.then(|| Advised::Fix(format!("{ip}/{bits}")));
    }
    if text.contains('*') {
        return help("such as `10.0.0.0/8` for all that begin with 10".to_owned());
    }
    if text.contains('-') {
        return help("a range is written as the networks that make it up".to_owned());
    }
    if text == "private" || text == "local" {
        return help("such as 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7".to_owned());
    }
    None
}

/// What to do about a host of a match that is none. `is_name` says whether a text is a host.
pub(super) fn host(text: &str, is_name: impl Fn(&str) -> bool) -> Option<Advised> {
    let help = |text: String| Some(Advised::Help(text));
    let fix = |text: &str| Some(Advised::Fix(text.to_owned()));
    if let Some((_, rest)) = text.split_once("://") {
        let name = rest.split(['/', ':']).next().unwrap_or_default();
        let only = rest.trim_end_matches('/');
        return match is_name(name) {
            true if only == name => fix(name),
            true => help(format!(
                "the name alone: `{name}`; a path is matched by `path`"
            )),
            false => None,
        };
    }
    if let Some((name, path)) = text.split_once('/') {
        return match path {
            "" if is_name(name) => fix(name),
            _ if is_name(name) => help(format!(
                "`{name}`, and beside it `path: {{ prefix: /{path} }}`"
            )),
            _ => None,
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some(Advised::Fix(format!("[{text}]")));
    }
    if let Some(name) = text.strip_prefix('.').filter(|name| is_name(name)) {
        return help(format!(
            "`*.{name}` for the names below it, `{name}` for itself"
        ));
    }
    let starred = text.strip_prefix('*').filter(|_| !text.starts_with("*."));
    if let Some(name) = starred.filter(|name| is_name(name)) {
        return help(format!("`*.{name}` for the names below it"));
    }
    if text.contains(['^', '$', '(', '[', '\\', '|', '+', '?']) {
        return help("hosts are no patterns: write each name, or `*.` and a name".to_owned());
    }
    text.contains('*')
        .then(|| Advised::Help("`*.` stands in front, once, and nowhere else".to_owned()))
}

/// What to do about a path that is none.
pub(super) fn path(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("://") {
        let path = rest.split_once('/').map_or("/", |(_, path)| path);
        let path = if path == "/" {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        return Some(format!("the path alone: `{path}`"));
    }
    if text.is_empty() {
        return Some("`/` is every path".to_owned());
    }
    if text.contains('{') || text.contains("/:") {
        return Some("paths have no parameters: a prefix takes everything below it".to_owned());
    }
    if text.starts_with(['^', '~']) || text.contains(['$', '(', '|']) {
        return Some("paths are no patterns: `prefix` or `exact`".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_are_translated_only_where_ours_is_accepted() {
        assert_eq!(
            word("Least-Conn", &["least_request"]),
            Some("least_request")
        );
        assert_eq!(word("http2", &["h1", "h2"]), Some("h2"));
        assert_eq!(word("http2", &["json"]), None);
    }

    #[test]
    fn decimals_become_whole_numbers_of_a_smaller_unit() {
        let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
        for (text, whole_text) in [
            ("1.5s", Some("1500ms")),
            ("0.5m", Some("30s")),
            ("1,5s", Some("1500ms")),
            ("1.0s", Some("1s")),
            ("0.0001s", None),
            ("1.5x", None),
            ("1.s", None),
            (".5s", None),
            ("3s", None),
        ] {
            assert_eq!(whole(text, &units).as_deref(), whole_text, "{text}");
        }
    }

    #[test]
    fn brackets_are_put_where_they_belong() {
        assert_eq!(brackets("fd00::1:8080").as_deref(), Some("[fd00::1]:8080"));
        assert_eq!(brackets("fd00::1").as_deref(), Some("[fd00::1]"));
        assert_eq!(brackets("example.org:80"), None);
    }

    #[test]
    fn ranges_in_other_spellings_are_understood() {
        for text in ["20%-80%", "20..80", "20% ... 80%", "20% to 80%"] {
            assert_eq!(bounds(text).as_deref(), Some("20%..80%"), "{text}");
        }
        for text in ["20%", "low..high", "20..180", "-"] {
            assert_eq!(bounds(text), None, "{text}");
        }
    }
}
