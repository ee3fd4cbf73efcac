//! What is done on the wire for the judge, from its turn to its end: a check, or a question to an agent. It must always end
//! with something that can be told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_health::{CheckFailure, CheckNumber, CheckPolicy, CheckResult};
use bascule_model::EndpointId;
use bascule_telemetry::spawn;
use rustls::ClientConfig;

use crate::agent::{self, Answer};
use crate::check::check;
use crate::line::Pace;

/// A check that ended.
pub(super) struct Done {
    pub(super) id: Arc<EndpointId>,
    pub(super) check: CheckNumber,
    pub(super) pace: Pace,
    pub(super) seen: Seen,
}

/// What came of it.
pub(super) enum Seen {
    Result(CheckResult),
    Agent(Answer),
}

/// A check that waits for its turn.
pub(super) struct Waiting {
    pub(super) id: Arc<EndpointId>,
    pub(super) check: CheckNumber,
    pub(super) job: Job,
}

/// What is done when its turn comes.
pub(super) enum Job {
    Check(Arc<CheckPolicy>),
    /// Ask the agent there, for so long at most.
    Agent(SocketAddr, Duration),
}

/// Performs a check; a panic in it is a failed check, so that a result always comes.
pub(super) async fn perform(waiting: Waiting, pace: Pace, tls: Option<Arc<ClientConfig>>) -> Done {
    let Waiting {
        id,
        check: number,
        job,
    } = waiting;
    let seen = match job {
        Job::Check(policy) => {
            let check = check(&id, &policy, tls.as_ref());
            let result = spawn::caught("check", check).await;
            Seen::Result(result.unwrap_or(CheckResult::Failed(CheckFailure::Protocol)))
        }
        Job::Agent(address, timeout) => {
            let answer = spawn::caught("agent", agent::ask(address, timeout)).await;
            Seen::Agent(answer.unwrap_or(Answer::Unreached))
        }
    };
    Done {
        id,
        check: number,
        pace,
        seen,
    }
}
