//! The calls that bascule makes of OCI, each with the policy that allows it. The page for operators, `docs/providers.md`,
//! lists the same; the source is OCI's policy reference.

use http::Method;

use crate::region::Service;

/// One call.
#[derive(Debug)]
pub(crate) struct Operation {
    /// As OCI's documentation names it.
    pub(crate) name: &'static str,
    pub(crate) service: Service,
    /// What a policy must allow: verb and resource type.
    pub(crate) policy: &'static str,
    verb: Verb,
    /// Whether it is done once however often it arrives with the same token.
    pub(crate) takes_retry_token: bool,
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Get,
    Post,
    Put,
}

impl Operation {
    /// Whether it changes something; the question for metrics is a `POST` and does not.
    pub(crate) const fn changes(&self) -> bool {
        matches!(self.verb, Verb::Put)
    }

    pub(crate) const fn method(&self) -> Method {
        match self.verb {
            Verb::Get => Method::GET,
            Verb::Post => Method::POST,
            Verb::Put => Method::PUT,
        }
    }
}

const fn get(name: &'static str, service: Service, policy: &'static str) -> Operation {
    Operation {
        name,
        service,
        policy,
        verb: Verb::Get,
        takes_retry_token: false,
    }
}

/// Asked to see that the credentials are taken; it does not matter whether it is allowed.
pub(crate) const LIST_REGIONS: Operation =
    get("ListRegions", Service::Identity, "inspect tenancies");

pub(crate) const GET_INSTANCE_POOL: Operation =
    get("GetInstancePool", Service::Core, "read instance-pools");

pub(crate) const LIST_INSTANCE_POOL_INSTANCES: Operation = get(
    "ListInstancePoolInstances",
    Service::Core,
    "read instance-pools",
);

/// Needs the instances too, to know which of them a card is of.
pub(crate) const LIST_VNIC_ATTACHMENTS: Operation =
    get("ListVnicAttachments", Service::Core, "read instance-family");

/// By subnet, so the subnet must be readable too.
pub(crate) const LIST_PRIVATE_IPS: Operation = get(
    "ListPrivateIps",
    Service::Core,
    "read virtual-network-family",
);

/// A machine that is only said by its id, to know its compartment.
pub(crate) const GET_INSTANCE: Operation =
    get("GetInstance", Service::Core, "read instance-family");

/// An address that is only said by its id.
pub(crate) const GET_PRIVATE_IP: Operation =
    get("GetPrivateIp", Service::Core, "read virtual-network-family");

pub(crate) const GET_VNIC: Operation = get("GetVnic", Service::Core, "read virtual-network-family");

pub(crate) const GET_BACKEND_SET: Operation = get(
    "GetBackendSet",
    Service::LoadBalancer,
    "read load-balancers",
);

pub(crate) const GET_BACKEND_SET_HEALTH: Operation = get(
    "GetBackendSetHealth",
    Service::LoadBalancer,
    "read load-balancers",
);

pub(crate) const UPDATE_BACKEND_SET: Operation = Operation {
    name: "UpdateBackendSet",
    service: Service::LoadBalancer,
    policy: "use load-balancers",
    verb: Verb::Put,
    takes_retry_token: true,
};

pub(crate) const GET_WORK_REQUEST: Operation = get(
    "GetWorkRequest",
    Service::LoadBalancer,
    "read load-balancers",
);

pub(crate) const GET_NETWORK_BACKEND_SET: Operation = get(
    "GetBackendSet",
    Service::NetworkLoadBalancer,
    "read network-load-balancers",
);

pub(crate) const GET_NETWORK_BACKEND_SET_HEALTH: Operation = get(
    "GetBackendSetHealth",
    Service::NetworkLoadBalancer,
    "read network-load-balancers",
);

pub(crate) const UPDATE_NETWORK_BACKEND_SET: Operation = Operation {
    name: "UpdateBackendSet",
    service: Service::NetworkLoadBalancer,
    policy: "use network-load-balancers",
    verb: Verb::Put,
    takes_retry_token: true,
};

pub(crate) const GET_NETWORK_WORK_REQUEST: Operation = get(
    "GetWorkRequest",
    Service::NetworkLoadBalancer,
    "read network-load-balancers",
);

pub(crate) const GET_STEERING_POLICY: Operation = get(
    "GetSteeringPolicy",
    Service::Dns,
    "read dns-steering-policies",
);

pub(crate) const UPDATE_STEERING_POLICY: Operation = Operation {
    name: "UpdateSteeringPolicy",
    service: Service::Dns,
    policy: "use dns-steering-policies",
    verb: Verb::Put,
    takes_retry_token: false,
};

pub(crate) const SUMMARIZE_METRICS_DATA: Operation = Operation {
    name: "SummarizeMetricsData",
    service: Service::Monitoring,
    policy: "read metrics",
    verb: Verb::Post,
    takes_retry_token: false,
};
