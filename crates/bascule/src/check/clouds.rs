//! The accounts and sources of a configuration, from here: are the credentials found and taken, whose are they, and what does
//! each source have. Each is asked once, at most [`AT_ONCE`] at a time and each within [`LIMIT`]. Nothing is changed in a
//! cloud, and nothing that is found here reaches a running process. How accounts are opened is known in
//! [`clouds`](crate::clouds).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bascule_config::{Cloud, Config, Discover, Observe};
use bascule_model::Timestamp;
use bascule_provider::identity::Skew;
use bascule_provider::port::{Extent, Lifecycle, Set};
use bascule_provider::{Discover as _, Error, Identity, Observe as _};
use futures_util::StreamExt as _;

use super::{Finding, Group, Report, online};
use crate::clouds::{Observed, Open, Source, join};
use crate::files::Files;

/// Accounts or sources that are asked at a time: a cloud counts calls, and a source takes several.
const AT_ONCE: usize = 8;
/// One account, or one source with all its pages: a pool of thousands needs some seconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Machines of a source that are looked at: enough to see a firewall or a wrong port, and done in seconds.
const MACHINES_MAX: usize = 64;

/// What a source has, by account and name.
type Sets<'a> = BTreeMap<Asked<'a>, Set>;
/// An account, and what it is asked.
type Asked<'a> = (&'a String, String);

/// One group an account, by name; relative paths are meant as `files` says.
pub(crate) async fn look(config: &Config, files: &Files) -> Vec<Group> {
    ask(config, files).await.0
}

/// As [`look`], and then at the machines that the sources have, as at endpoints that are written; at most [`MACHINES_MAX`] of
/// each backend.
pub(crate) async fn look_into(config: &Config, files: &Files, now: Timestamp) -> Report {
    let (mut groups, sets) = ask(config, files).await;
    let mut found = config.clone();
    for ((service, backend), wish) in &config.discover {
        let services = found.services.iter_mut();
        let spec = services
            .filter(|spec| spec.name == *service)
            .map(Arc::make_mut)
            .next();
        let backend = spec.and_then(|spec| spec.backends.get_mut(backend));
        if let (Some(backend), Some(set)) = (backend, sets.get(&(&wish.account, wish.asked()))) {
            join(&mut backend.endpoints, wish, set);
            backend.endpoints.truncate(MACHINES_MAX);
        }
    }
    groups.extend(online::look(&found, now).await);
    Report { groups }
}

async fn ask<'a>(config: &'a Config, files: &Files) -> (Vec<Group>, Sets<'a>) {
    let open = |(name, account)| (name, Open::new(account, files.clone()));
    let accounts: BTreeMap<&String, Arc<Open>> = config.accounts.iter().map(open).collect();
    let asked = accounts.iter().map(|(name, account)| async move {
        let answer = within(Box::pin(account.identity())).await;
        let (findings, is_usable) = of_account(answer, account.account.cloud);
        let place = format!("/accounts/{name}");
        let findings = findings.into_iter().map(|finding| finding.at(&place));
        (*name, findings.collect::<Vec<_>>(), is_usable)
    });
    let asked: Vec<_> = at_once(asked).await;
    let usable = asked.iter().filter(|(.., is_usable)| *is_usable);
    let usable: BTreeSet<&String> = usable.map(|(name, ..)| *name).collect();
    let mut found: BTreeMap<&String, Vec<Finding>> = asked
        .iter()
        .map(|(name, findings, _)| (*name, findings.clone()))
        .collect();

    let targets = targets(config);
    let sources = targets.iter().filter_map(|target| {
        let account = accounts.get(target.account)?;
        Some((target, account, usable.contains(target.account)))
    });
    let asked = sources.map(|(target, account, is_usable)| async move {
        let (finding, set) = if is_usable {
            let source = Source::new(account, target.wish);
            of_source(within(source.discover()).await, target)
        } else {
            let backends = target.backends();
            let text = format!("{backends}: not asked, as its account cannot be used");
            (Finding::unknown(text), None)
        };
        // Of one that does not answer that is told already.
        let metrics = match set {
            Some(_) => metrics(account, target).await,
            None => None,
        };
        (target, [Some(finding), metrics], set)
    });
    let mut sets = Sets::new();
    for (target, findings, set) in at_once(asked).await {
        let findings = findings.into_iter().flatten();
        let findings = findings.map(|finding| finding.at(&target.pointer));
        found.entry(target.account).or_default().extend(findings);
        sets.extend(set.map(|set| ((target.account, target.wish.asked()), set)));
    }
    let group = |(account, findings): (&String, Vec<Finding>)| Group {
        name: "clouds",
        part: account.clone(),
        findings,
    };
    (found.into_iter().map(group).collect(), sets)
}

/// Where metrics are wanted and cannot be read. The rest of what is observed takes no permission but the source's own.
async fn metrics(account: &Arc<Open>, target: &Target<'_>) -> Option<Finding> {
    let wanted = target.has_metrics;
    let observed = wanted.then(|| Observed::new(account, &target.wish.from, Extent::All))??;
    let error = within(observed.observe()).await?.err()?;
    let what = format!("{}: its metrics", target.backends());
    Some(failed("W0705", &what, error))
}

/// A source, with all who want it.
struct Target<'a> {
    account: &'a String,
    /// As the first of them asks it.
    wish: &'a Discover,
    wanted_by: Vec<String>,
    /// Whether one of them wants metrics.
    has_metrics: bool,
    /// Where the first of them says so.
    pointer: String,
}

impl Target<'_> {
    /// `meet/oci, docs/oci`.
    fn backends(&self) -> String {
        self.wanted_by.join(", ")
    }
}

/// Each source once, however many backends want it.
fn targets(config: &Config) -> Vec<Target<'_>> {
    let mut targets: BTreeMap<Asked<'_>, Target<'_>> = BTreeMap::new();
    for ((service, backend), wish) in &config.discover {
        let new = || Target {
            account: &wish.account,
            wish,
            wanted_by: Vec::new(),
            has_metrics: false,
            pointer: format!("/services/{service}/backends/{backend}/discover"),
        };
        let target = targets.entry((&wish.account, wish.asked()));
        let target = target.or_insert_with(new);
        target.wanted_by.push(format!("{service}/{backend}"));
        target.has_metrics |= wish.observe == Observe::All;
    }
    targets.into_values().collect()
}

/// What came of them, in their order.
async fn at_once<T>(asked: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let asked = futures_util::stream::iter(asked).buffered(AT_ONCE);
    asked.collect().await
}

/// What came of a question; `None`: nothing came in time.
async fn within<T>(question: impl Future<Output = Result<T, Error>>) -> Option<Result<T, Error>> {
    tokio::time::timeout(LIMIT, question).await.ok()
}

/// Whose the credentials are, and whether it is worth while to ask its sources. An account that cannot be asked for a moment
/// is not known to be bad: a network that lets nobody ask who they are may let them ask the rest.
fn of_account(answer: Option<Result<Identity, Error>>, cloud: Cloud) -> (Vec<Finding>, bool) {
    let (finding, is_usable) = match answer {
        Some(Ok(Identity { name, skew })) => {
            let skewed = skew.map(|skew| of_skew(skew, cloud));
            return (
                [Finding::ok(name)].into_iter().chain(skewed).collect(),
                true,
            );
        }
        Some(Err(error)) if error.kind.passes() => {
            let text = format!("who asks is not known: {error}");
            (Finding::unknown(text), true)
        }
        Some(Err(error)) => (failed("E0709", "cannot be used", error), false),
        None => {
            let text = format!(
                "who asks is not known: no answer within {} s",
                LIMIT.as_secs()
            );
            (Finding::unknown(text), true)
        }
    };
    (vec![finding], is_usable)
}

/// A clock that is off, while the credentials are still taken.
fn of_skew(skew: Skew, cloud: Cloud) -> Finding {
    let name = match cloud {
        Cloud::Aws => "AWS",
        Cloud::Oci => "OCI",
    };
    Finding::wrong("W0704", skew.from(name).to_string())
        .help("set it right, and let NTP keep it so: at five minutes no call is taken")
}

fn of_source(answer: Option<Result<Set, Error>>, target: &Target<'_>) -> (Finding, Option<Set>) {
    let backends = target.backends();
    match answer {
        Some(Ok(set)) => (of_set(&set, target), Some(set)),
        Some(Err(error)) => (failed("E0710", &backends, error), None),
        None => {
            let text = format!(
                "{backends}: {} does not answer within {} s",
                target.wish.from,
                LIMIT.as_secs()
            );
            let finding = Finding::wrong("E0710", text)
                .help("is there a way from here to the cloud, and is it well?");
            (finding, None)
        }
    }
}

fn of_set(set: &Set, target: &Target<'_>) -> Finding {
    let (backends, known) = (target.backends(), set.instances.len());
    let runs = |lifecycle: Lifecycle| lifecycle == Lifecycle::Running;
    let instances = set.instances.values();
    let running = instances.filter(|one| runs(one.lifecycle)).count();
    if running > 0 {
        return Finding::ok(format!("{backends}: {running} of {known} run"));
    }
    let what = match known {
        0 => "is empty".to_owned(),
        known => format!("has {known}, and none runs"),
    };
    Finding::wrong("W0703", format!("{backends}: {} {what}", target.wish.from))
        .help("is it the right one? What is not written in `endpoints` comes from there")
}

/// In the provider's own words, with its fix as what to do.
fn failed(code: &'static str, what: &str, mut error: Error) -> Finding {
    let fix = error.about.fix.take();
    let finding = Finding::wrong(code, format!("{what}: {error}"));
    match fix {
        Some(fix) => finding.help(fix),
        None => finding,
    }
}

#[cfg(test)]
mod tests;
