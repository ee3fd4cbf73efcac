//! Examples of precedence, and the law: the table finds what a naive linear matcher finds.

use proptest::prelude::*;

use super::*;
use crate::fixtures;
use crate::spec::{MatchSpec, Role};

fn spec(name: &str, listeners: &[&str], matches: Vec<MatchSpec>) -> Arc<ServiceSpec> {
    let mut spec = fixtures::spec(name, &[("a", "a", Role::Weighted(1), 1)]);
    spec.listeners = listeners.iter().map(|l| l.parse().unwrap()).collect();
    spec.matches = matches;
    Arc::new(spec)
}

fn rule(host: &str, path: &str) -> MatchSpec {
    let host = match host.strip_prefix("*.") {
        _ if host == "*" => HostPattern::Any,
        Some(parent) => HostPattern::Wildcard(parent.to_owned()),
        None => HostPattern::Exact(host.to_owned()),
    };
    let path = match path.strip_prefix('=') {
        Some(exact) => PathPattern::Exact(exact.to_owned()),
        None => PathPattern::Prefix(path.to_owned()),
    };
    MatchSpec { host, path }
}

fn table(rules: &[(&str, &str)]) -> ListenerTable {
    let services: Vec<_> = rules
        .iter()
        .enumerate()
        .map(|(n, (host, path))| spec(&format!("s{n}"), &["web"], vec![rule(host, path)]))
        .collect();
    let web = "web".parse().unwrap();
    Table::build(&services).listener(&web).unwrap().clone()
}

fn found(table: &ListenerTable, host: &str, path: &str) -> Option<usize> {
    table.find(Some(host), path).map(|route| route.service)
}

#[test]
fn an_exact_host_wins_over_wildcards_and_a_longer_wildcard_over_a_shorter() {
    let table = table(&[
        ("*", "/"),
        ("*.example.org", "/"),
        ("*.a.example.org", "/"),
        ("x.a.example.org", "/"),
    ]);
    assert_eq!(found(&table, "x.a.example.org", "/"), Some(3));
    assert_eq!(found(&table, "y.a.example.org", "/"), Some(2));
    assert_eq!(found(&table, "z.y.a.example.org", "/"), Some(2));
    assert_eq!(found(&table, "a.example.org", "/"), Some(1));
    assert_eq!(found(&table, "example.org", "/"), Some(0));
    assert_eq!(found(&table, "badexample.org", "/"), Some(0));
    assert_eq!(
        table.find(None, "/").copied(),
        Some(Route {
            service: 0,
            rule: Some(0)
        }),
        "a request without host"
    );
}

#[test]
fn an_exact_path_wins_over_prefixes_which_fit_whole_segments() {
    let table = table(&[("*", "/"), ("*", "/a"), ("*", "/a/b/"), ("*", "=/a/b/c")]);
    for (path, service) in [
        ("/", 0),
        ("/ab", 0),
        ("/a", 1),
        ("/a/", 1),
        ("/a/bc", 1),
        ("/a/b", 2),
        ("/a/b/c/d", 2),
        ("/a/b/c", 3),
        ("*", 0),
    ] {
        assert_eq!(found(&table, "h", path), Some(service), "{path}");
    }
}

#[test]
fn a_host_that_fits_without_a_path_that_fits_leaves_the_request_to_a_weaker_host() {
    let table = table(&[("example.org", "/api"), ("*.org", "/other"), ("*", "/")]);
    assert_eq!(found(&table, "example.org", "/api/x"), Some(0));
    assert_eq!(found(&table, "example.org", "/other"), Some(1));
    assert_eq!(found(&table, "example.org", "/"), Some(2));
}

#[test]
fn case_port_and_a_dot_at_the_end_of_a_host_make_no_difference() {
    let table = table(&[("example.org", "/"), ("[::1]", "/"), ("*.b.org", "/")]);
    for host in [
        "EXAMPLE.org",
        "example.org:8080",
        "Example.ORG.",
        "example.org.:1",
    ] {
        assert_eq!(found(&table, host, "/"), Some(0), "{host}");
    }
    assert_eq!(found(&table, "[::1]:8080", "/"), Some(1));
    assert_eq!(found(&table, "[::1]", "/"), Some(1));
    assert_eq!(found(&table, "A.B.ORG:1", "/"), Some(2));
    assert_eq!(found(&table, "", "/"), None);
}

#[test]
fn a_service_without_match_takes_the_rest_of_its_listeners_only() {
    let services = [
        spec("rest", &["web"], vec![]),
        spec("meet", &["web", "api"], vec![rule("*", "/meet")]),
    ];
    let table = Table::build(&services);
    let find = |listener: &str, path| {
        let listener = table.listener(&listener.parse().unwrap())?;
        listener.find(Some("h"), path).map(|route| route.service)
    };
    assert_eq!(find("web", "/meet"), Some(1));
    assert_eq!(find("web", "/"), Some(0));
    assert_eq!(find("api", "/"), None);
    assert_eq!(find("none", "/meet"), None);
}

#[test]
fn a_route_says_which_entry_took_the_request() {
    let rules = vec![rule("*", "/"), rule("a.org", "/"), rule("*", "/room")];
    let services = [
        spec("meet", &["web"], rules),
        spec("rest", &["api"], vec![]),
    ];
    let table = Table::build(&services);
    let rule = |listener: &str, host, path| {
        let listener = table.listener(&listener.parse().unwrap()).unwrap();
        listener.find(Some(host), path).unwrap().rule
    };
    assert_eq!(rule("web", "b.org", "/x"), Some(0));
    assert_eq!(rule("web", "a.org", "/room"), Some(1));
    assert_eq!(rule("web", "b.org", "/room/42"), Some(2));
    assert_eq!(rule("api", "b.org", "/"), None);
}

/// Looks at every rule and keeps the best that fits.
fn naive(services: &[Arc<ServiceSpec>], listener: &str, host: &str, path: &str) -> Option<usize> {
    let host = host.to_ascii_lowercase();
    let host_rank = |pattern: &HostPattern| match pattern {
        HostPattern::Exact(name) => (*name == host).then_some(usize::MAX),
        HostPattern::Wildcard(parent) => host
            .ends_with(&format!(".{parent}"))
            .then_some(1 + parent.len()),
        HostPattern::Any => Some(0),
    };
    let path_rank = |pattern: &PathPattern| match pattern {
        PathPattern::Exact(exact) => (exact == path).then_some(usize::MAX),
        PathPattern::Prefix(prefix) => {
            let prefix = prefix.trim_end_matches('/');
            let fits = path == prefix || path.starts_with(&format!("{prefix}/"));
            fits.then_some(prefix.len())
        }
    };
    let mut best: Option<(Option<(usize, usize)>, usize)> = None;
    for (index, spec) in services.iter().enumerate() {
        if !spec.listeners.iter().any(|l| l.as_str() == listener) {
            continue;
        }
        let mut offer = |rank| {
            if best.is_none_or(|(held, _)| rank > held) {
                best = Some((rank, index));
            }
        };
        if spec.matches.is_empty() {
            offer(None);
        }
        for rule in &spec.matches {
            if let (Some(host), Some(path)) = (host_rank(&rule.host), path_rank(&rule.path)) {
                offer(Some((host, path)));
            }
        }
    }
    best.map(|(_, index)| index)
}

/// Few labels and segments, so that patterns and requests meet often.
fn host() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..4)
        .prop_map(|labels| labels.join("."))
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", ""]), 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")))
}

fn any_rule() -> impl Strategy<Value = MatchSpec> {
    let host = prop_oneof![
        host().prop_map(HostPattern::Exact),
        host().prop_map(HostPattern::Wildcard),
        Just(HostPattern::Any),
    ];
    let path = prop_oneof![
        path().prop_map(PathPattern::Exact),
        path().prop_map(PathPattern::Prefix)
    ];
    (host, path).prop_map(|(host, path)| MatchSpec { host, path })
}

proptest! {
    #[test]
    fn the_table_finds_what_a_naive_matcher_finds(
        services in prop::collection::vec(
            (prop::collection::vec(any_rule(), 0..6), prop::sample::subsequence(vec!["x", "y"], 1..=2)),
            1..12,
        ),
        requests in prop::collection::vec((host(), path(), any::<bool>()), 1..40),
    ) {
        let services: Vec<_> = services
            .into_iter()
            .enumerate()
            .map(|(n, (matches, listeners))| spec(&format!("s{n}"), &listeners, matches))
            .collect();
        let table = Table::build(&services);
        for (host, path, upper) in requests {
            let written = if upper { host.to_ascii_uppercase() } else { host.clone() };
            for listener in ["x", "y"] {
                let of_listener = table.listener(&listener.parse().unwrap());
                let found = of_listener
                    .and_then(|table| table.find(Some(&written), &path))
                    .map(|route| route.service);
                prop_assert_eq!(found, naive(&services, listener, &host, &path), "{} {}", host, path);
            }
        }
    }
}
