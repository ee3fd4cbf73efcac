//! What was lowered becomes a [`Config`]: defaults filled in, files read, names resolved. It goes on after a problem, so
//! that one run finds all of them; the result is used only when there was none. `build/listener` has listeners and their
//! certificates, `build/service` services, `build/affinity` what keeps requests together, `build/policy` what services and defaults share.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::{
    AccessLog, Admin, Config, Dns, Listener, Log, LogFormat, LogLevel, Runtime, Secrets, Shutdown,
};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::Item;
use crate::meaning;
use crate::origin::Origins;
use crate::read::Layers;
use crate::source::Source;

mod affinity;
pub(crate) mod check;
mod cloud;
mod listener;
mod pem;
mod policy;
mod price;
mod service;

pub(crate) use service::expand;

/// Builds a configuration. `None` only when there is a problem.
pub(crate) fn build(
    root: &Item,
    source: &dyn Source,
    origins: Origins,
) -> (Option<Config>, Vec<Diagnostic>) {
    let mut builder = Builder {
        source,
        roots: BTreeMap::new(),
        secrets: BTreeMap::new(),
        problems: Vec::new(),
    };
    let config = builder.config(root, origins);
    builder.problems.extend(meaning::check(root));
    (config, builder.problems)
}

struct Builder<'a> {
    source: &'a dyn Source,
    roots: BTreeMap<String, Arc<[u8]>>,
    secrets: BTreeMap<String, Secrets>,
    problems: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn config(&mut self, root: &Item, origins: Origins) -> Option<Config> {
        let top = Layers::only(Some(root));
        let limits = root.get("defaults").and_then(|item| item.get("limits"));
        let limits = policy::limits(Layers::new(None, limits));
        let listeners = self.listeners(root);
        let admin = self.admin(top.inside("admin"));
        let defaults = root.get("defaults");
        let zone: Option<Arc<str>> = top.text("zone").map(Arc::from);
        let fields = root.get("services").map(Item::fields).unwrap_or_default();
        let built: Vec<_> = fields
            .iter()
            .map(|field| self.service(field, defaults, &listeners, zone.as_ref()))
            .collect();
        let accounts = root.get("accounts").map(Item::fields).unwrap_or_default();
        let commitments = root.get("commitments").map(Item::fields);
        let (mut services, mut discover, mut apply, mut prices) = (
            Vec::new(),
            BTreeMap::new(),
            BTreeMap::new(),
            BTreeMap::new(),
        );
        let (mut checks, mut outliers, mut facts) =
            (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for service in built {
            let service = service?;
            let name = service.spec.name.clone();
            checks.insert(name.clone(), Arc::new(service.check));
            outliers.insert(name.clone(), Arc::new(service.outlier));
            facts.insert(name.clone(), service.facts);
            if !service.apply.is_empty() {
                apply.insert(name.clone(), service.apply);
            }
            let found = service.discover.into_iter();
            discover.extend(found.map(|(backend, found)| ((name.clone(), backend), found)));
            let priced = service.prices.into_iter();
            prices.extend(priced.map(|(backend, price)| ((name.clone(), backend), price)));
            services.push(Arc::new(service.spec));
        }
        services.sort_by(|a, b| a.name.cmp(&b.name));
        let by_name = |listener: Listener| (listener.name.clone(), listener);
        Some(Config {
            state_dir: top.text("state_dir").map(str::to_owned),
            zone,
            dns: dns(top.inside("dns")),
            listeners: listeners.into_iter().map(by_name).collect(),
            accounts: accounts.iter().filter_map(cloud::account).collect(),
            commitments: commitments
                .unwrap_or_default()
                .iter()
                .filter_map(price::commitment)
                .collect(),
            services,
            prices,
            discover,
            apply,
            checks,
            outliers,
            facts,
            roots: std::mem::take(&mut self.roots),
            secrets: std::mem::take(&mut self.secrets),
            admin,
            metrics: top.inside("metrics").socket("listen"),
            log: log(top.inside("log")),
            runtime: Runtime {
                workers: top.inside("runtime").integer("workers"),
            },
            shutdown: shutdown(top.inside("shutdown")),
            limits,
            origins,
        })
    }

    fn admin(&mut self, admin: Layers<'_>) -> Admin {
        let tokens = admin.inside("auth").get("tokens_file");
        Admin {
            socket: admin.text("socket").map(str::to_owned),
            listen: admin.socket("listen"),
            tokens_file: tokens
                .and_then(|item| self.file(item))
                .map(|(path, _)| path),
        }
    }

    /// The path in an item and what the file holds; a file that cannot be read is a problem.
    fn file(&mut self, item: &Item) -> Option<(String, Vec<u8>)> {
        let Some(Value::Text(path)) = item.value() else {
            return None;
        };
        match self.source.read(path) {
            Ok(content) => Some((path.clone(), content)),
            Err(error) => {
                let message = format!("`{path}` cannot be read");
                let problem = Diagnostic::error("E0330", item.span, &item.pointer, message)
                    .label(error.to_string())
                    .note("a path that is not absolute is meant from the directory of the configuration file");
                self.problems.push(problem);
                None
            }
        }
    }
}

/// A list of addresses with ports.
fn sockets(list: Option<&Item>) -> Vec<SocketAddr> {
    let socket = |item: &Item| match item.value() {
        Some(Value::Socket(address)) => Some(*address),
        _ => None,
    };
    let list = list.map(Item::items).unwrap_or_default();
    list.iter().filter_map(socket).collect()
}

fn dns(dns: Layers<'_>) -> Dns {
    let built_in = Dns::default();
    Dns {
        servers: sockets(dns.get("servers")),
        ttl_min: dns.duration("ttl_min").unwrap_or(built_in.ttl_min),
        ttl_max: dns.duration("ttl_max").unwrap_or(built_in.ttl_max),
        timeout: dns.duration("timeout").unwrap_or(built_in.timeout),
    }
}

fn shutdown(shutdown: Layers<'_>) -> Shutdown {
    let built_in = Shutdown::default();
    Shutdown {
        delay: shutdown.duration("delay").unwrap_or(built_in.delay),
        deadline: shutdown.duration("deadline").unwrap_or(built_in.deadline),
    }
}

fn log(log: Layers<'_>) -> Log {
    let access = log.inside("access");
    let built_in = AccessLog::default();
    Log {
        level: match log.word("level") {
            Some("error") => LogLevel::Error,
            Some("warn") => LogLevel::Warn,
            Some("debug") => LogLevel::Debug,
            Some("trace") => LogLevel::Trace,
            _ => LogLevel::Info,
        },
        format: match log.word("format") {
            Some("text") => LogFormat::Text,
            _ => LogFormat::Json,
        },
        access: AccessLog {
            sample: access.ratio("sample").unwrap_or(built_in.sample),
            decisions: access.ratio("decisions").unwrap_or(built_in.decisions),
            redact_query: access
                .boolean("redact_query")
                .unwrap_or(built_in.redact_query),
        },
    }
}
