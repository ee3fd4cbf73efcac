//! `explain request METHOD URL`: what would become of a request that came now, as the running edge says it, or by a file
//! that nobody runs. Offline every endpoint counts as up and idle, and names are not looked up.

use std::net::{IpAddr, Ipv4Addr};

use bascule_admin::api::{RequestExplanation, RequestQuery};
use bascule_admin::{Door, explain_request};
use bascule_config::Config;
use bascule_telemetry::clock;
use bascule_traffic::assemble::{Assembler, Input};
use bascule_traffic::breaker::Loads;
use bascule_traffic::spec::EndpointHost;

use crate::cli::args::{ExplainRequestArgs, Global};
use crate::cli::client::segment;
use crate::cli::config::{self, Text};
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::output::Output;
use crate::cli::session::Session;

/// Explains.
pub(crate) async fn run(args: &ExplainRequestArgs, global: &Global, out: &mut Output) -> CliResult {
    let (query, ignored) = query(args)?;
    let explanation = match &args.config {
        Some(file) => offline(&query, &Text::read(file)?)?,
        None => {
            let mut session = Session::open(global, out)?;
            session.get(&path(&query)).await?
        }
    };
    if let Some(name) = ignored {
        out.note(&format!(
            "`{name}` plays no part: no route and no backend is chosen by it"
        ));
    }
    out.answer("RequestExplanation", &explanation, |e| e.text.join("\n"))?;
    Ok(Exit::Ok)
}

/// The question, and a header that has no part in the answer.
fn query(args: &ExplainRequestArgs) -> Result<(RequestQuery, Option<String>), CliError> {
    let mut query = RequestQuery {
        method: Some(args.method.clone()),
        url: args.url.clone(),
        listener: args.listener.clone(),
        host: None,
    };
    let mut ignored = None;
    for header in &args.headers {
        let (name, value) = header.split_once(':').ok_or_else(|| {
            CliError::new(Exit::Usage, format!("`{header}` is no header"))
                .with_help("write NAME: VALUE, such as -H 'Host: meet.example.org'")
        })?;
        if name.trim().eq_ignore_ascii_case("host") {
            query.host = Some(value.trim().to_owned());
        } else {
            ignored = Some(name.trim().to_owned());
        }
    }
    Ok((query, ignored))
}

fn path(query: &RequestQuery) -> String {
    let mut path = format!("/v1/explain/request?url={}", segment(&query.url));
    let more = [
        ("method", &query.method),
        ("listener", &query.listener),
        ("host", &query.host),
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
    explain_request(query, &doors, &snapshot, &Loads::default())
        .map_err(|error| CliError::new(Exit::Usage, error.to_string()))
}

/// One address for each name, so that it stands for one endpoint.
fn placeholders(config: &Config) -> Vec<Input> {
    let backends = config.services.iter().flat_map(|s| s.backends.values());
    let hosts =
        backends
            .flat_map(|b| &b.endpoints)
            .filter_map(|endpoint| match &endpoint.url.host {
                EndpointHost::Name(host) => Some(host.clone()),
                EndpointHost::Address(_) => None,
            });
    let resolved = |host| Input::Resolved {
        host,
        addresses: vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED)],
    };
    hosts.map(resolved).collect()
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
    fn a_host_header_goes_before_the_url_and_others_are_named() {
        let args = |headers: &[&str]| ExplainRequestArgs {
            method: "GET".to_owned(),
            url: "http://a.org/x?y=1".to_owned(),
            headers: headers.iter().map(|h| (*h).to_owned()).collect(),
            listener: Some("web".to_owned()),
            config: None,
        };
        let (asked, ignored) = query(&args(&["host:  b.org", "Cookie: a=b"])).unwrap();
        assert_eq!(
            (asked.host.as_deref(), ignored.as_deref()),
            (Some("b.org"), Some("Cookie"))
        );
        assert_eq!(
            path(&asked),
            "/v1/explain/request?url=http%3A%2F%2Fa.org%2Fx%3Fy%3D1&method=GET&listener=web&host=b.org"
        );
        assert!(query(&args(&["nonsense"])).is_err());
    }
}
