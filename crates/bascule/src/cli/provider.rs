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
    if report.count(Level::Error) > 0 {
        return Ok(refused(session));
    }
    if session.global.dry_run {
        session
            .out
            .note("dry run: it would be added; nothing changed");
        return Ok(Exit::Ok);
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
    keep(session, args, &addition, &home).await
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

fn refused(session: &mut Session<'_>) -> Exit {
    session
        .out
        .note("nothing changed: put right what has an x above, and try again");
    Exit::Problem
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
    home.put(session, &running, &new).await?;
    let service = of_service(session, addition).await?;
    let path = format!(
        "/v1/services/{}/overrides?pace=now",
        segment(addition.service.as_str())
    );
    let change = session
        .make(
            Method::DELETE,
            &path,
            service.revision,
            NO_BODY,
            Shown::Nothing,
        )
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
