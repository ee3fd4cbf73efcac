//! Which service a request belongs to. Of all matches of a listener that fit the request, the best wins: an exact host
//! over a wildcard, a longer wildcard over a shorter, any wildcard over none; with equal hosts an exact path over a
//! prefix, a longer prefix over a shorter. A service without a match takes what is left. Where two are the same (which
//! `config` refuses) the first service wins.
//!
//! Finding must not allocate: tables are sorted once, and looked up by binary search with parts of the host and path as
//! they came. A lookup costs (labels of the host + segments of the path) × log(entries); a path is looked at only as far
//! as the longest prefix reaches.

mod host;

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_model::ListenerName;

use crate::spec::{HostPattern, PathPattern, ServiceSpec};

/// The routes of all listeners.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    listeners: BTreeMap<ListenerName, ListenerTable>,
}

/// The routes of one listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListenerTable {
    exact: Vec<(Box<str>, Paths)>,
    wildcard: Vec<(Box<str>, Paths)>,
    any: Paths,
    rest: Option<Route>,
}

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The service, as an index into [`Snapshot::services`](crate::Snapshot::services).
    pub service: usize,
    /// The entry of its `match` that took the request, as an index; `None`: it has none and takes what is left.
    pub rule: Option<usize>,
}

/// The paths of one host pattern, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Paths {
    exact: Vec<(Box<str>, Route)>,
    /// Without the slash at the end; that of `/` is empty.
    prefix: Vec<(Box<str>, Route)>,
    /// Bytes of the longest prefix.
    prefix_bytes_max: usize,
}

impl Table {
    /// The table of these services; a route's index is the place in this list.
    #[must_use]
    pub fn build(services: &[Arc<ServiceSpec>]) -> Self {
        let mut listeners: BTreeMap<ListenerName, ListenerTable> = BTreeMap::new();
        for (service, spec) in services.iter().enumerate() {
            for name in &spec.listeners {
                let table = listeners.entry(name.clone()).or_default();
                table.add(service, spec);
            }
        }
        listeners.values_mut().for_each(ListenerTable::sort);
        Self { listeners }
    }

    /// The routes of one listener; `None` when no service is reached through it.
    #[must_use]
    pub fn listener(&self, name: &ListenerName) -> Option<&ListenerTable> {
        self.listeners.get(name)
    }
}

impl ListenerTable {
    /// Finds the route of a request.
    ///
    /// `host` is the `Host` or `:authority` as it came: upper case, a port and a dot at the end make no difference.
    /// `path` is the path alone, without query, normalised as it will be forwarded; it is compared byte by byte.
    #[must_use]
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&Route> {
        let host = host.map(host::without_port);
        host.and_then(|host| self.find_by_host(host, path))
            .or_else(|| self.any.find(path))
            .or(self.rest.as_ref())
    }

    fn find_by_host(&self, host: &str, path: &str) -> Option<&Route> {
        let exact = host::find(&self.exact, host).and_then(|paths| paths.find(path));
        exact.or_else(|| {
            host::parents(host)
                .filter_map(|parent| host::find(&self.wildcard, parent))
                .find_map(|paths| paths.find(path))
        })
    }

    fn add(&mut self, service: usize, spec: &ServiceSpec) {
        if spec.matches.is_empty() {
            let rule = None;
            self.rest.get_or_insert(Route { service, rule });
        }
        let route = |rule| Route {
            service,
            rule: Some(rule),
        };
        for (at, rule) in spec.matches.iter().enumerate() {
            let paths = match &rule.host {
                HostPattern::Exact(name) => entry(&mut self.exact, name),
                HostPattern::Wildcard(name) => entry(&mut self.wildcard, name),
                HostPattern::Any => Some(&mut self.any),
            };
            if let Some(paths) = paths {
                paths.add(&rule.path, route(at));
            }
        }
    }

    fn sort(&mut self) {
        // Hosts are kept sorted as they are added.
        self.any.sort();
        let hosts = self.exact.iter_mut().chain(&mut self.wildcard);
        hosts.for_each(|(_, paths)| paths.sort());
    }
}

/// The paths of a host pattern, made if there are none yet.
fn entry<'a>(hosts: &'a mut Vec<(Box<str>, Paths)>, name: &str) -> Option<&'a mut Paths> {
    let name = host::without_port(name).to_ascii_lowercase();
    let at = match hosts.binary_search_by(|(host, _)| (**host).cmp(&name)) {
        Ok(at) => at,
        Err(at) => {
            hosts.insert(at, (name.into(), Paths::default()));
            at
        }
    };
    hosts.get_mut(at).map(|(_, paths)| paths)
}

impl Paths {
    fn add(&mut self, pattern: &PathPattern, route: Route) {
        match pattern {
            PathPattern::Exact(path) => self.exact.push((path.as_str().into(), route)),
            PathPattern::Prefix(path) => {
                let path = path.trim_end_matches('/');
                self.prefix_bytes_max = self.prefix_bytes_max.max(path.len());
                self.prefix.push((path.into(), route));
            }
        }
    }

    fn sort(&mut self) {
        for list in [&mut self.exact, &mut self.prefix] {
            // Stable, so that of two with the same path the first added stays.
            list.sort_by(|a, b| a.0.cmp(&b.0));
            list.dedup_by(|later, first| later.0 == first.0);
        }
    }

    fn find(&self, path: &str) -> Option<&Route> {
        search(&self.exact, path).or_else(|| self.find_prefix(path))
    }

    /// Tries the path itself, then ever shorter ones, cut at a slash.
    fn find_prefix(&self, path: &str) -> Option<&Route> {
        if self.prefix.is_empty() {
            return None;
        }
        let bytes = path.as_bytes();
        let is_end = |at: &usize| matches!(bytes.get(*at), None | Some(b'/'));
        let longest = self.prefix_bytes_max.min(path.len());
        // The empty prefix fits everything, also what does not begin with a slash (`OPTIONS *`).
        (1..=longest)
            .rev()
            .filter(is_end)
            .chain(std::iter::once(0))
            .find_map(|end| search(&self.prefix, path.get(..end)?))
    }
}

fn search<'a>(list: &'a [(Box<str>, Route)], path: &str) -> Option<&'a Route> {
    let at = list
        .binary_search_by(|(entry, _)| (**entry).cmp(path))
        .ok()?;
    list.get(at).map(|(_, route)| route)
}

#[cfg(test)]
mod tests;
