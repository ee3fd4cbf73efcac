//! The accounts of a configuration as the providers know them, opened with the first question to each. One that cannot be
//! opened is tried again with the next question. It asks nothing by itself.

mod actuator;
mod observed;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bascule_config::{Account, Addresses, Auth, Cloud, Discover as Wish, SourceKind, SourceName};
use bascule_provider::pace::{Limit, Pace, Repeat};
use bascule_provider::port::{Call, Lifecycle, Set};
use bascule_provider::{Discover, Error, Identity};
use bascule_provider_aws as aws;
use bascule_provider_oci as oci;
use bascule_traffic::spec::{EndpointHost, EndpointSpec, EndpointUrl};
use tokio::sync::OnceCell;

use crate::files::Files;
pub(crate) use actuator::Actuator;
pub(crate) use observed::Observed;

/// The API whose limit AWS publishes: ten requests a second for an account.
pub(crate) const ROUTE53: &str = "route53";
/// A read is one request as a rule, a change three and a look each two seconds.
const AWS_ROUTE53: Limit = Limit {
    per_second: 3,
    burst: 5,
};
/// Of each other API. Reads are given ten a second and more at AWS; a source of 2 000 machines makes ten requests.
const AWS: Limit = Limit {
    per_second: 5,
    burst: 10,
};

/// An account, opened when it is first needed.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) account: Account,
    files: Files,
    /// Of an account in AWS; one in OCI keeps its own.
    pace: Pace,
    aws: OnceCell<Arc<aws::Account>>,
    oci: OnceCell<Arc<oci::Client>>,
}

impl Open {
    pub(crate) fn new(account: &Account, files: Files) -> Arc<Self> {
        Arc::new(Self {
            account: account.clone(),
            files,
            pace: Pace::new(AWS, &[(ROUTE53, AWS_ROUTE53)], fastrand::u64(..)),
            aws: OnceCell::new(),
            oci: OnceCell::new(),
        })
    }

    /// Who asks, once the cloud has taken the credentials, and how far the clocks are apart.
    pub(crate) async fn identity(&self) -> Result<Identity, Error> {
        match self.account.cloud {
            Cloud::Aws => {
                let account = self.aws().await?;
                let identity = account.identity().await?;
                Ok(Identity {
                    name: format!("{}, in {}", identity.arn, account.region()),
                    skew: identity.skew,
                })
            }
            Cloud::Oci => self.oci().await?.identity().await,
        }
    }

    /// Makes a call at the account's pace.
    pub(crate) async fn paced<'a, T>(
        &self,
        api: &'static str,
        repeat: Repeat,
        call: impl Fn() -> Call<'a, T>,
    ) -> Result<T, Error> {
        match self.account.cloud {
            Cloud::Aws => self.pace.call(api, repeat, call).await,
            Cloud::Oci => call().await,
        }
    }

    fn file(&self) -> Option<PathBuf> {
        let file = self.account.config_file.as_ref()?;
        Some(self.files.path(file))
    }

    pub(crate) async fn aws(&self) -> Result<Arc<aws::Account>, Error> {
        let open = || async {
            let options = aws::Options {
                region: self.account.region.clone(),
                profile: self.account.profile.clone(),
                profile_file: self.file(),
                endpoint: self.account.endpoint_url.clone(),
                patience: None,
            };
            aws::Account::open(options).await.map(Arc::new)
        };
        self.aws.get_or_try_init(open).await.map(Arc::clone)
    }

    pub(crate) async fn oci(&self) -> Result<Arc<oci::Client>, Error> {
        let open = || async {
            let Account {
                region,
                auth,
                profile,
                endpoint_url,
                ..
            } = &self.account;
            let way = match auth {
                None | Some(Auth::ApiKey) => oci::Way::ConfigFile {
                    path: self.file().map(|file| file.display().to_string()),
                    profile: profile.clone(),
                },
                Some(Auth::InstancePrincipal) => oci::Way::InstancePrincipal {
                    metadata: None,
                    auth: endpoint_url.clone(),
                },
                Some(Auth::ResourcePrincipal) => oci::Way::ResourcePrincipal,
            };
            let endpoints = endpoint_url.iter().flat_map(|url| {
                let each = oci::Service::ALL.iter();
                each.map(move |service| (*service, url.clone()))
            });
            let settings = oci::Settings {
                region: region.clone(),
                endpoints: endpoints.collect(),
                ..oci::Settings::default()
            };
            let auth = oci::auth::Auth::new(way, Arc::new(oci::System));
            oci::Client::new(settings, auth).map(Arc::new)
        };
        self.oci.get_or_try_init(open).await.map(Arc::clone)
    }
}

/// A source in an account.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) account: Arc<Open>,
    from: SourceName,
    addresses: Addresses,
    name: String,
    made: OnceCell<Arc<dyn Discover>>,
}

impl Source {
    pub(crate) fn new(account: &Arc<Open>, wish: &Wish) -> Arc<Self> {
        Arc::new(Self {
            account: Arc::clone(account),
            from: wish.from.clone(),
            addresses: wish.addresses,
            name: wish.asked(),
            made: OnceCell::new(),
        })
    }

    async fn make(&self) -> Result<Arc<dyn Discover>, Error> {
        let id = self.from.id.as_str();
        // Those of two parts have both: the configuration was read so.
        let (outer, inner) = id.split_once('/').unwrap_or((id, ""));
        Ok(match self.from.kind.cloud() {
            Cloud::Aws => {
                let account = self.account.aws().await?;
                let address = match self.addresses {
                    Addresses::Private => aws::machines::Address::Private,
                    Addresses::Public => aws::machines::Address::Public,
                };
                match self.from.kind {
                    SourceKind::AutoScalingGroup => {
                        Arc::new(aws::autoscaling::Group::new(account, id, address))
                    }
                    SourceKind::TargetGroup => {
                        Arc::new(aws::targets::TargetGroup::new(account, id, address))
                    }
                    _ => Arc::new(aws::cloud_map::CloudMap::new(account, outer, inner)),
                }
            }
            Cloud::Oci => {
                let client = self.account.oci().await?;
                let set =
                    |client, layer| Arc::new(oci::SetSource::new(client, layer, outer, inner));
                match self.from.kind {
                    SourceKind::LoadBalancer => set(client, oci::Layer::Seven),
                    SourceKind::NetworkLoadBalancer => set(client, oci::Layer::Four),
                    _ => {
                        let addresses = match self.addresses {
                            Addresses::Private => oci::Addresses::Private,
                            Addresses::Public => oci::Addresses::Public,
                        };
                        Arc::new(oci::InstancePool::new(client, id, addresses))
                    }
                }
            }
        })
    }
}

impl Discover for Source {
    fn source(&self) -> &str {
        &self.name
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(async {
            let made = self.made.get_or_try_init(|| self.make()).await?;
            let api = self.from.kind.as_str();
            let discover = || made.discover();
            self.account.paced(api, Repeat::Yes, discover).await
        })
    }
}

/// Those that run, by address; what is written already keeps what is written of it, and two machines at one address are one.
pub(crate) fn join(endpoints: &mut Vec<EndpointSpec>, wish: &Wish, set: &Set) {
    let mut known: BTreeSet<EndpointUrl> = endpoints
        .iter()
        .map(|endpoint| endpoint.url.clone())
        .collect();
    for instance in set.instances.values() {
        let port = wish.port.or(instance.port);
        let Some(port) = port.filter(|_| instance.lifecycle == Lifecycle::Running) else {
            continue;
        };
        let url = EndpointUrl {
            scheme: wish.scheme,
            host: EndpointHost::Address(SocketAddr::new(instance.address, port)),
            port,
        };
        if known.insert(url.clone()) {
            endpoints.push(EndpointSpec {
                zone: instance.zone.clone(),
                ..EndpointSpec::from(url)
            });
        }
    }
}
