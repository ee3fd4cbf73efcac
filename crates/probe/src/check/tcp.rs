//! A check over bare TCP or TLS: says something if there is something to say, reads until the expected text has come, and
//! closes. It must never wait for an answer that nobody asked for.

use bascule_health::CheckFailure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::answer::Answer;
use super::{Stream, broken};

/// How much of an answer is read until the text has come. A greeting or the answer to a ping is a line; a stream that has
/// nothing to say within this is another service.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Read at a time.
const PIECE_BYTES: usize = 1024;

pub(super) async fn ask<S: Stream>(
    mut stream: S,
    send: Option<&str>,
    expect: Option<&str>,
) -> Result<(), CheckFailure> {
    if let Some(send) = send {
        let sent = stream.write_all(send.as_bytes()).await;
        sent.map_err(|error| broken(Some(&error)))?;
        let flushed = stream.flush().await;
        flushed.map_err(|error| broken(Some(&error)))?;
    }
    if let Some(expect) = expect {
        read(&mut stream, Answer::new(Some(expect), ANSWER_BYTES_MAX)).await?;
    }
    // A farewell, so that the endpoint logs no broken connection; the check has passed whether it arrives or not.
    drop(stream.shutdown().await);
    Ok(())
}

async fn read<S: Stream>(stream: &mut S, mut answer: Answer<'_>) -> Result<(), CheckFailure> {
    let mut piece = [0; PIECE_BYTES];
    while !answer.is_complete() {
        let read = stream.read(&mut piece).await;
        let length = read.map_err(|error| broken(Some(&error)))?;
        if length == 0 {
            return answer.end();
        }
        answer.take(piece.get(..length).unwrap_or_default())?;
    }
    Ok(())
}
