//! One command's talk with the admin API: it reads, shows, asks the person, and changes on the ground of what it read. A
//! change always carries the revision that was shown; whoever was faster wins, and the person is told what moved.

use bascule_admin::api::{Change, History};
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::args::Global;
use super::client::context::Context;
use super::client::problem;
use super::client::{Call, Client, Stream};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::text::Clock;

/// How many changes are told when the state moved.
const MOVED_MAX: usize = 5;

/// How often a change is tried on a state that keeps moving: a ramp moves it every few seconds at most.
const STALE_MAX: usize = 3;

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    /// Whom to ask.
    pub(crate) client: Client,
    /// Where to write.
    pub(crate) out: &'a mut Output,
    /// What every command takes.
    pub(crate) global: Global,
    /// What time it is.
    pub(crate) clock: Clock,
}

impl<'a> Session<'a> {
    /// A session with the API that the command line names.
    pub(crate) fn open(global: &Global, out: &'a mut Output) -> Result<Self, CliError> {
        let context = match &global.context {
            Some(text) => Context::parse(text)?,
            None => Context::first(&Context::candidates(|name| std::env::var(name).ok()))?,
        };
        let token = match &global.token_file {
            Some(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|error| CliError::file("read", path, &error))?;
                Some(text.trim().to_owned())
            }
            None => None,
        };
        let client = Client::new(context, token, global.timeout.0);
        Ok(Self {
            client,
            out,
            global: global.clone(),
            clock: Clock::system(),
        })
    }

    /// Reads a resource.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, CliError> {
        self.send(Call::new(Method::GET, path)).await
    }

    /// Gives a resource a body, whatever the revision.
    pub(crate) async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let mut call = Call::new(method, path);
        call.body = Some(as_body(body)?);
        self.send(call).await
    }

    /// Asks for a change on the ground of a revision.
    async fn change(
        &mut self,
        method: Method,
        path: &str,
        revision: u64,
        body: Option<&impl Serialize>,
        mode: Mode,
    ) -> Result<Change, CliError> {
        let path = match (mode, path.contains('?')) {
            (Mode::Do, _) => path.to_owned(),
            (Mode::Check, false) => format!("{path}?dry_run=true"),
            (Mode::Check, true) => format!("{path}&dry_run=true"),
        };
        let mut call = Call::new(method, path);
        call.if_match = Some(revision);
        if let Some(body) = body {
            call.body = Some(as_body(body)?);
        } else {
            // A body says it itself, and in any script; a header is for requests without one.
            call.reason.clone_from(&self.global.reason);
        }
        self.send(call).await
    }

    /// Checks a change, for what it would do.
    pub(crate) async fn check(
        &mut self,
        method: Method,
        path: &str,
        revision: u64,
        body: Option<&impl Serialize>,
    ) -> Result<Change, CliError> {
        match self.change(method, path, revision, body, Mode::Check).await {
            Err(error) if stale(&error).is_some() => Err(self.moved(error, revision).await),
            checked => checked,
        }
    }

    /// Makes a change. When the state moved meanwhile and the change would still do what was shown, it is made on the
    /// new state: a step of another shift must not stop an evacuation.
    pub(crate) async fn make(
        &mut self,
        method: Method,
        path: &str,
        mut revision: u64,
        body: Option<&impl Serialize>,
        shown: Shown<'_>,
    ) -> Result<Change, CliError> {
        let seen = revision;
        for _ in 0..STALE_MAX {
            let made = self
                .change(method.clone(), path, revision, body, Mode::Do)
                .await;
            let Err(error) = made else { return made };
            let Some(current) = stale(&error) else {
                return Err(error);
            };
            let same = match shown {
                Shown::Nothing => true,
                Shown::State => false,
                Shown::Change(shown) => {
                    let again = self
                        .change(method.clone(), path, current, body, Mode::Check)
                        .await;
                    again.is_ok_and(|again| is_same(&again, shown))
                }
            };
            if !same {
                return Err(self.moved(error, seen).await);
            }
            self.out.trace(&format!(
                "the state moved to revision {current}; the change is the same"
            ));
            revision = current;
        }
        let message = format!("the state moved {STALE_MAX} times while this was asked for");
        Err(CliError::new(Exit::Conflict, message).with_help("try again"))
    }

    /// Starts a stream of server-sent events.
    pub(crate) async fn stream(&mut self, call: Call) -> Result<Stream, CliError> {
        self.trace(&call);
        let stream = self.client.stream(call).await?;
        if stream.status.is_success() {
            return Ok(stream);
        }
        let status = stream.status;
        let body = stream.rest().await;
        Err(problem::refused(&super::client::Reply { status, body }))
    }

    async fn send<T: DeserializeOwned>(&mut self, call: Call) -> Result<T, CliError> {
        self.trace(&call);
        let path = call.path.clone();
        let reply = self.client.exchange(call).await?;
        self.out
            .trace(&format!("< {}, {} bytes", reply.status, reply.body.len()));
        if !reply.status.is_success() {
            return Err(problem::refused(&reply));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            let message = format!("the answer to {path} is not understood: {error}");
            CliError::new(Exit::Failed, message)
                .with_help("is the daemon of another version? compare `bascule version` with `bascule status -o json`")
        })
    }

    fn trace(&mut self, call: &Call) {
        let at = self.client.context().to_string();
        self.out
            .trace(&format!("> {} {} at {at}", call.method, call.path));
    }

    /// Says what changed since `seen`.
    async fn moved(&mut self, mut error: CliError, seen: u64) -> CliError {
        // The conflict is the news; when history cannot be read it is told without.
        if let Ok(history) = self
            .get::<History>(&format!("/v1/history?limit={MOVED_MAX}"))
            .await
        {
            let since = history
                .entries
                .iter()
                .filter(|entry| entry.revision > seen && entry.refused.is_none());
            error
                .details
                .extend(since.map(|entry| super::history::line(entry, &self.clock)));
        }
        error
    }

    /// Fails when a question will have to be asked and there is nobody to answer.
    pub(crate) fn can_ask(&self) -> Result<(), CliError> {
        if self.global.yes || self.global.dry_run || self.out.interactive {
            return Ok(());
        }
        Err(CliError::new(
            Exit::Usage,
            "this must be confirmed, and there is no terminal to ask on",
        )
        .with_help("add --yes, or --dry-run to see what would change"))
    }

    /// Asks; only `word` continues.
    pub(crate) fn confirm(&mut self, question: &str, word: &str) -> Result<(), CliError> {
        if self.global.yes {
            return Ok(());
        }
        self.can_ask()?;
        if self.out.ask(question)? == word {
            return Ok(());
        }
        Err(CliError::new(
            Exit::Failed,
            "not confirmed, nothing changed",
        ))
    }

    /// Prints a text for people: to standard output, or as a remark when programs read that.
    pub(crate) fn tell(&mut self, text: &str) -> Result<(), CliError> {
        if self.out.format.is_json() {
            self.out.note(text);
            return Ok(());
        }
        self.out.text(text)
    }

    /// Prints the remarks of a change.
    pub(crate) fn warn(&mut self, change: &Change) {
        for warning in &change.warnings {
            self.out.note(&format!("warning: {warning}"));
        }
    }
}

fn as_body(body: &impl Serialize) -> Result<Vec<u8>, CliError> {
    serde_json::to_vec(body).map_err(|error| CliError::new(Exit::Failed, error.to_string()))
}

/// Whether two answers say that the same would be done.
fn is_same(a: &Change, b: &Change) -> bool {
    a.rows == b.rows && a.warnings == b.warnings
}

/// The current revision, when a change was refused because the state moved.
fn stale(error: &CliError) -> Option<u64> {
    let problem = error.problem.as_ref()?;
    (problem.status == StatusCode::PRECONDITION_FAILED.as_u16()).then_some(problem.revision)
}

/// What a person saw before a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// Nothing: the change means the same on any state.
    Nothing,
    /// What it would do.
    Change(&'a Change),
    /// The state itself: on another one the change means something else.
    State,
}

/// Whether a change is made or only checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Made.
    Do,
    /// Checked.
    Check,
}

/// No body.
pub(crate) const NO_BODY: Option<&()> = None;
