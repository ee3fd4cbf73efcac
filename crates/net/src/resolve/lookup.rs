//! Asks for the addresses of a host: the hosts file first, and where it knows the host it alone; then DNS, both families
//! of one name at a time, so that the families of two names (with search domains) are never mixed. For the records of an
//! SRV name DNS alone is asked. What does not fit into a datagram is asked for over TCP.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record as DnsRecord, RecordType};
use hickory_resolver::{Resolver, TokioResolver, system_conf};

use super::Settings;
use super::known::{Answer, Family};
use super::srv::{Record, SrvAnswer};

/// How often one question is asked before it counts as failed.
const ATTEMPTS: usize = 2;
/// How many aliases lead from an SRV name to its records at most: one is usual, and a circle must end.
const ALIASES_MAX: usize = 8;
/// The life of what the hosts file says: it has none of its own.
const HOSTS_FILE_LIFE: Duration = Duration::from_secs(30);

/// What host names are looked up with.
#[derive(Debug)]
pub(super) struct Lookups {
    settings: RefCell<Rc<Settings>>,
    /// Made when first needed, and again after a failure: the system's name servers may be others by then, or may not
    /// have been known at all when the machine started.
    dns: RefCell<Option<Rc<Dns>>>,
}

#[derive(Debug)]
struct Dns {
    resolver: TokioResolver,
    /// Domains to try a name in, with the dots from which on it is tried alone first.
    search: Vec<Name>,
    dots: usize,
}

impl Lookups {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings: RefCell::new(Rc::new(settings)),
            dns: RefCell::default(),
        }
    }

    pub(super) fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.settings.borrow())
    }

    /// Asks by these from now on.
    pub(super) fn set(&self, settings: Settings) {
        self.settings.replace(Rc::new(settings));
        self.dns.replace(None);
    }

    /// Asks for both families of a host.
    pub(super) async fn ask(&self, host: &str) -> Answer {
        if let Some(answer) = self.hosts_file(host) {
            return answer;
        }
        let answer = match self.dns() {
            Ok(dns) => dns.ask(host).await,
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| {
            let failed = Family::Failed(error.to_string());
            let (v4, v6) = (failed.clone(), failed);
            Answer { v4, v6 }
        });
        if matches!(answer.v4, Family::Failed(_)) || matches!(answer.v6, Family::Failed(_)) {
            self.dns.replace(None);
        }
        answer
    }

    /// Asks for the records of an SRV name.
    pub(super) async fn ask_srv(&self, name: &str) -> SrvAnswer {
        let answer = match self.dns() {
            Ok(dns) => dns.ask_srv(name).await,
            Err(error) => Err(error),
        };
        let answer = answer.unwrap_or_else(|error| SrvAnswer::Failed(error.to_string()));
        if matches!(answer, SrvAnswer::Failed(_)) {
            self.dns.replace(None);
        }
        answer
    }

    fn dns(&self) -> Result<Rc<Dns>, NetError> {
        if let Some(dns) = self.dns.borrow().as_ref() {
            return Ok(Rc::clone(dns));
        }
        let dns = Rc::new(Dns::new(&self.settings())?);
        self.dns.replace(Some(Rc::clone(&dns)));
        Ok(dns)
    }

    /// What the hosts file says; read each time, as it may change and is small. `localhost` is known without it
    /// (RFC 6761 §6.3).
    fn hosts_file(&self, host: &str) -> Option<Answer> {
        let host = host.trim_end_matches('.');
        let text = std::fs::read_to_string(&self.settings().hosts_file).unwrap_or_default();
        let mut addresses = in_hosts_file(&text, host);
        if addresses.is_empty() && host.eq_ignore_ascii_case("localhost") {
            addresses = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        if addresses.is_empty() {
            return None;
        }
        let (v4, v6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        let family = |addresses: Vec<IpAddr>| {
            if addresses.is_empty() {
                Family::None
            } else {
                Family::Addresses(addresses, HOSTS_FILE_LIFE)
            }
        };
        Some(Answer {
            v4: family(v4),
            v6: family(v6),
        })
    }
}

/// The addresses of a host in the text of a hosts file.
fn in_hosts_file(text: &str, host: &str) -> Vec<IpAddr> {
    let of_line = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words
            .any(|name| name.eq_ignore_ascii_case(host))
            .then_some(address)
    };
    text.lines().filter_map(of_line).collect()
}

impl Dns {
    fn new(settings: &Settings) -> Result<Self, NetError> {
        let (config, mut options) = match &settings.name_servers {
            Some(servers) => (own_servers(servers), ResolverOpts::default()),
            None => system_conf::read_system_conf()?,
        };
        let domain = config.domain().into_iter().cloned();
        let mut search = config.search().to_vec();
        if search.is_empty() {
            search.extend(domain);
        }
        let dots = options.ndots;
        options.timeout = settings.timeout;
        options.attempts = ATTEMPTS;
        // Asked again when their life ends and not before, so a cache could only make answers older.
        options.cache_size = 0;
        let runtime = TokioRuntimeProvider::default();
        let mut builder = Resolver::builder_with_config(config, runtime);
        *builder.options_mut() = options;
        Ok(Self {
            resolver: builder.build()?,
            search,
            dots,
        })
    }

    /// The first of the host's full names that has an address. One that fails ends the search: a later name must not
    /// win because an earlier one could not be asked.
    async fn ask(&self, host: &str) -> Result<Answer, NetError> {
        let mut answer = Answer {
            v4: Family::None,
            v6: Family::None,
        };
        for name in full_names(host, &self.search, self.dots)? {
            let v4 = self.resolver.lookup(name.clone(), RecordType::A);
            let v6 = self.resolver.lookup(name, RecordType::AAAA);
            let (v4, v6) = tokio::join!(v4, v6);
            answer = Answer {
                v4: family(v4),
                v6: family(v6),
            };
            if answer.v4 != Family::None || answer.v6 != Family::None {
                break;
            }
        }
        Ok(answer)
    }

    /// The first of the full names that has records; as with hosts, one that fails ends the search.
    async fn ask_srv(&self, name: &str) -> Result<SrvAnswer, NetError> {
        for name in full_names(name, &self.search, self.dots)? {
            let answer = self.ask_srv_of(name).await;
            if answer != SrvAnswer::None {
                return Ok(answer);
            }
        }
        Ok(SrvAnswer::None)
    }

    /// The records of one full name. The library takes the target of a record for an alias and so loses the records of a name
    /// that is one itself: these are asked for one by one.
    async fn ask_srv_of(&self, mut name: Name) -> SrvAnswer {
        for _ in 0..ALIASES_MAX {
            let answer = records(self.resolver.lookup(name.clone(), RecordType::SRV).await);
            if answer != SrvAnswer::None {
                return answer;
            }
            let found = self.resolver.lookup(name, RecordType::CNAME).await;
            match found.ok().as_ref().and_then(alias) {
                Some(alias) => name = alias,
                None => break,
            }
        }
        SrvAnswer::None
    }
}

/// What a name is an alias of.
fn alias(lookup: &Lookup) -> Option<Name> {
    let mut aliases = lookup.answers().iter().filter_map(|r| match &r.data {
        RData::CNAME(alias) => Some(alias.0.clone()),
        _ => None,
    });
    aliases.next()
}

fn records(result: Result<Lookup, NetError>) -> SrvAnswer {
    let lookup = match result {
        Ok(lookup) => lookup,
        Err(error) if error.is_no_records_found() => return SrvAnswer::None,
        Err(error) => return SrvAnswer::Failed(error.to_string()),
    };
    let record = |record: &DnsRecord| match &record.data {
        // The root as target says that the service is not to be had (RFC 2782); port 0 cannot be connected to.
        RData::SRV(srv) if !srv.target.is_root() && srv.port != 0 => Some(Record {
            priority: srv.priority,
            target: text(&srv.target),
            port: srv.port,
            weight: srv.weight,
        }),
        _ => None,
    };
    let records: Vec<Record> = lookup.answers().iter().filter_map(record).collect();
    if records.is_empty() {
        return SrvAnswer::None;
    }
    let ttl = lookup.answers().iter().map(|record| record.ttl).min();
    let life = Duration::from_secs(ttl.unwrap_or(0).into());
    let glue = glue(lookup.additionals());
    SrvAnswer::Records(records, life, glue)
}

/// The addresses that came with an answer, by name. A family that did not come with the other is one the name has not.
fn glue(additionals: &[DnsRecord]) -> BTreeMap<Arc<str>, Answer> {
    let mut by_name: BTreeMap<Arc<str>, Vec<&DnsRecord>> = BTreeMap::new();
    for record in additionals.iter().filter(|r| r.data.ip_addr().is_some()) {
        by_name.entry(text(&record.name)).or_default().push(record);
    }
    let answer = |records: Vec<&DnsRecord>| {
        let of_family = |is_v4: bool| {
            let of_it = |r: &&&DnsRecord| r.data.ip_addr().is_some_and(|ip| ip.is_ipv4() == is_v4);
            addresses(records.iter().filter(of_it).copied())
        };
        Answer {
            v4: of_family(true),
            v6: of_family(false),
        }
    };
    let answers = by_name.into_iter();
    answers
        .map(|(name, records)| (name, answer(records)))
        .collect()
}

/// A name as text, in lower case, with the dot that says it is whole.
fn text(name: &Name) -> Arc<str> {
    Arc::from(name.to_lowercase().to_string())
}

fn own_servers(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let on_port = |mut connection: ConnectionConfig| {
            connection.port = address.port();
            connection
        };
        let connections = vec![
            on_port(ConnectionConfig::udp()),
            on_port(ConnectionConfig::tcp()),
        ];
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// The full names to try for a host, best first: as resolv.conf(5) says of `search` and `ndots`.
fn full_names(host: &str, search: &[Name], dots: usize) -> Result<Vec<Name>, NetError> {
    let mut own = Name::from_utf8(host)?;
    if own.is_fqdn() {
        return Ok(vec![own]);
    }
    let in_domain = |domain: &Name| own.clone().append_domain(domain).ok();
    let mut names: Vec<Name> = search.iter().filter_map(in_domain).collect();
    own.set_fqdn(true);
    let place = if host.matches('.').count() >= dots {
        0
    } else {
        names.len()
    };
    names.insert(place, own);
    Ok(names)
}

fn family(result: Result<Lookup, NetError>) -> Family {
    match result {
        Ok(lookup) => addresses(lookup.answers().iter()),
        Err(error) if error.is_no_records_found() => Family::None,
        Err(error) => Family::Failed(error.to_string()),
    }
}

/// The addresses that records give; the shortest of their lives is that of all.
fn addresses<'a>(records: impl Iterator<Item = &'a DnsRecord> + Clone) -> Family {
    let ips = records.clone().filter_map(|record| record.data.ip_addr());
    let mut ips: Vec<IpAddr> = ips.collect();
    ips.sort_unstable();
    ips.dedup();
    if ips.is_empty() {
        return Family::None;
    }
    let ttl = records.map(|record| record.ttl).min().unwrap_or(0);
    Family::Addresses(ips, Duration::from_secs(ttl.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_gives_all_addresses_of_a_name() {
        let text = "# comment\n127.0.0.1 localhost a.test # b.test\n::1\tlocalhost A.TEST\nbad c.test\n10.0.0.1 x a.test.org\n";
        let of = |host| -> Vec<String> {
            let all = in_hosts_file(text, host);
            all.iter().map(ToString::to_string).collect()
        };
        assert_eq!(of("a.test"), ["127.0.0.1", "::1"]);
        assert_eq!(of("b.test"), [""; 0]);
        assert_eq!(of("c.test"), [""; 0]);
    }

    #[test]
    fn names_with_enough_dots_are_tried_alone_first_and_full_names_alone() {
        let search = [
            Name::from_ascii("s1.test.").unwrap(),
            Name::from_ascii("s2.test.").unwrap(),
        ];
        let names = |host| -> Vec<String> {
            let all = full_names(host, &search, 1).unwrap();
            all.iter().map(ToString::to_string).collect()
        };
        assert_eq!(names("a.b"), ["a.b.", "a.b.s1.test.", "a.b.s2.test."]);
        assert_eq!(names("a"), ["a.s1.test.", "a.s2.test.", "a."]);
        assert_eq!(names("a.b."), ["a.b."]);
    }
}
