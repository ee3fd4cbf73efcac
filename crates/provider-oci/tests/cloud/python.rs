//! Where the official Python SDK is. It must never be skipped in silence: where it is missing the test fails with the
//! command that installs it.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a script of this folder prints for an input, line by line.
pub(crate) fn run(script: &str, input: &Value) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cloud");
    let mut child = Command::new(interpreter())
        .arg(format!("{folder}/{script}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script} failed");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The interpreter that has the SDK.
fn interpreter() -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let folder = root.join("target/oci");
    let python = folder.join("bin/python3");
    assert!(
        python.is_file(),
        "the official SDK is needed: python3 -m venv {0} && {0}/bin/pip install oci==2.189.0 (or cargo xtask test)",
        folder.display()
    );
    python
}
