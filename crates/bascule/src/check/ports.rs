//! Whether the listeners of a configuration can be had: each port is bound and let go again, unless the running process has
//! it.

use bascule_admin::api::Status;
use bascule_config::Config;
use bascule_net::listen::{self, ListenAddress};

use super::Finding;

/// One finding a listener, and one for the admin and metrics listeners each.
pub(crate) fn look(config: &Config, running: Option<&Status>) -> Vec<Finding> {
    let listeners = config.listeners.values().map(|listener| {
        let address = ListenAddress {
            ip: listener.address.ip,
            port: listener.address.port,
        };
        let ours = running.is_some_and(|status| {
            let listeners = &status.instance.listeners;
            address.port != 0
                && listeners
                    .iter()
                    .any(|l| ends_in_port(&l.address, address.port))
        });
        one(address, ours, &format!("/listen/{}/address", listener.name))
    });
    let others = [
        ("/admin/listen", config.admin.listen),
        ("/metrics/listen", config.metrics),
    ];
    let others = others.into_iter().filter_map(|(pointer, address)| {
        let address = address?;
        let address = ListenAddress {
            ip: Some(address.ip()),
            port: address.port(),
        };
        // The running process does not say where these are; that it runs is reason enough to leave them alone.
        Some(one(address, running.is_some(), pointer))
    });
    listeners.chain(others).collect()
}

fn ends_in_port(address: &str, port: u16) -> bool {
    address.rsplit_once(':').and_then(|(_, p)| p.parse().ok()) == Some(port)
}

fn one(address: ListenAddress, ours: bool, pointer: &str) -> Finding {
    if ours {
        return Finding::ok(format!("{address} is ours"));
    }
    match listen::bind(address, 1) {
        Ok(_let_go) => Finding::ok(format!("{address} free")),
        Err(error) => Finding::wrong("E0401", error.to_string())
            .help(error.fix())
            .at(pointer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    fn config(port: u16) -> Config {
        let text = format!(
            "listen: {{ web: {{ address: \"127.0.0.1:{port}\" }} }}\nservices: {{ meet: {{ backends: {{ \
             aws: {{ weight: 1, endpoints: [\"http://127.0.0.1:9\"] }} }} }} }}\n"
        );
        let source = bascule_config::MemorySource::default();
        bascule_config::load("meet.yaml", &text, &source)
            .unwrap()
            .config
    }

    #[test]
    fn a_port_that_another_program_has_is_an_error_at_its_line() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let found = look(&config(port), None);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].code, found[0].level),
            (Some("E0401"), Level::Error)
        );
        assert_eq!(found[0].pointer.as_deref(), Some("/listen/web/address"));
        drop(taken);
        assert_eq!(look(&config(port), None)[0].level, Level::Ok);
    }
}
