//! One look-up of a host or an SRV name, for who wants to know now and not to be kept informed: `config validate --online` and `check`. It
//! asks as the watching does, so that it sees what the process would see.

use std::net::IpAddr;

use bascule_model::SrvRecord;
use bascule_telemetry::clock;

use super::Settings;
use super::known::Family;
use super::lookup::Lookups;
use super::srv::KnownSrv;

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

/// What one look-up of an SRV name gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookedSrv {
    /// The records whose targets have addresses, sorted; may be empty.
    pub records: Vec<SrvRecord>,
    /// Why the name, or some of its targets, are not known.
    pub failures: Vec<String>,
}

/// Looks an SRV name and its targets up once.
pub async fn once_srv(name: &str, settings: Settings) -> LookedSrv {
    let lookups = Lookups::new(settings);
    let mut known = KnownSrv::default();
    let (now, settings) = (clock::now(), lookups.settings());
    let learned = known.learn(now, lookups.ask_srv(name).await, &settings);
    let mut failures: Vec<String> = learned.failure.into_iter().collect();
    for target in known.targets_due(now) {
        let answer = lookups.ask(&target).await;
        let learned = known.learn_target(now, &target, &answer, &settings);
        let failure = learned.and_then(|learned| learned.failure);
        failures.extend(failure.map(|reason| format!("target {target}: {reason}")));
    }
    LookedSrv {
        records: known.changed().unwrap_or_default(),
        failures,
    }
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
