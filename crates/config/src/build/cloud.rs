//! Accounts, and what of theirs becomes endpoints.

use std::time::Duration;

use bascule_model::Scheme;

use crate::config::{Account, Auth, Cloud, Discover, SourceName};
use crate::lower::Field;
use crate::read::Layers;

/// Often enough that a machine that was started serves before its first minute is over; 2 000 instances in pages of 100 stay
/// far below what accounts allow.
const REFRESH: Duration = Duration::from_secs(15);

/// One entry of `accounts`.
pub(super) fn account(field: &Field) -> Option<(String, Account)> {
    let map = Layers::only(Some(&field.item));
    let text = |key: &str| map.text(key).map(str::to_owned);
    let account = Account {
        cloud: match map.word("cloud")? {
            "aws" => Cloud::Aws,
            _ => Cloud::Oci,
        },
        region: text("region"),
        auth: map.word("auth").map(auth),
        config_file: text("config_file"),
        profile: text("profile"),
        endpoint_url: text("endpoint_url"),
    };
    Some((field.name.clone(), account))
}

fn auth(word: &str) -> Auth {
    match word {
        "instance_principal" => Auth::InstancePrincipal,
        "resource_principal" => Auth::ResourcePrincipal,
        _ => Auth::ApiKey,
    }
}

/// What a backend's endpoints are found by.
pub(super) fn discover(map: Layers<'_>) -> Option<Discover> {
    Some(Discover {
        account: map.text("account")?.to_owned(),
        from: SourceName::parse(map.text("from")?)?,
        scheme: match map.word("scheme") {
            Some("https") => Scheme::Https,
            Some("h2c") => Scheme::H2c,
            _ => Scheme::Http,
        },
        port: map.integer("port"),
        refresh: map.duration("refresh").unwrap_or(REFRESH),
    })
}
