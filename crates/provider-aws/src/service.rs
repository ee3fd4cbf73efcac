//! The services of AWS that are called: their names in signatures, their addresses, their versions. Nothing here acts.

/// A service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Auto Scaling groups.
    AutoScaling,
    /// Metrics.
    CloudWatch,
    /// Names with instances behind them; only its discovery side is called.
    CloudMap,
    /// Machines.
    Ec2,
    /// Load balancers, generation 2.
    Elb,
    /// Global Accelerator.
    GlobalAccelerator,
    /// DNS.
    Route53,
    /// Who one is.
    Sts,
}

impl Service {
    /// Its name in the scope of a signature.
    pub(crate) const fn signed_as(self) -> &'static str {
        match self {
            Self::AutoScaling => "autoscaling",
            Self::CloudWatch => "monitoring",
            Self::CloudMap => "servicediscovery",
            Self::Ec2 => "ec2",
            Self::Elb => "elasticloadbalancing",
            Self::GlobalAccelerator => "globalaccelerator",
            Self::Route53 => "route53",
            Self::Sts => "sts",
        }
    }

    /// The version that a call of the query protocol names; of the others it is in the path, or there is none.
    pub(crate) const fn version(self) -> &'static str {
        match self {
            Self::AutoScaling => "2011-01-01",
            Self::CloudWatch => "2010-08-01",
            Self::Ec2 => "2016-11-15",
            Self::Elb => "2015-12-01",
            Self::Sts => "2011-06-15",
            Self::CloudMap | Self::GlobalAccelerator | Self::Route53 => "",
        }
    }

    /// The region its calls are signed for, asked from this one. Route 53 has one home in each partition, Global Accelerator
    /// one at all.
    pub(crate) fn region(self, region: &str) -> &str {
        match self {
            Self::GlobalAccelerator => "us-west-2",
            Self::Route53 if region.starts_with("cn-") => "cn-northwest-1",
            Self::Route53 if region.starts_with("us-gov-") => "us-gov-west-1",
            Self::Route53 => "us-east-1",
            _ => region,
        }
    }

    /// Its public address, asked from this region.
    pub(crate) fn endpoint(self, region: &str) -> String {
        let suffix = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        match self {
            Self::Route53 if region.starts_with("us-gov-") => {
                format!("https://route53.us-gov.{suffix}")
            }
            Self::Route53 => format!("https://route53.{suffix}"),
            Self::CloudMap => format!("https://data-servicediscovery.{region}.{suffix}"),
            _ => format!(
                "https://{}.{}.{suffix}",
                self.signed_as(),
                self.region(region)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_asked_where_aws_documents_it() {
        for (service, region, address, signed) in [
            (
                Service::Ec2,
                "eu-west-1",
                "https://ec2.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
            (
                Service::Route53,
                "eu-west-1",
                "https://route53.amazonaws.com",
                "us-east-1",
            ),
            (
                Service::Route53,
                "us-gov-east-1",
                "https://route53.us-gov.amazonaws.com",
                "us-gov-west-1",
            ),
            (
                Service::Route53,
                "cn-north-1",
                "https://route53.amazonaws.com.cn",
                "cn-northwest-1",
            ),
            (
                Service::GlobalAccelerator,
                "eu-west-1",
                "https://globalaccelerator.us-west-2.amazonaws.com",
                "us-west-2",
            ),
            (
                Service::CloudMap,
                "us-east-1",
                "https://data-servicediscovery.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            (
                Service::Elb,
                "cn-north-1",
                "https://elasticloadbalancing.cn-north-1.amazonaws.com.cn",
                "cn-north-1",
            ),
        ] {
            assert_eq!(service.endpoint(region), address);
            assert_eq!(service.region(region), signed);
        }
    }
}
