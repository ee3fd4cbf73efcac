//! The keys of accounts in clouds, of backends whose endpoints are found there, and of actuators that follow.

use std::time::Duration;

use super::Reload::Live;
use super::{FILE, Shape, Type, optional, required, shape};
use crate::config::{Addresses, Auth, Cloud, Observe, OnDrift};
use crate::form::Form;

const REFRESH: Type = Type::Value(Form::Duration(
    Duration::from_secs(1),
    Duration::from_secs(3_600),
));

pub(super) static ACCOUNT: Shape = shape(
    "an account",
    "accounts.NAME",
    &[
        required(
            "cloud",
            Type::Value(Form::Choice(Cloud::ALL, &[])),
            "Which cloud it is in.",
        ),
        optional(
            "region",
            Type::Value(Form::Text),
            "that of the profile, the environment or the machine",
            Live,
            "Its region, as the cloud names it.",
        ),
        optional(
            "auth",
            Type::Value(Form::Choice(Auth::WORDS, &[])),
            "`api_key` for OCI",
            Live,
            "How an account in OCI proves who it is: by the key of the profile, as the machine it runs on, or as the resource it runs in. AWS has its standard chain: environment, profile, web identity, the machine's role.",
        ),
        optional(
            "config_file",
            FILE,
            "where the cloud's own tools look",
            Live,
            "The file with the profile. It, and what it names, is read again when it changes.",
        ),
        optional(
            "profile",
            Type::Value(Form::Text),
            "the cloud's own default",
            Live,
            "The profile in it.",
        ),
        optional(
            "endpoint_url",
            Type::Value(Form::Text),
            "the public endpoints",
            Live,
            "Where its API is: a private endpoint, or a fake for trying things out. `http` or `https`, host and port.",
        ),
    ],
);

pub(super) static DISCOVER: Shape = shape(
    "`discover`",
    "services.NAME.backends.NAME.discover",
    &[
        required(
            "account",
            Type::Value(Form::Name),
            "The account, by its name under `accounts`.",
        ),
        required(
            "from",
            Type::Value(Form::Text),
            "In OCI `instance-pool/OCID`, `load-balancer/OCID/SET` or `network-load-balancer/OCID/SET`; in AWS `auto-scaling-group/NAME`, `target-group/ARN` or `cloud-map/NAMESPACE/SERVICE`.",
        ),
        optional(
            "addresses",
            Type::Value(Form::Choice(Addresses::WORDS, &[])),
            "private",
            Live,
            "Which address of a machine is meant: the private one, or, for an edge that is not in its network, the public one. Of pools and groups of machines, which have both.",
        ),
        optional(
            "scheme",
            Type::Value(Form::Choice(&["http", "https", "h2c"], &[])),
            "http",
            Live,
            "How its endpoints are spoken to.",
        ),
        optional(
            "port",
            Type::Value(Form::Integer(1, 65_535)),
            "that of the source",
            Live,
            "Their port. Needed for pools and groups of machines, which have none.",
        ),
        optional(
            "refresh",
            REFRESH,
            "15s",
            Live,
            "How often it is asked. The last good answer stays while it fails, and one in which more than half is gone counts only when two more say the same.",
        ),
        optional(
            "observe",
            Type::Value(Form::Choice(Observe::WORDS, &[])),
            "free",
            Live,
            "What the cloud is asked about it beside that, for people and plans to see: `free` is the health of its instances and their number, which needs no other permission and costs nothing; `all` also what their processors do, by CloudWatch, where AWS charges for each query, or by OCI's Monitoring, which needs `read metrics`.",
        ),
        optional(
            "observe_every",
            REFRESH,
            "60s",
            Live,
            "How often it is asked that.",
        ),
    ],
);

pub(super) static APPLY: Shape = shape(
    "an actuator",
    "services.NAME.apply[]",
    &[
        required(
            "account",
            Type::Value(Form::Name),
            "The account, by its name under `accounts`.",
        ),
        required(
            "to",
            Type::Value(Form::Text),
            "In AWS `route53/ZONE/NAME/TYPE` (`A`, `AAAA` or `CNAME`), `target-groups/ARN` of a listener or a rule, or `global-accelerator/ARN` of an endpoint group; in OCI `steering-policy/OCID`, `load-balancer/OCID/SET` or `network-load-balancer/OCID/SET`.",
        ),
        required(
            "members",
            Type::Names("backend", &Type::List(&Type::Value(Form::Text), 0), 1),
            "What each backend is there: the values of its record (none: its record is there and only gets its weight), the ARN of its target group, the id of its endpoint, the names of its answers, or its addresses (`10.0.0.3`, `10.0.0.3:8080`, `10.0.0.0/16`).",
        ),
        optional(
            "ttl",
            REFRESH,
            "30s",
            Live,
            "The TTL of records that are made; those that are there keep theirs.",
        ),
        optional(
            "on_drift",
            Type::Value(Form::Choice(OnDrift::WORDS, &[])),
            "revert",
            Live,
            "What becomes of what another tool changed: set back, or left until shares change. Both are told.",
        ),
        optional(
            "verify",
            REFRESH,
            "60s",
            Live,
            "How often it is looked at while shares stay as they are.",
        ),
        optional(
            "dns",
            Type::Map(&ASK_DNS),
            "not asked",
            Live,
            "For `route53` and `steering-policy`: DNS is asked after each look whether it answers as is set. A difference is told and shown, and sets nothing.",
        ),
    ],
);

static ASK_DNS: Shape = shape(
    "`dns` of an actuator",
    "services.NAME.apply[].dns",
    &[
        required(
            "servers",
            Type::List(&Type::Value(Form::Socket), 1),
            "The zone's own name servers, asked in turn. Not a cache: it has one answer for a whole TTL, and what it says is not taken.",
        ),
        optional(
            "name",
            Type::Value(Form::Host),
            "that of the record",
            Live,
            "The name that is asked for. Needed for a steering policy, which is attached to domains, and for a wildcard.",
        ),
        optional(
            "questions",
            Type::Value(Form::Integer(20, 1_000)),
            "100",
            Live,
            "How many questions a look is. With 100 a split of 50 to 50 that is 75 to 25 in truth is seen half of the time, with 1000 one that is 58 to 42.",
        ),
    ],
);
