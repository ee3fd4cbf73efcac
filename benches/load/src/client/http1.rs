//! An HTTP/1.1 client of prebuilt bytes: one request at a time on one connection. It takes only what the origin sends and a
//! proxy must pass on: status 200, `Content-Length`, keep-alive.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Fault, Tally};
use crate::origin::head_end;
use crate::runtime;

/// One read takes at most this; a body is thrown away as it comes.
const READ_BYTES: usize = 256 << 10;

/// A request for a path, as such a client sends it.
#[must_use]
pub fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: meet.example.org\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"
    )
    .into_bytes()
}

/// A connection.
#[derive(Debug)]
pub struct Http1<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    /// On a stream that is connected.
    #[must_use]
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Asks again and again, one request after the other, as long as the tally allows.
    ///
    /// # Errors
    /// The first answer that is not as it should be.
    pub async fn run(&mut self, path: &str, body: usize, tally: &Tally) -> Result<(), Fault> {
        let request = request(path);
        while tally.begin() {
            let began = runtime::now();
            self.stream.write_all(&request).await?;
            self.stream.flush().await?;
            self.answer(body).await?;
            tally.end(began);
        }
        Ok(())
    }

    /// Reads one whole answer.
    async fn answer(&mut self, body: usize) -> Result<(), Fault> {
        let mut filled = 0;
        let head = loop {
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(free).await?;
            if read == 0 {
                return Err(Fault::Cut);
            }
            filled += read;
            let bytes = self.buffer.get(..filled).unwrap_or_default();
            if let Some(end) = head_end(bytes) {
                check(bytes.get(..end).unwrap_or_default(), body)?;
                break end;
            }
        };
        let mut left = (head + body)
            .checked_sub(filled)
            .ok_or(Fault::Unexpected("more came than the answer's length"))?;
        while left > 0 {
            let part = left.min(self.buffer.len());
            let free = self.buffer.get_mut(..part).unwrap_or_default();
            match self.stream.read(free).await? {
                0 => return Err(Fault::Cut),
                read => left -= read,
            }
        }
        Ok(())
    }
}

/// Whether the head is that of the expected answer.
fn check(head: &[u8], body: usize) -> Result<(), Fault> {
    if !head.starts_with(b"HTTP/1.1 200") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        return Err(Fault::Status(String::from_utf8_lossy(line).into_owned()));
    }
    match content_length(head) {
        Some(length) if length == body => Ok(()),
        Some(_) => Err(Fault::Unexpected("another length than the origin's")),
        None => Err(Fault::Unexpected("no Content-Length")),
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length:";
    let mut lines = head.split(|byte| *byte == b'\n');
    let value = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(NAME.len())?;
        name.eq_ignore_ascii_case(NAME).then_some(value)
    })?;
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(bytes: &[u8], body: usize) -> Result<(), Fault> {
        let stream = stream_of(bytes);
        runtime::run(async move { Http1::new(stream).answer(body).await }).unwrap()
    }

    /// A stream that gives these bytes and takes any.
    fn stream_of(bytes: &[u8]) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
        let given = std::io::Cursor::new(bytes.to_vec());
        tokio::io::join(given, tokio::io::sink())
    }

    #[test]
    fn a_whole_answer_is_taken() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc";
        assert!(answered(bytes, 3).is_ok());
    }

    #[test]
    fn a_cut_answer_another_status_and_another_length_are_faults() {
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab";
        assert!(matches!(answered(cut, 3), Err(Fault::Cut)));
        let status = b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nabc";
        assert!(matches!(answered(status, 3), Err(Fault::Status(_))));
        let length = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";
        assert!(matches!(answered(length, 3), Err(Fault::Unexpected(_))));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(matches!(answered(chunked, 3), Err(Fault::Unexpected(_))));
    }

    #[test]
    fn bytes_after_the_answer_are_a_fault() {
        let more = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc";
        assert!(matches!(answered(more, 1), Err(Fault::Unexpected(_))));
    }
}
