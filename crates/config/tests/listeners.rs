//! What a listener has of its own, and what it takes from the defaults.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says where"
)]

use std::time::Duration;

use bascule_config::{
    Config, Hsts, Limits, Listener, ListenerTimeouts, MemorySource, TlsVersion, load,
};

/// A configuration with these lines under the listener `web` and under `defaults`.
fn loaded(listener: &str, defaults: &str) -> Config {
    let block = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    let both = block("CERTIFICATE") + &block("PRIVATE KEY");
    let world = MemorySource {
        files: [("/both.pem".to_owned(), both.into_bytes())].into(),
        ..MemorySource::default()
    };
    let text = format!(
        "listen: {{ web: {{ address: \":8080\", {listener} }} }}\ndefaults: {{ {defaults} }}\n\
         services: {{ s: {{ backends: {{ a: {{ weight: 1, endpoints: [\"http://a\"] }} }} }} }}\n"
    );
    load("x", &text, &world)
        .unwrap_or_else(|d| panic!("{d}"))
        .config
}

fn listener(config: &Config) -> &Listener {
    config.listeners.values().next().unwrap()
}

#[test]
fn a_listener_that_says_nothing_has_the_defaults() {
    let config = loaded("", "");
    assert_eq!(listener(&config).limits, Limits::default());
    assert_eq!(listener(&config).timeouts, ListenerTimeouts::default());
    assert_eq!(listener(&config).connections, None);
    let defaults = "limits: { header_count: 7, resets: 3/s }, timeouts: { client_stall: 9s }";
    let config = loaded("", defaults);
    let web = listener(&config);
    assert_eq!(web.limits, config.limits);
    assert_eq!((web.limits.header_count, web.limits.resets), (7, 3));
    assert_eq!(web.timeouts.client_stall, Duration::from_secs(9));
}

#[test]
fn limits_of_a_listener_override_the_defaults_key_by_key() {
    let own = "limits: { header_count: 50, connections_per_client: 10, request_body: 1MiB }";
    let config = loaded(
        own,
        "limits: { header_count: 7, control_frames: 3/s, request_body: 2MiB }",
    );
    let limits = listener(&config).limits;
    assert_eq!(
        limits,
        Limits {
            header_count: 50,
            connections_per_client: 10,
            request_body: Some(1 << 20),
            control_frames: 3,
            ..Limits::default()
        }
    );
    assert_eq!(config.limits.header_count, 7);
}

#[test]
fn connections_of_a_listener_are_its_own_and_leave_the_limit_of_the_process() {
    let config = loaded(
        "limits: { connections: 10 }",
        "limits: { connections: 500 }",
    );
    assert_eq!(listener(&config).connections, Some(10));
    assert_eq!(listener(&config).limits.connections, 500);
    assert_eq!(config.limits.connections, 500);
}

#[test]
fn tls_is_generous_to_names_and_silent_about_hsts_unless_told() {
    let certificates = "certificates: [{ cert_file: /both.pem, key_file: /both.pem }]";
    let plain = loaded(&format!("tls: {{ {certificates} }}"), "");
    let tls = listener(&plain).tls.clone().unwrap();
    assert!(!tls.strict_sni);
    assert_eq!((tls.min_version, tls.hsts), (TlsVersion::V1_2, None));
    // Without quotes YAML reads a number; it is the same word.
    let told = "strict_sni: true, min_version: 1.3, hsts: { include_subdomains: true }";
    let told = loaded(&format!("tls: {{ {certificates}, {told} }}"), "");
    let tls = listener(&told).tls.clone().unwrap();
    assert!(tls.strict_sni);
    assert_eq!(tls.min_version, TlsVersion::V1_3);
    let hsts = Hsts {
        include_subdomains: true,
        ..Hsts::default()
    };
    assert_eq!(tls.hsts, Some(hsts));
    let empty = loaded(&format!("tls: {{ {certificates}, hsts: {{}} }}"), "");
    assert_eq!(
        listener(&empty).tls.as_ref().unwrap().hsts,
        Some(Hsts::default())
    );
}
