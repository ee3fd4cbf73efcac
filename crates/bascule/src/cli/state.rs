//! `drain`, `ready`, `maint` and `offline`: admin states of endpoints, backends and providers, and waiting until they have
//! taken effect. The service may be left out when only one has the backend.

use std::time::Duration;

use bascule_admin::api::{
    AdminPatch, AdminState, Backend, Change, Endpoint, ObservedState, Provider, ServiceList,
};
use bascule_model::{BackendName, ServiceName};
use http::Method;
use serde::Serialize;

use super::args::AdminArgs;
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::follow::{Interrupt, LOOK_EVERY};
use super::session::{Session, Shown};
use super::text;
use super::values::TargetArg;

/// The word of a state.
pub(crate) const fn word(state: AdminState) -> &'static str {
    match state {
        AdminState::Ready => "ready",
        AdminState::Drain => "drain",
        AdminState::Maint => "maint",
        AdminState::Offline => "offline",
    }
}

/// Sets the state, and waits where asked to.
pub(crate) async fn run(
    session: &mut Session<'_>,
    args: &AdminArgs,
    state: AdminState,
) -> CliResult {
    let target = resolve(session, &args.target).await?;
    if args.wait && state != AdminState::Ready && matches!(target, Target::Endpoint(..)) {
        return Err(CliError::new(
            Exit::Usage,
            "running requests are counted by backend, so an endpoint cannot be waited for",
        )
        .with_help("leave --wait out, or name the backend"));
    }
    let seen = look(session, &target).await?;
    let body = AdminPatch {
        admin_state: state,
        reason: session.global.reason.clone(),
    };
    let path = target.path();
    if session.global.dry_run {
        let check = session
            .check(Method::PATCH, &path, seen.revision, Some(&body))
            .await?;
        session.warn(&check);
        return super::shift::checked(session, &check);
    }
    let change = session
        .make(
            Method::PATCH,
            &path,
            seen.revision,
            Some(&body),
            Shown::Nothing,
        )
        .await?;
    session.warn(&change);
    if args.wait {
        return wait(session, &target, state, args.deadline.0, &change).await;
    }
    session
        .out
        .answer("Change", &change, |change| said(&target, state, change))?;
    Ok(Exit::Ok)
}

/// A target with its service.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Provider(String),
    Backend(String, String),
    Endpoint(String, String, String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(p) => write!(f, "provider/{p}"),
            Self::Backend(s, b) => write!(f, "backend/{s}/{b}"),
            Self::Endpoint(s, b, e) => write!(f, "endpoint/{s}/{b}/{e}"),
        }
    }
}

impl Target {
    fn path(&self) -> String {
        match self {
            Self::Provider(p) => format!("/v1/providers/{}", segment(p)),
            Self::Backend(s, b) => format!("/v1/services/{}/backends/{}", segment(s), segment(b)),
            Self::Endpoint(s, b, e) => {
                format!(
                    "/v1/services/{}/backends/{}/endpoints/{}",
                    segment(s),
                    segment(b),
                    segment(e)
                )
            }
        }
    }
}

/// Fills the service in.
async fn resolve(session: &mut Session<'_>, target: &TargetArg) -> Result<Target, CliError> {
    let (service, backend) = match target {
        TargetArg::Provider(provider) => return Ok(Target::Provider(provider.to_string())),
        TargetArg::Backend(service, backend) | TargetArg::Endpoint(service, backend, _) => {
            (service, backend)
        }
    };
    let service = match service {
        Some(service) => service.to_string(),
        None => service_of(
            &session.get::<ServiceList>("/v1/services").await?,
            backend,
            target,
        )?,
    };
    Ok(match target {
        TargetArg::Endpoint(_, _, endpoint) => {
            Target::Endpoint(service, backend.to_string(), endpoint.clone())
        }
        _ => Target::Backend(service, backend.to_string()),
    })
}

/// The only service that has the backend.
fn service_of(
    list: &ServiceList,
    backend: &BackendName,
    target: &TargetArg,
) -> Result<String, CliError> {
    let has = |service: &&bascule_admin::api::Service| {
        service.backends.iter().any(|b| b.name == backend.as_str())
    };
    let having: Vec<&str> = list
        .services
        .iter()
        .filter(has)
        .map(|service| service.name.as_str())
        .collect();
    match having.as_slice() {
        [only] => Ok((*only).to_owned()),
        [] => {
            let mut known: Vec<&str> = list
                .services
                .iter()
                .flat_map(|s| &s.backends)
                .map(|b| b.name.as_str())
                .collect();
            known.sort_unstable();
            known.dedup();
            let error = CliError::new(Exit::Usage, format!("no service has a backend `{backend}`"));
            let error = match text::nearest(backend.as_str(), known.iter().copied()) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error,
            };
            Err(error.with_help(format!("there is: {}", known.join(", "))))
        }
        several => {
            let mut error = CliError::new(
                Exit::Usage,
                format!(
                    "{} services have a backend `{backend}`; say which",
                    several.len()
                ),
            );
            for service in several {
                error.help.push(with_service(target, service));
            }
            Err(error)
        }
    }
}

/// The target as it would be written with the service.
fn with_service(target: &TargetArg, service: &str) -> String {
    let service = ServiceName::parse(service).ok();
    match target.clone() {
        TargetArg::Backend(_, backend) => TargetArg::Backend(service, backend).to_string(),
        TargetArg::Endpoint(_, backend, endpoint) => {
            TargetArg::Endpoint(service, backend, endpoint).to_string()
        }
        provider @ TargetArg::Provider(_) => provider.to_string(),
    }
}

/// What is seen of a target.
#[derive(Debug, Clone, Copy, Serialize)]
struct Seen {
    revision: u64,
    /// Requests that run there.
    running: u64,
    up: bool,
}

async fn look(session: &mut Session<'_>, target: &Target) -> Result<Seen, CliError> {
    match target {
        Target::Provider(name) => {
            let provider: Provider = session.get(&target.path()).await?;
            let list: ServiceList = session.get("/v1/services").await?;
            let backends = list.services.iter().flat_map(|service| &service.backends);
            let running = backends
                .filter(|b| b.provider == *name)
                .map(|b| b.load.in_flight)
                .sum();
            let up = provider.observed_state == ObservedState::Up;
            Ok(Seen {
                revision: provider.revision,
                running,
                up,
            })
        }
        Target::Backend(service, _) => {
            let backend: Backend = session.get(&target.path()).await?;
            let revision = revision(session, service).await?;
            let up = backend.observed_state == ObservedState::Up;
            Ok(Seen {
                revision,
                running: backend.load.in_flight,
                up,
            })
        }
        Target::Endpoint(service, ..) => {
            let endpoint: Endpoint = session.get(&target.path()).await?;
            let revision = revision(session, service).await?;
            Ok(Seen {
                revision,
                running: 0,
                up: endpoint.observed_state == ObservedState::Up,
            })
        }
    }
}

/// The revision that a change of a service's part is based on.
async fn revision(session: &mut Session<'_>, service: &str) -> Result<u64, CliError> {
    let service: bascule_admin::api::Service = session
        .get(&format!("/v1/services/{}", segment(service)))
        .await?;
    Ok(service.revision)
}

fn said(target: &Target, state: AdminState, change: &Change) -> String {
    let (state, revision) = (word(state), change.revision);
    let back = if state == "ready" {
        String::new()
    } else {
        format!("   Back: bascule ready {target}")
    };
    format!("{target} is {state}, rev {revision}.{back}")
}

/// Waits until nothing runs there, or, for `ready`, until it is up.
async fn wait(
    session: &mut Session<'_>,
    target: &Target,
    state: AdminState,
    deadline: Duration,
    change: &Change,
) -> CliResult {
    let mut interrupt = Interrupt::listen();
    session.tell(&said(target, state, change))?;
    let until = Box::pin(tokio::time::sleep(deadline));
    let mut until = until;
    let mut last = None;
    loop {
        let Some(seen) = interrupt.or(look(session, target)).await.transpose()? else {
            return Ok(left(session, target));
        };
        let reached = if state == AdminState::Ready {
            seen.up
        } else {
            seen.running == 0
        };
        if reached {
            let now = if state == AdminState::Ready {
                "is up"
            } else {
                "is empty"
            };
            session
                .out
                .answer("Waited", &seen, |_| format!("{target} {now}"))?;
            return Ok(Exit::Ok);
        }
        if last.is_none_or(|last| seen.running <= last / 2) && state != AdminState::Ready {
            session
                .out
                .note(&format!("{} run on {target}", text::count(seen.running)));
            last = Some(seen.running);
        }
        tokio::select! {
            () = &mut until => {
                let what = if state == AdminState::Ready { "it is not up".to_owned() } else { format!("{} still run there", text::count(seen.running)) };
                let error = CliError::new(Exit::Problem, format!("the deadline is over, and {what}"));
                return Err(error.with_detail(format!("{target} stays {}", word(state))));
            }
            waited = interrupt.or(tokio::time::sleep(LOOK_EVERY)) => if waited.is_none() {
                return Ok(left(session, target));
            },
        }
    }
}

fn left(session: &mut Session<'_>, target: &Target) -> Exit {
    session
        .out
        .note(&format!("no longer waiting; {target} stays as it is"));
    Exit::Interrupted
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::values;
    use super::*;

    fn list(names: &[&str]) -> ServiceList {
        let one = |name: &&str| {
            let mut service = samples::service();
            (*name).clone_into(&mut service.name);
            service
        };
        ServiceList {
            revision: 1,
            services: names.iter().map(one).collect(),
        }
    }

    fn find(names: &[&str], text: &str) -> Result<String, CliError> {
        let target = values::target(text).unwrap();
        let (TargetArg::Backend(_, backend) | TargetArg::Endpoint(_, backend, _)) = &target else {
            panic!()
        };
        service_of(&list(names), backend, &target)
    }

    #[test]
    fn the_only_service_with_the_backend_is_found() {
        assert_eq!(find(&["meet"], "backend/oci"), Ok("meet".to_owned()));
    }

    #[test]
    fn several_services_are_told_as_targets_to_choose_from() {
        insta::assert_snapshot!(find(&["meet", "api"], "endpoint/oci/10.4.0.11:443").unwrap_err().to_string(), @r"
        2 services have a backend `oci`; say which
          → endpoint/meet/oci/10.4.0.11:443
          → endpoint/api/oci/10.4.0.11:443
        ");
    }

    #[test]
    fn a_wrong_backend_is_told_with_the_one_meant() {
        insta::assert_snapshot!(find(&["meet"], "backend/ocl").unwrap_err().to_string(), @r"
        no service has a backend `ocl`
          → did you mean `oci`?
          → there is: aws, gcp, oci
        ");
    }

    #[test]
    fn paths_are_encoded() {
        let target = Target::Endpoint("meet".to_owned(), "aws".to_owned(), "[::1]:80".to_owned());
        assert_eq!(
            target.path(),
            "/v1/services/meet/backends/aws/endpoints/%5B%3A%3A1%5D%3A80"
        );
    }
}
