//! What `provider add` writes: an account where none fits, a backend with weight 0, and in the end the weights that say the
//! shares it has reached. It decides from a configuration and the command line alone, and reads again what it wrote: a text
//! that would mean anything else as well is not used.

use std::collections::BTreeMap;

use bascule_config::{Account, Addresses, Auth, Cloud, Config, Put, put};
use bascule_model::{BackendName, Date, ServiceName, Shares};
use bascule_traffic::spec::{Role, ServiceSpec};

use crate::cli::args::{AddArgs, AddressesArg, AuthArg, CloudArg, SchemeArg};
use crate::cli::config::{Text, invalid};
use crate::cli::exit::{CliError, Exit};

/// What is to be added, with all names settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Addition {
    pub(super) service: ServiceName,
    pub(super) backend: BackendName,
    pub(super) account: String,
    puts: Vec<Put>,
}

impl Addition {
    /// What the command line says, in this configuration.
    pub(super) fn of(args: &AddArgs, config: &Config, today: Date) -> Result<Self, CliError> {
        let service = service(args, config)?;
        let backend = backend(args, service)?;
        let (account, new_account) = account(args, config)?;
        let mut puts = Vec::new();
        if let Some(value) = new_account {
            puts.push(Put {
                keys: vec!["accounts".to_owned(), account.clone()],
                value,
            });
        }
        puts.push(Put {
            keys: keys(&service.name, &backend).to_vec(),
            value: backend_value(args, &backend, &account, today),
        });
        Ok(Self {
            service: service.name.clone(),
            backend,
            account,
            puts,
        })
    }

    /// The text with it, and what that means.
    pub(super) fn write(&self, text: &Text) -> Result<(Text, Config), CliError> {
        let backend = format!("/services/{}/backends/{}", self.service, self.backend);
        let account = format!("/accounts/{}", self.account);
        written(text, &self.puts, &[&backend, &account])
    }

    /// The text with weights that say this row.
    pub(super) fn keep(&self, text: &Text, row: &Shares) -> Result<(Text, Config), CliError> {
        let config = text.load().map_err(|problems| invalid(&problems))?.config;
        let declared = weights(find(&config, &self.service)?);
        let kept = kept(&declared, &self.backend, row);
        let changed = kept
            .iter()
            .filter(|(name, weight)| declared.get(*name) != Some(*weight));
        let put = |(name, weight): (&BackendName, &u32)| {
            let mut keys = keys(&self.service, name).to_vec();
            keys.push("weight".to_owned());
            let value = weight.to_string();
            Put { keys, value }
        };
        let puts: Vec<Put> = changed.map(put).collect();
        let backends = format!("/services/{}/backends", self.service);
        written(text, &puts, &[&backends])
    }
}

fn keys(service: &ServiceName, backend: &BackendName) -> [String; 4] {
    ["services", service.as_str(), "backends", backend.as_str()].map(str::to_owned)
}

/// The text with these values, and what it means; an error where anything else would change.
fn written(text: &Text, puts: &[Put], inside: &[&str]) -> Result<(Text, Config), CliError> {
    let by_hand = |mut error: CliError| {
        for one in puts {
            error = error.with_help(format!("by hand: {}: {}", one.keys.join("."), one.value));
        }
        error
    };
    let before = text.as_utf8();
    let after = put(&text.name, &before, puts);
    let after = after.map_err(|error| {
        let message = format!("it cannot be written into {}: {error}", text.name);
        by_hand(CliError::new(Exit::Failed, message))
    })?;
    let new = text.with(after.clone().into_bytes());
    let old_config = text.load().map_err(|problems| invalid(&problems))?.config;
    let config = new.load().map_err(|problems| invalid(&problems))?.config;
    let changes = bascule_config::diff((&old_config, &before), (&config, &after));
    let is_inside = |pointer: &str| {
        inside.iter().any(|prefix| {
            pointer
                .strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    match changes.iter().find(|change| !is_inside(change.pointer())) {
        None => Ok((new, config)),
        Some(other) => {
            let message = format!(
                "{} is written so that `{}` would change too",
                text.name,
                other.pointer()
            );
            Err(by_hand(CliError::new(Exit::Failed, message)))
        }
    }
}

pub(super) fn find<'a>(
    config: &'a Config,
    name: &ServiceName,
) -> Result<&'a ServiceSpec, CliError> {
    let service = config.services.iter().find(|service| service.name == *name);
    service
        .map(|service| &**service)
        .ok_or_else(|| CliError::new(Exit::Conflict, format!("service `{name}` is gone")))
}

fn service<'a>(args: &AddArgs, config: &'a Config) -> Result<&'a ServiceSpec, CliError> {
    let names: Vec<&str> = config.services.iter().map(|s| s.name.as_str()).collect();
    match (&args.service, config.services.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => {
            let message = format!("there are several services: {}", names.join(", "));
            Err(CliError::new(Exit::Usage, message).with_help("name one: --service NAME"))
        }
        (Some(name), all) => {
            let named = all.iter().find(|service| service.name.as_str() == name);
            named.map(|service| &**service).ok_or_else(|| {
                let known: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
                crate::cli::status::unknown_service(name, &known)
            })
        }
    }
}

fn backend(args: &AddArgs, service: &ServiceSpec) -> Result<BackendName, CliError> {
    let text = args.backend.as_deref().unwrap_or(cloud(args).as_str());
    let name = BackendName::parse(text)
        .map_err(|error| CliError::new(Exit::Usage, format!("--backend: {error}")))?;
    if service.backends.contains_key(&name) {
        let message = format!("service {} has a backend `{name}` already", service.name);
        let help = match args.backend {
            None => "give the new one a name of its own: --backend NAME".to_owned(),
            Some(_) => format!(
                "move its share: bascule shift {} {name}={}",
                service.name,
                percent(args)
            ),
        };
        return Err(CliError::new(Exit::Usage, message).with_help(help));
    }
    Ok(name)
}

fn percent(args: &AddArgs) -> String {
    crate::cli::text::share(args.share.percent())
}

const fn cloud(args: &AddArgs) -> Cloud {
    match args.cloud {
        CloudArg::Aws => Cloud::Aws,
        CloudArg::Oci => Cloud::Oci,
    }
}

/// The account's name, and what is written of it where it is new.
fn account(args: &AddArgs, config: &Config) -> Result<(String, Option<String>), CliError> {
    let wanted = wanted(args);
    let usage = |message: String| CliError::new(Exit::Usage, message);
    if let Some(name) = &args.account {
        return match config.accounts.get(name) {
            Some(there) if fits(there, &wanted) => Ok((name.clone(), None)),
            Some(_) => {
                let message = format!("account `{name}` is there with other settings than these");
                Err(usage(message)
                    .with_help("leave them out to use it as it is, or choose another name"))
            }
            None => Ok((name.clone(), Some(account_value(&wanted)))),
        };
    }
    let fitting = config
        .accounts
        .iter()
        .filter(|(_, there)| fits(there, &wanted));
    let fitting: Vec<&String> = fitting.map(|(name, _)| name).collect();
    match fitting.as_slice() {
        [one] => Ok(((*one).clone(), None)),
        [] if config.accounts.contains_key(wanted.cloud.as_str()) => {
            let message = format!(
                "account `{}` is there with other settings than these",
                wanted.cloud.as_str()
            );
            Err(usage(message).with_help("name the new one: --account NAME"))
        }
        [] => Ok((
            wanted.cloud.as_str().to_owned(),
            Some(account_value(&wanted)),
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let message = format!("several accounts fit: {}", names.join(", "));
            Err(usage(message).with_help("choose one: --account NAME"))
        }
    }
}

fn wanted(args: &AddArgs) -> Account {
    Account {
        cloud: cloud(args),
        region: args.region.clone(),
        auth: args.auth.map(|auth| match auth {
            AuthArg::ApiKey => Auth::ApiKey,
            AuthArg::InstancePrincipal => Auth::InstancePrincipal,
            AuthArg::ResourcePrincipal => Auth::ResourcePrincipal,
        }),
        config_file: args.config_file.clone(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
    }
}

/// Whether an account is what is wanted, as far as that is said.
fn fits(there: &Account, wanted: &Account) -> bool {
    fn says<T: PartialEq>(there: &Option<T>, wanted: &Option<T>) -> bool {
        wanted.is_none() || there == wanted
    }
    there.cloud == wanted.cloud
        && says(&there.region, &wanted.region)
        && says(&there.auth, &wanted.auth)
        && says(&there.config_file, &wanted.config_file)
        && says(&there.profile, &wanted.profile)
        && says(&there.endpoint_url, &wanted.endpoint_url)
}

fn account_value(account: &Account) -> String {
    let text = |text: &Option<String>| text.as_deref().map(bascule_config::put::text);
    one_line(&[
        ("cloud", Some(account.cloud.as_str().to_owned())),
        ("region", text(&account.region)),
        ("auth", account.auth.map(|auth| auth.as_str().to_owned())),
        ("config_file", text(&account.config_file)),
        ("profile", text(&account.profile)),
        ("endpoint_url", text(&account.endpoint_url)),
    ])
}

fn backend_value(args: &AddArgs, backend: &BackendName, account: &str, today: Date) -> String {
    let provider = cloud(args).as_str();
    let scheme = match args.scheme {
        SchemeArg::Http => None,
        SchemeArg::Https => Some("https".to_owned()),
        SchemeArg::H2c => Some("h2c".to_owned()),
    };
    let addresses = args.addresses.map(|addresses| match addresses {
        AddressesArg::Private => Addresses::Private,
        AddressesArg::Public => Addresses::Public,
    });
    let addresses = addresses.map(|addresses| addresses.as_str().to_owned());
    let discover = one_line(&[
        ("account", Some(bascule_config::put::text(account))),
        ("from", Some(bascule_config::put::text(&args.from))),
        ("addresses", addresses),
        ("scheme", scheme),
        ("port", args.port.map(|port| port.to_string())),
    ]);
    let price = args.egress_price.as_deref().map(|price| {
        one_line(&[
            ("price", Some(bascule_config::put::text(price))),
            ("as_of", Some(today.to_string())),
        ])
    });
    let is_named_so = backend.as_str() == provider;
    one_line(&[
        ("provider", (!is_named_so).then(|| provider.to_owned())),
        (
            "region",
            args.region.as_deref().map(bascule_config::put::text),
        ),
        ("weight", Some("0".to_owned())),
        ("egress_price", price),
        ("discover", Some(discover)),
    ])
}

/// `{ a: 1, b: 2 }` of those that are there.
fn one_line(entries: &[(&str, Option<String>)]) -> String {
    let entries = entries.iter();
    let entries = entries.filter_map(|(key, value)| Some(format!("{key}: {}", value.as_ref()?)));
    format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
}

/// The weights of a service as they are declared; a standby has none.
pub(super) fn weights(service: &ServiceSpec) -> BTreeMap<BackendName, u32> {
    let weight = |(name, spec): (&BackendName, &bascule_traffic::spec::BackendSpec)| match spec.role
    {
        Role::Weighted(weight) => Some((name.clone(), weight)),
        Role::Standby => None,
    };
    service.backends.iter().filter_map(weight).collect()
}

/// Weights that say this row to the last basis point. Where a whole number for the new backend does it, no other is touched;
/// where it takes finer ones, all grow by the same factor; else they are the shares themselves.
fn kept(
    declared: &BTreeMap<BackendName, u32>,
    new: &BackendName,
    row: &Shares,
) -> BTreeMap<BackendName, u32> {
    const FACTORS: [u32; 3] = [1, 10, 100];
    let share = row.get(new).map_or(0, |share| u64::from(share.get()));
    let others = declared.iter().filter(|(name, _)| *name != new);
    let sum: u64 = others.map(|(_, weight)| u64::from(*weight)).sum();
    let says_it = |weights: &BTreeMap<BackendName, u32>| {
        let weights = weights
            .iter()
            .map(|(name, weight)| (name.clone(), u64::from(*weight)));
        Shares::from_weights(weights)
            .is_ok_and(|says| declared.keys().all(|name| says.get(name) == row.get(name)))
    };
    let scaled = |factor: u32| {
        let sum = sum.checked_mul(u64::from(factor))?;
        let rest = 10_000_u64.checked_sub(share).filter(|rest| *rest > 0)?;
        let weight = u32::try_from((share * sum + rest / 2) / rest).ok()?;
        let mut weights = BTreeMap::new();
        for (name, other) in declared {
            weights.insert(name.clone(), other.checked_mul(factor)?);
        }
        weights.insert(new.clone(), weight);
        says_it(&weights).then_some(weights)
    };
    let of_row = || {
        let share = |name: &BackendName| row.get(name).map_or(0, |share| u32::from(share.get()));
        declared
            .keys()
            .map(|name| (name.clone(), share(name)))
            .collect()
    };
    FACTORS.into_iter().find_map(scaled).unwrap_or_else(of_row)
}

#[cfg(test)]
mod tests;
