//! What goes wrong, as data: how many endpoints each provider has, which of them fall ill, and of what. Each is played the
//! same way: all are well, then the victims are not, then they are again.

use std::fmt;
use std::time::Duration;

use bascule_testkit::faulty::Ailment;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use http::Method;

/// How long all are well first.
pub const BEFORE: Duration = Duration::from_secs(4);
/// How long the victims are ill.
pub const ILL: Duration = Duration::from_secs(6);
/// How long all are well again.
pub const AFTER: Duration = Duration::from_secs(9);
/// Requests a second.
pub const RATE: u32 = 200;

/// Which endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victims {
    /// The first endpoint of the first provider.
    Endpoint,
    /// All endpoints of the first provider.
    Provider,
    /// All.
    All,
}

/// One scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// For the page.
    pub title: &'static str,
    /// Endpoints of each provider.
    pub endpoints: usize,
    /// Who falls ill.
    pub victims: Victims,
    /// Of what.
    pub ailment: Ailment,
    /// Whether the clients send POSTs instead of GETs.
    pub posts: bool,
}

impl Scenario {
    /// All, in the order of the page.
    pub const ALL: [Self; 14] = [
        scenario(
            "endpoint",
            "one endpoint of four dies (`kill -9`)",
            Victims::Endpoint,
            Ailment::Refuses,
        ),
        scenario(
            "provider",
            "a provider dies: both its endpoints refuse",
            Victims::Provider,
            Ailment::Refuses,
        ),
        scenario(
            "503",
            "a provider answers 503, to checks too",
            Victims::Provider,
            Ailment::Unavailable,
        ),
        scenario(
            "reset",
            "a provider resets connections",
            Victims::Provider,
            Ailment::Resets,
        ),
        scenario(
            "half",
            "half of a provider's answers are 503, checks pass",
            Victims::Provider,
            Ailment::Half,
        ),
        scenario(
            "silent",
            "a provider takes requests and never answers, checks fail too",
            Victims::Provider,
            Ailment::Silent,
        ),
        scenario(
            "data-silent",
            "a provider never answers requests, checks pass",
            Victims::Provider,
            Ailment::DataSilent,
        ),
        Self {
            endpoints: 1,
            ..scenario(
                "one-dies",
                "one endpoint for each provider; one dies",
                Victims::Provider,
                Ailment::Refuses,
            )
        },
        Self {
            endpoints: 1,
            ..scenario(
                "one-half",
                "one endpoint for each provider; half of one's answers are 503, checks pass",
                Victims::Provider,
                Ailment::Half,
            )
        },
        Self {
            endpoints: 1,
            ..scenario(
                "one-data-silent",
                "one endpoint for each provider; one never answers requests, checks pass",
                Victims::Provider,
                Ailment::DataSilent,
            )
        },
        scenario(
            "slow",
            "one endpoint of four answers 600 ms later, checks pass",
            Victims::Endpoint,
            Ailment::Slow(Duration::from_millis(600)),
        ),
        scenario("all", "all die", Victims::All, Ailment::Refuses),
        scenario(
            "all-503",
            "all answer 503 to requests and checks",
            Victims::All,
            Ailment::Unavailable,
        ),
        Self {
            posts: true,
            ..scenario(
                "posts",
                "POSTs while a provider resets connections",
                Victims::Provider,
                Ailment::Resets,
            )
        },
    ];

    /// What the clients ask by.
    #[must_use]
    pub const fn method(&self) -> Method {
        if self.posts {
            Method::POST
        } else {
            Method::GET
        }
    }
}

const fn scenario(
    name: &'static str,
    title: &'static str,
    victims: Victims,
    ailment: Ailment,
) -> Scenario {
    Scenario {
        name,
        title,
        endpoints: 2,
        victims,
        ailment,
        posts: false,
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl ValueEnum for Scenario {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.title))
    }
}
