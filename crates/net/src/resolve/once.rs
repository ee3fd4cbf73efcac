//! One look-up of a host, for who wants to know now and not to be kept informed: `config validate --online` and `check`. It
//! asks as the watching does, so that it sees what the process would see.

use std::net::IpAddr;

use super::Settings;
use super::known::Family;
use super::lookup::Lookups;

/// What one look-up gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// All addresses, IPv4 first, sorted; may be empty.
    pub addresses: Vec<IpAddr>,
    /// Why a family of addresses is not known; may be there beside addresses of the other.
    pub failures: Vec<String>,
}

/// Looks a host up once.
pub async fn once(host: &str, settings: Settings) -> Looked {
    let answer = Lookups::new(settings).ask(host).await;
    let mut looked = Looked {
        addresses: Vec::new(),
        failures: Vec::new(),
    };
    for family in [answer.v4, answer.v6] {
        match family {
            Family::Addresses(addresses, _life) => looked.addresses.extend(addresses),
            Family::Failed(reason) => looked.failures.push(reason),
            Family::None => {}
        }
    }
    looked.addresses.sort_unstable();
    looked.addresses.dedup();
    looked.failures.dedup();
    looked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_known_and_one_that_nobody_answers_for_is_told() {
        // Nobody answers there: the socket is bound and never read.
        let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let settings = Settings {
            hosts_file: "/nowhere/hosts".to_owned(),
            name_servers: Some(vec![silent.local_addr().unwrap()]),
            timeout: std::time::Duration::from_millis(20),
            ..Settings::default()
        };
        let looked = once("localhost", settings.clone()).await;
        assert!(looked.addresses.iter().all(IpAddr::is_loopback) && !looked.addresses.is_empty());
        assert!(looked.failures.is_empty(), "{looked:?}");
        let looked = once("b.test", settings).await;
        assert!(
            looked.addresses.is_empty() && !looked.failures.is_empty(),
            "{looked:?}"
        );
    }
}
