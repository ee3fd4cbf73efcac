//! The instances of a service in Cloud Map as a source of endpoints. Instances that are only names are refused. The call has no
//! pages and gives a thousand at most: as many may be a part, and are refused too.

use std::sync::Arc;

use bascule_provider::port::{Instance, Lifecycle, Set};
use bascule_provider::{Call, Discover, Error, Kind};
use serde_json::{Value, json};

use crate::account::Account;
use crate::request::Request;
use crate::send::Answer;
use crate::service::Service;

const CALL: &str = "servicediscovery:DiscoverInstances";
const PREFIX: &str = "Route53AutoNaming_v20170314";

/// The most that the call gives.
const INSTANCES_MAX: usize = 1000;

/// A service of a namespace.
#[derive(Debug)]
pub struct CloudMap {
    account: Arc<Account>,
    namespace: String,
    service: String,
    source: String,
}

impl CloudMap {
    /// The service of these names in the account's region.
    #[must_use]
    pub fn new(account: Arc<Account>, namespace: &str, service: &str) -> Self {
        Self {
            account,
            namespace: namespace.to_owned(),
            service: service.to_owned(),
            source: format!("cloud-map/{namespace}/{service}"),
        }
    }

    async fn find(&self) -> Result<Set, Error> {
        // Also those that Cloud Map thinks ill: who is well is for our own checks to say.
        let body = json!({
            "NamespaceName": self.namespace,
            "ServiceName": self.service,
            "MaxResults": INSTANCES_MAX,
            "HealthStatus": "ALL",
        });
        let request = Request::json(Service::CloudMap, CALL, &self.source, PREFIX, &body);
        let answer = self.account.send(&request).await?;
        let json: Value = serde_json::from_str(&answer.body)
            .map_err(|error| answer.unfit("the answer is not JSON").because(error))?;
        let instances = json.get("Instances").and_then(Value::as_array);
        let instances = instances.ok_or_else(|| answer.unfit("the answer lacks Instances"))?;
        if instances.len() >= INSTANCES_MAX {
            return Err(Error::new(Kind::Invalid, CALL, &*self.source)
                .detail(format!(
                    "{INSTANCES_MAX} instances, the most the call gives: there may be more"
                ))
                .fix("divide the service, or use a target group"));
        }
        let mut set = Set::default();
        for instance in instances {
            let id = instance.get("InstanceId").and_then(Value::as_str);
            let id = id.ok_or_else(|| answer.unfit("an instance has no id"))?;
            set.instances
                .insert(Arc::from(id), self.instance(&answer, id, instance)?);
        }
        Ok(set)
    }

    fn instance(&self, answer: &Answer, id: &str, json: &Value) -> Result<Instance, Error> {
        let attribute = |name| json.get("Attributes")?.get(name)?.as_str();
        let unfit = |what: &str| answer.unfit(format!("{what} of instance {id} is not one"));
        let address = attribute("AWS_INSTANCE_IPV4").or_else(|| attribute("AWS_INSTANCE_IPV6"));
        let address = address.ok_or_else(|| {
            Error::new(Kind::Invalid, CALL, &*self.source)
                .detail(format!(
                    "instance {id} has no AWS_INSTANCE_IPV4 or AWS_INSTANCE_IPV6"
                ))
                .fix("register it with an address")
        })?;
        let port = match attribute("AWS_INSTANCE_PORT") {
            None => None,
            Some(port) => Some(port.parse().map_err(|_| unfit("the port"))?),
        };
        Ok(Instance {
            address: address.parse().map_err(|_| unfit("the address"))?,
            port,
            zone: attribute("AVAILABILITY_ZONE").map(Arc::from),
            lifecycle: Lifecycle::Running,
        })
    }
}

impl Discover for CloudMap {
    fn source(&self) -> &str {
        &self.source
    }

    fn discover(&self) -> Call<'_, Set> {
        Box::pin(self.find())
    }
}
