//! The part of the table that speaks of services. See [`table`](super) for what an entry is. Longer than a file should
//! be, as a table is best read in one piece.

use bascule_model::BasisPoints;
use bascule_traffic::spec::LoadBound;

use super::Reload::Live;
use super::{
    FILE, PERCENT, SOME_PERCENT, SPAN, Shape, Type, WAIT, WAIT_OR_NONE, later, optional, required,
    shape,
};
use crate::form::Form;

pub(crate) const CONNECT: &str = "To connect to an endpoint, TLS included.";
pub(crate) const REQUEST: &str = "From the head of the request to the head of the response, all tries and the waits between them together.";
pub(crate) const RESPONSE_HEADERS: &str =
    "From the end of the request to the head of the response, for one try.";
pub(crate) const REQUEST_DEFAULT: &str = "no limit but those of the tries";
pub(crate) const UPSTREAM_IDLE: &str =
    "A connection to an endpoint without requests is closed after it.";
pub(crate) const STREAM_IDLE: &str =
    "A request on which no byte moves in either direction is cut after it.";

pub(crate) const OUTLIER_DOC: &str = "When traffic takes endpoints out, beside their checks.";

pub(crate) static SERVICE: Shape = Shape {
    later: &[
        later("client_groups", "groups of clients"),
        later("slo", "service level objectives"),
        later("practice", "scheduled practice evacuations"),
    ],
    ..shape(
        "a service",
        "services.NAME",
        &[
            optional(
                "listen",
                Type::List(&Type::Value(Form::Name), 1),
                "the only listener",
                Live,
                "The listeners it is reached through; must be given where there are several.",
            ),
            optional(
                "match",
                Type::List(&Type::Map(&MATCH), 1),
                "whatever no other service takes",
                Live,
                "What it takes there: a request that fits one of the entries. An exact host wins over a wildcard, a longer wildcard over a shorter, an exact path over a prefix, a longer prefix over a shorter.",
            ),
            optional(
                "class",
                Type::Value(Form::Choice(&["media", "signalling", "bulk"], &[])),
                "signalling",
                Live,
                "How important it is where not all fits: of services on the same machines the last in this order is shed first, and asked to stay away longer.",
            ),
            optional(
                "balance",
                Type::Map(&BALANCE),
                "",
                Live,
                "How an endpoint is chosen inside a backend.",
            ),
            optional(
                "affinity",
                Type::Map(&super::affinity::AFFINITY),
                "none: every request goes by the shares",
                Live,
                "What keeps requests together at one backend and endpoint.",
            ),
            optional(
                "check",
                Type::Map(&CHECK),
                "",
                Live,
                "How its endpoints are checked.",
            ),
            optional("outlier", Type::Map(&OUTLIER), "", Live, OUTLIER_DOC),
            optional(
                "ramp",
                Type::Map(&RAMP),
                "",
                Live,
                "How fast a returning endpoint or backend gets its share back.",
            ),
            optional(
                "timeouts",
                Type::Map(&TIMEOUTS),
                "",
                Live,
                "Limits of time.",
            ),
            optional(
                "retry",
                Type::Map(&RETRY),
                "",
                Live,
                "When a request is tried again.",
            ),
            optional(
                "limits",
                Type::Map(&super::limits::SERVICE),
                "",
                Live,
                "How much may run, and wait, at one endpoint and at one backend.",
            ),
            optional("session", Type::Map(&SESSION), "", Live, "Long requests."),
            required(
                "backends",
                Type::Names("backend", &Type::Map(&BACKEND), 1),
                "Its share-holders by name: one provider in one region each.",
            ),
            optional(
                "controller",
                Type::Map(&CONTROLLER),
                "",
                Live,
                "How shares move.",
            ),
            optional(
                "guardrails",
                Type::Map(&GUARDRAILS),
                "",
                Live,
                "What stops a ramp: measured at the receivers, the backends whose share grows.",
            ),
            optional(
                "safety",
                Type::Map(&SAFETY),
                "",
                Live,
                "What a person's change must keep.",
            ),
            optional(
                "apply",
                Type::List(&Type::Map(&super::cloud::APPLY), 1),
                "nowhere",
                Live,
                "Where else the split becomes true: each follows the steps that the edges have confirmed, in the numbers it has, and is read back.",
            ),
        ],
    )
};

static MATCH: Shape = shape(
    "a match",
    "services.NAME.match[]",
    &[
        optional(
            "hosts",
            Type::List(&Type::Value(Form::Host), 1),
            "every host",
            Live,
            "Names without port; `*.example.org` takes one or more labels in front.",
        ),
        optional("path", Type::Map(&PATH), "every path", Live, "The path."),
    ],
);

static PATH: Shape = shape(
    "`path`",
    "services.NAME.match[].path",
    &[
        optional(
            "prefix",
            Type::Value(Form::Prefix),
            "/",
            Live,
            "This path and all below it, by whole segments: `/a` takes `/a` and `/a/b`, not `/ab`.",
        ),
        optional(
            "exact",
            Type::Value(Form::Path),
            "",
            Live,
            "This path only. Not together with `prefix`.",
        ),
    ],
);

static BALANCE: Shape = shape(
    "`balance`",
    "services.NAME.balance",
    &[
        optional(
            "algorithm",
            Type::Value(Form::Choice(
                &[
                    "least_request",
                    "peak_ewma",
                    "round_robin",
                    "random",
                    "maglev",
                    "rendezvous",
                ],
                &[],
            )),
            "least_request",
            Live,
            "The fewest requests in flight; those and how long an endpoint takes to answer; one after the other; any; or the one a key belongs to, by a table or by comparing all.",
        ),
        optional(
            "hash",
            Type::Either(Form::Choice(&["source_ip"], &[]), &HASH),
            "",
            Live,
            "The key, with `maglev` and `rendezvous`: `source_ip`, the client's address (of IPv6 the /64), or something of the request. A request without it goes to the least loaded. Where the service has an `affinity` by anything but a cookie, requests that have that go by it.",
        ),
        optional(
            "bounded_load",
            Type::Value(Form::WholePercent(LoadBound::RANGE.0, LoadBound::RANGE.1)),
            "no bound",
            Live,
            "With `maglev` and `rendezvous`: an endpoint that would have more than this part of the average in flight passes keys on to others.",
        ),
    ],
);

static HASH: Shape = shape(
    "`hash`",
    "services.NAME.balance.hash",
    &[
        optional(
            "header",
            Type::Value(Form::Field),
            "",
            Live,
            "The value of this header field. There must be one of it.",
        ),
        optional(
            "query",
            Type::Value(Form::Text),
            "",
            Live,
            "The value of this parameter of the query, decoded. There must be one of it.",
        ),
        optional(
            "path_segment",
            Type::Value(Form::Integer(1, 32)),
            "",
            Live,
            "This segment of the path, decoded: of `/rooms/42` the first is `rooms`.",
        ),
    ],
);

pub(crate) static CHECK: Shape = shape(
    "`check`",
    "defaults.check, services.NAME.check",
    &[
        optional(
            "kind",
            Type::Value(Form::Choice(&["tcp", "http", "grpc"], &[])),
            "as the other keys say, else tcp",
            Live,
            "`tcp` connects, for `https` with the handshake; `http` asks for a path; `grpc` calls `grpc.health.v1.Health/Check`, and what does not say SERVING fails. A service that says another kind than `defaults` takes no `path`, `host`, `service`, `send` or `expect` from there.",
        ),
        optional(
            "path",
            Type::Value(Form::Target),
            "/",
            Live,
            "What is asked for over HTTP. Says `kind: http`.",
        ),
        optional(
            "host",
            Type::Value(Form::Authority),
            "the endpoint's name and port",
            Live,
            "The `Host` sent. Needs `http` or `grpc`.",
        ),
        optional(
            "service",
            Type::Value(Form::Text),
            "the server as a whole",
            Live,
            "The gRPC service that is asked about, such as `meet.v1.Rooms`. Says `kind: grpc`.",
        ),
        optional(
            "send",
            Type::Value(Form::Wire(1024)),
            "nothing",
            Live,
            "Sent over bare TCP once connected; what must come back is `expect.text`. Says `kind: tcp`.",
        ),
        optional(
            "tls",
            super::BOOL,
            "as the endpoint's scheme",
            Live,
            "Whether the check is made over TLS. Certificates are verified as those of `https` endpoints are.",
        ),
        optional(
            "port",
            Type::Value(Form::Integer(1, 65_535)),
            "the endpoint's own",
            Live,
            "The port that is checked instead of the one that traffic uses.",
        ),
        optional(
            "interval",
            WAIT,
            "3s",
            Live,
            "Between two checks; 500 ms (or this, if shorter) while in transition.",
        ),
        optional(
            "timeout",
            WAIT,
            "1s",
            Live,
            "A check that takes longer has failed.",
        ),
        optional(
            "fall",
            Type::Value(Form::Integer(1, 100)),
            "3",
            Live,
            "Failures in a row that make an endpoint down.",
        ),
        optional(
            "rise",
            Type::Value(Form::Integer(1, 100)),
            "2",
            Live,
            "Passes in a row that make it up again.",
        ),
        optional(
            "jitter",
            Type::Value(Form::Percent(
                BasisPoints::ZERO,
                BasisPoints::saturating(5_000),
            )),
            "10%",
            Live,
            "Each wait is shortened or lengthened by up to this part.",
        ),
        optional(
            "initial",
            Type::Value(Form::Choice(&["up", "unknown", "down"], &[])),
            "unknown",
            Live,
            "What an endpoint counts as before its first check. `down` gets nothing until one passes; `up` and `unknown` get their part until `fall` checks have failed.",
        ),
        optional(
            "agent",
            Type::Map(&AGENT),
            "",
            Live,
            "An agent beside each endpoint that is asked too, as HAProxy's `agent-check`: it answers with one line, such as `75%`, `drain` or `down #disk full`. That it cannot be reached is no failure.",
        ),
        optional("expect", Type::Map(&EXPECT), "", Live, "What passes."),
    ],
);

static AGENT: Shape = shape(
    "`agent`",
    "defaults.check.agent, services.NAME.check.agent",
    &[
        required(
            "port",
            Type::Value(Form::Integer(1, 65_535)),
            "Where it listens, on the endpoint's address.",
        ),
        optional("interval", WAIT, "2s", Live, "Between two questions."),
    ],
);

static EXPECT: Shape = shape(
    "`expect`",
    "defaults.check.expect, services.NAME.check.expect",
    &[
        optional(
            "status",
            Type::List(&Type::Value(Form::Status), 1),
            "[200]",
            Live,
            "Statuses that pass: `200`, or `200-299`. Needs `http`.",
        ),
        optional(
            "text",
            Type::Value(Form::Wire(256)),
            "anything",
            Live,
            "What the answer must hold: the body over HTTP, or what comes over bare TCP.",
        ),
    ],
);

pub(crate) static OUTLIER: Shape = shape(
    "`outlier`",
    "defaults.outlier, services.NAME.outlier",
    &[
        optional(
            "enabled",
            super::BOOL,
            "true",
            Live,
            "Whether traffic takes endpoints out.",
        ),
        optional(
            "consecutive",
            Type::Value(Form::Integer(2, 100)),
            "3",
            Live,
            "Failures in a row that are enough where an endpoint, and its peers, hardly ever fail; more where they do.",
        ),
        optional(
            "error_ratio",
            SOME_PERCENT,
            "20%",
            Live,
            "Below this part of failed tries their rate takes nobody out.",
        ),
        optional(
            "slow_min",
            WAIT,
            "250ms",
            Live,
            "Answers below it are never slow; above, they are where half of them take more than four times as long as usual, and as those of the others.",
        ),
        optional(
            "hold",
            WAIT,
            "1s",
            Live,
            "How long an endpoint that was taken out gets nothing, times how often that was lately.",
        ),
        optional(
            "hold_max",
            WAIT,
            "30s",
            Live,
            "The longest of these times; at least `hold`.",
        ),
        optional(
            "trial_every",
            WAIT,
            "1s",
            Live,
            "After it, one request finds out whether the endpoints of a provider that are out work again; after half of it where the last did.",
        ),
        optional(
            "forget",
            WAIT,
            "60s",
            Live,
            "For each such time without being taken out one time less is counted.",
        ),
        optional(
            "share_max",
            SOME_PERCENT,
            "90%",
            Live,
            "The largest part of the service's endpoints that may be out at once; always at least one, and never all.",
        ),
    ],
);

pub(crate) static RAMP: Shape = shape(
    "`ramp`",
    "defaults.ramp, services.NAME.ramp",
    &[optional(
        "duration",
        WAIT_OR_NONE,
        "5s",
        Live,
        "Linear from nothing to all.",
    )],
);

static TIMEOUTS: Shape = Shape {
    elsewhere: &[
        (
            "request_headers",
            "it counts before a service is known: `defaults.timeouts` has it",
        ),
        (
            "client_idle",
            "it counts before a service is known: `defaults.timeouts` has it",
        ),
    ],
    ..shape(
        "`timeouts` of a service",
        "services.NAME.timeouts",
        &[
            optional("connect", WAIT, "1s", Live, CONNECT),
            optional("request", WAIT, REQUEST_DEFAULT, Live, REQUEST),
            optional("response_headers", WAIT, "60s", Live, RESPONSE_HEADERS),
            optional("upstream_idle", WAIT, "30s", Live, UPSTREAM_IDLE),
            optional("stream_idle", WAIT, "5m", Live, STREAM_IDLE),
        ],
    )
};

pub(crate) static RETRY: Shape = shape(
    "`retry`",
    "defaults.retry, services.NAME.retry",
    &[
        optional(
            "attempts",
            Type::Value(Form::Integer(1, 5)),
            "2",
            Live,
            "Tries in all, the first included; 1 is never again.",
        ),
        optional(
            "when",
            Type::List(
                &Type::Value(Form::Choice(
                    &[
                        "connect_failure",
                        "reset_before_response",
                        "refused_stream",
                        "silence",
                        "429",
                        "500",
                        "502",
                        "503",
                        "504",
                        "grpc_cancelled",
                        "grpc_unknown",
                        "grpc_deadline_exceeded",
                        "grpc_resource_exhausted",
                        "grpc_internal",
                        "grpc_unavailable",
                    ],
                    &[],
                )),
                1,
            ),
            "[connect_failure, reset_before_response, refused_stream, silence, 503]",
            Live,
            "The failures and answers that are tried again. What may have arrived and is not idempotent is never sent twice; but naming a gRPC status says that calls may be which ended by it.",
        ),
        optional(
            "try_timeout",
            WAIT,
            "no limit but timeouts.response_headers",
            Live,
            "How long a try may wait for the head of a response before another is made in its place; the last one waits on.",
        ),
        optional(
            "replay_body",
            Type::Value(Form::Size(0, 1 << 20)),
            "64KiB",
            Live,
            "The bytes of a request's body that are kept for another try; a request with a longer one is not tried again once it was sent.",
        ),
        optional(
            "budget",
            Type::Map(&BUDGET),
            "",
            Live,
            "How many retries there may be, over ten seconds.",
        ),
        optional(
            "other_provider",
            super::BOOL,
            "true",
            Live,
            "Whether the next try prefers another provider.",
        ),
    ],
);

static BUDGET: Shape = shape(
    "`budget`",
    "defaults.retry.budget, services.NAME.retry.budget",
    &[
        optional("ratio", PERCENT, "20%", Live, "Retries per request."),
        optional(
            "min",
            Type::Value(Form::Rate(0, 1_000_000)),
            "10/s",
            Live,
            "Retries that are always granted.",
        ),
    ],
);

static SESSION: Shape = Shape {
    later: &[later("max_age", "a limit for the age of sessions")],
    ..shape(
        "`session`",
        "services.NAME.session",
        &[optional(
            "drain_deadline",
            SPAN,
            "30m",
            Live,
            "How long the running requests of a drained backend are waited for.",
        )],
    )
};

static BACKEND: Shape = shape(
    "a backend",
    "services.NAME.backends.NAME",
    &[
        optional(
            "weight",
            Type::Value(Form::Integer(0, 1_000_000)),
            "",
            Live,
            "Its part, relative to the others; weights are normalised to shares that sum to exactly 100 %. 0 is off. Needed without `role: standby`.",
        ),
        optional(
            "role",
            Type::Value(Form::Choice(&["standby"], &[])),
            "",
            Live,
            "`standby`: no weight, no share in normal rows; may receive by a shift, and what the others cannot take.",
        ),
        optional(
            "provider",
            Type::Value(Form::Name),
            "the backend's name",
            Live,
            "Who runs it: what can be lost together.",
        ),
        optional(
            "region",
            Type::Value(Form::Text),
            "",
            Live,
            "Where it stands; for display.",
        ),
        optional(
            "host",
            Type::Value(Form::Choice(&["preserve", "endpoint"], &[])),
            "preserve",
            Live,
            "The `Host` sent upstream: the client's, or the endpoint's own name and port.",
        ),
        optional(
            "capacity",
            Type::Map(&CAPACITY),
            "no limit",
            Live,
            "What it can take with all of its endpoints, from this process. More is never sent: it goes to the others, then to standby backends; what fits nowhere is refused with 503 and `Retry-After`. Services that name the same endpoint share it.",
        ),
        optional(
            "egress_price",
            Type::Map(&super::price::EGRESS),
            "none",
            Live,
            "What sending from it to clients costs. A GB is 10⁹ bytes, a TB 1000 GB, a PB 1000 TB. All prices of a service are in one currency.",
        ),
        optional(
            "endpoints",
            Type::List(&Type::Either(Form::Url, &ENDPOINT), 1),
            "those that `discover` finds",
            Live,
            "URLs with address or host name: `http`, `https`, or `h2c` for HTTP/2 in clear text; or maps, where there is more to say. All addresses of a name are endpoints, up to 1000. `http+srv://_http._tcp.NAME` takes them from SRV records, with port, weight and priority: the lowest priority that is not all down serves.",
        ),
        optional(
            "discover",
            Type::Map(&super::cloud::DISCOVER),
            "none",
            Live,
            "Where in a cloud its endpoints are found, beside those that are written. What runs there is an endpoint, in its own zone. What stops or is gone gets nothing new; what it has in hand goes on.",
        ),
        optional(
            "ca_file",
            FILE,
            "the public roots",
            Live,
            "PEM file of the roots trusted for its `https` endpoints, instead of the public ones.",
        ),
    ],
);

static ENDPOINT: Shape = shape(
    "an endpoint",
    "services.NAME.backends.NAME.endpoints[]",
    &[
        required("url", Type::Value(Form::Url), "Where it is."),
        optional(
            "zone",
            Type::Value(Form::Text),
            "none",
            Live,
            "The zone it stands in. Where the edge's own `zone` is the same, it comes before those that are not.",
        ),
        optional(
            "weight",
            Type::Value(Form::Integer(1, 1_000)),
            "1 for each address",
            Live,
            "Its part of what the backend gets, relative to the other endpoints; the addresses of a name share it, those of an SRV name by their records' weights.",
        ),
    ],
);

static CAPACITY: Shape = shape(
    "`capacity`",
    "services.NAME.backends.NAME.capacity",
    &[
        optional(
            "requests",
            Type::Value(Form::Rate(1, 1_000_000_000)),
            "no limit",
            Live,
            "Requests.",
        ),
        optional(
            "sessions",
            Type::Value(Form::Integer(1, 1_000_000_000)),
            "no limit",
            Live,
            "Requests in flight.",
        ),
        optional(
            "egress",
            Type::Value(Form::BitRate(1_000, 1_000_000_000_000_000)),
            "no limit",
            Live,
            "Bodies of responses.",
        ),
    ],
);

static CONTROLLER: Shape = Shape {
    later: &[
        later("objectives", "planned shares"),
        later("dead_band", "planned shares"),
    ],
    ..shape(
        "`controller`",
        "services.NAME.controller",
        &[
            optional(
                "mode",
                Type::Value(Form::Choice(
                    &["off"],
                    &[
                        later("advise", "planned shares"),
                        later("auto", "planned shares"),
                    ],
                )),
                "off",
                Live,
                "Who moves shares: `off`, people only.",
            ),
            optional(
                "bounds",
                Type::Names("backend", &Type::Value(Form::PercentRange), 0),
                "0%..100%",
                Live,
                "The shares that a shift must stay within, by backend. Off is always allowed.",
            ),
            optional("step", Type::Map(&STEP), "", Live, "How fast a shift goes."),
        ],
    )
};

static STEP: Shape = shape(
    "`step`",
    "services.NAME.controller.step",
    &[
        optional(
            "max",
            SOME_PERCENT,
            "5%",
            Live,
            "The largest change of a share in one step.",
        ),
        optional(
            "every",
            WAIT,
            "3m",
            Live,
            "How long a step is watched before the next.",
        ),
    ],
);

static GUARDRAILS: Shape = Shape {
    later: &[later("receiver_utilization", "guarding utilization")],
    ..shape(
        "`guardrails`",
        "services.NAME.guardrails",
        &[
            optional(
                "receiver_p95",
                Type::Value(Form::Rise),
                "+30%",
                Live,
                "How much the p95 may rise above what it was when the shift began.",
            ),
            optional(
                "receiver_errors",
                PERCENT,
                "0.5%",
                Live,
                "Errors per request above which the ramp is stopped.",
            ),
            optional(
                "hold",
                WAIT,
                "30s",
                Live,
                "How long a limit must be broken before the ramp turns back.",
            ),
        ],
    )
};

static SAFETY: Shape = Shape {
    later: &[
        later("max_utilization", "guarding utilization"),
        later("failover_headroom", "guarding utilization"),
        later("freeze", "times without changes"),
    ],
    ..shape(
        "`safety`",
        "services.NAME.safety",
        &[
            optional(
                "min_providers",
                Type::Value(Form::Integer(1, 100)),
                "1",
                Live,
                "How many providers must keep a share or stand by. Evacuations are exempt.",
            ),
            optional(
                "max_step",
                SOME_PERCENT,
                "no limit",
                Live,
                "The largest change of a share that a person may ask for at once. Evacuations and restores are exempt.",
            ),
            optional(
                "override_ttl",
                Type::Map(&OVERRIDE_TTL),
                "",
                Live,
                "How long a shift by a person counts.",
            ),
            optional(
                "fail_open",
                Type::Value(Form::Choice(&["never", "when_no_backend_up"], &[])),
                "never",
                Live,
                "What happens when no backend is up: 503, or all that are not off are tried all the same.",
            ),
        ],
    )
};

static OVERRIDE_TTL: Shape = shape(
    "`override_ttl`",
    "services.NAME.safety.override_ttl",
    &[
        optional(
            "default",
            SPAN,
            "24h, or max if that is shorter",
            Live,
            "When nothing is said.",
        ),
        optional(
            "max",
            SPAN,
            "72h, or default if that is longer",
            Live,
            "The longest that may be asked for.",
        ),
    ],
);
