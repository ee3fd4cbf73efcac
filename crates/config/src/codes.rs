//! The table of diagnostic codes: stable, one paragraph each, for `bascule help CODE` and the errors reference. A code is
//! never given a second meaning. E01 is shape, E02 values, E03 meaning, E04 what this machine refuses, E07 what is found at
//! work (by `check` and `validate --online`); W03 and W07 are warnings. What belongs to each beside its meaning (an example,
//! how to mend it) is in [`pages`](crate::pages). Longer than a file should be, as a table is best read in one piece.

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// `E0104`, `W0311`.
    pub code: &'static str,
    /// One line.
    pub title: &'static str,
    /// One paragraph: what it means and what to do.
    pub explanation: &'static str,
}

const fn entry(code: &'static str, title: &'static str, explanation: &'static str) -> Code {
    Code {
        code,
        title,
        explanation,
    }
}

/// All codes, ordered.
pub const CODES: &[Code] = &[
    entry(
        "E0101",
        "not valid YAML",
        "The text cannot be read as YAML (or JSON, its subset). What follows the place is not looked at, so there may be more to find once it is mended. Common causes: tabs used to indent, a bracket that is not closed, a `:` without a space behind it, a text that begins with `[`, `{`, `*`, `&`, `%` or `@` and is not quoted.",
    ),
    entry(
        "E0102",
        "a key is given twice",
        "A map has the same key twice. YAML forbids it, and programs differ in which one they take. Remove one of the two; both places are shown.",
    ),
    entry(
        "E0103",
        "a value of another shape is expected",
        "A map, a list or a single value stands where one of the others is expected, or a key has no value at all. A list with one entry is still a list: `[h1]`. A key whose lines below are all commented out is empty: comment it out too.",
    ),
    entry(
        "E0104",
        "unknown key",
        "The key is not one of those accepted at this place; they are listed. Nothing is ever ignored, so that a slip of the fingers cannot silently mean the default. Keys that begin with `x-` are accepted in every map and have no meaning; they can hold anchors.",
    ),
    entry(
        "E0105",
        "a required key is missing",
        "The map needs a key that it does not have. What the key is for is said in the note.",
    ),
    entry(
        "E0106",
        "not a name",
        "Names of listeners, services, backends and providers have 1 to 63 letters, digits, `-`, `_` and `.`, and start with a letter or digit, so that they can stand in URLs, metrics and shells as they are.",
    ),
    entry(
        "E0107",
        "a feature of YAML that is not accepted",
        "Tags (`!!str`), merge keys (`<<`), keys that are not text, directives and more than one document in a file are not accepted: each makes a file mean something else than it seems to. Anchors and aliases for whole values are accepted.",
    ),
    entry(
        "E0108",
        "an alias that leads nowhere, or too far",
        "An alias (`*name`) repeats the value that an anchor (`&name`) above it marked. There is no such anchor, or the value contains itself, or aliases would make the file larger than any configuration can be.",
    ),
    entry(
        "E0109",
        "the file is empty",
        "A configuration needs at least `listen` and `services`.",
    ),
    entry(
        "E0110",
        "a key that belongs to another place",
        "The key exists, but not here; the message says where it is and why.",
    ),
    entry(
        "E0111",
        "not UTF-8",
        "Configuration files are UTF-8. A byte at the place shown is not part of any character.",
    ),
    entry(
        "E0112",
        "an environment variable is not set",
        "`${NAME}` is replaced by the environment variable of that name, which is not set. Set it, or give a default: `${NAME:-default}`.",
    ),
    entry(
        "E0113",
        "not an environment reference",
        "Inside texts `${` begins a reference: `${NAME}` or `${NAME:-default}`, where a name has letters, digits and `_`. A literal `${` is written `$${`.",
    ),
    entry(
        "E0114",
        "the file is too large",
        "A file may hold 200 000 values, aliases counted as often as they are used.",
    ),
    entry(
        "E0120",
        "a construct that cannot be rewritten safely",
        "`bascule config fmt` changes order and spacing only where it can prove that nothing is lost. Here it cannot, so the file is left as it is.",
    ),
    entry(
        "E0121",
        "a version that is not known",
        "`version` is the version of the configuration's shape. This program knows version 1, which is also what a file without `version` has. A newer file is not guessed at: read it with the bascule it was written for, or a newer one.",
    ),
    entry(
        "E0190",
        "a key that is not available yet",
        "The key is part of the configuration's shape, but what it does does not exist in this version. It is refused instead of ignored, so that nobody relies on something that does not happen. Leave it out.",
    ),
    entry(
        "E0191",
        "a value that is not available yet",
        "The value is part of the configuration's shape, but what it does does not exist in this version. It is refused instead of ignored. Use one of the accepted values.",
    ),
    entry(
        "E0199",
        "a defect of the program",
        "The configuration was refused without a recorded reason. This is a defect of bascule; please report it with the file.",
    ),
    entry(
        "E0201",
        "a value of another kind",
        "Text, a number, or true or false is expected, and another of them is there. By YAML 1.2 `yes`, `no`, `on` and `off` are texts, a quoted number is text, and an unquoted number is not text. Where only one thing can be meant, a fix is offered.",
    ),
    entry(
        "E0202",
        "a unit is missing or unknown",
        "Times, sizes, percentages, rates and prices carry their unit: `3s`, `500ms`, `64KiB`, `10%`, `10/s`, `0.05 USD/GB`. A number alone is never guessed.",
    ),
    entry(
        "E0203",
        "a value out of range",
        "The value is below the least or above the most that makes sense for this key; the range is shown.",
    ),
    entry(
        "E0204",
        "not one of the accepted words",
        "The key takes one of a few words; they are listed.",
    ),
    entry(
        "E0205",
        "not an address",
        "Listeners take `:8080` (all addresses, IPv6 and IPv4), `127.0.0.1:8080` or `\"[::1]:8080\"`; port 0 is any free port. `admin.listen` and `metrics.listen` need an address, as they should not be open by accident. Host names are not accepted: what they mean may change.",
    ),
    entry(
        "E0206",
        "not an endpoint",
        "An endpoint is a URL of scheme, address or host name, and port: `http://10.0.1.10:8080`, `https://media.example.org`, `h2c://[::1]:9000` (HTTP/2 in clear text). It has no path, query or user name. Without a port it is 80, for https 443. With `+srv` behind the scheme it is an SRV name, which has no port: `http+srv://_http._tcp.media.example.org`.",
    ),
    entry(
        "E0207",
        "not a network",
        "A network is an address with the length of its prefix, and no bit set behind it: `10.0.0.0/8`, `fd00::/8`. A single address is `10.0.0.1/32`.",
    ),
    entry(
        "E0208",
        "not a host",
        "A host is a name without port, or `*.` and a name; letters outside ASCII are written in their xn-- form. To match every host leave `hosts` out.",
    ),
    entry(
        "E0209",
        "not a path",
        "A path starts with `/`; characters that URLs do not allow are percent-encoded. Matches look at the path without query. A prefix is matched by whole segments and ends without `/`.",
    ),
    entry(
        "E0210",
        "not a range of shares",
        "Bounds are the least and the most share of a backend: `20%..80%`.",
    ),
    entry(
        "E0211",
        "a time of zero",
        "A time-out of zero would fail everything, and an interval of zero would never wait. Nothing here can be switched off by zero.",
    ),
    entry(
        "E0213",
        "not a status",
        "A status is from 100 to 599, or a range of them: `200-299`.",
    ),
    entry(
        "E0214",
        "an empty list or map",
        "At least one entry is needed. To get the default, leave the key out.",
    ),
    entry(
        "E0215",
        "a text that is empty or holds control characters",
        "The key needs a text on one line.",
    ),
    entry(
        "E0216",
        "not the name of a header field",
        "The name of a header field has letters, digits and a few signs such as `-` and `_`; no space and no colon. Upper and lower case are one.",
    ),
    entry(
        "E0217",
        "not the name of a cookie",
        "The name of a cookie has letters, digits and a few signs such as `-` and `_`; no space, no `=`. Upper and lower case differ.",
    ),
    entry(
        "E0218",
        "not an SRV name",
        "`http+srv://`, `https+srv://` and `h2c+srv://` take an SRV name (RFC 2782): `_service._tcp.` and a domain, without a port, as each record has its own. A host name, whose addresses are meant, has no `+srv`.",
    ),
    entry(
        "E0219",
        "not a date",
        "A day is written as year, month and day: `2026-11-01`. The calendar begins with 1970. Where day and month could be taken for each other nothing is guessed.",
    ),
    entry(
        "E0301",
        "no backend has a weight",
        "Weights are relative, 0 is off, and standby backends have none. With no weight above zero nobody would get anything. To take a service out, remove it.",
    ),
    entry(
        "E0302",
        "a standby backend with a weight",
        "A backend with `role: standby` has no share in normal rows; a weight says that it has one. Keep one of the two.",
    ),
    entry(
        "E0303",
        "off and standby at once",
        "`weight: 0` is off: the backend gets nothing, whatever else fails. `role: standby` holds it ready to receive. Keep one of the two.",
    ),
    entry(
        "E0304",
        "a backend without weight and role",
        "How much a backend gets is never guessed. Give it a `weight`, relative to the others, or `role: standby`.",
    ),
    entry(
        "E0305",
        "a service that does not say which listener",
        "With one listener every service is reached through it. With several each service names its own: `listen: [web]`.",
    ),
    entry(
        "E0306",
        "a listener without a service",
        "No service is reached through the listener, so that every request there could only be refused.",
    ),
    entry(
        "E0307",
        "an unknown listener",
        "The service names a listener that `listen` does not have.",
    ),
    entry(
        "E0308",
        "the same match twice",
        "Two services (or one, twice) match the same host and path on one listener, so that no rule could tell whose a request is.",
    ),
    entry(
        "E0309",
        "two services without a match",
        "A service without `match` takes what no other takes; on one listener only one can.",
    ),
    entry(
        "E0310",
        "the same endpoint twice",
        "A backend names an endpoint twice. Shares belong to backends, and inside one every endpoint counts once.",
    ),
    entry(
        "E0311",
        "the same address twice",
        "Two listeners (or one and the admin or metrics listener) would use the same address and port. `:80` is all addresses, so it collides with every other one of that port.",
    ),
    entry(
        "E0312",
        "an unknown backend",
        "`bounds` names a backend that the service does not have.",
    ),
    entry(
        "E0313",
        "bounds that no split keeps",
        "Shares add up to 100 %. The lower bounds add up to more, or the upper ones to less.",
    ),
    entry(
        "E0315",
        "an override that would outlast its limit",
        "`override_ttl.default` is what an override lasts when nothing is said, so it cannot be longer than `override_ttl.max`.",
    ),
    entry(
        "E0316",
        "more providers must stay than there are",
        "`safety.min_providers` counts providers that have a share or stand by. The service has fewer, so that every shift would be refused.",
    ),
    entry(
        "E0317",
        "a key of another kind of check",
        "`host` and `expect.status` speak of a request over HTTP, which is made only when the check has a `path` or `kind: http` (`host` also with `kind: grpc`). `expect.text` has no use for gRPC, whose answer is no text.",
    ),
    entry(
        "E0318",
        "prefix and exact at once",
        "A path is matched by `prefix` or by `exact`. For both write two entries of `match`.",
    ),
    entry(
        "E0321",
        "a hold that is longer than the longest",
        "`outlier.hold` is how long an endpoint that traffic took out for the first time gets nothing, and `outlier.hold_max` the longest of these times, so it cannot be shorter.",
    ),
    entry(
        "E0322",
        "an account that is not defined",
        "`account`, in `discover` and `apply`, names an entry of `accounts` at the top of the file. There is none of that name.",
    ),
    entry(
        "E0323",
        "what the account's cloud does not have",
        "`discover.from` is a kind of source, `/`, and which one; `apply.to` is a kind of actuator and its parts. Each cloud has its own kinds, and a backend set needs the balancer's id and its own name. `auth` is for accounts in OCI, as AWS has its standard chain. `endpoint_url` is a scheme, a host and a port, without a path.",
    ),
    entry(
        "E0324",
        "a backend without endpoints",
        "A backend sends requests to `endpoints` that are written, to those that `discover` finds in a cloud, or to both. With neither it could only fail.",
    ),
    entry(
        "E0325",
        "a retry budget of nothing",
        "`retry.attempts` asks for more than one try, and `retry.budget` grants none: neither a part of the requests nor a number a second. A budget keeps retries from becoming the load that kills what is left; without any there are no retries.",
    ),
    entry(
        "E0326",
        "a source that says no port",
        "Machines of a pool or a group have addresses; at which port they serve the cloud does not know. Target groups, backend sets and Cloud Map say it of each.",
    ),
    entry(
        "E0327",
        "a member that an actuator cannot have",
        "`members` says what each backend is at the actuator. A target group and an endpoint of Global Accelerator are one id; an OCI balancer knows addresses and a steering policy names of answers, at least one of each. Only records of Route 53 may be there already, and need nothing.",
    ),
    entry(
        "E0328",
        "an actuator that DNS cannot be asked about",
        "`dns` in an entry of `apply` asks name servers what they answer. Only records of Route 53 and steering policies are DNS; load balancers and accelerators have no answers to hear. A steering policy is attached to domains, and a wildcard stands for many names: there `name` says which one is asked for, and it is one name.",
    ),
    entry(
        "E0330",
        "a file that cannot be read",
        "Certificates, keys, roots and tokens are read when the configuration is loaded, by the user that bascule runs as. A path that is not absolute is meant from the directory of the configuration file.",
    ),
    entry(
        "E0331",
        "a file without a certificate",
        "The file must hold at least one PEM block `CERTIFICATE`.",
    ),
    entry(
        "E0332",
        "a file without a private key",
        "The file must hold a PEM block of a private key (PKCS #8, PKCS #1 or SEC 1), not encrypted.",
    ),
    entry(
        "E0341",
        "a limit that lets nothing through",
        "A breaker of 0 would refuse every request. Elsewhere 0 may mean no limit, or out of service; here each of the two has words of its own.",
    ),
    entry(
        "E0342",
        "a line that nobody can stand in",
        "Requests wait only while an endpoint or a backend is at a limit: `endpoint_pending` needs one, and `pending_timeout` needs `endpoint_pending`.",
    ),
    entry(
        "E0351",
        "not one thing to keep requests together by",
        "`affinity.by` takes one thing that is the same in requests that belong together: `source_ip`, `sni`, or a map with exactly one of `cookie`, `header`, `query` and `path_segment`.",
    ),
    entry(
        "E0352",
        "a cookie without secrets",
        "The cookie names an endpoint, so nobody else may be able to make one. It is sealed with a secret of `affinity.secret_file`, which all edges that serve the same clients share.",
    ),
    entry(
        "E0353",
        "a key of `affinity` without use",
        "`secret_file` and `same_site` are about a cookie. The other keys are the client's own, and nothing is set or sealed for them.",
    ),
    entry(
        "E0354",
        "a file of secrets that is open to others",
        "Whoever reads the secrets of `affinity.secret_file` can choose endpoints for others. The file's mode must be 0600, or 0640 where the process reads it by its group.",
    ),
    entry(
        "E0355",
        "secrets that cannot be used",
        "The file holds one secret a line, of at least 32 characters, and up to 4 of them: the first seals, the others still open what was sealed before a change. Empty lines, and lines that begin with `#`, are none.",
    ),
    entry(
        "E0361",
        "a capacity that says nothing",
        "`capacity` is what a backend can take with all of its endpoints, in at least one of three units: `requests` a second, `sessions` (requests in flight), `egress` (bits a second to clients). Without any nothing would be limited.",
    ),
    entry(
        "E0362",
        "a standby backend without capacity where capacity is needed",
        "Where backends of a service have a capacity, what they cannot take goes to its standby backends. One without a capacity would get all of it, however much that is. Say what it can take, in the units of the others.",
    ),
    entry(
        "E0363",
        "not one price",
        "`egress_price` says what a GB costs in one of two ways: `price`, the same for every GB, or `tiers`, by what was sent in the calendar month.",
    ),
    entry(
        "E0364",
        "tiers that do not fit together",
        "Tiers are counted from the first byte of a calendar month. Each ends beyond the one before it, and the last, of two at least, has no end (`up_to`), so that every byte has exactly one price.",
    ),
    entry(
        "E0365",
        "two currencies",
        "Prices of one service are compared with each other, and amounts of a commitment are used up at the prices of what it covers. Nothing is converted, as rates change: give them in one currency.",
    ),
    entry(
        "E0366",
        "a commitment that covers what is not there",
        "`covers` names providers, or backends as SERVICE/BACKEND. There is none of this name.",
    ),
    entry(
        "E0367",
        "a backend under two commitments",
        "What a backend sends is taken from one commitment. Two cover it here, one perhaps by its provider.",
    ),
    entry(
        "E0371",
        "an algorithm by key without a key",
        "`maglev` and `rendezvous` send requests with the same key to the same endpoint. What the key is says `balance.hash`: a header field, a parameter of the query, a segment of the path, or the client's address. Where the service has an `affinity` by anything but a cookie, that is the key.",
    ),
    entry(
        "E0372",
        "a key of `balance` without use",
        "`hash` and `bounded_load` say how an endpoint is chosen by key. Only `maglev` and `rendezvous` do that; the other algorithms look at load, at turns or at nothing.",
    ),
    entry(
        "E0373",
        "not one key to hash",
        "`hash` takes one thing of a request: `source_ip`, or a map with exactly one of `header`, `query` and `path_segment`.",
    ),
    entry(
        "E0381",
        "two kinds of check at once",
        "An endpoint is checked in one way: over HTTP (`path`), by gRPC (`service`), or over bare TCP (`send`); `kind` says it outright. A service that says one takes nothing of another from `defaults`.",
    ),
    entry(
        "E0391",
        "a look-up that would come too early and too late",
        "`dns.ttl_min` is the shortest time between two look-ups of a name, whatever its TTL, and `dns.ttl_max` the longest. The shortest is above the longest.",
    ),
    entry(
        "E0401",
        "an address that cannot be listened on",
        "The configuration reads well, and this machine refuses the address: another process has the port, the port needs a privilege, or no interface has the address. Nothing was started, and of a reload nothing was changed.",
    ),
    entry(
        "E0402",
        "a certificate that cannot be used",
        "The files are there and are PEM, and TLS cannot be set up with them: the key does not belong to the certificate, or one of them is damaged.",
    ),
    entry(
        "E0403",
        "roots that cannot be used",
        "A `ca_file` holds no certificate that could vouch for an endpoint.",
    ),
    entry(
        "E0404",
        "a state directory that cannot be used",
        "`state_dir` keeps overrides, admin states, history and the last good configuration. It cannot be made or written by the user that asks. Run the check as the user that bascule runs as.",
    ),
    entry(
        "E0405",
        "an admin socket that cannot be made",
        "The admin API's unix socket has a path that the kernel does not take (more than 107 bytes), or stands in a directory that this user may not write.",
    ),
    entry(
        "E0406",
        "ports that cannot be shared",
        "Each worker has a socket of its own on the same port (`SO_REUSEPORT`). The kernel, or the sandbox around the process, refuses that.",
    ),
    entry(
        "E0701",
        "a host that does not resolve",
        "An endpoint is written by a host name or an SRV name, and this machine finds no address for it. A running process keeps the last addresses it knew; one that starts has none, so the endpoint is down.",
    ),
    entry(
        "E0702",
        "an endpoint that cannot be connected to",
        "The address answers that nobody listens there, or cannot be reached at all. Traffic would see the same.",
    ),
    entry(
        "E0703",
        "an endpoint that does not answer",
        "A connection was tried for three seconds and got neither yes nor no: packets are dropped on the way, or the address is nobody's.",
    ),
    entry(
        "E0704",
        "an endpoint that does not speak TLS",
        "The endpoint is `https`, there is a connection, and the handshake failed for a reason that is not its certificate: it speaks clear text, an old version, or closes.",
    ),
    entry(
        "E0705",
        "an endpoint whose certificate is not trusted",
        "No authority that is trusted vouches for the certificate: `ca_file` of the backend, or the public ones where there is none. A server that does not send its intermediate certificates looks the same.",
    ),
    entry(
        "E0706",
        "an endpoint whose certificate is for other names",
        "The certificate is not for the host in the endpoint's URL. It is verified by that host, whatever `host` says is sent in requests.",
    ),
    entry(
        "E0707",
        "a certificate that is out of its time",
        "A certificate, of an endpoint or of a listener, has ended or does not count yet. If it is fresh, this machine's clock is wrong.",
    ),
    entry(
        "E0708",
        "a health check that fails",
        "The endpoint can be connected to, and the HTTP check of its service fails there. With this configuration it would get no traffic.",
    ),
    entry(
        "E0709",
        "an account that cannot be used",
        "The credentials of an account are not found, or cannot be read; or the cloud does not take them: they were revoked, have ended, or this machine's clock is wrong. None of its sources can be asked.",
    ),
    entry(
        "E0710",
        "a source that does not answer",
        "The cloud refuses to say what a source has (a permission that is missing, an id that is wrong), cannot be reached, or takes more than 30 s. A running process keeps what it knew; one that starts has only the endpoints that are written.",
    ),
    entry(
        "E0730",
        "no process answers",
        "`bascule check` looks at the running process too, and none answers at the admin socket.",
    ),
    entry(
        "E0733",
        "a service that is down",
        "No backend of the service can take requests, so that its clients get 503.",
    ),
    entry(
        "E0750",
        "a date that is still to come",
        "`as_of` says on which day a price, or what was left of a commitment, was true. The day is after today: it was mistyped, or this machine's clock is wrong.",
    ),
    entry(
        "W0311",
        "a slow check",
        "The interval times the failures in a row is what it takes to find a dead endpoint that gets no traffic. At 30 s and above a failover is slow. The built-in check needs 9 s, and much less once traffic sees a failure.",
    ),
    entry(
        "W0312",
        "a check that may outlast its interval",
        "The time-out is longer than the interval, so that checks come less often than the interval says.",
    ),
    entry(
        "W0313",
        "a declared share out of its bounds",
        "The share that the weights give is out of the bounds of the same file. Bounds hold for shifts; the declared row is taken as it is. One of the two is probably not what was meant.",
    ),
    entry(
        "W0314",
        "roots that nobody uses",
        "`ca_file` is for endpoints with `https`, and the backend has none.",
    ),
    entry(
        "W0315",
        "one endpoint in two backends",
        "Backends are what can be lost separately. An endpoint that is in two of them is lost for both.",
    ),
    entry(
        "W0316",
        "everybody is trusted",
        "`trusted` says whose `Forwarded` and `X-Forwarded-*` are believed. With a network of length 0 every client can say who it is.",
    ),
    entry(
        "W0317",
        "tokens in clear text",
        "The admin API has no TLS. On an address that others can reach, tokens cross the network readable.",
    ),
    entry(
        "W0318",
        "a host that browsers' lists will not take",
        "`hsts.preload` says that the host may stand in the lists that browsers are shipped with. They take only hosts whose header also has `includeSubDomains` and a `max-age` of at least a year, so that `preload` alone promises what nobody keeps. Getting off such a list takes months: leave `preload` out unless every name below the host speaks HTTPS for good.",
    ),
    entry(
        "W0319",
        "a limit that is never reached",
        "`connections` of a listener, and `connections_per_client`, only ever refuse what the process would still have taken. Above `defaults.limits.connections` they have no effect.",
    ),
    entry(
        "W0362",
        "a backend without capacity beside others with one",
        "Where backends of a service have a capacity, what they cannot take goes to the others. One with a weight and without a capacity takes all that is left when a provider is lost, however much that is.",
    ),
    entry(
        "W0363",
        "a backend without a price where others have one",
        "Where backends of a service have a price, one without cannot be compared with them. Say what it costs; 0 where it costs nothing.",
    ),
    entry(
        "W0371",
        "zones without a zone of one's own",
        "Endpoints have a `zone`, and this edge has none: which of them are near is not known, and all are chosen from alike. Say at the top of the file where the edge stands: `zone: …`, from the environment where one file serves several edges.",
    ),
    entry(
        "W0381",
        "TLS where traffic has none, or the reverse",
        "`check.tls` holds for all endpoints of the service. On the port that traffic uses without TLS a handshake cannot succeed, and a port with TLS does not answer in clear, so that such endpoints would be down.",
    ),
    entry(
        "W0701",
        "a host that resolves in part",
        "The addresses of one family (IPv4 or IPv6) were found, those of the other could not be asked for; or some targets of an SRV name were found and others not. The endpoint works with what was found.",
    ),
    entry(
        "W0702",
        "a certificate that ends soon",
        "It ends within 14 days. What renews it normally does so earlier.",
    ),
    entry(
        "W0703",
        "a source with nothing that runs",
        "The source answers, and no machine of it runs. The backend has only the endpoints that are written, and is lost where it has none.",
    ),
    entry(
        "W0704",
        "a clock that is away from a cloud's",
        "This machine's clock and that of the cloud are more than a minute apart. At five minutes the cloud takes no call any more.",
    ),
    entry(
        "W0705",
        "metrics of a source that cannot be read",
        "`discover.observe: all` asks for the metrics of a source, and the cloud gives none. Its endpoints are found all the same; only what people and plans could see of it is missing.",
    ),
    entry(
        "W0710",
        "fewer descriptors than connections",
        "A client's connection takes a descriptor, and most take a second one to an endpoint. With the limit shown, connections are refused before `limits.connections` is reached.",
    ),
    entry(
        "W0711",
        "a short queue of new connections",
        "The kernel cuts the queue of connections that wait to be accepted at `net.core.somaxconn`. A burst beyond it is dropped, and clients wait a second before they try again.",
    ),
    entry(
        "W0712",
        "few local ports",
        "A connection to an endpoint takes a local port and keeps it for a minute after its end. With fewer than 10 000, a burst of connections to one endpoint runs out of them.",
    ),
    entry(
        "W0713",
        "a clock that was never set",
        "Certificates, overrides and evacuations end by the clock. This one is years behind.",
    ),
    entry(
        "W0714",
        "more workers than cores",
        "`runtime.workers` is above the cores that the process may use, by affinity and control group. Workers then wait for each other, which shows as latency.",
    ),
    entry(
        "W0715",
        "a memory limit below what may be asked for",
        "`limits.connections` times `limits.header_bytes` is above the memory limit of the control group. A client that opens many connections could have the process killed.",
    ),
    entry(
        "W0716",
        "a state directory that does not last",
        "The state directory is in memory, so that overrides and admin states end with the machine; or on a network, where a lock or an fsync may not hold.",
    ),
    entry(
        "W0717",
        "a private key that others can read",
        "The mode of the key file lets every user of the machine read it.",
    ),
    entry(
        "W0719",
        "a certificate chain out of order",
        "Each certificate in the file is vouched for by the next. Many clients refuse a chain in another order.",
    ),
    entry(
        "W0720",
        "a host without a certificate",
        "A service is matched by a host for which no certificate of its listener is. Clients would see one with another name, and refuse it.",
    ),
    entry(
        "W0730",
        "a process that is not in step",
        "The process says that it is not ready, or a worker has not confirmed the current revision yet. Right after a start, in a stop and in the middle of a change this is normal.",
    ),
    entry(
        "W0731",
        "a reload that was refused",
        "The last attempt to load a configuration was refused, and the one before it runs.",
    ),
    entry(
        "W0732",
        "a file that is not what runs",
        "The file differs from the running configuration: it was changed and not reloaded, or the API replaced what ran.",
    ),
    entry(
        "W0733",
        "endpoints that are not up",
        "Some endpoints of a backend are down, unknown or taken out. The backend's share is lowered by its health factor: where it has a capacity, once what is left is too little; else once more than two in seven are.",
    ),
    entry(
        "W0740",
        "a service that cannot lose a provider",
        "All that the service has is at one provider, or all that is up. When that provider is lost, so is the service.",
    ),
    entry(
        "W0741",
        "a service that sheds when it loses a provider",
        "At the load of now, what the other backends can take by their declared capacity is less than what would come to them. The rest would be refused with 503 and `Retry-After`, least important classes first.",
    ),
    entry(
        "W0750",
        "an old price",
        "The price, or what is said to be left of the commitment, is older than 90 days. Prices change and commitments are used up: what is decided or shown by old ones is wrong, and nobody sees it.",
    ),
    entry(
        "W0751",
        "a commitment that has ended",
        "The last day on which the commitment could be used is over. It counts for nothing any more.",
    ),
];

/// The code with this name, in any case.
#[must_use]
pub fn code(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|c| c.code.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ordered_and_distinct() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(code("e0104").map(|c| c.code), Some("E0104"));
        assert_eq!(code("E9999"), None);
    }
}
