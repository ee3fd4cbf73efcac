//! The files of a configuration: keys that others can read, certificates that end, chains out of order, and hosts that no
//! certificate is for.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use bascule_config::{Diagnostics, Listener, Severity};
use bascule_net::tls::look::{CertificateFacts, chain_facts, out_of_order};
use bascule_net::tls::{CertificateMaterial, ServerTls};
use bascule_traffic::spec::HostPattern;

use super::{Finding, Subject};
use crate::cli::text::plural;

/// Everything about them. `warnings` are the configuration's own.
pub(crate) fn look(subject: &Subject<'_>, warnings: &Diagnostics) -> Vec<Finding> {
    let services = plural(subject.config.services.len(), "service");
    let mut found = vec![Finding::ok(services)];
    for warning in warnings
        .items
        .iter()
        .filter(|w| w.severity == Severity::Warning)
    {
        let text = format!(
            "{}:{}: {}",
            warnings.file, warning.span.line, warning.message
        );
        let finding = Finding::wrong(warning.code, text).at(&warning.pointer);
        found.push(match &warning.help {
            Some(help) => finding.help(help),
            None => finding,
        });
    }
    for listener in subject.config.listeners.values() {
        found.extend(listener_files(subject, listener));
    }
    found
}

fn listener_files(subject: &Subject<'_>, listener: &Listener) -> Vec<Finding> {
    let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
    let mut found = Vec::new();
    let mut facts: Vec<CertificateFacts> = Vec::new();
    for (number, certificate) in certificates.enumerate() {
        let pointer = format!("/listen/{}/tls/certificates/{number}", listener.name);
        let material = CertificateMaterial {
            cert_file: certificate.cert_file.clone(),
            key_file: certificate.key_file.clone(),
            cert_pem: Arc::clone(&certificate.cert_pem),
            key_pem: Arc::clone(&certificate.key_pem),
        };
        let before = found.len();
        for error in ServerTls::check(&[material]).err().into_iter().flatten() {
            found.push(
                Finding::wrong("E0402", error.to_string())
                    .help(error.fix())
                    .at(&pointer),
            );
        }
        found.extend(readable_by_others(subject, &certificate.key_file).map(|f| f.at(&pointer)));
        match chain_facts(&certificate.cert_pem) {
            Ok(chain) => {
                found.extend(life(&chain, subject, &certificate.cert_file).map(|f| f.at(&pointer)));
                found.extend(order(&chain, &certificate.cert_file).map(|f| f.at(&pointer)));
                facts.extend(chain.into_iter().next());
            }
            // `ServerTls::check` has told it already.
            Err(_unreadable) => {}
        }
        if found.len() == before {
            found.push(Finding::ok(certificate.cert_file.clone()));
        }
    }
    if !facts.is_empty() {
        found.extend(uncovered(subject, listener, &facts));
    }
    found
}

fn readable_by_others(subject: &Subject<'_>, key_file: &str) -> Option<Finding> {
    let path = subject.files.path(key_file);
    let mode = std::fs::metadata(&path).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        let text = format!(
            "the key `{key_file}` is open to every user of this machine (mode {:04o})",
            mode & 0o7777
        );
        Finding::wrong("W0717", text).help(format!("chmod o= {}", path.display()))
    })
}

fn life(chain: &[CertificateFacts], subject: &Subject<'_>, file: &str) -> Option<Finding> {
    let first = chain.first()?;
    if first.not_after <= subject.now || first.not_before > subject.now {
        let text = format!(
            "the certificate `{file}` ({}) is out of its time",
            first.label
        );
        return Some(Finding::wrong("E0707", text).help("renew it"));
    }
    super::online::ends_soon(first, &format!("`{file}` ({})", first.label), subject.now)
}

fn order(chain: &[CertificateFacts], file: &str) -> Option<Finding> {
    let wrong = out_of_order(chain)?;
    let text = format!(
        "in `{file}` the certificate behind `{}` is not the one that made it",
        wrong.label
    );
    Some(
        Finding::wrong("W0719", text)
            .help("first the server's own, then who made it, and so on; without the root"),
    )
}

/// Hosts of the services of a listener that none of its certificates is for.
fn uncovered(
    subject: &Subject<'_>,
    listener: &Listener,
    facts: &[CertificateFacts],
) -> Vec<Finding> {
    let services = subject.config.services.iter();
    let services = services.filter(|service| service.listeners.contains(&listener.name));
    let mut found = Vec::new();
    for service in services {
        for host in service.matches.iter().map(|entry| &entry.host) {
            let (shown, is_covered) = match host {
                HostPattern::Exact(name) => (name.clone(), facts.iter().any(|f| f.covers(name))),
                HostPattern::Wildcard(name) => {
                    let shown = format!("*.{name}");
                    let covered = facts.iter().any(|f| f.names.contains(&shown));
                    (shown, covered)
                }
                HostPattern::Any => continue,
            };
            if !is_covered {
                let text = format!(
                    "no certificate of listener `{}` is for `{shown}` of service `{}`",
                    listener.name, service.name
                );
                let finding = Finding::wrong("W0720", text)
                    .help("clients will refuse it; add one under `tls.certificates`");
                found.push(finding.at(format!("/services/{}/match", service.name)));
            }
        }
    }
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;
    use bascule_model::Timestamp;

    const DAY_MS: u64 = 86_400_000;

    /// What is found of a listener with a certificate for these names, looked at so many days after it was made.
    fn found(names: &[&str], mode: u32, days: u64) -> Vec<Finding> {
        let dir = tempfile::tempdir().unwrap();
        let made = bascule_testkit::certificate::signed(names).unwrap();
        std::fs::write(dir.path().join("tls.crt"), &made.cert_pem).unwrap();
        let key = dir.path().join("tls.key");
        std::fs::write(&key, &made.key_pem).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let text = "listen: { web: { address: \":8443\", tls: { certificates: [{ cert_file: tls.crt, key_file: tls.key }] } } }\n\
            services: { meet: { match: [{ hosts: [meet.test, \"*.b.test\"] }], backends: { \
            aws: { weight: 1, endpoints: [\"http://127.0.0.1:9\"] } } } }\n";
        let files = Files::of(&dir.path().join("meet.yaml"));
        let loaded = bascule_config::load("meet.yaml", text, &files).unwrap();
        let not_after = chain_facts(made.cert_pem.as_bytes()).unwrap()[0].not_after;
        let now = Timestamp::from_millis(not_after.as_millis().saturating_sub(days * DAY_MS));
        let subject = Subject {
            config: &loaded.config,
            files: &files,
            now,
        };
        look(&subject, &loaded.warnings)
    }

    fn codes(found: &[Finding]) -> Vec<&'static str> {
        found.iter().filter_map(|f| f.code).collect()
    }

    #[test]
    fn a_certificate_for_all_hosts_with_a_closed_key_is_fine() {
        let found = found(&["meet.test", "*.b.test"], 0o600, 30);
        assert_eq!(codes(&found), [""; 0], "{found:?}");
    }

    #[test]
    fn open_keys_certificates_that_end_and_hosts_without_one_are_told() {
        assert_eq!(
            codes(&found(&["meet.test", "*.b.test"], 0o644, 30)),
            ["W0717"]
        );
        assert_eq!(
            codes(&found(&["meet.test", "*.b.test"], 0o640, 9)),
            ["W0702"]
        );
        assert_eq!(
            codes(&found(&["meet.test", "*.b.test"], 0o600, 0)),
            ["E0707"]
        );
        let found = found(&["meet.test"], 0o600, 30);
        assert_eq!(codes(&found), ["W0720"]);
        assert!(
            found.iter().any(|f| f.text.contains("`*.b.test`")),
            "{found:?}"
        );
    }
}
