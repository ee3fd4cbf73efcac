//! An origin that fails requests at every point: with nothing of them read, behind the head, behind the body, and in the
//! middle of the answer; by a reset, a close, a stall and a 503. The number of a request and how often it has come decide
//! which, for all origins that share a [`Record`]: so it is seen when one request comes to two of them. A request has arrived
//! as soon as its head lies in the socket, read or not: whoever sent it cannot know better. It never judges who
//! sends what twice: that is for the test to say.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::attack::origin::{Ill, IllOrigin};

/// Longer than any head that comes here.
const HEAD_MAX: usize = 4096;

/// How far a request gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// It lies in the socket, and nothing of it is read.
    Arrived,
    /// Its head is read.
    Head,
    /// Its body is read too.
    Body,
    /// Half of the answer is sent.
    Answer,
}

/// How it fails there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The connection is reset.
    Resets,
    /// The connection is closed.
    Closes,
    /// Nothing more happens.
    Stalls,
    /// The answer is a 503.
    Unavailable,
}

/// What becomes of a request that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fate {
    /// Where it fails.
    pub point: Point,
    /// How.
    pub way: Way,
}

const fn everywhere(way: Way) -> [Fate; 4] {
    [
        Fate {
            point: Point::Arrived,
            way,
        },
        Fate {
            point: Point::Head,
            way,
        },
        Fate {
            point: Point::Body,
            way,
        },
        Fate {
            point: Point::Answer,
            way,
        },
    ]
}

impl Fate {
    /// All there are.
    #[must_use]
    pub fn all() -> Vec<Self> {
        [Way::Resets, Way::Closes, Way::Stalls, Way::Unavailable]
            .into_iter()
            .flat_map(everywhere)
            .collect()
    }

    /// Whether a proxy can still ask elsewhere without its client's noticing: an answer that is under way cannot be taken
    /// back, but for one that is thrown away for its status.
    #[must_use]
    pub fn can_be_hidden(self) -> bool {
        self.point != Point::Answer || self.way == Way::Unavailable
    }
}

/// What came to the origins that share it: for each `METHOD PATH`, in order, what became of it each time; `None` is well.
#[derive(Debug, Clone, Default)]
pub struct Record(Arc<Mutex<BTreeMap<String, Vec<Option<Fate>>>>>);

impl Record {
    /// All of it.
    #[must_use]
    pub fn arrivals(&self) -> BTreeMap<String, Vec<Option<Fate>>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Starts an origin that writes here.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn origin(&self) -> Result<IllOrigin> {
        IllOrigin::start(Breaking(self.clone()))
    }

    /// Writes down that it came, and decides what becomes of it.
    fn arrived(&self, request: &str) -> Option<Fate> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.entry(request.to_owned()).or_default();
        let fate = decide(request, before);
        before.push(fate);
        fate
    }
}

/// What becomes of a request that came so often before. A POST fails once: a second time it would go well, which is what
/// tempts. A GET may fail twice, but once where it stalls: beside a try that stalls there is one more, and on a slow machine
/// that one may have come first.
fn decide(request: &str, before: &[Option<Fate>]) -> Option<Fate> {
    let number: usize = request.rsplit('/').next()?.parse().ok()?;
    let is_safe = request.starts_with("GET ");
    let mut fates = Fate::all();
    if is_safe {
        fates.retain(|fate| fate.can_be_hidden());
    }
    // One more than there are fates: that one goes well.
    let kinds = fates.len() + 1;
    match before {
        [] => fates.get(number % kinds).copied(),
        [Some(first)] if is_safe && first.way != Way::Stalls => {
            fates.retain(|fate| fate.way != Way::Stalls);
            fates.get(number / kinds % (fates.len() + 1)).copied()
        }
        _ => None,
    }
}

#[derive(Debug)]
struct Breaking(Record);

impl Ill for Breaking {
    fn name(&self) -> &'static str {
        "breaking"
    }

    fn run<'a>(
        &'a self,
        stream: TcpStream,
        said: &'a AtomicU64,
    ) -> LocalBoxFuture<'a, io::Result<()>> {
        Box::pin(self.serve(stream, said))
    }
}

impl Breaking {
    /// One request after the other, until one fails or nobody asks any more.
    async fn serve(&self, mut stream: TcpStream, said: &AtomicU64) -> io::Result<()> {
        stream.set_nodelay(true)?;
        while let Some(head) = arriving(&stream).await? {
            said.fetch_add(1, Ordering::SeqCst);
            let fate = self.0.arrived(&head.request);
            let here = |point| fate.filter(|fate| fate.point == point);
            if let Some(fate) = here(Point::Arrived) {
                return fail(stream, fate).await;
            }
            stream.read_exact(&mut vec![0; head.length]).await?;
            if let Some(fate) = here(Point::Head) {
                return fail(stream, fate).await;
            }
            stream.read_exact(&mut vec![0; head.body]).await?;
            if let Some(fate) = here(Point::Body).or(here(Point::Answer)) {
                return fail(stream, fate).await;
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await?;
        }
        Ok(())
    }
}

/// The head of a request that lies in the socket.
struct Head {
    /// `METHOD PATH`.
    request: String,
    /// Its bytes.
    length: usize,
    /// Bytes of body that follow.
    body: usize,
}

impl Head {
    /// `None`: not all of it is there.
    fn of(there: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(there);
        let (head, _) = text.split_once("\r\n\r\n")?;
        let request: Vec<&str> = head.split(' ').take(2).collect();
        let length_of = |line: &str| {
            let (name, value) = line.split_once(':')?;
            let is_it = name.eq_ignore_ascii_case("content-length");
            is_it.then(|| value.trim().parse().ok()).flatten()
        };
        Some(Self {
            request: request.join(" "),
            length: head.len() + 4,
            body: head.lines().find_map(length_of).unwrap_or(0),
        })
    }
}

/// The next request as it lies in the socket; nothing is read. `None`: the other side has closed.
async fn arriving(stream: &TcpStream) -> io::Result<Option<Head>> {
    let mut bytes = vec![0; HEAD_MAX];
    loop {
        let there = stream.peek(&mut bytes).await?;
        let there = bytes.get(..there).unwrap_or_default();
        if there.is_empty() {
            return Ok(None);
        }
        if let Some(head) = Head::of(there) {
            return Ok(Some(head));
        }
        // The rest of it is on its way.
        tokio::task::yield_now().await;
    }
}

async fn fail(mut stream: TcpStream, fate: Fate) -> io::Result<()> {
    let is_answering = fate.point == Point::Answer;
    let status = match fate.way {
        Way::Unavailable => "503 Service Unavailable",
        _ => "200 OK",
    };
    if is_answering || fate.way == Way::Unavailable {
        // Two bytes come of the two that are said, or of a hundred.
        let length = if is_answering { 100 } else { 2 };
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\nno");
        stream.write_all(head.as_bytes()).await?;
    }
    match fate.way {
        Way::Closes => Ok(()),
        Way::Resets => {
            let at_once = Some(Duration::ZERO);
            Ok(rustix::net::sockopt::set_socket_linger(&stream, at_once)?)
        }
        // Its end is the origin's.
        Way::Stalls => std::future::pending().await,
        Way::Unavailable => {
            // What is not read by the time of the close would be a reset, and undo the answer.
            stream.shutdown().await?;
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await? > 0 {}
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{Method, Request};
    use http_body_util::Full;

    use super::*;
    use crate::client;

    /// The status of a whole answer.
    fn ask(origin: &IllOrigin, method: &Method, number: usize) -> Option<u16> {
        let address = origin.url().strip_prefix("http://")?.parse().ok()?;
        let request = Request::builder()
            .method(method)
            .uri(format!("/{number}"))
            .header("host", "meet")
            .body(Full::new(Bytes::from_static(b"body")));
        let answer = client::send(address, request.ok()?).ok()?;
        Some(answer.status().as_u16())
    }

    #[test]
    fn a_post_fails_once_in_every_way_but_stalls_and_what_came_is_written_down() {
        let record = Record::default();
        let origins = [record.origin().unwrap(), record.origin().unwrap()];
        for (number, fate) in Fate::all().into_iter().enumerate() {
            let expected = match (fate.way, fate.point) {
                (Way::Stalls, _) => continue,
                (Way::Unavailable, Point::Arrived | Point::Head | Point::Body) => Some(503),
                _ => None,
            };
            let [first, second] = &origins;
            assert_eq!(ask(first, &Method::POST, number), expected, "{fate:?}");
            assert_eq!(ask(second, &Method::POST, number), Some(200));
            let came = record.arrivals().remove(&format!("POST /{number}"));
            assert_eq!(came, Some(vec![Some(fate), None]));
        }
        assert_eq!(record.arrivals().len(), 12);
    }

    #[test]
    fn a_get_fails_twice_at_most_and_never_so_that_its_client_must_see_it() {
        for number in 0..1000 {
            let mut before = Vec::new();
            for _ in 0..4 {
                let fate = decide(&format!("GET /get/{number}"), &before);
                assert!(fate.is_none_or(Fate::can_be_hidden));
                before.push(fate);
            }
            assert_eq!(before[2..], [None, None]);
            let stalls = before.iter().flatten().any(|fate| fate.way == Way::Stalls);
            assert!(!stalls || before[1].is_none());
        }
    }
}
