//! A resource principal of version 2.2: the token and its key stand in variables, or in files that variables name and that
//! somebody else renews.

use std::path::Path;

use bascule_provider::{Error, Kind};

use super::{CREDENTIALS, KeyName, Material};
use crate::surroundings::Surroundings;

const VERSION: &str = "OCI_RESOURCE_PRINCIPAL_VERSION";
const TOKEN: &str = "OCI_RESOURCE_PRINCIPAL_RPST";
const KEY: &str = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM";
const REGION: &str = "OCI_RESOURCE_PRINCIPAL_REGION";

/// What they say now.
pub(super) fn read(around: &dyn Surroundings) -> Result<Material, Error> {
    match around.env(VERSION).as_deref() {
        Some("2.2") => {}
        other => {
            return Err(Error::new(Kind::Invalid, CREDENTIALS, VERSION)
                .detail(format!("it is {}, not 2.2", other.unwrap_or("not set")))
                .fix("run where OCI gives a resource principal, or use another `auth`"));
        }
    }
    let token = content(around, TOKEN)?;
    let token = String::from_utf8(token)
        .ok()
        .map(|token| token.trim().to_owned())
        .filter(|token| {
            token
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"')
        })
        .ok_or_else(|| Error::new(Kind::Invalid, CREDENTIALS, TOKEN).detail("it is no token"))?;
    Ok(Material {
        from: KEY.to_owned(),
        key_pem: content(around, KEY)?,
        name: KeyName::Token(token),
        region: around.env(REGION),
    })
}

/// A variable's value, or what is in the file that it names.
fn content(around: &dyn Surroundings, name: &str) -> Result<Vec<u8>, Error> {
    let failed = || Error::new(Kind::Invalid, CREDENTIALS, name);
    let value = around
        .env(name)
        .ok_or_else(|| failed().detail("it is not set"))?;
    if !Path::new(&value).is_absolute() {
        return Ok(value.into_bytes());
    }
    around
        .read(Path::new(&value))
        .map_err(|error| failed().detail("its file cannot be read").because(error))
}
