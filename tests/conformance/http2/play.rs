//! Plays a case: the client's steps in order, then until everything that is wanted is there or cannot come any more; then
//! one plain request of the runner's own behind it, so that what the case made the edge send has been sent; then it takes
//! from the origins what they saw.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bascule_testkit::frames::client::Client;
use bascule_testkit::frames::hpack::Block;
use bascule_testkit::frames::origin::{Origin, Script, When};
use bascule_testkit::frames::seen::{End, Seen, Stream};
use bascule_testkit::frames::{END_HEADERS, END_STREAM, Frame};
use bascule_testkit::strict::origin::SENTINEL;
use bascule_testkit::strict::{Answer, Message, StrictOrigin};
use bascule_testkit::wait;

use super::case::{Case, Step};

/// Where cases are played.
pub(crate) struct Stage<'a> {
    /// Who is tested.
    pub(crate) address: SocketAddr,
    /// Behind it.
    pub(crate) http1: &'a StrictOrigin,
    /// Behind it, for one host.
    pub(crate) http2: &'a Origin,
    /// How long a case may stand still.
    pub(crate) patience: Duration,
    /// Whether nothing more is worth waiting for.
    pub(crate) is_settled: fn(&Case, &Seen) -> bool,
    /// Whether it may wait for all of a request before the origin gets any of it.
    pub(crate) may_gather: bool,
}

/// What came of a case.
pub(crate) struct Played {
    /// What the client saw.
    pub(crate) seen: Seen,
    /// What the origin saw.
    pub(crate) arrived: Vec<Arrived>,
    /// What the origin must not have seen, whatever the case.
    pub(crate) faults: Vec<String>,
    /// What the runner waited for in vain.
    pub(crate) trouble: Result<()>,
}

/// A request at the origin.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    /// `Host`, or the authority.
    pub(crate) host: Option<Vec<u8>>,
    /// The others, names in small letters.
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) is_whole: bool,
}

/// Plays one.
pub(crate) fn play(stage: &Stage<'_>, case: &Case) -> Result<Played> {
    begin(stage, case);
    let mut client = Client::connect(stage.address)?;
    client.be_patient_for(stage.patience)?;
    let played = steps(stage, case, &mut client);
    // What does not come is for the judge to say.
    let settled = client.until("what is wanted", |seen| (stage.is_settled)(case, seen));
    let seen = client.into_seen();
    let passed = sentinel(stage, case.host()).context("a plain request afterwards");
    let (arrived, faults) = arrived(stage, case)?;
    let trouble = match settled {
        Ok(()) => played.and(passed),
        Err(_) => Ok(()),
    };
    Ok(Played {
        seen,
        arrived,
        faults,
        trouble,
    })
}

fn begin(stage: &Stage<'_>, case: &Case) {
    let answer = &case.answer;
    let scripted = Answer {
        is_early: answer.is_early,
        steps: answer.http1.clone(),
        ..Answer::default()
    };
    let has_script = !case.is_http2 && !answer.http1.is_empty();
    stage
        .http1
        .begin(has_script.then_some(scripted).into_iter().collect());
    let when = if answer.is_early {
        When::Head
    } else {
        When::Whole
    };
    drop(stage.http2.take_requests());
    drop(stage.http2.take_faults());
    stage.http2.play(if answer.http2.is_empty() {
        Script::default()
    } else {
        Script {
            when,
            frames: answer.http2.clone(),
            closes: answer.closes,
        }
    });
}

fn steps(stage: &Stage<'_>, case: &Case, client: &mut Client) -> Result<()> {
    for step in &case.steps {
        match step {
            Step::Send(bytes) => client.send_bytes(bytes)?,
            Step::Head(id) => client.until("a head", |seen| {
                seen.status(*id).is_some_and(|status| status >= 200)
            })?,
            Step::End(id) => client.until("an end", |seen| seen.has_ended(*id))?,
            Step::Settings => client.until("settings", |seen| seen.settings_acks > 0)?,
            Step::Origin(count) => {
                let waited = until_origin(stage, case, *count);
                if !stage.may_gather {
                    waited?;
                }
            }
            Step::Whole(count) => until_whole(stage, case, *count)?,
            Step::Finish => client.finish()?,
        }
    }
    Ok(())
}

fn until_origin(stage: &Stage<'_>, case: &Case, count: usize) -> Result<()> {
    if case.is_http2 {
        wait::until("a request at the origin", || {
            (stage.http2.heads() >= count).then_some(())
        })
    } else {
        stage.http1.until_heads(count, stage.patience)
    }
}

fn until_whole(stage: &Stage<'_>, case: &Case, count: usize) -> Result<()> {
    if case.is_http2 {
        wait::until("a whole request at the origin", || {
            (stage.http2.whole() >= count).then_some(())
        })
    } else {
        stage.http1.until_whole(count, stage.patience)
    }
}

/// A request of the runner's own must be answered as ever, whatever the case did on another connection.
fn sentinel(stage: &Stage<'_>, host: &str) -> Result<()> {
    stage.http2.play(Script::default());
    let mut client = Client::connect(stage.address)?;
    client.be_patient_for(stage.patience)?;
    client.hello(&[])?;
    let block = Block::get(host, &format!("{SENTINEL}x"));
    client.send(&Frame::headers(1, END_HEADERS | END_STREAM, block))?;
    client.until("its answer", |seen| seen.has_ended(1))?;
    ensure!(client.seen().status(1) == Some(200), "{:?}", client.seen());
    Ok(())
}

fn arrived(stage: &Stage<'_>, case: &Case) -> Result<(Vec<Arrived>, Vec<String>)> {
    let connections = stage.http1.finish()?;
    let messages: Vec<&Message> = connections.iter().flat_map(|c| &c.messages).collect();
    let mut faults: Vec<String> = messages.iter().flat_map(|m| m.faults.clone()).collect();
    let mut requests = stage.http2.take_requests();
    // What is said late about a stream of the case before is no request.
    requests.retain(|stream| !stream.heads.is_empty());
    faults.extend(stage.http2.take_faults());
    ensure!(
        case.is_http2 || requests.is_empty(),
        "a request for one origin came to the other"
    );
    let own = |arrived: &Arrived| arrived.target.starts_with(SENTINEL.as_bytes());
    let http1 = messages.into_iter().map(from_http1);
    let all = http1.chain(requests.iter().map(from_http2));
    Ok((all.filter(|arrived| !own(arrived)).collect(), faults))
}

fn from_http1(message: &Message) -> Arrived {
    let pair = |field: &bascule_testkit::strict::Field| {
        (field.name.to_ascii_lowercase(), field.value.clone())
    };
    let is_host = |(name, _): &(Vec<u8>, Vec<u8>)| name == b"host";
    let all: Vec<_> = message.fields.iter().map(pair).collect();
    let (hosts, fields): (Vec<_>, Vec<_>) = all.into_iter().partition(is_host);
    Arrived {
        method: message.method().to_vec(),
        target: message.target().to_vec(),
        host: hosts.into_iter().next().map(|(_, value)| value),
        fields,
        body: message.body.clone(),
        trailers: message.trailers.iter().map(pair).collect(),
        is_whole: message.is_whole,
    }
}

fn from_http2(stream: &Stream) -> Arrived {
    let value = |name| stream.field(name).map(<[u8]>::to_vec);
    let head = stream.heads.first().cloned().unwrap_or_default();
    let is_regular = |(name, _): &(Vec<u8>, Vec<u8>)| !name.starts_with(b":");
    Arrived {
        method: value(":method").unwrap_or_default(),
        target: value(":path").unwrap_or_default(),
        host: value(":authority"),
        fields: head.into_iter().filter(is_regular).collect(),
        body: stream.body.clone(),
        trailers: stream.trailers.clone().unwrap_or_default(),
        is_whole: stream.end == Some(End::Whole),
    }
}
