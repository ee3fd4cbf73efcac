//! What can be observed of a source: which kind of source has what, made when it is first asked. Some have nothing.

use std::sync::Arc;

use bascule_config::{SourceKind, SourceName};
use bascule_provider::pace::Repeat;
use bascule_provider::port::{Call, Extent, Observation};
use bascule_provider::{Error, Observe};
use bascule_provider_aws as aws;
use bascule_provider_oci as oci;
use tokio::sync::OnceCell;

use super::Open;

/// A source that is observed. Another object than the one that finds its endpoints: each is asked one thing at a time.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) account: Arc<Open>,
    pub(crate) extent: Extent,
    from: SourceName,
    name: String,
    made: OnceCell<Arc<dyn Observe>>,
}

impl Observed {
    /// `None`: the cloud says nothing of such a source.
    pub(crate) fn new(account: &Arc<Open>, from: &SourceName, extent: Extent) -> Option<Arc<Self>> {
        let says_something = match from.kind {
            SourceKind::InstancePool
            | SourceKind::LoadBalancer
            | SourceKind::NetworkLoadBalancer
            | SourceKind::AutoScalingGroup
            | SourceKind::TargetGroup => true,
            SourceKind::CloudMap => false,
        };
        says_something.then(|| {
            Arc::new(Self {
                account: Arc::clone(account),
                extent,
                from: from.clone(),
                name: from.to_string(),
                made: OnceCell::new(),
            })
        })
    }

    async fn make(&self) -> Result<Arc<dyn Observe>, Error> {
        let (id, account, extent) = (self.from.id.as_str(), &self.account, self.extent);
        // Those of two parts have both: the configuration was read so.
        let (outer, inner) = id.split_once('/').unwrap_or((id, ""));
        let set = |client, layer| Arc::new(oci::SetHealth::new(client, layer, outer, inner));
        Ok(match self.from.kind {
            SourceKind::AutoScalingGroup => {
                let account = account.aws().await?;
                Arc::new(aws::cloudwatch::GroupLoad::new(account, id, extent))
            }
            // Cloud Map is left out before.
            SourceKind::TargetGroup | SourceKind::CloudMap => {
                let address = aws::machines::Address::default();
                let account = account.aws().await?;
                Arc::new(aws::targets::TargetGroup::new(account, id, address))
            }
            SourceKind::LoadBalancer => set(account.oci().await?, oci::Layer::Seven),
            SourceKind::NetworkLoadBalancer => set(account.oci().await?, oci::Layer::Four),
            SourceKind::InstancePool => {
                Arc::new(oci::PoolLoad::new(account.oci().await?, id, extent))
            }
        })
    }
}

impl Observe for Observed {
    fn source(&self) -> &str {
        &self.name
    }

    fn observe(&self) -> Call<'_, Vec<Observation>> {
        Box::pin(async {
            let made = self.made.get_or_try_init(|| self.make()).await?;
            let api = self.from.kind.as_str();
            let observe = || made.observe();
            self.account.paced(api, Repeat::Yes, observe).await
        })
    }
}
