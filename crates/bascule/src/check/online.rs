//! The endpoints of a configuration, from here: does the host resolve, does the address answer, does its certificate hold,
//! and does the configured check pass. At most [`ENDPOINTS_AT_ONCE`] at a time and each step within its time, so that a
//! thousand endpoints behind a firewall end in minutes.

mod found;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bascule_config::Config;
use bascule_health::{CheckFailure, CheckKind, CheckPolicy, CheckResult, CheckTls};
use bascule_model::{EndpointId, Scheme, Timestamp};
use bascule_net::tls::look::{CertificateFacts, HandshakeFailure, facts};
use bascule_net::tls::{Alpn, ClientTls, Roots, client};
use bascule_traffic::spec::{BackendSpec, EndpointHost, EndpointUrl, ServiceSpec};
use futures_util::StreamExt as _;
use tokio::net::TcpStream;

use found::{addresses, resolve};

use super::{Finding, Group};
use crate::cli::text::plural;
use crate::names;

/// Endpoints that are asked at a time: enough to be quick, few enough for a firewall that counts connections.
const ENDPOINTS_AT_ONCE: usize = 32;
/// One step (connect, handshake): far above what any two clouds need, short enough to wait for.
const STEP: Duration = Duration::from_secs(3);
/// A certificate that ends within this is worth a warning: the alert on it counts as many days.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// One group a provider, by name.
pub(crate) async fn look(config: &Config, now: Timestamp) -> Vec<Group> {
    let targets = targets(config);
    let found_names = resolve(&targets, &names::settings(&config.dns)).await;
    let mut found: BTreeMap<String, Vec<(usize, Finding)>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for (place, target) in targets.iter().enumerate() {
        match addresses(target, &found_names) {
            Ok((addresses, remark)) => {
                jobs.extend(
                    addresses
                        .into_iter()
                        .map(|address| (place, target, address)),
                );
                let remark = remark.map(|finding| (place, finding.at(&target.pointer)));
                found.entry(target.provider()).or_default().extend(remark);
            }
            Err(finding) => {
                let finding = finding.at(&target.pointer);
                found
                    .entry(target.provider())
                    .or_default()
                    .push((place, finding));
            }
        }
    }
    let asked = futures_util::stream::iter(jobs)
        .map(|(place, target, address)| async move {
            let findings = ask(target, address, config, now).await;
            (place, target.provider(), findings)
        })
        .buffer_unordered(ENDPOINTS_AT_ONCE);
    let asked: Vec<_> = asked.collect().await;
    for (place, provider, findings) in asked {
        let findings = findings.into_iter().map(|finding| (place, finding));
        found.entry(provider).or_default().extend(findings);
    }
    let group = |(part, mut findings): (String, Vec<(usize, Finding)>)| {
        findings.sort_by(|a, b| (a.0, &a.1.text).cmp(&(b.0, &b.1.text)));
        Group {
            name: "providers",
            part,
            findings: findings.into_iter().map(|(_, finding)| finding).collect(),
        }
    };
    found.into_iter().map(group).collect()
}

/// One entry of `endpoints`.
struct Target<'a> {
    service: &'a ServiceSpec,
    name: &'a bascule_model::BackendName,
    backend: &'a BackendSpec,
    url: &'a EndpointUrl,
    policy: Option<Arc<CheckPolicy>>,
    pointer: String,
}

impl Target<'_> {
    fn provider(&self) -> String {
        self.backend.provider.to_string()
    }
}

fn targets(config: &Config) -> Vec<Target<'_>> {
    let mut targets = Vec::new();
    for service in &config.services {
        for (name, backend) in &service.backends {
            for (number, endpoint) in backend.endpoints.iter().enumerate() {
                targets.push(Target {
                    service,
                    name,
                    backend,
                    url: &endpoint.url,
                    policy: config.checks.get(&service.name).cloned(),
                    pointer: format!(
                        "/services/{}/backends/{name}/endpoints/{number}",
                        service.name
                    ),
                });
            }
        }
    }
    targets
}

/// Everything about one address.
async fn ask(
    target: &Target<'_>,
    address: SocketAddr,
    config: &Config,
    now: Timestamp,
) -> Vec<Finding> {
    let host = match &target.url.host {
        EndpointHost::Name(host) | EndpointHost::Srv(host) => Some(Arc::clone(host)),
        EndpointHost::Address(_) => None,
    };
    let called = match &host {
        Some(host) => format!("{host} ({address})"),
        None => address.to_string(),
    };
    let id = EndpointId {
        service: target.service.name.clone(),
        backend: target.name.clone(),
        scheme: target.url.scheme,
        host,
        address,
    };
    let at = |finding: Finding| vec![finding.at(&target.pointer)];
    let stream = match connect(address).await {
        Ok(stream) => stream,
        Err(finding) => {
            return at(Finding {
                text: format!("{called} {}", finding.text),
                ..finding
            });
        }
    };
    let mut remarks = Vec::new();
    let mut tls = None;
    if target.url.scheme == Scheme::Https {
        match secure(
            stream,
            id.server_name(),
            address.ip(),
            &called,
            target,
            config,
        )
        .await
        {
            Ok((client, certificate)) => {
                let soon = facts(&certificate)
                    .ok()
                    .and_then(|f| ends_soon(&f, &called, now));
                remarks.extend(soon.map(|f| f.at(&target.pointer)));
                tls = Some(client.config(Alpn::Both));
            }
            Err(finding) => return at(finding),
        }
    }
    let policy = target.policy.as_ref();
    if let Some(policy) = policy.filter(|policy| !is_known(policy)) {
        if bascule_probe::check::is_over_tls(&id, policy) && tls.is_none() {
            tls = ClientTls::new(&roots(target, config))
                .ok()
                .map(|client| client.config(Alpn::Both));
        }
        let result = bascule_probe::check::check(&id, policy, tls.as_ref()).await;
        remarks.extend(failed(result, &called, policy).map(|f| f.at(&target.pointer)));
    }
    if remarks.is_empty() {
        remarks.push(Finding::ok(""));
    }
    remarks
}

/// Whether a check would say only what the connection and its handshake have said.
fn is_known(policy: &CheckPolicy) -> bool {
    policy.kind == CheckKind::TCP && policy.port.is_none() && policy.tls == CheckTls::AsEndpoint
}

fn roots(target: &Target<'_>, config: &Config) -> Roots {
    match &target.backend.ca_file {
        Some(file) => Roots::Own {
            file: file.clone(),
            pem: config.roots.get(file).cloned().unwrap_or_default(),
        },
        None => Roots::Web,
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Finding> {
    match tokio::time::timeout(STEP, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => {
            let text = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => "refuses connections".to_owned(),
                _ => format!("cannot be connected to: {error}"),
            };
            Err(Finding::wrong("E0702", text)
                .help("does the server run, on this port, and may this machine reach it?"))
        }
        Err(_elapsed) => {
            let text = format!("does not answer within {} s", STEP.as_secs());
            Err(Finding::wrong("E0703", text)
                .help("a firewall or security group that drops packets looks like this"))
        }
    }
}

/// The TLS client of a target, and the end of its certificate in DER.
async fn secure(
    stream: TcpStream,
    host: Option<&str>,
    ip: IpAddr,
    called: &str,
    target: &Target<'_>,
    config: &Config,
) -> Result<(ClientTls, Vec<u8>), Finding> {
    let unusable = |error: bascule_net::tls::TlsError| {
        Finding::wrong("E0403", error.to_string()).help(error.fix())
    };
    let client = ClientTls::new(&roots(target, config)).map_err(unusable)?;
    let name = client::server_name(host, ip).map_err(unusable)?;
    let shake = client.connect(stream, name, Alpn::Both);
    match tokio::time::timeout(STEP, shake).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
            let own = chain.first().map(|der| der.to_vec()).unwrap_or_default();
            Ok((client, own))
        }
        Ok(Err(error)) => Err(refused(&error, called, target.backend.ca_file.as_deref())),
        Err(_elapsed) => {
            let text = format!(
                "{called} does not answer the TLS handshake within {} s",
                STEP.as_secs()
            );
            Err(Finding::wrong("E0704", text).help("is it TLS that is spoken there?"))
        }
    }
}

fn refused(error: &std::io::Error, called: &str, ca_file: Option<&str>) -> Finding {
    let whom = ca_file.map_or_else(
        || "the public authorities".to_owned(),
        |file| format!("`{file}`"),
    );
    match HandshakeFailure::of(error) {
        HandshakeFailure::Expired => {
            Finding::wrong("E0707", format!("the certificate of {called} is out of its time: {error}"))
                .help("renew it there")
        }
        HandshakeFailure::OtherName => {
            Finding::wrong("E0706", format!("the certificate of {called} is for other names: {error}"))
                .help("write the endpoint by a name that the certificate has")
        }
        HandshakeFailure::Untrusted => {
            Finding::wrong("E0705", format!("the certificate of {called} is not vouched for by {whom}"))
                .help("name the authority's certificate in `ca_file`, or have the server send its whole chain")
        }
        HandshakeFailure::Other(reason) => {
            Finding::wrong("E0704", format!("no TLS with {called}: {reason}"))
                .help("is it TLS that is spoken there? For clear text write http://")
        }
    }
}

/// A warning about a certificate that ends soon.
pub(crate) fn ends_soon(facts: &CertificateFacts, called: &str, now: Timestamp) -> Option<Finding> {
    let left = facts.not_after.since(now);
    (left < SOON).then(|| {
        let days = left.as_secs() / 86_400;
        let days = plural(usize::try_from(days).unwrap_or_default(), "day");
        let text = format!("the certificate of {called} ends in {days}");
        Finding::wrong("W0702", text)
            .help("renew it; what renews it does not run, or did not reach this server")
    })
}

fn failed(result: CheckResult, called: &str, policy: &CheckPolicy) -> Option<Finding> {
    let CheckResult::Failed(failure) = result else {
        return None;
    };
    let asked = match &policy.kind {
        CheckKind::Http { path, .. } => format!("GET {path}"),
        CheckKind::Grpc { service, .. } if service.is_empty() => "gRPC".to_owned(),
        CheckKind::Grpc { service, .. } => format!("gRPC {service}"),
        CheckKind::Tcp { .. } => "TCP".to_owned(),
    };
    let port = policy.port.map(|port| format!(" on port {port}"));
    let asked = asked + &port.unwrap_or_default();
    let why = match failure {
        CheckFailure::Status { status } => format!("status {status}"),
        CheckFailure::Timeout => format!("no answer within {} ms", policy.timeout.as_millis()),
        CheckFailure::Connect => "the connection is refused or broke off".to_owned(),
        CheckFailure::Tls => "TLS failed".to_owned(),
        CheckFailure::Protocol => "the answer is not what the check speaks".to_owned(),
        CheckFailure::Text => "the answer does not hold `expect.text`".to_owned(),
        CheckFailure::TooLong => "the answer does not end".to_owned(),
        CheckFailure::NotServing => "it says NOT_SERVING".to_owned(),
        CheckFailure::ServingUnknown => "it says UNKNOWN".to_owned(),
        CheckFailure::ServiceUnknown => "it does not know the service".to_owned(),
        CheckFailure::Grpc { status } => format!("the call fails with gRPC status {status}"),
    };
    let text = format!("the health check of {called} fails: {asked}: {why}");
    Some(
        Finding::wrong("E0708", text)
            .help("with this check the endpoint would be down; see the keys of `check`"),
    )
}

#[cfg(test)]
mod tests;
