//! moto's server and boto3 as child processes of a test. Both end with the test, however that ends: their standard input
//! closes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::process::Guard;

const SERVER: &str = include_str!("moto.py");
const OUTSIDER: &str = include_str!("outsider.py");

/// The Python that has moto and boto3; `cargo xtask test` installs it.
///
/// # Errors
/// When it is not there.
pub fn python() -> Result<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/moto/bin/python3");
    python
        .is_file()
        .then_some(python)
        .context("target/moto is missing: cargo xtask test installs moto[server] there")
}

/// A running moto.
#[derive(Debug)]
pub struct Moto {
    url: String,
    _stdin: ChildStdin,
    _process: Guard,
}

impl Moto {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start() -> Result<Self> {
        let (child, stdin, mut stdout) = child(SERVER, &[])?;
        let process = Guard::new(child);
        let mut port = String::new();
        stdout.read_line(&mut port)?;
        let port: u16 = port.trim().parse().context("moto did not start")?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            _stdin: stdin,
            _process: process,
        })
    }

    /// From now on it verifies every signature and asks IAM who may what, as AWS does.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn be_strict(&self) -> Result<()> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        let head = "POST /moto-api/reset-auth HTTP/1.1\r\nhost: moto\r\nconnection: close\r\ncontent-length: 1\r\n\r\n0";
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        anyhow::ensure!(answer.contains(" 200 "), "{answer}");
        Ok(())
    }

    /// Where it answers, for all services.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// boto3, one call after the other.
#[derive(Debug)]
pub struct Outsider {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _process: Guard,
}

impl Outsider {
    /// One that asks this address.
    ///
    /// # Errors
    /// When it is not installed or does not start.
    pub fn start(url: &str) -> Result<Self> {
        let (child, stdin, stdout) = child(OUTSIDER, &[url])?;
        Ok(Self {
            stdin,
            stdout,
            _process: Guard::new(child),
        })
    }

    /// Makes a call of boto3's client for `service`.
    ///
    /// # Errors
    /// When boto3 says that it failed.
    pub fn call(&mut self, service: &str, method: &str, arguments: &Value) -> Result<Value> {
        let line = json!([service, method, arguments]);
        writeln!(self.stdin, "{line}")?;
        self.stdin.flush()?;
        let mut answer = String::new();
        self.stdout.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer).context("boto3 ended")?;
        match answer.get("error") {
            Some(error) => anyhow::bail!("{service}.{method}: {error}"),
            None => Ok(answer),
        }
    }

    /// A user who may do this, and its key: the id and the secret.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn user(&mut self, name: &str, actions: &[&str]) -> Result<(String, String)> {
        self.call("iam", "create_user", &json!({ "UserName": name }))?;
        let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
        let policy = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let asked = json!({ "UserName": name, "PolicyName": "p", "PolicyDocument": policy });
        self.call("iam", "put_user_policy", &asked)?;
        let made = self.call("iam", "create_access_key", &json!({ "UserName": name }))?;
        let field = |name: &str| {
            let text = made.pointer(&format!("/AccessKey/{name}"));
            text.and_then(Value::as_str)
                .map(str::to_owned)
                .context("no key was made")
        };
        Ok((field("AccessKeyId")?, field("SecretAccessKey")?))
    }
}

type Started = (Child, ChildStdin, BufReader<ChildStdout>);

fn child(script: &str, arguments: &[&str]) -> Result<Started> {
    let mut child = Command::new(python()?)
        .args(["-c", script])
        .args(arguments)
        .env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdin = child.stdin.take().context("stdin")?;
    let stdout = child.stdout.take().context("stdout")?;
    Ok((child, stdin, BufReader::new(stdout)))
}
