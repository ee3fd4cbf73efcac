//! `drain`, `ready`, `maint` and `offline`: admin states of endpoints, backends, providers and of the edge, and waiting
//! until they have taken effect. The service may be left out when only one has the backend.

mod wait;

use bascule_admin::api::{AdminPatch, AdminState, Change, Provider, Service, ServiceList, Status};
use bascule_model::{BackendName, ServiceName};
use http::Method;

use super::args::AdminArgs;
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
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
    let revision = revision(session, &target).await?;
    let body = AdminPatch {
        admin_state: state,
        reason: session.global.reason.clone(),
    };
    let path = target.path();
    if session.global.dry_run {
        let check = session
            .check(Method::PATCH, &path, revision, Some(&body))
            .await?;
        session.warn(&check);
        return super::shift::checked(session, &check);
    }
    let change = session
        .make(Method::PATCH, &path, revision, Some(&body), Shown::Nothing)
        .await?;
    session.warn(&change);
    if args.wait {
        return wait::until(session, &target, state, args.deadline.0, &change).await;
    }
    session
        .out
        .answer("Change", &change, |change| said(&target, state, change))?;
    Ok(Exit::Ok)
}

/// A target with its service.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Edge,
    Provider(String),
    Backend(String, String),
    Endpoint(String, String, String),
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Edge => f.write_str("edge/self"),
            Self::Provider(p) => write!(f, "provider/{p}"),
            Self::Backend(s, b) => write!(f, "backend/{s}/{b}"),
            Self::Endpoint(s, b, e) => write!(f, "endpoint/{s}/{b}/{e}"),
        }
    }
}

impl Target {
    fn path(&self) -> String {
        match self {
            Self::Edge => "/v1/edge".to_owned(),
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
        TargetArg::Edge => return Ok(Target::Edge),
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
    let has = |service: &&Service| service.backends.iter().any(|b| b.name == backend.as_str());
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
        whole @ (TargetArg::Edge | TargetArg::Provider(_)) => whole.to_string(),
    }
}

/// The revision that a change of the target is based on. That the target exists is the API's to say.
async fn revision(session: &mut Session<'_>, target: &Target) -> Result<u64, CliError> {
    match target {
        Target::Edge => session
            .get::<Status>("/v1/status")
            .await
            .map(|status| status.revision),
        Target::Provider(_) => session
            .get::<Provider>(&target.path())
            .await
            .map(|provider| provider.revision),
        Target::Backend(service, _) | Target::Endpoint(service, ..) => {
            let path = format!("/v1/services/{}", segment(service));
            session
                .get::<Service>(&path)
                .await
                .map(|service| service.revision)
        }
    }
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
