//! What values mean together: references that lead nowhere, routes and addresses that collide, weights and bounds that
//! cannot be. Reads what was lowered, says nothing of what was refused before. `meaning/routes` has routes,
//! `meaning/listeners` limits and TLS, `meaning/service` the inside of a service, `meaning/checks` its checks.

use std::net::IpAddr;

use crate::config::ListenAddress;
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::{Field, Item};
use crate::read::Layers;

mod affinity;
mod backends;
mod balance;
mod capacity;
mod checks;
mod clouds;
mod commitments;
mod dns;
mod limits;
mod listeners;
mod prices;
mod routes;
mod service;

/// All problems of meaning.
pub(crate) fn check(root: &Item) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    addresses(root, &mut problems);
    admin(root, &mut problems);
    listeners::check(root, &mut problems);
    routes::check(root, &mut problems);
    for field in services(root) {
        service::check(field, root.get("defaults"), &mut problems);
        balance::check(field, &mut problems);
        affinity::check(field, &mut problems);
    }
    balance::zones(root, &mut problems);
    dns::check(root, &mut problems);
    checks::defaults(root, &mut problems);
    clouds::check(root, &mut problems);
    prices::check(root, &mut problems);
    commitments::check(root, &mut problems);
    problems
}

pub(crate) fn services(root: &Item) -> &[Field] {
    root.get("services").map(Item::fields).unwrap_or_default()
}

/// Every address this process would listen on, with its place.
fn listening(root: &Item) -> Vec<(ListenAddress, &Item)> {
    let listeners = root.get("listen").map(Item::fields).unwrap_or_default();
    let of_listeners = listeners
        .iter()
        .filter_map(|field| field.item.get("address"));
    let of_others = ["admin", "metrics"]
        .into_iter()
        .filter_map(|key| root.get(key)?.get("listen"));
    let address = |item: &Item| match item.value() {
        Some(Value::Listen(address)) => Some(*address),
        Some(Value::Socket(address)) => Some(ListenAddress {
            ip: Some(address.ip()),
            port: address.port(),
        }),
        _ => None,
    };
    of_listeners
        .chain(of_others)
        .filter_map(|item| Some((address(item)?, item)))
        .collect()
}

fn addresses(root: &Item, problems: &mut Vec<Diagnostic>) {
    let all = listening(root);
    for (at, (address, item)) in all.iter().enumerate() {
        let first = all
            .iter()
            .take(at)
            .find(|(other, _)| collide(*address, *other));
        if let Some((other, other_item)) = first {
            let message = format!("`{address}` is already taken");
            let problem = Diagnostic::error("E0311", item.span, &item.pointer, message)
                .label("cannot be listened on twice")
                .related(other_item.span, format!("`{other}` is here"));
            problems.push(problem);
        }
    }
}

/// Whether the system would refuse one of the two.
fn collide(a: ListenAddress, b: ListenAddress) -> bool {
    if a.port != b.port || a.port == 0 {
        return false;
    }
    match (a.ip, b.ip) {
        (Some(a), Some(b)) => {
            let all = |ip: IpAddr| ip.is_unspecified();
            a == b || (a.is_ipv4() == b.is_ipv4() && (all(a) || all(b)))
        }
        _ => true,
    }
}

fn admin(root: &Item, problems: &mut Vec<Diagnostic>) {
    let admin = Layers::only(root.get("admin"));
    let (Some(address), Some(item)) = (admin.socket("listen"), admin.get("listen")) else {
        return;
    };
    if !address.ip().is_loopback() && admin.inside("auth").get("tokens_file").is_some() {
        let problem = Diagnostic::warning(
            "W0317",
            item.span,
            &item.pointer,
            "tokens cross the network in clear text",
        )
        .label("the admin API has no TLS")
        .help("listen on 127.0.0.1 and reach it through a tunnel");
        problems.push(problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_collide_as_the_system_says() {
        let at = |text: &str| match text.strip_prefix(':') {
            Some(port) => ListenAddress {
                ip: None,
                port: port.parse().unwrap(),
            },
            None => {
                let address: std::net::SocketAddr = text.parse().unwrap();
                ListenAddress {
                    ip: Some(address.ip()),
                    port: address.port(),
                }
            }
        };
        for (a, b, collides) in [
            (":80", ":80", true),
            (":80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("[::1]:80", "127.0.0.1:80", false),
            ("0.0.0.0:80", "[::1]:80", false),
            (":0", ":0", false),
            (":80", ":81", false),
        ] {
            assert_eq!(collide(at(a), at(b)), collides, "{a} {b}");
        }
    }
}
