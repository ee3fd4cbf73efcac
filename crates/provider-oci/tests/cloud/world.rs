//! A fake cloud and a client of it, for the tests here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_provider_oci::{Auth, Client, Service, Settings, System, Way};
use bascule_testkit::Oci;
use bascule_testkit::oci::Machine;

pub(crate) const POOL: &str = "ocid1.instancepool.oc1..media";
pub(crate) const BALANCER: &str = "ocid1.loadbalancer.oc1..web";
pub(crate) const NETWORK_BALANCER: &str = "ocid1.networkloadbalancer.oc1..tcp";
pub(crate) const POLICY: &str = "ocid1.dnspolicy.oc1..meet";

/// The cloud, and the directory of its credentials.
pub(crate) struct World {
    pub(crate) oci: Oci,
    pub(crate) directory: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            oci: Oci::start().unwrap(),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// The configuration file of its user.
    pub(crate) fn config(&self) -> String {
        let config = self.oci.write_config(self.directory.path()).unwrap();
        config.display().to_string()
    }

    /// A client with the user's key.
    pub(crate) fn client(&self) -> Arc<Client> {
        self.client_by(Way::ConfigFile {
            path: Some(self.config()),
            profile: None,
        })
    }

    /// A client with these credentials.
    pub(crate) fn client_by(&self, way: Way) -> Arc<Client> {
        let settings = Settings {
            endpoints: endpoints(&self.oci.url()),
            pause: Duration::from_millis(1),
            pace: None,
            ..Settings::default()
        };
        Arc::new(Client::new(settings, Auth::new(way, Arc::new(System))).unwrap())
    }
}

/// Every service at this address.
pub(crate) fn endpoints(url: &str) -> BTreeMap<Service, String> {
    Service::ALL.map(|service| (service, url.to_owned())).into()
}

/// So many machines that run.
pub(crate) fn machines(count: u16) -> Vec<Machine> {
    (0..count)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            let address = IpAddr::from([10, 0, high, low]);
            Machine::running(&format!("ocid1.instance.oc1..{number:05}"), address)
        })
        .collect()
}
