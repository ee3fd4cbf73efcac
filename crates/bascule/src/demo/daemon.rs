//! The daemon of the demo: this same binary, run as anybody runs it, with a configuration file and a state directory of
//! its own. It ends with the demo, and so does its directory.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bascule_admin::api;
use bascule_telemetry::clock;
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clouds::Cloud;
use crate::cli::client::context::Context as Place;
use crate::cli::client::{Call, Client};

/// How long the daemon may take to become ready.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long one answer of the API may take.
const CALL_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at something that is waited for.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// The ports of the daemon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ports {
    /// For clients.
    pub(super) proxy: u16,
    /// For people: dashboard and API, read-only.
    pub(super) admin: u16,
    /// For Prometheus.
    pub(super) metrics: u16,
}

impl Ports {
    /// The well-known ports where they are free, else free ones; with `any` always free ones.
    pub(super) fn choose(any: bool) -> Result<Self> {
        let choose = |wish: u16| {
            let wished = if any { None } else { bind(wish).ok() };
            wished
                .map_or_else(|| bind(0), Ok)
                .and_then(|l| l.local_addr())
                .map(|a| a.port())
        };
        let all = [8080, 9901, 9902].map(choose);
        let [Ok(proxy), Ok(admin), Ok(metrics)] = all else {
            bail!("no free port on loopback")
        };
        Ok(Self {
            proxy,
            admin,
            metrics,
        })
    }
}

fn bind(port: u16) -> std::io::Result<std::net::TcpListener> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// A running daemon; killed when dropped.
#[derive(Debug)]
pub(super) struct Daemon {
    child: Child,
    client: Client,
    directory: tempfile::TempDir,
    ports: Ports,
}

impl Daemon {
    /// Starts it with these clouds as backends and waits until it is ready.
    pub(super) async fn start(clouds: &[Cloud], ports: Ports) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("bascule-demo-").tempdir()?;
        let socket = directory.path().join("admin.sock");
        let file = directory.path().join("bascule.yaml");
        let text = configuration(clouds, ports, &directory.path().display().to_string());
        std::fs::write(&file, text)?;
        let log = std::fs::File::create(directory.path().join("log"))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("run")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the daemon")?;
        let client = Client::new(Place::Unix(socket), None, CALL_PATIENCE);
        let mut daemon = Self {
            child,
            client,
            directory,
            ports,
        };
        daemon.ready().await?;
        Ok(daemon)
    }

    async fn ready(&mut self) -> Result<()> {
        let deadline = clock::now() + START_PATIENCE;
        while self.get::<api::WhoAmI>("/v1/whoami").await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the daemon ended with {status}:\n{}", self.log());
            }
            if clock::now() > deadline {
                bail!("the daemon did not become ready in {START_PATIENCE:?}");
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Where clients connect.
    pub(super) fn proxy(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.proxy).into()
    }

    /// Its ports.
    pub(super) const fn ports(&self) -> Ports {
        self.ports
    }

    /// Its admin socket, for other terminals.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("admin.sock")
    }

    /// Reads from the API.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(serde_json::from_slice(
            &self.call(Call::new(Method::GET, path)).await?,
        )?)
    }

    /// Reads text from the API.
    pub(super) async fn text(&self, path: &str) -> Result<String> {
        Ok(String::from_utf8(
            self.call(Call::new(Method::GET, path)).await?.to_vec(),
        )?)
    }

    /// Changes something through the API, on the ground of the revision that is current.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let status: api::Status = self.get("/v1/status").await?;
        let mut call = Call::new(Method::POST, path);
        call.if_match = Some(status.revision);
        call.body = Some(serde_json::to_vec(body)?);
        Ok(serde_json::from_slice(&self.call(call).await?)?)
    }

    async fn call(&self, call: Call) -> Result<Bytes> {
        let path = call.path.clone();
        let reply = self
            .client
            .exchange(call)
            .await
            .map_err(|e| anyhow::anyhow!("{path}: {e}"))?;
        if !reply.status.is_success() {
            bail!(
                "{path}: {} {}",
                reply.status,
                String::from_utf8_lossy(&reply.body)
            );
        }
        Ok(reply.body)
    }

    /// Reads the configuration file.
    pub(super) fn config(&self) -> Result<String> {
        Ok(std::fs::read_to_string(
            self.directory.path().join("bascule.yaml"),
        )?)
    }

    /// Replaces the configuration file, as an editor does; the daemon watches it.
    pub(super) fn write_config(&self, text: &str) -> Result<()> {
        let fresh = self.directory.path().join("bascule.yaml.new");
        std::fs::write(&fresh, text)?;
        Ok(std::fs::rename(
            fresh,
            self.directory.path().join("bascule.yaml"),
        )?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What an operator would write for these clouds.
fn configuration(clouds: &[Cloud], ports: Ports, directory: &str) -> String {
    let Ports {
        proxy,
        admin,
        metrics,
    } = ports;
    let backend = |cloud: &Cloud| {
        let urls: Vec<String> = cloud
            .addresses
            .iter()
            .map(|a| format!("\"http://{a}\""))
            .collect();
        let (name, weight) = (cloud.profile.name, cloud.profile.weight);
        format!(
            "      {name}: {{ weight: {weight}, endpoints: [{}] }}\n",
            urls.join(", ")
        )
    };
    let backends: String = clouds.iter().map(backend).collect();
    format!(
        "state_dir: {directory}/state
listen:
  web: {{ address: \"127.0.0.1:{proxy}\" }}
admin:
  socket: {directory}/admin.sock
  listen: \"127.0.0.1:{admin}\"
metrics: {{ listen: \"127.0.0.1:{metrics}\" }}
log: {{ access: {{ sample: 0.01 }} }}
defaults:
  check: {{ path: /healthz, interval: 500ms, timeout: 300ms, fall: 3, rise: 2 }}
services:
  meet:
    match: [{{ hosts: [meet.example.org] }}]
    backends:
{backends}    guardrails: {{ receiver_p95: +300%, receiver_errors: 1%, hold: 2s }}
"
    )
}
