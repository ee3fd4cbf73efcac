//! The actuators of a configuration as the providers know them, made with the first look at each, and the name servers that
//! are asked what some of them answer. It sets nothing by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bascule_config::{ActuatorKind, Apply as Wish};
use bascule_control::apply::{Ask, Asked};
use bascule_model::{BackendName, RecordType};
use bascule_net::resolve::{Question, ask};
use bascule_provider::pace::Repeat;
use bascule_provider::port::{Call, Numbers, Settings, Unit};
use bascule_provider::{Apply, Error, Kind};
use bascule_provider_aws as aws;
use bascule_provider_oci as oci;
use tokio::sync::OnceCell;

use super::{Open, ROUTE53};

/// An actuator in an account.
#[derive(Debug)]
pub(crate) struct Actuator {
    pub(crate) account: Arc<Open>,
    pub(crate) wish: Wish,
    /// How long a question to a name server may take.
    pub(crate) patience: Duration,
    name: String,
    made: OnceCell<Arc<dyn Apply>>,
}

impl Actuator {
    pub(crate) fn new(account: &Arc<Open>, wish: &Wish, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            account: Arc::clone(account),
            wish: wish.clone(),
            patience,
            name: wish.to.to_string(),
            made: OnceCell::new(),
        })
    }

    async fn made(&self) -> Result<&Arc<dyn Apply>, Error> {
        self.made.get_or_try_init(|| self.make()).await
    }

    async fn make(&self) -> Result<Arc<dyn Apply>, Error> {
        let kind = self.wish.to.kind;
        Ok(match kind {
            ActuatorKind::Route53 => self.records().await?,
            ActuatorKind::TargetGroups => {
                let account = self.account.aws().await?;
                let members = self.one_of_each();
                Arc::new(aws::elb::WeightedGroups::new(
                    account,
                    self.part(0),
                    members,
                )?)
            }
            ActuatorKind::GlobalAccelerator => {
                let account = self.account.aws().await?;
                let members = self.one_of_each();
                Arc::new(aws::accelerator::Endpoints::new(
                    account,
                    self.part(0),
                    members,
                ))
            }
            ActuatorKind::SteeringPolicy => {
                let client = self.account.oci().await?;
                let all = |of: &Vec<String>| of.iter().cloned().collect::<BTreeSet<String>>();
                let members = self.each(all);
                Arc::new(oci::SteeringPolicy::new(client, self.part(0), members))
            }
            ActuatorKind::LoadBalancer => self.set(oci::Layer::Seven).await?,
            ActuatorKind::NetworkLoadBalancer => self.set(oci::Layer::Four).await?,
        })
    }

    async fn records(&self) -> Result<Arc<dyn Apply>, Error> {
        use aws::route53::{Spec, WeightedRecords};
        let account = self.account.aws().await?;
        let spec = Spec {
            zone: self.part(0).to_owned(),
            name: self.part(1).to_owned(),
            kind: RecordType::parse(self.part(2)).unwrap_or(RecordType::A),
            ttl_seconds: u32::try_from(self.wish.ttl.as_secs()).unwrap_or(u32::MAX),
            members: self.wish.members.clone(),
        };
        Ok(Arc::new(WeightedRecords::new(account, spec)?))
    }

    async fn set(&self, layer: oci::Layer) -> Result<Arc<dyn Apply>, Error> {
        let client = self.account.oci().await?;
        let machines = |(name, of): (&BackendName, &Vec<String>)| {
            let machines = oci::Machines::of(of).map_err(|error| {
                Error::new(Kind::Invalid, "members", name.to_string()).detail(error.to_string())
            });
            Ok::<_, Error>((name.clone(), machines?))
        };
        let members = self.wish.members.iter().map(machines);
        let members = members.collect::<Result<BTreeMap<_, _>, _>>()?;
        let (id, set) = (self.part(0), self.part(1));
        Ok(Arc::new(oci::SetActuator::new(
            client, layer, id, set, members,
        )))
    }

    const fn api(&self) -> &'static str {
        match self.wish.to.kind {
            ActuatorKind::Route53 => ROUTE53,
            other => other.as_str(),
        }
    }

    /// A part of its name: they are all there, as the configuration was read so.
    fn part(&self, at: usize) -> &str {
        self.wish.to.parts.get(at).map_or("", String::as_str)
    }

    fn each<T>(&self, of: impl Fn(&Vec<String>) -> T) -> BTreeMap<BackendName, T> {
        let members = self.wish.members.iter();
        members.map(|(name, all)| (name.clone(), of(all))).collect()
    }

    fn one_of_each(&self) -> BTreeMap<BackendName, String> {
        self.each(|of| of.first().cloned().unwrap_or_default())
    }
}

impl Apply for Actuator {
    fn actuator(&self) -> &str {
        &self.name
    }

    /// Before it has been looked at nothing is known of it, and nothing is asked.
    fn unit(&self) -> Unit {
        let unknown = Unit {
            max: 1,
            delay: Duration::ZERO,
        };
        self.made.get().map_or(unknown, |made| made.unit())
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let made = self.made().await?;
            let read = || made.read();
            self.account.paced(self.api(), Repeat::Yes, read).await
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(async move {
            let made = self.made().await?;
            let write = || made.write(over, wanted);
            self.account.paced(self.api(), Repeat::No, write).await
        })
    }

    /// Not paced: as a rule nothing is asked, and what asks keeps pauses of its own.
    fn settle(&self) -> Call<'_, ()> {
        Box::pin(async { self.made().await?.settle().await })
    }
}

impl Ask for Actuator {
    /// Where nobody is to be asked there is no answer.
    fn ask(&self, kind: RecordType) -> Pin<Box<dyn Future<Output = Asked> + '_>> {
        Box::pin(async move {
            let Some(dns) = &self.wish.dns else {
                return Asked::default();
            };
            let question = Question {
                servers: dns.servers.clone(),
                name: dns.name.clone(),
                kind,
                times: dns.questions,
                timeout: self.patience,
            };
            let heard = ask(&question).await;
            let failures = heard.failures.iter();
            Asked {
                failures: failures
                    .map(|(server, why)| format!("{server}: {why}"))
                    .collect(),
                answers: heard.answers,
            }
        })
    }
}
