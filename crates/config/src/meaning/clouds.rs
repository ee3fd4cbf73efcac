//! Accounts, and the backends whose endpoints are found in them.

use std::net::Ipv4Addr;

use bascule_traffic::spec::HostPattern;

use crate::config::{ActuatorKind, ActuatorName, Cloud, SourceName};
use crate::diagnostic::Diagnostic;
use crate::form::Value;
use crate::lower::{Field, Item, Lowered};
use crate::similar;

/// All of them.
pub(super) fn check(root: &Item, problems: &mut Vec<Diagnostic>) {
    let accounts = root.get("accounts").map(Item::fields).unwrap_or_default();
    for account in accounts {
        proof(account, problems);
        address(account, problems);
    }
    for service in super::services(root) {
        let backends = service.item.get("backends").map(Item::fields);
        for backend in backends.unwrap_or_default() {
            endpoints(backend, problems);
            if let Some(discover) = backend.item.get("discover") {
                found(discover, accounts, problems);
            }
        }
        let actuators = service.item.get("apply").map(Item::items);
        for actuator in actuators.unwrap_or_default() {
            applied(actuator, accounts, backends.unwrap_or_default(), problems);
        }
    }
}

fn text(item: &Item) -> Option<&str> {
    match item.value() {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn cloud(account: &Field) -> Option<Cloud> {
    match account.item.get("cloud")?.value()? {
        Value::Word("aws") => Some(Cloud::Aws),
        Value::Word("oci") => Some(Cloud::Oci),
        _ => None,
    }
}

fn proof(account: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(auth) = account.item.field("auth") else {
        return;
    };
    if cloud(account) == Some(Cloud::Aws) {
        let message = "`auth` has no use for an account in AWS";
        let problem = Diagnostic::error("E0323", auth.key_span, &auth.item.pointer, message)
            .label("AWS has its standard chain: environment, profile, web identity, the machine's role")
            .help("leave it out; `profile` chooses a profile");
        problems.push(problem);
    }
}

fn address(account: &Field, problems: &mut Vec<Diagnostic>) {
    let Some(item) = account.item.get("endpoint_url") else {
        return;
    };
    let Some(url) = text(item) else {
        return;
    };
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let is_plain = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']);
    if !rest.is_some_and(is_plain) {
        let message = format!("`{url}` is not where an API is");
        let problem = Diagnostic::error("E0323", item.span, &item.pointer, message)
            .label("scheme, host and port, and nothing behind")
            .help("such as `https://10.0.0.5:8443`");
        problems.push(problem);
    }
}

fn endpoints(backend: &Field, problems: &mut Vec<Diagnostic>) {
    let is_map = matches!(backend.item.lowered, Lowered::Map(_));
    if is_map && !backend.item.has("endpoints") && !backend.item.has("discover") {
        let message = format!("backend `{}` has no endpoints", backend.name);
        let problem = Diagnostic::error("E0324", backend.key_span, &backend.item.pointer, message)
            .label("nobody to send requests to")
            .help("`endpoints: [\"http://10.0.0.1:8080\"]`, or `discover` to find them in a cloud");
        problems.push(problem);
    }
}

fn found(discover: &Item, accounts: &[Field], problems: &mut Vec<Diagnostic>) {
    let cloud = cloud_of(discover, accounts, problems);
    let Some(item) = discover.get("from") else {
        return;
    };
    let Some(from) = text(item) else {
        return;
    };
    let source = SourceName::parse(from);
    let fits = |source: &SourceName| cloud.is_none_or(|cloud| source.kind.cloud() == cloud);
    let Some(source) = source.filter(fits) else {
        problems.push(no_source(item, from, cloud));
        return;
    };
    if let Some(addresses) = discover.field("addresses")
        && !source.kind.has_machines()
    {
        let kind = source.kind.as_str();
        let message = format!("`addresses` has no use for `{kind}`");
        let (span, pointer) = (addresses.key_span, &addresses.item.pointer);
        let problem = Diagnostic::error("E0323", span, pointer, message)
            .label("each of its endpoints has one address")
            .help("leave it out; pools and groups of machines have private and public ones");
        problems.push(problem);
    }
    if !source.kind.has_ports() && !discover.has("port") {
        let message = format!("`{}` says no port", source.kind.as_str());
        let problem = Diagnostic::error("E0326", item.span, &item.pointer, message)
            .label("its machines have addresses, and no port")
            .help("add `port`, such as `port: 8080`");
        problems.push(problem);
    }
}

/// The cloud of the account that is named; one that is not there is told.
fn cloud_of(item: &Item, accounts: &[Field], problems: &mut Vec<Diagnostic>) -> Option<Cloud> {
    let item = item.get("account")?;
    let name = text(item)?;
    let account = accounts.iter().find(|account| account.name == name);
    if account.is_none() {
        problems.push(unknown(item, name, accounts));
    }
    account.and_then(cloud)
}

fn applied(
    actuator: &Item,
    accounts: &[Field],
    backends: &[Field],
    problems: &mut Vec<Diagnostic>,
) {
    let cloud = cloud_of(actuator, accounts, problems);
    let members = actuator
        .get("members")
        .map(Item::fields)
        .unwrap_or_default();
    for member in members {
        let is_known = backends.iter().any(|backend| backend.name == member.name);
        if !is_known {
            let message = format!("backend `{}` is not defined", member.name);
            let names: Vec<&str> = backends.iter().map(|b| b.name.as_str()).collect();
            let pointer = &member.item.pointer;
            let problem = Diagnostic::error("E0312", member.key_span, pointer, message)
                .label(format!("the service has {}", names.join(", ")));
            problems.push(problem);
        }
    }
    let Some(item) = actuator.get("to") else {
        return;
    };
    let Some(to) = text(item) else {
        return;
    };
    let name = ActuatorName::parse(to);
    let fits = |name: &ActuatorName| cloud.is_none_or(|cloud| name.kind.cloud() == cloud);
    let Some(name) = name.filter(fits) else {
        let message = format!("`{to}` is no actuator {}", whose(cloud));
        let shown = ActuatorKind::shown(cloud).join(", ");
        let problem = Diagnostic::error("E0323", item.span, &item.pointer, message)
            .label("neither what there is, nor with all of its parts")
            .help(format!("one of {shown}"));
        problems.push(problem);
        return;
    };
    for member in members {
        count(name.kind, member, problems);
    }
    if let Some(dns) = actuator.field("dns") {
        asked(&name, dns, problems);
    }
}

/// Whether DNS can be asked what it answers there.
fn asked(of: &ActuatorName, dns: &Field, problems: &mut Vec<Diagnostic>) {
    let pointer = &dns.item.pointer;
    if !of.kind.is_dns() {
        let message = format!("`{}` is no DNS", of.kind.as_str());
        let problem = Diagnostic::error("E0328", dns.key_span, pointer, message)
            .label("it has no answers to hear")
            .help("leave it out; the actuator is read back all the same");
        problems.push(problem);
        return;
    }
    let (span, message, label) = match dns.item.get("name") {
        Some(name) if !is_name(name) => {
            let label = "a name is asked for, not a pattern or an address";
            (name.span, "this is not one name".to_owned(), label)
        }
        None if of.asked().is_none() => {
            let (message, label) = match of.kind {
                ActuatorKind::Route53 => ("a wildcard stands for many names", "which one?"),
                _ => ("a policy is attached to domains", "to which one?"),
            };
            (dns.key_span, message.to_owned(), label)
        }
        _ => return,
    };
    let problem = Diagnostic::error("E0328", span, pointer, message)
        .label(label)
        .help("say which name is asked for, such as `name: meet.example.org`");
    problems.push(problem);
}

/// Whether it is one name; what is no host at all has been told.
fn is_name(item: &Item) -> bool {
    match item.value() {
        Some(Value::Host(HostPattern::Exact(name))) => {
            !name.starts_with('[') && name.parse::<Ipv4Addr>().is_err()
        }
        Some(Value::Host(_)) => false,
        _ => true,
    }
}

/// Whether a member says as many things as it can be.
fn count(kind: ActuatorKind, member: &Field, problems: &mut Vec<Diagnostic>) {
    let count = member.item.items().len();
    let (is_right, label) = match kind {
        ActuatorKind::Route53 => (true, ""),
        ActuatorKind::TargetGroups => (count == 1, "the ARN of one target group"),
        ActuatorKind::GlobalAccelerator => (count == 1, "the id of one endpoint"),
        ActuatorKind::SteeringPolicy => (count > 0, "the names of its answers"),
        ActuatorKind::LoadBalancer | ActuatorKind::NetworkLoadBalancer => {
            (count > 0, "addresses or ranges of its machines")
        }
    };
    if !is_right && matches!(member.item.lowered, Lowered::List(_)) {
        let message = format!("`{}` cannot be a member so", member.name);
        let (span, pointer) = (member.item.span, &member.item.pointer);
        let problem = Diagnostic::error("E0327", span, pointer, message)
            .label(format!("here it is {label}"))
            .help("say what the backend is at the actuator, or take it out of `members`");
        problems.push(problem);
    }
}

const fn whose(cloud: Option<Cloud>) -> &'static str {
    match cloud {
        Some(Cloud::Aws) => "in AWS",
        Some(Cloud::Oci) => "in OCI",
        None => "in a cloud",
    }
}

fn unknown(item: &Item, name: &str, accounts: &[Field]) -> Diagnostic {
    let message = format!("there is no account `{name}`");
    let problem = Diagnostic::error("E0322", item.span, &item.pointer, message)
        .label("not a name under `accounts`");
    let names = accounts.iter().map(|account| account.name.as_str());
    match similar::nearest(name, names) {
        Some(meant) => problem
            .help(format!("did you mean `{meant}`?"))
            .fix(item.span, meant),
        None => problem.help(format!("accounts: {{ {name}: {{ cloud: oci }} }}")),
    }
}

fn no_source(item: &Item, from: &str, cloud: Option<Cloud>) -> Diagnostic {
    let clouds = cloud.map_or(vec![Cloud::Oci, Cloud::Aws], |cloud| vec![cloud]);
    let kinds = clouds.into_iter().flat_map(Cloud::kinds);
    let kinds: Vec<String> = kinds.map(|kind| format!("`{}/…`", kind.as_str())).collect();
    let message = format!("`{from}` is no source {}", whose(cloud));
    Diagnostic::error("E0323", item.span, &item.pointer, message)
        .label("neither what there is, nor with all of its id")
        .help(format!(
            "one of {}; a backend set with the balancer's id, `/` and its name",
            kinds.join(", ")
        ))
}
