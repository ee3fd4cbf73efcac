//! What a configuration file says, and what is said of one that says nothing usable.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::*;
use crate::auth::Identity;
use crate::sign::Key;

/// Files and variables of a test.
#[derive(Debug, Default)]
struct Given {
    files: BTreeMap<PathBuf, (Vec<u8>, u32)>,
    env: BTreeMap<&'static str, &'static str>,
}

impl Given {
    fn file(mut self, path: &str, mode: u32, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), (text.into(), mode));
        self
    }
}

impl Surroundings for Given {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).map(|value| (*value).to_owned())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.files.get(path);
        file.map(|(text, _)| text.clone())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        self.files.get(path).map(|(_, mode)| *mode)
    }
}

/// A key of OpenSSL, and its fingerprint.
fn key() -> (Vec<u8>, String) {
    let args = ["genrsa", "2048"];
    let output = std::process::Command::new("openssl").args(args).output();
    let pem = output.unwrap().stdout;
    let fingerprint = Key::from_pem(&pem).unwrap().fingerprint().unwrap();
    (pem, fingerprint)
}

fn identity(given: &Given, path: Option<&str>, profile: Option<&str>) -> Result<Identity, Error> {
    read(given, path, profile)?.identity(bascule_model::Timestamp::from_millis(0))
}

fn text(fingerprint: &str) -> String {
    format!(
        "# a comment\n[DEFAULT]\ntenancy = ocid1.tenancy.oc1..t\nregion=eu-frankfurt-1\n\
         [ops]\nuser=ocid1.user.oc1..u\nfingerprint={fingerprint}\nkey_file=~/keys/k.pem\n"
    )
}

#[test]
fn a_profile_is_read_with_the_values_of_default_beneath() {
    let (pem, fingerprint) = key();
    let mut given = Given::default()
        .file("/home/me/.oci/config", 0o600, text(&fingerprint))
        .file("/home/me/keys/k.pem", 0o600, pem);
    given.env = BTreeMap::from([("HOME", "/home/me"), ("OCI_CLI_PROFILE", "ops")]);
    let identity = identity(&given, None, None).unwrap();
    assert_eq!(identity.region.unwrap().name, "eu-frankfurt-1");
    let signer = format!("{:?}", identity.signer);
    let expected = format!("ocid1.tenancy.oc1..t/ocid1.user.oc1..u/{fingerprint}");
    assert!(signer.contains(&expected), "{signer}");
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let (pem, fingerprint) = key();
    let with = |config: String, mode: u32, pem: &[u8]| {
        let mut given =
            Given::default()
                .file("/c", 0o600, config)
                .file("/home/me/keys/k.pem", mode, pem);
        given.env = BTreeMap::from([("HOME", "/home/me")]);
        identity(&given, Some("/c"), Some("ops"))
            .unwrap_err()
            .to_string()
    };
    let good = text(&fingerprint);
    let cases = [
        (good.replace("[ops]", "[dev]"), 0o600, "no profile [ops]"),
        (
            good.replace("user=", "usr="),
            0o600,
            "there is no `user`; add `user=…`",
        ),
        (
            good.replace("ocid1.user", "user"),
            0o600,
            "`user` is no OCID",
        ),
        (
            good.clone(),
            0o644,
            "mode 0644; it must be 0600 or 0640; chmod 0600 ~/keys/k.pem",
        ),
        (
            good.replace("k.pem", "gone.pem"),
            0o600,
            "the key file ~/keys/gone.pem cannot be read",
        ),
        (
            text("00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"),
            0o600,
            "denied: `fingerprint` is 00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff, but the key",
        ),
    ];
    for (config, mode, expected) in cases {
        let said = with(config, mode, &pem);
        assert!(said.contains(expected), "{said}");
    }
    let said = with(
        good,
        0o600,
        b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
    );
    assert!(said.contains("the private one is needed"), "{said}");
}
