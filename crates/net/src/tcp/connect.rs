//! Opening connections to endpoints, within a time.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::prepare;

/// Why a connection was not opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It took longer than allowed.
    #[error("no connection to {address} within {timeout:?}")]
    Timeout {
        /// To where.
        address: SocketAddr,
        /// How long was allowed.
        timeout: Duration,
    },
    /// It was refused, or there is no way there.
    #[error("no connection to {address}")]
    Failed {
        /// To where.
        address: SocketAddr,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
}

/// Opens a connection with `TCP_NODELAY` and keep-alive. Dropping the future gives the attempt up.
///
/// # Errors
/// [`ConnectError`].
pub async fn connect(address: SocketAddr, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let failed = |source| ConnectError::Failed { address, source };
    match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => prepare(&stream).map(|()| stream).map_err(failed),
        Ok(Err(source)) => Err(failed(source)),
        Err(_) => Err(ConnectError::Timeout { address, timeout }),
    }
}
