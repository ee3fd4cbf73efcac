//! Where the services of a region are. Read from the official Python SDK 2.189.0; a region that is not in the table is
//! taken as one of the commercial realm, as all SDKs take it.

use bascule_provider::{Error, Kind};

/// A service of OCI, by the host and version of its API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Compute and networking.
    Core,
    /// Load balancers of layer 7.
    LoadBalancer,
    /// Load balancers of layer 4.
    NetworkLoadBalancer,
    /// DNS with steering policies.
    Dns,
    /// Metrics.
    Monitoring,
    /// Tokens for instance principals.
    Auth,
    /// Users, groups, regions.
    Identity,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Core,
        Self::LoadBalancer,
        Self::NetworkLoadBalancer,
        Self::Dns,
        Self::Monitoring,
        Self::Auth,
        Self::Identity,
    ];

    /// Its name in settings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::LoadBalancer => "load_balancer",
            Self::NetworkLoadBalancer => "network_load_balancer",
            Self::Dns => "dns",
            Self::Monitoring => "monitoring",
            Self::Auth => "auth",
            Self::Identity => "identity",
        }
    }

    /// The version in its paths.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::Core | Self::Identity => "/20160918",
            Self::LoadBalancer => "/20170115",
            Self::NetworkLoadBalancer => "/20200501",
            Self::Dns => "/20180115",
            Self::Monitoring => "/20180401",
            Self::Auth => "/v1",
        }
    }

    /// Its host in a region; the version is not part of it.
    pub(crate) fn host(self, region: &Region) -> String {
        let Region { name, domain } = region;
        match self {
            Self::Core | Self::LoadBalancer => format!("https://iaas.{name}.{domain}"),
            Self::NetworkLoadBalancer => {
                format!("https://network-load-balancer-api.{name}.oci.{domain}")
            }
            Self::Dns => format!("https://dns.{name}.oci.{domain}"),
            Self::Monitoring => format!("https://telemetry.{name}.{domain}"),
            Self::Auth => format!("https://auth.{name}.{domain}"),
            Self::Identity => format!("https://identity.{name}.oci.{domain}"),
        }
    }
}

/// A region, and the domain of the realm it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its identifier: `eu-frankfurt-1`.
    pub name: String,
    /// The realm's domain: `oraclecloud.com`.
    pub domain: String,
}

/// Regions outside the commercial realm, by the domain of theirs.
const REALMS: &[(&str, &[&str])] = &[
    (
        "oraclegovcloud.com",
        &[
            "us-langley-1",
            "us-luke-1",
            "us-gov-ashburn-1",
            "us-gov-chicago-1",
            "us-gov-phoenix-1",
        ],
    ),
    (
        "oraclegovcloud.uk",
        &["uk-gov-london-1", "uk-gov-cardiff-1"],
    ),
    ("oraclecloud8.com", &["ap-chiyoda-1", "ap-ibaraki-1"]),
    ("oraclecloud9.com", &["me-dcc-muscat-1", "me-ibri-1"]),
    ("oraclecloud10.com", &["ap-dcc-canberra-1"]),
    (
        "oraclecloud14.com",
        &[
            "eu-dcc-milan-1",
            "eu-dcc-milan-2",
            "eu-dcc-dublin-1",
            "eu-dcc-dublin-2",
            "eu-dcc-rating-1",
            "eu-dcc-rating-2",
        ],
    ),
    ("oraclecloud15.com", &["ap-dcc-gazipur-1"]),
    ("oraclecloud.eu", &["eu-madrid-2", "eu-frankfurt-2"]),
    ("oraclecloud20.com", &["eu-jovanovac-1"]),
    ("oraclecloud21.com", &["me-dcc-doha-1", "me-alrayyan-1"]),
    ("oraclecloud23.com", &["us-somerset-1", "us-thames-1"]),
    ("oraclecloud24.com", &["eu-dcc-zurich-1", "eu-crissier-1"]),
    ("oraclecloud26.com", &["me-abudhabi-3", "me-alain-1"]),
    ("oraclecloud29.com", &["me-abudhabi-2", "me-abudhabi-4"]),
    (
        "oraclecloud35.com",
        &["ap-seoul-2", "ap-suwon-1", "ap-chuncheon-2"],
    ),
];

/// Of the commercial realm.
const COMMERCIAL: &str = "oraclecloud.com";

/// Names that regions had before they had long ones, and that configuration files still use.
const SHORT: &[(&str, &str)] = &[
    ("phx", "us-phoenix-1"),
    ("iad", "us-ashburn-1"),
    ("fra", "eu-frankfurt-1"),
    ("lhr", "uk-london-1"),
];

impl Region {
    /// The region of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`] where the name cannot be part of a host.
    pub fn named(name: &str) -> Result<Self, Error> {
        let name = name.trim().to_ascii_lowercase();
        let short = SHORT.iter().find(|(short, _)| *short == name);
        let name = short.map_or(name, |(_, long)| (*long).to_owned());
        let is_host = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(is_host) {
            return Err(Error::new(Kind::Invalid, "region", name)
                .detail("this is no region's identifier")
                .fix("write it as OCI's console does, `eu-frankfurt-1`"));
        }
        let realm = REALMS
            .iter()
            .find(|(_, regions)| regions.contains(&name.as_str()));
        let domain = realm.map_or(COMMERCIAL, |(domain, _)| *domain).to_owned();
        Ok(Self { name, domain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_where_the_official_sdk_looks_for_them() {
        let at = |service: Service, name: &str| service.host(&Region::named(name).unwrap());
        assert_eq!(
            at(Service::Core, "fra"),
            "https://iaas.eu-frankfurt-1.oraclecloud.com"
        );
        assert_eq!(
            at(Service::NetworkLoadBalancer, "us-gov-phoenix-1"),
            "https://network-load-balancer-api.us-gov-phoenix-1.oci.oraclegovcloud.com"
        );
        assert_eq!(
            at(Service::Dns, "eu-madrid-2"),
            "https://dns.eu-madrid-2.oci.oraclecloud.eu"
        );
        assert_eq!(
            at(Service::Identity, "eu-frankfurt-1"),
            "https://identity.eu-frankfurt-1.oci.oraclecloud.com"
        );
        assert_eq!(
            at(Service::Monitoring, "xx-new-9"),
            "https://telemetry.xx-new-9.oraclecloud.com"
        );
    }

    #[test]
    fn what_cannot_be_part_of_a_host_is_no_region() {
        for name in ["", "eu frankfurt", "evil.example/", "a@b"] {
            assert_eq!(Region::named(name).unwrap_err().kind, Kind::Invalid);
        }
    }
}
