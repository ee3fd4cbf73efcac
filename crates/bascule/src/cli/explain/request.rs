//! `explain request METHOD URL`: what would become of a request that came now, as the running edge says it, or by a file
//! that nobody runs. Offline every endpoint counts as up and idle, no key is in use, and names are not looked up.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bascule_admin::api::{RequestExplanation, RequestQuery};
use bascule_admin::{Door, Seen, Supposed, explain_request};
use bascule_config::Config;
use bascule_model::SrvRecord;
use bascule_telemetry::clock;
use bascule_traffic::assemble::{Assembler, Input};
use bascule_traffic::breaker::Loads;
use bascule_traffic::explain::Sight;
use bascule_traffic::snapshot::Service;
use bascule_traffic::spec::EndpointHost;

use crate::cli::args::{ExplainRequestArgs, Global};
use crate::cli::client::segment;
use crate::cli::config::{self, Text};
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::supposed::proxied;

/// Explains.
pub(crate) async fn run(args: &ExplainRequestArgs, global: &Global, out: &mut Output) -> CliResult {
    let query = query(args)?;
    let explanation = match &args.config {
        Some(file) => offline(&query, &Text::read(file)?)?,
        None => {
            let mut session = Session::open(global, out)?;
            session.get(&path(&query)).await?
        }
    };
    out.answer("RequestExplanation", &explanation, |e| e.text.join("\n"))?;
    Ok(Exit::Ok)
}

/// The question.
fn query(args: &ExplainRequestArgs) -> Result<RequestQuery, CliError> {
    let mut query = RequestQuery {
        method: Some(args.method.clone()),
        url: args.url.clone(),
        listener: args.listener.clone(),
        host: None,
        headers: None,
        client: args.client,
    };
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            CliError::new(Exit::Usage, format!("`{header}` is no header"))
                .with_help("write NAME: VALUE, such as -H 'Host: meet.example.org'")
        })?;
        if name.trim().eq_ignore_ascii_case("host") {
            query.host = Some(value.trim().to_owned());
        } else {
            let lines = query.headers.get_or_insert_default();
            lines.push_str(&format!("{}: {}\n", name.trim(), value.trim()));
        }
    }
    Ok(query)
}

fn path(query: &RequestQuery) -> String {
    let mut path = format!("/v1/explain/request?url={}", segment(&query.url));
    let more = [
        ("method", &query.method),
        ("listener", &query.listener),
        ("host", &query.host),
        ("headers", &query.headers),
        ("client", &query.client.map(|client| client.to_string())),
    ];
    for (name, value) in more {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    path
}

fn offline(query: &RequestQuery, text: &Text) -> Result<RequestExplanation, CliError> {
    let config = text
        .load()
        .map_err(|problems| config::invalid(&problems))?
        .config;
    let mut assembler = Assembler::new();
    let mut inputs = vec![Input::Services(config.services.clone())];
    inputs.extend(placeholders(&config));
    for input in inputs {
        // It refuses targets of an older revision, and none are given here.
        let told = assembler.handle(clock::now(), input);
        told.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
    }
    let mut latest = assembler.poll_snapshot();
    while let Some(snapshot) = assembler.poll_snapshot() {
        latest = Some(snapshot);
    }
    let snapshot = latest.ok_or_else(|| CliError::new(Exit::Usage, "there is no service"))?;
    let doors: Vec<Door> = config
        .listeners
        .values()
        .map(|listener| Door {
            name: listener.name.clone(),
            port: listener.address.port,
            tls: listener.tls.is_some(),
        })
        .collect();
    let sight = |service: &Arc<Service>, supposed: &Supposed| {
        let listener = config.listeners.get(&supposed.listener);
        listener.map_or_else(Sight::default, |listener| {
            bascule_proxy::sight(service, proxied(supposed, listener), &config.secrets)
        })
    };
    let seen = Seen {
        snapshot: &snapshot,
        loads: &Loads::default(),
        is_ejected: &|_| false,
        sight: &sight,
    };
    explain_request(query, &doors, &seen)
        .map_err(|error| CliError::new(Exit::Usage, error.to_string()))
}

/// One address for each name, so that it stands for one endpoint; of an SRV name one of the scheme's own port.
fn placeholders(config: &Config) -> Vec<Input> {
    let backends = config.services.iter().flat_map(|s| s.backends.values());
    let urls = backends.flat_map(|b| &b.endpoints).map(|e| &e.url);
    let addresses = vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)];
    let inputs = urls.filter_map(|url| match &url.host {
        EndpointHost::Address(_) => None,
        EndpointHost::Name(host) => Some(Input::Resolved {
            host: host.clone(),
            addresses: addresses.clone(),
        }),
        EndpointHost::Srv(name) => Some(Input::Records {
            name: name.clone(),
            records: vec![SrvRecord {
                priority: 0,
                weight: 0,
                port: url.scheme.port_default(),
                addresses: addresses.clone(),
            }],
        }),
    });
    inputs.collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn text(yaml: &str) -> Text {
        Text {
            path: PathBuf::from("meet.yaml"),
            name: "meet.yaml".to_owned(),
            bytes: yaml.as_bytes().to_vec(),
            env: std::collections::BTreeMap::new(),
        }
    }

    const MEET: &str = r#"
listen: { web: { address: ":8080" } }
services:
  meet:
    match: [{ hosts: ["*.example.org"], path: { prefix: /room } }]
    retry: { attempts: 3 }
    backends:
      aws: { weight: 70, endpoints: ["http://10.0.1.10:8080", "http://10.0.1.11:8080"] }
      gcp: { weight: 0, endpoints: ["http://10.2.1.10:8080"] }
      oci: { weight: 30, endpoints: ["https://media.oci.example.org"] }
"#;

    fn explained(url: &str, method: &str) -> String {
        let query = RequestQuery {
            method: Some(method.to_owned()),
            url: url.to_owned(),
            ..RequestQuery::default()
        };
        match offline(&query, &text(MEET)) {
            Ok(explanation) => explanation.text.join("\n"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_says_what_would_become_of_a_request() {
        insta::assert_snapshot!(explained(
            "http://meet.example.org:8080/room/../room/42",
            "POST"
        ));
    }

    #[test]
    fn an_srv_name_stands_for_one_endpoint_of_its_schemes_port() {
        let yaml = MEET.replace(
            "https://media.oci.example.org",
            "https+srv://_https._tcp.media.oci.example.org",
        );
        let query = RequestQuery {
            url: "http://meet.example.org:8080/room".to_owned(),
            ..RequestQuery::default()
        };
        let said = offline(&query, &text(&yaml)).unwrap().text.join("\n");
        let endpoint = "_https._tcp.media.oci.example.org@0.0.0.0:443";
        assert!(said.contains(endpoint), "{said}");
    }

    #[test]
    fn what_no_service_takes_is_said() {
        insta::assert_snapshot!(explained("http://meet.example.org:8080/rooms", "GET"), @r"
        GET meet.example.org:8080/rooms  on listener web
         route      no service takes it: 404, no_service
        ");
        let relative = explained("/rooms", "GET");
        assert_eq!(
            relative,
            "url: `/rooms` is not absolute; write http://HOST/PATH"
        );
    }

    #[test]
    fn a_host_header_goes_before_the_url_and_others_are_sent_along() {
        let args = |headers: &[&str]| ExplainRequestArgs {
            method: "GET".to_owned(),
            url: "http://a.org/x?y=1".to_owned(),
            headers: headers.iter().map(|h| (*h).to_owned()).collect(),
            listener: Some("web".to_owned()),
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            config: None,
        };
        let asked = query(&args(&["host:  b.org", "Cookie: a=b"])).unwrap();
        assert_eq!(
            (asked.host.as_deref(), asked.headers.as_deref()),
            (Some("b.org"), Some("Cookie: a=b\n"))
        );
        assert_eq!(
            path(&asked),
            "/v1/explain/request?url=http%3A%2F%2Fa.org%2Fx%3Fy%3D1&method=GET&listener=web&host=b.org&headers=Cookie%3A%20a%3Db%0A&client=127.0.0.1"
        );
        assert!(query(&args(&["nonsense"])).is_err());
    }

    #[test]
    fn a_file_says_where_a_key_belongs_and_what_decides_inside_a_backend() {
        let yaml = MEET.replace(
            "    retry:",
            "    affinity: { by: { query: room } }\n    balance: { algorithm: maglev, hash: { header: x-user } }\n    retry:",
        );
        let said = |url: &str, headers: Option<&str>| {
            let query = RequestQuery {
                url: url.to_owned(),
                headers: headers.map(str::to_owned),
                ..RequestQuery::default()
            };
            offline(&query, &text(&yaml)).unwrap()
        };
        let room = said("http://meet.example.org:8080/room?room=room-42", None);
        let affinity = room.affinity.unwrap();
        assert_eq!(
            (affinity.by.as_str(), affinity.bucket),
            ("query room", Some(1465))
        );
        assert_eq!(affinity.why.as_deref(), Some("map"));
        let pick = room.pick.unwrap();
        assert_eq!(
            (pick.why.as_str(), Some(pick.backend)),
            ("affinity", affinity.backend)
        );
        assert_eq!(room.key, None, "it belongs somewhere");
        let twice = said(
            "http://meet.example.org:8080/room?room=1&room=2",
            Some("X-User: 7"),
        );
        let affinity = twice.affinity.unwrap();
        assert_eq!(
            (affinity.why, affinity.ignored.as_deref()),
            (None, Some("ambiguous"))
        );
        assert!(twice.key.unwrap().found);
        assert_eq!(twice.pick.unwrap().why, "weight");
        insta::assert_snapshot!(twice.text.join("\n"));
    }
}
