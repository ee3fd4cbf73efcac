//! The configuration file of OCI's CLI and SDKs: profiles in brackets, `key=value` lines, what stands in `DEFAULT` holds
//! for every profile. It is only read; a value is never shown but the fingerprint, which is no secret.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bascule_provider::{Error, Kind};

use super::{CREDENTIALS, KeyName, Material};
use crate::surroundings::Surroundings;

/// Where it is unless somebody says otherwise.
const PATH: &str = "~/.oci/config";

/// The profile whose values hold for all.
const DEFAULT: &str = "DEFAULT";

/// What a profile says of its key.
pub(super) fn read(
    around: &dyn Surroundings,
    path: Option<&str>,
    profile: Option<&str>,
) -> Result<Material, Error> {
    let or_env = |given: Option<&str>, name: &str, default: &str| {
        let given = given.map(str::to_owned).or_else(|| around.env(name));
        given.unwrap_or_else(|| default.to_owned())
    };
    let path = or_env(path, "OCI_CLI_CONFIG_FILE", PATH);
    let profile = or_env(profile, "OCI_CLI_PROFILE", DEFAULT);
    let text = around.read(&home(around, &path)).map_err(|error| {
        Error::new(Kind::Invalid, CREDENTIALS, path.clone())
            .detail("the configuration file cannot be read")
            .fix("make it with `oci setup config`, or name another file")
            .because(error)
    })?;
    let values = Values {
        from: format!("profile {profile} of {path}"),
        values: profile_of(&String::from_utf8_lossy(&text), &profile).ok_or_else(|| {
            Error::new(Kind::Invalid, CREDENTIALS, path.clone())
                .detail(format!("there is no profile [{profile}]"))
                .fix("name a profile of this file")
        })?,
    };
    let key_file = values.get("key_file")?;
    let name = KeyName::Api {
        tenancy: values.ocid("tenancy")?,
        user: values.ocid("user")?,
        fingerprint: values.get("fingerprint")?,
    };
    let region = around
        .env("OCI_CLI_REGION")
        .or_else(|| values.get("region").ok());
    Ok(Material {
        key_pem: key(around, &values.from, &key_file)?,
        from: values.from,
        name,
        region,
    })
}

/// The key's file, which nobody else may read.
fn key(around: &dyn Surroundings, from: &str, path: &str) -> Result<Vec<u8>, Error> {
    let at = home(around, path);
    let failed = || Error::new(Kind::Invalid, CREDENTIALS, from.to_owned());
    let pem = around.read(&at).map_err(|error| {
        failed()
            .detail(format!("the key file {path} cannot be read"))
            .because(error)
    })?;
    match around.mode(&at) {
        // Read, and in a group its own at most: as for every file of secrets here.
        Some(mode) if mode & !0o640 != 0 => Err(failed()
            .detail(format!(
                "the key file {path} has mode {mode:04o}; it must be 0600 or 0640"
            ))
            .fix(format!("chmod 0600 {path}"))),
        _ => Ok(pem),
    }
}

/// With `~` as the home directory.
fn home(around: &dyn Surroundings, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), around.env("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

/// The values of a profile, and where they stand.
struct Values {
    from: String,
    values: BTreeMap<String, String>,
}

impl Values {
    fn get(&self, key: &str) -> Result<String, Error> {
        let value = self.values.get(key).filter(|value| !value.is_empty());
        value.cloned().ok_or_else(|| {
            Error::new(Kind::Invalid, CREDENTIALS, self.from.clone())
                .detail(format!("there is no `{key}`"))
                .fix(format!(
                    "add `{key}=…`, as OCI's console shows it for the key"
                ))
        })
    }

    fn ocid(&self, key: &str) -> Result<String, Error> {
        let value = self.get(key)?;
        if value.starts_with("ocid1.") && !value.contains(['/', '"', ' ']) {
            return Ok(value);
        }
        Err(Error::new(Kind::Invalid, CREDENTIALS, self.from.clone())
            .detail(format!("`{key}` is no OCID"))
            .fix(format!("write `{key}=ocid1.{key}.…`")))
    }
}

/// The values of a profile, those of `DEFAULT` beneath; `None` where there is no such profile.
fn profile_of(text: &str, profile: &str) -> Option<BTreeMap<String, String>> {
    let mut section = "";
    let mut found = false;
    let mut values = BTreeMap::new();
    let mut beneath = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim();
            found |= section == profile;
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            continue;
        };
        let pair = (key.trim().to_ascii_lowercase(), value.trim().to_owned());
        if section == profile {
            values.extend([pair]);
        } else if section == DEFAULT {
            beneath.extend([pair]);
        }
    }
    beneath.extend(values);
    found.then_some(beneath)
}

#[cfg(test)]
mod tests;
