//! The refusals of the control plane as problems: every variant has its code, and every number it carries is said.

use bascule_model::Shares;
use bascule_plan::Refusal;
use bascule_plan::command::BrokenRail;

use super::{Code, Refused};
use crate::api::FieldError;
use crate::convert::shares;

/// Where in the request the names stood that a refusal may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// In the path: an unknown one is a 404.
    Path,
    /// The service in the body too.
    Body,
}

/// The problem that says the same as the refusal.
pub(crate) fn refused(refusal: Refusal, asked: Asked) -> Refused {
    let text = refusal.to_string();
    match refusal {
        Refusal::Stale { current, .. } => {
            let mut refused = Refused::new(Code::Stale, text);
            refused.problem.revision = current.0;
            refused
        }
        Refusal::UnknownService { service, known } => {
            let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            let (code, pointer) = match asked {
                Asked::Path => (Code::UnknownService, ""),
                Asked::Body => (Code::BadField, "/service"),
            };
            Refused::unknown(code, pointer, "service", service.as_str(), known)
        }
        Refusal::UnknownBackend {
            service,
            backend,
            known,
        } => {
            // Backends in a path are looked up before the control plane is asked: this one stood in the shares.
            let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            let pointer = format!("/shares/{backend}");
            let what = format!("backend of `{service}`");
            Refused::unknown(Code::BadField, &pointer, &what, backend.as_str(), known)
        }
        Refusal::UnknownProvider { provider, known } => {
            let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
            Refused::unknown(
                Code::UnknownProvider,
                "",
                "provider",
                provider.as_str(),
                known,
            )
        }
        Refusal::UnknownTarget { .. } => Refused::new(Code::UnknownEndpoint, text),
        Refusal::NotFound { .. } => Refused::new(Code::NotFound, text),
        Refusal::Sum { .. } => at_shares(Code::Sum, text),
        Refusal::AllOff { .. } => at_shares(Code::AllOff, text),
        Refusal::Busy { .. } => Refused::new(Code::Busy, text),
        Refusal::WrongPhase { .. } => Refused::new(Code::WrongPhase, text),
        Refusal::TooLong { max, .. } => {
            let detail = format!("1 to {} seconds", max.as_secs());
            Refused::new(Code::TooLong, text).at(FieldError {
                pointer: "/expires_in_seconds".to_owned(),
                detail,
                suggestion: Some(max.as_secs().into()),
                ..FieldError::default()
            })
        }
        Refusal::Rails { broken, nearest } => rails(&broken, nearest.as_ref()),
        Refusal::Store(_) => Refused::new(Code::Store, text),
        Refusal::Unavailable => Refused::new(Code::Unavailable, text),
    }
}

fn at_shares(code: Code, text: String) -> Refused {
    Refused::new(code, text.clone()).at(FieldError {
        pointer: "/shares".to_owned(),
        detail: text,
        ..FieldError::default()
    })
}

fn rails(rails: &[BrokenRail], nearest: Option<&Shares>) -> Refused {
    let details: Vec<String> = rails
        .iter()
        .map(|rail| format!("{}: {}", rail.rule, rail.detail))
        .collect();
    let mut refused = Refused::new(Code::Rails, details.join("; "));
    refused.problem.nearest = nearest.map(shares);
    refused.problem.rule = rails.first().map(|rail| rail.rule.clone());
    for rail in rails {
        let share = rail
            .backend
            .as_ref()
            .zip(rail.nearest.as_ref())
            .and_then(|(backend, row)| row.get(backend));
        let pointer = match &rail.backend {
            Some(backend) => format!("/shares/{backend}"),
            None => "/shares".to_owned(),
        };
        refused = refused.at(FieldError {
            pointer,
            detail: rail.detail.clone(),
            rule: Some(rail.rule.clone()),
            suggestion: share.map(|share| share.percent().into()),
            nearest: rail.nearest.as_ref().map(shares),
            ..FieldError::default()
        });
    }
    refused
}
