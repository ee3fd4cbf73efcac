//! SRV names as endpoints (RFC 2782): `http+srv://_http._tcp.media.example.org`. Address and port come from the records, so the
//! URL has neither. How the scheme is read is decided in [`address`](super::address).

use std::sync::Arc;

use bascule_model::{Scheme, srv};
use bascule_traffic::spec::{EndpointHost, EndpointUrl};

use super::Problem;
use super::address::host_name;

/// What stands behind the scheme in a URL that says it is found by SRV.
pub(super) const SUFFIX: &str = "+srv";

const CODE: &str = "E0218";
const NOTE: &str = "an SRV name is service, protocol and domain: `_http._tcp.media.example.org`";

/// `_http._tcp.media.example.org`.
pub(super) fn url(scheme: Scheme, authority: &str) -> Result<EndpointUrl, Problem> {
    let name = authority.to_ascii_lowercase();
    let shown = |name: &str| format!("{}{SUFFIX}://{name}", scheme.as_str());
    let problem = |label: &str| {
        Problem::new(CODE, format!("`{authority}` is not an SRV name"), label).note(NOTE)
    };
    if let Some((bare, port)) = name.rsplit_once(':').filter(|(bare, _)| is_srv(bare)) {
        let label = format!("`:{port}` is too much");
        let message = "an SRV name has no port: its records have one each";
        return Err(Problem::new(CODE, message, label).fix(shown(bare)));
    }
    if !is_srv(&name) {
        return Err(help(
            problem("not `_service._tcp.` and a domain"),
            scheme,
            &name,
        ));
    }
    host_name(&name).map_err(problem)?;
    if let Some((service, domain)) = name.split_once("._udp.") {
        let problem = problem("HTTP is spoken over TCP");
        return Err(problem.fix(shown(&format!("{service}._tcp.{domain}"))));
    }
    Ok(EndpointUrl {
        scheme,
        host: EndpointHost::Srv(Arc::from(name)),
        port: 0,
    })
}

/// Whether a text has the shape of an SRV name.
pub(super) fn is_srv(name: &str) -> bool {
    srv::domain(name).is_some()
}

/// An SRV name behind a scheme that asks for addresses.
pub(super) fn without_suffix(scheme: Scheme, authority: &str) -> Problem {
    let name = authority.split(':').next().unwrap_or(authority);
    let message = format!(
        "`{name}` is an SRV name, and `{}` asks for addresses",
        scheme.as_str()
    );
    Problem::new(CODE, message, "an SRV name").fix(format!("{}{SUFFIX}://{name}", scheme.as_str()))
}

/// What could have been meant instead.
fn help(problem: Problem, scheme: Scheme, name: &str) -> Problem {
    let scheme = scheme.as_str();
    let bare = name.split(':').next().unwrap_or(name);
    let labels: Vec<&str> = bare.split('.').collect();
    match labels.as_slice() {
        [service, protocol @ ("tcp" | "_tcp"), domain @ ..] if !domain.is_empty() => {
            let (service, protocol) = (service.trim_start_matches('_'), protocol.trim_start_matches('_'));
            let domain = domain.join(".");
            problem.fix(format!("{scheme}{SUFFIX}://_{service}._{protocol}.{domain}"))
        }
        [_, "_tcp" | "_udp"] => problem.help("add the domain that has the service"),
        _ if host_name(bare).is_ok() => problem.help(format!(
            "`{scheme}{SUFFIX}://_{scheme}._tcp.{bare}` for its SRV records, `{scheme}://{name}` for its addresses"
        )),
        _ => problem.help(format!("an address needs no SRV: `{scheme}://{name}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Replacement;
    use super::super::address::{show_url, url};

    #[test]
    fn an_srv_name_is_read_and_shown_the_same() {
        for (written, shown) in [
            (
                "http+srv://_http._tcp.a.example",
                "http+srv://_http._tcp.a.example",
            ),
            (
                "https+srv://_HTTPS._tcp.A.example",
                "https+srv://_https._tcp.a.example",
            ),
            ("h2c+srv://_grpc._tcp.consul", "h2c+srv://_grpc._tcp.consul"),
            (
                "http+srv://_web._v2.service.consul",
                "http+srv://_web._v2.service.consul",
            ),
        ] {
            assert_eq!(url(written).map(|u| show_url(&u)).as_deref(), Ok(shown));
        }
    }

    #[test]
    fn what_is_no_srv_name_is_refused_and_what_is_meant_is_offered() {
        for (written, fix) in [
            (
                "http+srv://_http._tcp.a.example:8080",
                Some("http+srv://_http._tcp.a.example"),
            ),
            (
                "http+srv://_http._udp.a.example",
                Some("http+srv://_http._tcp.a.example"),
            ),
            (
                "https+srv://web.tcp.a.example",
                Some("https+srv://_web._tcp.a.example"),
            ),
            (
                "https+srv://web._tcp.a.example",
                Some("https+srv://_web._tcp.a.example"),
            ),
            (
                "http://_http._tcp.a.example",
                Some("http+srv://_http._tcp.a.example"),
            ),
            (
                "http://_http._tcp.a.example:8080",
                Some("http+srv://_http._tcp.a.example"),
            ),
            ("http+srv://a.example", None),
            ("http+srv://_http._tcp", None),
            ("http+srv://10.0.0.1", None),
            ("http+srv://[::1]:80", None),
            ("http+srv://", None),
            ("http+srv://_http._tcp.-a", None),
        ] {
            let problem = url(written).unwrap_err();
            let fix = fix.map(|fix| Replacement::Text(fix.to_owned()));
            assert_eq!(
                (problem.code, problem.advice.fix),
                ("E0218", fix),
                "{written}"
            );
        }
        let path = url("http+srv://_http._tcp.a.example/x").unwrap_err();
        assert_eq!(path.code, "E0206");
    }
}
