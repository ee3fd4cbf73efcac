//! One measurement: the edge under callgrind, its clients and origins outside, so that only the edge is counted. It runs
//! twice, the second time with more requests; the difference belongs to those requests alone, since starting and stopping
//! are in both. One request at a time: how many a busy worker finds ready at once is chance, and would be in the count.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use bascule_load::client::Tally;
use bascule_load::client::http1::Http1;
use bascule_load::client::http2::{Http2, Scheme};
use bascule_load::client::tls::connect;
use bascule_load::origin::{Origin, SMALL};
use bascule_load::runtime;

use crate::callgrind::Profile;
use crate::machine;

/// Requests of the shorter run: pools, tables and caches are warm after it.
const WARM: u64 = 300;
/// Requests more in the longer run. A multiple of 100, so that the access log's sample is the same in each.
const COUNTED: u64 = 2000;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// HTTP/1.1, one connection.
    Http1,
    /// HTTP/2 by prior knowledge, one connection; the origin speaks HTTP/1.1.
    Http2,
}

impl Clients {
    /// In the order of the report.
    pub(crate) const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    /// Its name in the record.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::Http2 => "http2",
        }
    }

    async fn ask(self, edge: SocketAddr, requests: u64) -> Result<()> {
        let (path, body) = SMALL;
        let tally = Tally::of(requests);
        let stream = connect(edge).await?;
        let asked = match self {
            Self::Http1 => Http1::new(stream).run(path, body, &tally).await,
            Self::Http2 => {
                Http2::new(stream, Scheme::Http)
                    .run(path, body, 1, &tally)
                    .await
            }
        };
        asked.map_err(|fault| anyhow!("after {} requests: {fault}", tally.done()))
    }
}

/// What came out.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Instructions per request.
    pub(crate) per_request: u64,
    /// The same by function, the most first.
    pub(crate) functions: Vec<(String, u64)>,
}

/// Measures once. Callgrind's files stay in the folder `keep`, if there is one.
pub(crate) fn measure(clients: Clients, keep: Option<&Path>) -> Result<Measured> {
    let directory = tempfile::tempdir()?;
    let folder = keep.unwrap_or(directory.path());
    let file = |length: &str| folder.join(format!("callgrind.out.{}-{length}", clients.name()));
    let short = run(clients, WARM, &file("short"))?;
    let long = run(clients, WARM + COUNTED, &file("long"))?;
    let more = long.total.checked_sub(short.total);
    let more = more.context("more requests took fewer instructions")?;
    let functions = long.beyond(&short).into_iter();
    Ok(Measured {
        per_request: more / COUNTED,
        functions: functions
            .map(|(name, own)| (name.to_owned(), own / COUNTED))
            .collect(),
    })
}

/// Runs the edge for so many requests.
fn run(clients: Clients, requests: u64, file: &Path) -> Result<Profile> {
    let asked = async {
        let origins = [Origin::start()?.address(), Origin::start()?.address()];
        let mut edge = start(file, origins)?;
        let asked = clients.ask(edge.address, requests).await;
        // The end of its standard input stops it, well or not.
        drop(edge.child.stdin.take());
        let status = edge.child.wait()?;
        asked?;
        if !status.success() {
            bail!("the edge under callgrind ended with {status}");
        }
        Ok(())
    };
    runtime::run(asked)??;
    Profile::read(&std::fs::read_to_string(file).context("callgrind wrote nothing")?)
}

struct Edge {
    child: Child,
    address: SocketAddr,
}

fn start(file: &Path, origins: [SocketAddr; 2]) -> Result<Edge> {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind", "--dump-line=no"])
        .args(["--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", file.display()))
        .arg(std::env::current_exe()?)
        .arg("edge")
        .args(origins.map(|origin| origin.to_string()))
        .env("GLIBC_TUNABLES", machine::TUNABLES)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .context("valgrind (Debian package valgrind)")?;
    let mut line = String::new();
    let out = child.stdout.take().context("its output is piped")?;
    BufReader::new(out).read_line(&mut line)?;
    let address = line.trim().parse();
    match address {
        Ok(address) => Ok(Edge { child, address }),
        Err(_) => {
            drop(child.stdin.take());
            bail!(
                "the edge under callgrind said no address: {}",
                child.wait()?
            )
        }
    }
}
