//! A question to the agent beside an endpoint: connects, reads one line, closes. What it means is `health`'s. It must never
//! read more than a line's worth, or take longer than it is given; that it cannot be reached is no failure of anybody.

use std::net::SocketAddr;
use std::time::Duration;

use bascule_health::AgentLine;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The longest line: an agent says a few words, and a text that is cut to 120 characters anyway.
const LINE_BYTES_MAX: usize = 512;

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A line that says something.
    Heard(AgentLine),
    /// Something else.
    Garbage,
    /// Nothing, or nothing whole in time.
    Unreached,
}

impl Answer {
    /// The word of the metric.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Heard(_) => "heard",
            Self::Garbage => "garbage",
            Self::Unreached => "unreached",
        }
    }

    pub(crate) fn line(self) -> Option<AgentLine> {
        match self {
            Self::Heard(line) => Some(line),
            Self::Garbage | Self::Unreached => None,
        }
    }
}

/// Asks an agent.
pub(crate) async fn ask(address: SocketAddr, timeout: Duration) -> Answer {
    let Ok(Some(bytes)) = tokio::time::timeout(timeout, read(address)).await else {
        return Answer::Unreached;
    };
    match AgentLine::read(&bytes) {
        Some(line) => Answer::Heard(line),
        None => Answer::Garbage,
    }
}

/// A line, or all that came of one; `None` when the connection failed.
async fn read(address: SocketAddr) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let mut line = [0; LINE_BYTES_MAX];
    let mut length = 0;
    loop {
        let space = line.get_mut(length..).unwrap_or_default();
        let count = stream.read(space).await.ok()?;
        length += count;
        let read = line.get(..length).unwrap_or_default();
        // A space of nothing is a line that does not end: garbage, unless its words are all there, which nobody can know.
        let is_full = length == LINE_BYTES_MAX;
        if read.contains(&b'\n') || (count == 0 && !is_full) {
            return Some(read.to_vec());
        }
        if is_full {
            return Some(Vec::new());
        }
    }
}

#[cfg(test)]
mod tests {
    use bascule_telemetry::spawn;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// An agent that says this, and then closes, stays, or goes on for ever.
    async fn agent(says: &'static [u8], then: Then) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            drop(stream.write_all(says).await);
            match then {
                Then::Close => drop(stream.shutdown().await),
                Then::Stay => std::future::pending().await,
                Then::Repeat => while stream.write_all(says).await.is_ok() {},
            }
        };
        spawn::send("agent", serve).detach();
        address
    }

    #[derive(Clone, Copy)]
    enum Then {
        Close,
        Stay,
        Repeat,
    }

    #[tokio::test]
    async fn a_line_is_heard_whether_the_agent_closes_or_stays() {
        for (says, then) in [
            (&b"drain 50% #later\n"[..], Then::Stay),
            (b"drain 50% #later\r\n", Then::Close),
            (b"drain 50% #later", Then::Close),
        ] {
            let address = agent(says, then).await;
            let line = ask(address, LONG).await.line();
            let text = line.map(|line| line.text);
            assert_eq!(text.as_deref(), Some("later"), "{says:?}");
        }
    }

    #[tokio::test]
    async fn what_says_nothing_is_unreached_and_what_makes_no_sense_is_garbage() {
        let silent = agent(b"", Then::Stay).await;
        let short = Duration::from_millis(50);
        assert_eq!(ask(silent, short).await, Answer::Unreached);
        let half = agent(b"dra", Then::Stay).await;
        assert_eq!(ask(half, short).await, Answer::Unreached);
        let closing = agent(b"", Then::Close).await;
        assert_eq!(ask(closing, LONG).await, Answer::Garbage);
        let endless = agent(b"up up up up up up up up up ", Then::Repeat).await;
        assert_eq!(ask(endless, LONG).await, Answer::Garbage);
        let web = agent(b"HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close).await;
        assert_eq!(ask(web, LONG).await, Answer::Garbage);
    }
}
