//! A small OCI with a memory, for tests and demos: instance pools with their network cards, backend sets of both kinds of
//! load balancers, steering policies, metrics, and the metadata and auth services of instances. It verifies every signature
//! as OCI documents it ([`verify`]), does changes of load balancers asynchronously and one at a time ([`change`]), and
//! fails when told ([`fault`]). It shares no code with the product. What it lacks it answers with 404. One compartment, one
//! region; [`Oci::url`] is the endpoint of every service.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::thread;

mod change;
mod cloud;
pub mod fault;
mod key;
mod principal;
mod read;
mod serve;
mod verify;

use cloud::Cloud;
pub use cloud::{Balancer, Called, Machine, Steered};
pub use fault::Fault;
use key::ApiKey;

/// The tenancy that everything is in.
pub const TENANCY: &str = "ocid1.tenancy.oc1..tenancy";
/// The user whom the key belongs to.
pub const USER: &str = "ocid1.user.oc1..user";
/// The compartment that everything is in.
pub const COMPARTMENT: &str = "ocid1.compartment.oc1..compartment";
/// The region.
pub const REGION: &str = "eu-frankfurt-1";

/// A running cloud; ends when dropped.
#[derive(Debug)]
pub struct Oci {
    address: SocketAddr,
    cloud: Arc<Mutex<Cloud>>,
    key: ApiKey,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Oci {
    /// Starts one on a free port of loopback, with one user who has one key.
    ///
    /// # Errors
    /// No port, thread or key is to be had.
    pub fn start() -> Result<Self> {
        let key = ApiKey::generate()?;
        let mut cloud = Cloud::new()?;
        cloud.keys.insert(key.id(), key.public.clone());
        let cloud = Arc::new(Mutex::new(cloud));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("bind")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = thread::runtime()?;
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&cloud);
        let thread = thread::spawn(&format!("oci {address}"), move || {
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = serve::run(listener, shared) => {}
                    // A dropped sender means the same as a sent word.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self {
            address,
            cloud,
            key,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The endpoint of every service.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The metadata service of its instances: for `OCI_METADATA_BASE_URL`.
    #[must_use]
    pub fn metadata_url(&self) -> String {
        format!("{}/opc/v2", self.url())
    }

    /// Writes a configuration file and the key of its `DEFAULT` profile into a directory, as the CLI would, and says where
    /// the file is.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write_config(&self, directory: &Path) -> Result<PathBuf> {
        let key_file = directory.join("oci_api_key.pem");
        write_secret(&key_file, &self.key.pem)?;
        let config = directory.join("config");
        let text = format!(
            "[DEFAULT]\nuser={USER}\nfingerprint={}\ntenancy={TENANCY}\nregion={REGION}\nkey_file={}\n",
            self.key.fingerprint,
            key_file.display()
        );
        write_secret(&config, &text)?;
        Ok(config)
    }

    /// Makes a pool of these machines, or changes which it has.
    pub fn set_pool(&self, id: &str, machines: Vec<Machine>) {
        self.cloud().pools.insert(id.to_owned(), machines);
    }

    /// Makes a backend set; each backend is `address:port` with its weight.
    pub fn add_backend_set(&self, kind: Balancer, id: &str, set: &str, backends: &[(&str, u32)]) {
        let backends: Vec<Value> = backends
            .iter()
            .map(|(name, weight)| change::backend(kind, name, *weight))
            .collect();
        let body = json!({
            "name": set,
            "policy": if kind == Balancer::Load { "ROUND_ROBIN" } else { "FIVE_TUPLE" },
            "backends": backends,
            "healthChecker": {
                "protocol": "HTTP", "urlPath": "/healthz", "port": 8080, "returnCode": 200,
                "retries": 3, "timeoutInMillis": 3000, "intervalInMillis": 10000,
            },
        });
        self.put_document(&kind.path(id, set), body);
    }

    /// Says the backends of a network load balancer's set by these targets alone, the first by the first and so on.
    pub fn set_targets(&self, id: &str, set: &str, targets: &[&str]) {
        let path = Balancer::Network.path(id, set);
        let mut cloud = self.cloud();
        let there = cloud.documents.get(&path).map(|there| there.body.clone());
        let mut set = there.unwrap_or_default();
        let backends = set.get_mut("backends").and_then(Value::as_array_mut);
        for (backend, target) in backends.into_iter().flatten().zip(targets) {
            change::by_target(backend, target);
        }
        cloud.put(&path, set);
    }

    /// Makes a steering policy; each answer has a name, an address and its weight.
    pub fn add_steering_policy(&self, id: &str, ttl: u32, answers: &[(&str, &str, u32)]) {
        let weights: Vec<Value> = answers
            .iter()
            .map(|(name, _, weight)| {
                json!({ "answerCondition": format!("answer.name == '{name}'"), "value": weight })
            })
            .collect();
        let answers: Vec<Value> = answers
            .iter()
            .map(|(name, rdata, _)| {
                json!({ "name": name, "rtype": "A", "rdata": rdata, "pool": name, "isDisabled": false })
            })
            .collect();
        let keep = json!({ "answerCondition": "answer.isDisabled != true", "shouldKeep": true });
        let body = json!({
            "id": id, "compartmentId": COMPARTMENT, "displayName": "by bascule's tests", "ttl": ttl,
            "template": "LOAD_BALANCE", "lifecycleState": "ACTIVE", "answers": answers,
            "rules": [
                { "ruleType": "FILTER", "defaultAnswerData": [keep] },
                { "ruleType": "WEIGHTED", "defaultAnswerData": weights },
                { "ruleType": "LIMIT", "defaultCount": 1 },
            ],
        });
        self.put_document(&format!("/20180115/steeringPolicies/{id}"), body);
    }

    /// What is at a path of the API now: a backend set, a steering policy.
    #[must_use]
    pub fn document(&self, path: &str) -> Option<Value> {
        let cloud = self.cloud();
        cloud.documents.get(path).map(|there| there.body.clone())
    }

    /// Puts something at a path of the API, as another tool would.
    pub fn put_document(&self, path: &str, body: Value) {
        self.cloud().put(path, body);
    }

    /// The answers that a steering policy gives now, with their weights: what DNS clients would see.
    #[must_use]
    pub fn answers(&self, policy: &str) -> Vec<Steered> {
        let policy = self.document(&format!("/20180115/steeringPolicies/{policy}"));
        policy.map_or_else(Vec::new, |policy| change::answers(&policy))
    }

    /// A token as resources are given one, and the key for it as PEM. It lasts for so many seconds.
    ///
    /// # Errors
    /// When no key is to be had.
    pub fn resource_token(&self, seconds: i64) -> Result<(String, String)> {
        let key = ApiKey::generate()?;
        let token = principal::issue(&mut self.cloud(), key.public, seconds);
        Ok((token, key.pem))
    }

    /// What the backends of a set are said to be: `OK`, `WARNING`, `CRITICAL`, `UNKNOWN`. Those not named are `OK`.
    pub fn set_health(&self, kind: Balancer, id: &str, set: &str, backends: &[(&str, &str)]) {
        let states = backends
            .iter()
            .map(|(name, state)| ((*name).to_owned(), (*state).to_owned()))
            .collect();
        self.cloud().health.insert(kind.path(id, set), states);
    }

    /// Part of the processors that each machine of a pool uses, in percent.
    pub fn set_cpu(&self, pool: &str, percent: f64) {
        self.cloud().cpu.insert(pool.to_owned(), percent);
    }

    /// How many things a page has at most.
    pub fn set_page(&self, size: usize) {
        self.cloud().page_max = size;
    }

    /// How many further calls it takes until a change of a load balancer is done.
    pub fn set_work(&self, calls: u32) {
        self.cloud().work_calls = calls;
    }

    /// Whether load balancers tag their backend sets.
    pub fn set_tags(&self, tags: bool) {
        self.cloud().has_tags = tags;
    }

    /// How far its clock is ahead of the machine's, in seconds.
    pub fn set_clock(&self, ahead: i64) {
        self.cloud().clock_ahead = ahead;
    }

    /// Lets calls fail whose `METHOD /path` contains this text: so many of them, after so many that do not.
    pub fn fail(&self, calls: &str, fault: Fault, after: usize, times: usize) {
        self.cloud().faults.push(fault::Rule {
            calls: calls.to_owned(),
            fault,
            after,
            times,
        });
    }

    /// Everything is well again.
    pub fn heal(&self) {
        self.cloud().faults.clear();
    }

    /// The user gets another key: nothing that the old one signs is accepted. The files have it once
    /// [`Oci::write_config`] writes them again.
    ///
    /// # Errors
    /// When no key is to be had.
    pub fn rotate_key(&mut self) -> Result<()> {
        let key = ApiKey::generate()?;
        let mut cloud = self.cloud();
        cloud.keys.remove(&self.key.id());
        cloud.keys.insert(key.id(), key.public.clone());
        drop(cloud);
        self.key = key;
        Ok(())
    }

    /// All calls that were well signed, in order.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        self.cloud().calls.clone()
    }

    /// Forgets the calls there were.
    pub fn forget_calls(&self) {
        self.cloud().calls.clear();
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Oci {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// A file that only its owner reads.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
