//! What would become of a request: which listener, service and `match` entry, which backends and endpoints, which of them
//! now, and where after that. It asks the decisions themselves (`traffic::route`, `traffic::explain`) with what is seen at
//! this moment, and decides nothing. The same for a running edge and for a file that nobody runs yet.

mod text;

use std::sync::Arc;

use bascule_guard::path::without_dots;
use bascule_model::ListenerName;
use bascule_traffic::breaker::{BackendCounts, Loads};
use bascule_traffic::explain::{Candidate, Prospect, Standing, prospect};
use bascule_traffic::retry::is_idempotent;
use bascule_traffic::route::Table;
use bascule_traffic::snapshot::{Backend, Endpoint, Service};
use bascule_traffic::spec::{HostPattern, MatchSpec, PathPattern, ServiceSpec};
use bascule_traffic::{Choice, Gate, Look, Snapshot};
use http::Uri;

use crate::api::{
    RequestAttempts, RequestCandidate, RequestEndpoint, RequestExplanation, RequestPick,
    RequestQuery,
};

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

/// Why a request cannot be explained: it is none. With the parameter and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub struct NoRequest {
    /// `url`, `listener`, `method`.
    pub parameter: &'static str,
    /// In words.
    pub problem: String,
}

/// Explains a request by this state and these counts.
///
/// # Errors
/// [`NoRequest`].
pub fn explain(
    query: &RequestQuery,
    doors: &[Door],
    snapshot: &Snapshot,
    loads: &Loads,
) -> Result<RequestExplanation, NoRequest> {
    let asked = Asked::read(query, doors)?;
    let table = snapshot.routes.listener(&asked.door.name);
    let host = asked.host.as_deref();
    let route = table.and_then(|table| table.find(host, &asked.path));
    let service = route.and_then(|route| snapshot.services.get(route.service));
    let mut explanation = RequestExplanation {
        method: asked.method.clone(),
        host: asked.host.clone(),
        path: asked.path.clone(),
        listener: asked.door.name.to_string(),
        service: service.map(|service| service.name().to_string()),
        matched: String::new(),
        refused: service.is_none().then(|| "no_service".to_owned()),
        retry_after_seconds: None,
        candidates: Vec::new(),
        pick: None,
        attempts: None,
        text: Vec::new(),
    };
    if let Some(service) = service {
        explanation.matched = matched(&service.spec, &asked);
        fill(&mut explanation, service, loads);
    }
    explanation.text = text::lines(&explanation);
    Ok(explanation)
}

fn fill(explanation: &mut RequestExplanation, service: &Service, loads: &Loads) {
    let look = |backend, endpoint| look(service, loads, backend, endpoint);
    let Prospect {
        candidates,
        first,
        then,
    } = prospect(service, look);
    let all = service.backends.iter().zip(&candidates);
    explanation.candidates = all.map(|(backend, c)| candidate(backend, c)).collect();
    match first {
        Ok(choice) => explanation.pick = pick(service, choice),
        Err(rejection) => {
            explanation.refused = Some(rejection.reason.as_str().to_owned());
            explanation.retry_after_seconds = Some(rejection.retry_after_seconds);
        }
    }
    explanation.attempts = Some(RequestAttempts {
        most: service.spec.retry.attempts,
        idempotent: is_idempotent(&explanation.method),
        after: bascule_config::retry_when(service.spec.retry.when),
        then: then
            .into_iter()
            .filter_map(|choice| pick(service, choice))
            .collect(),
    });
}

/// What is asked.
struct Asked<'a> {
    method: String,
    host: Option<String>,
    path: String,
    door: &'a Door,
}

impl<'a> Asked<'a> {
    fn read(query: &RequestQuery, doors: &'a [Door]) -> Result<Self, NoRequest> {
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
        let path = without_dots(url.path())
            .ok_or_else(|| wrong("url", "the path climbs above its root".to_owned()))?;
        let method = query.method.clone().unwrap_or_else(|| "GET".to_owned());
        if method.parse::<http::Method>().is_err() {
            return Err(wrong("method", format!("`{method}` is no method")));
        }
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self {
            method,
            host: query
                .host
                .clone()
                .or_else(|| Some(authority.as_str().to_owned())),
            path: path.into_owned(),
            door: door(query.listener.as_deref(), doors, port, tls)?,
        })
    }
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

/// The entry that took it, in words: the best of those of the service, by the table's own rules.
fn matched(spec: &Arc<ServiceSpec>, asked: &Asked<'_>) -> String {
    let alone = |rule: &MatchSpec| {
        let mut spec = ServiceSpec::clone(spec);
        spec.matches = vec![rule.clone()];
        Arc::new(spec)
    };
    let each: Vec<Arc<ServiceSpec>> = spec.matches.iter().map(alone).collect();
    let table = Table::build(&each);
    let listener = table.listener(&asked.door.name);
    let route = listener.and_then(|table| table.find(asked.host.as_deref(), &asked.path));
    match route.and_then(|route| spec.matches.get(route.service)) {
        Some(rule) => words(rule),
        None => "no match of its own: it takes what is left".to_owned(),
    }
}

fn words(rule: &MatchSpec) -> String {
    let host = match &rule.host {
        HostPattern::Exact(host) => format!("host {host}"),
        HostPattern::Wildcard(parent) => format!("host *.{parent}"),
        HostPattern::Any => "any host".to_owned(),
    };
    match &rule.path {
        PathPattern::Exact(path) => format!("{host}, path {path} exactly"),
        PathPattern::Prefix(path) if path == "/" => host,
        PathPattern::Prefix(path) => format!("{host}, path {path} and below"),
    }
}

/// What is seen of an endpoint from outside of the workers: what one of them suspects, it alone knows.
fn look(service: &Service, loads: &Loads, backend: usize, endpoint: usize) -> Look {
    let at = service.backends.get(backend);
    let Some((backend, endpoint)) = at.and_then(|b| Some((b, b.endpoints.get(endpoint)?))) else {
        return Look::open(0);
    };
    let limits = &service.spec.limits;
    let counts = loads.of_endpoint(&endpoint.id);
    let at_backend: BackendCounts = loads.of_backend(service.name(), &backend.name);
    let is_full = limits.is_limited()
        && (limits.is_closed(at_backend) || limits.endpoint_full(counts).is_some());
    let look = Look::open(counts.requests);
    if is_full {
        look.with_gate(Gate::Full)
    } else {
        look
    }
}

fn candidate(backend: &Backend, candidate: &Candidate) -> RequestCandidate {
    let against = match candidate.gate() {
        _ if backend.off => Some("off"),
        None => Some("no_endpoint_usable"),
        Some(Gate::Full) => Some("full"),
        Some(Gate::Suspect) => Some("suspect"),
        Some(Gate::Open | Gate::Trial) => None,
    };
    let endpoints = backend.endpoints.iter().zip(&candidate.endpoints);
    let turn = candidate.its_turn.and_then(|at| backend.endpoints.get(at));
    RequestCandidate {
        backend: backend.name.to_string(),
        provider: backend.provider.to_string(),
        share: backend.effective.percent(),
        off: backend.off,
        against: against.map(str::to_owned),
        endpoint: turn.map(|endpoint| endpoint.id.label()),
        endpoints: endpoints
            .map(|(e, standing)| endpoint(e, *standing))
            .collect(),
    }
}

fn endpoint(endpoint: &Endpoint, standing: Standing) -> RequestEndpoint {
    let gate = match (standing.usable, standing.look.gate) {
        (false, _) => "unusable",
        (true, Gate::Open) => "open",
        (true, Gate::Trial) => "trial",
        (true, Gate::Suspect) => "suspect",
        (true, Gate::Full) => "full",
    };
    RequestEndpoint {
        name: endpoint.id.label(),
        gate: gate.to_owned(),
        in_flight: standing.look.in_flight,
    }
}

fn pick(service: &Service, choice: Choice) -> Option<RequestPick> {
    let backend = service.backends.get(choice.backend)?;
    let endpoint = backend.endpoints.get(choice.endpoint)?;
    Some(RequestPick {
        backend: backend.name.to_string(),
        endpoint: endpoint.id.label(),
        why: choice.why.as_str().to_owned(),
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
                .map(|asked| asked.path)
                .map_err(|e| e.parameter)
        };
        assert_eq!(
            read("https://a.org/x/../room?q=1", "GET"),
            Ok("/room".to_owned())
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
}
