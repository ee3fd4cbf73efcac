//! `provider add`: a provider that is taken in while traffic runs, as one command. What is written is decided in `addition`,
//! where it is written in `home`, what is looked at before in [`check`](crate::check). Everything that can be known before is
//! looked at before; from the first change on, what is reached stays and is said.

mod addition;
mod home;

use bascule_admin::api::{Change, Pace, Service, Shift, ShiftRequest};
use bascule_config::Config;
use bascule_model::{BackendName, BasisPoints, Date, ServiceName, Shares};
use bascule_telemetry::clock;
use http::Method;
use serde_json::json;

use super::args::{AddArgs, Format, ProviderCommand};
use super::client::segment;
use super::config::{Text, changes, invalid, live};
use super::exit::{CliError, CliResult, Exit};
use super::follow::{self, Interrupt, LOOK_EVERY};
use super::output::Output;
use super::session::{NO_BODY, Session, Shown};
use super::text;
use crate::check::{self, Finding, Group, Level, Report};
use addition::{Addition, find, weights};
use home::Home;

/// Does it.
pub(crate) async fn run(session: &mut Session<'_>, command: &ProviderCommand) -> CliResult {
    match command {
        ProviderCommand::Add(args) => add(session, args).await,
    }
}

async fn add(session: &mut Session<'_>, args: &AddArgs) -> CliResult {
    session.can_ask()?;
    if args.canary > args.share {
        let message = "the canary share is larger than the share in the end";
        return Err(CliError::new(Exit::Usage, message));
    }
    let running = live(session).await?;
    let config = running
        .load()
        .map_err(|problems| invalid(&problems))?
        .config;
    let today = Date::of(clock::wall());
    let addition = Addition::of(args, &config, today)?;
    let home = Home::of(&running)?;
    undisturbed(session, &addition).await?;
    let (new, new_config) = addition.write(&running)?;
    session.tell(&plan(
        args,
        &addition,
        &home,
        (&config, &running),
        (&new_config, &new),
    ))?;
    let report = look(&addition, &new_config, &new).await;
    session.tell(&super::check::groups(&report))?;
    let is_fit = report.count(Level::Error) == 0;
    if !is_fit || session.global.dry_run {
        return checked(session, &addition, &report, is_fit);
    }
    session.confirm("Add it? only \"yes\" continues: ", "yes")?;
    home.put(session, &running, &new).await?;
    session
        .out
        .note(&format!("{} has weight 0", addition.backend));
    until_up(session, args, &addition).await?;
    let stages = match args.canary == args.share {
        true => vec![args.share],
        false => vec![args.canary, args.share],
    };
    for share in stages {
        let exit = shift(session, args, &addition, share).await?;
        if exit != Exit::Ok {
            stays(session, &addition);
            return Ok(exit);
        }
    }
    let kept = keep(session, args, &addition, &home).await;
    kept.map_err(|error| not_kept(error, args, &addition))
}

/// It has its share, and the file does not say so: what a person must do before the override ends.
fn not_kept(error: CliError, args: &AddArgs, addition: &Addition) -> CliError {
    let Addition {
        service, backend, ..
    } = addition;
    let share = text::share(args.share.percent());
    error
        .with_detail(format!("{backend} has {share} % by an override, which ends; in the file its weight is still 0"))
        .with_help(format!(
            "write weights that say {share} % for {backend} into the file, then: bascule shift {service} --declared --now"
        ))
}

/// An override or a shift would mix with the shares that this brings.
async fn undisturbed(session: &mut Session<'_>, addition: &Addition) -> Result<(), CliError> {
    let name = &addition.service;
    let service = of_service(session, addition).await?;
    let error =
        |message: String, help: String| Err(CliError::new(Exit::Conflict, message).with_help(help));
    if let Some(shift) = &service.shift {
        let message = format!("shift {shift} of {name} runs");
        return error(message, "wait for its end: bascule status".to_owned());
    }
    if service.override_row.is_some() {
        let message = format!("{name} has an override: its shares are not those of the file");
        return error(
            message,
            format!("end it first: bascule shift {name} --declared"),
        );
    }
    Ok(())
}

async fn of_service(session: &mut Session<'_>, addition: &Addition) -> Result<Service, CliError> {
    let path = format!("/v1/services/{}", segment(addition.service.as_str()));
    session.get(&path).await
}

/// What will be written and done, for the person who is asked.
fn plan(
    args: &AddArgs,
    addition: &Addition,
    home: &Home,
    old: (&Config, &Text),
    new: (&Config, &Text),
) -> String {
    let place = match home {
        Home::File(file) => file.display().to_string(),
        Home::Process => {
            "the running process alone: it has no file that can be seen from here".to_owned()
        }
    };
    let diff = changes(old, new);
    let share = |share: BasisPoints| text::share(share.percent());
    let (canary, last) = (share(args.canary), share(args.share));
    let backend = &addition.backend;
    let stages = match args.canary == args.share {
        true => format!("{last} %"),
        false => format!("{canary} %, then {last} %"),
    };
    format!(
        "Add backend {backend} to service {}\n\n{diff}\nWritten to: {place}\nHow: {backend} begins with weight 0. Once its machines are up it gets {stages}, in watched steps\n     that guardrails turn back; what it has then becomes its weight in the file.\n",
        addition.service,
    )
}

/// Credentials, source and machines, from here.
async fn look(addition: &Addition, config: &Config, text: &Text) -> Report {
    let only = (addition.service.clone(), addition.backend.clone());
    let mut narrow = config.clone();
    narrow.accounts.retain(|name, _| *name == addition.account);
    narrow.discover.retain(|place, _| *place == only);
    narrow.services.retain(|service| service.name == only.0);
    for service in &mut narrow.services {
        std::sync::Arc::make_mut(service)
            .backends
            .retain(|name, _| *name == only.1);
    }
    let mut report = check::clouds::look_into(&narrow, &text.files(), clock::wall()).await;
    report
        .groups
        .push(Group::new("prices", vec![price(config, &only)]));
    report
}

/// Whether planned shares could count what it costs.
fn price(config: &Config, (service, backend): &(ServiceName, BackendName)) -> Finding {
    let of_service = |(name, _): &&(ServiceName, BackendName)| name == service;
    let mut priced = config.prices.keys().filter(of_service);
    if config
        .prices
        .contains_key(&(service.clone(), backend.clone()))
    {
        return Finding::ok("");
    }
    if priced.next().is_none() {
        return Finding::ok(format!("{service} has none"));
    }
    let text = format!("{backend} has no price, and others of {service} have one");
    Finding::wrong("W0363", text)
        .help("add what sending costs there: --egress-price \"0.0085 USD/GB\"")
}

/// The end of a command that adds nothing.
fn checked(
    session: &mut Session<'_>,
    addition: &Addition,
    report: &Report,
    is_fit: bool,
) -> CliResult {
    if session.out.format.is_json() {
        let data = json!({
            "service": addition.service.as_str(), "backend": addition.backend.as_str(), "account": addition.account,
            "fit": is_fit, "groups": report.groups,
        });
        session.out.data("ProviderChecked", &data)?;
    }
    let (remark, exit) = match is_fit {
        true => ("dry run: it would be added; nothing changed", Exit::Ok),
        false => (
            "nothing changed: put right what has an x above, and try again",
            Exit::Problem,
        ),
    };
    session.out.note(remark);
    Ok(exit)
}

/// Waits until its machines are up: all of them, or at least one at the end of the patience.
async fn until_up(
    session: &mut Session<'_>,
    args: &AddArgs,
    addition: &Addition,
) -> Result<(), CliError> {
    let until = clock::now() + args.patience.0;
    let mut interrupt = Interrupt::listen();
    loop {
        let service = of_service(session, addition).await?;
        let backend = service
            .backends
            .iter()
            .find(|b| b.name == addition.backend.as_str());
        let (up, all) = backend.map_or((0, 0), |b| (b.endpoints_up, b.endpoints_total));
        let line = format!("{}: {up} of {all} endpoints up", addition.backend);
        let is_late = clock::now() >= until;
        if all > 0 && (up == all || (is_late && up > 0)) {
            session.out.end_live();
            session.out.note(&line);
            return Ok(());
        }
        if is_late {
            session.out.end_live();
            let message = format!(
                "{line} after {}",
                text::duration(args.patience.0.as_secs_f64())
            );
            return Err(CliError::new(Exit::Problem, message)
                .with_detail(format!(
                    "{} stays in the configuration with weight 0: nothing goes there",
                    addition.backend
                ))
                .with_help("why: bascule status -o wide")
                .with_help(format!(
                    "once they are up: bascule shift {} {}={}",
                    addition.service,
                    addition.backend,
                    text::share(args.share.percent())
                )));
        }
        session.out.live(&line)?;
        if interrupt.or(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
            session.out.end_live();
            stays(session, addition);
            return Err(CliError::new(Exit::Interrupted, "interrupted"));
        }
    }
}

fn stays(session: &mut Session<'_>, addition: &Addition) {
    let (service, backend) = (&addition.service, &addition.backend);
    session.out.note(&format!(
        "{backend} stays in the configuration with weight 0; go on with: bascule shift {service} {backend}=PERCENT"
    ));
}

/// One shift, to its end.
async fn shift(
    session: &mut Session<'_>,
    args: &AddArgs,
    addition: &Addition,
    share: BasisPoints,
) -> CliResult {
    let pace = match (args.step, args.bake) {
        (Some(step), Some(bake)) => Pace::Steps {
            step: step.percent(),
            bake_seconds: bake.0.as_secs_f64(),
        },
        _ => Pace::Policy,
    };
    let request = ShiftRequest {
        service: addition.service.to_string(),
        shares: [(addition.backend.to_string(), share.percent())].into(),
        pace,
        expires_in_seconds: None,
        reason: session.global.reason.clone(),
    };
    let service = of_service(session, addition).await?;
    let path = "/v1/shifts";
    let shown: Change = session
        .check(Method::POST, path, service.revision, Some(&request))
        .await?;
    session.warn(&shown);
    let change = session
        .make(
            Method::POST,
            path,
            service.revision,
            Some(&request),
            Shown::Change(&shown),
        )
        .await?;
    let (ids, before) = (&change.shifts, service.revision);
    if session.out.format != Format::Json {
        return follow::shifts(session, ids, before, Interrupt::listen()).await;
    }
    // One document for the whole command: what has been added, or the shift that ended it.
    let mut silent = Output::silent();
    let mut quiet = Session::open(&session.global, &mut silent)?;
    let exit = follow::shifts(&mut quiet, ids, before, Interrupt::listen()).await?;
    for id in ids.iter().filter(|_| exit != Exit::Ok) {
        let shift: Shift = session.get(&format!("/v1/shifts/{}", segment(id))).await?;
        session.out.data("Shift", &shift)?;
    }
    Ok(exit)
}

/// Whether the service's override is the one that was made here: another person's is not to be ended, nor written down.
fn ours(service: &Service, row: &Shares) -> Result<(), CliError> {
    let is_ours = service.override_row.as_ref().is_some_and(|there| {
        let says = |(name, share): (&BackendName, BasisPoints)| {
            let there = there.shares.get(name.as_str()).copied().unwrap_or(0.0);
            (there - share.percent()).abs() < 0.005
        };
        row.iter().all(says)
    });
    if is_ours && service.shift.is_none() {
        return Ok(());
    }
    let message = format!(
        "somebody else has changed the shares of {} meanwhile",
        service.name
    );
    Err(CliError::new(Exit::Conflict, message).with_help("see who: bascule history"))
}

/// Writes the shares that were reached into the file, and ends the override that brought them.
async fn keep(
    session: &mut Session<'_>,
    args: &AddArgs,
    addition: &Addition,
    home: &Home,
) -> CliResult {
    let running = live(session).await?;
    let config = running
        .load()
        .map_err(|problems| invalid(&problems))?
        .config;
    let declared = weights(find(&config, &addition.service)?);
    let weighted = declared
        .into_iter()
        .map(|(name, weight)| (name, u64::from(weight)));
    let row = Shares::from_weights(weighted)
        .and_then(|row| row.with(&[(addition.backend.clone(), args.share)]))
        .map_err(|error| CliError::new(Exit::Failed, error.to_string()))?;
    let (new, _) = addition.keep(&running, &row)?;
    ours(&of_service(session, addition).await?, &row)?;
    home.put(session, &running, &new).await?;
    let service = of_service(session, addition).await?;
    ours(&service, &row)?;
    let path = format!(
        "/v1/services/{}/overrides?pace=now",
        segment(addition.service.as_str())
    );
    let (method, revision) = (Method::DELETE, service.revision);
    let shown = session
        .check(method.clone(), &path, revision, NO_BODY)
        .await?;
    let change = session
        .make(method, &path, revision, NO_BODY, Shown::Change(&shown))
        .await?;
    let shares: std::collections::BTreeMap<&str, f64> = row
        .iter()
        .map(|(name, share)| (name.as_str(), share.percent()))
        .collect();
    let data = json!({
        "service": addition.service.as_str(), "backend": addition.backend.as_str(), "account": addition.account,
        "shares": shares, "revision": change.revision,
    });
    session.out.answer("ProviderAdded", &data, |_| {
        format!(
            "{} carries {} % of {}, and the configuration says so.   rev {}",
            addition.backend,
            text::share(args.share.percent()),
            addition.service,
            change.revision
        )
    })?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn an_override_of_somebody_else_is_neither_written_down_nor_ended() {
        let row = |aws, oci| {
            let weights = [("aws", aws), ("gcp", 0), ("oci", oci)];
            let weights = weights.map(|(name, weight)| (name.parse().unwrap(), weight));
            Shares::from_weights(weights).unwrap()
        };
        let mut service = samples::service();
        service.shift = None;
        assert_eq!(ours(&service, &row(50, 50)), Ok(()));
        let other = ours(&service, &row(80, 20)).unwrap_err();
        assert_eq!(other.exit, Exit::Conflict);
        service.shift = Some("s-7".to_owned());
        assert!(ours(&service, &row(50, 50)).is_err());
        service.override_row = None;
        assert!(ours(&service, &row(50, 50)).is_err());
    }
}
