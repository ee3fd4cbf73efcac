//! A piece of a response on its way to the client, counted until the socket has taken it. The engines hold pieces in
//! queues of their own, out of sight; what they still hold is seen here. It changes no byte.

use std::rc::Rc;

use bytes::{Buf, Bytes};

use crate::http::progress::Progress;

/// A piece of a response.
#[derive(Debug)]
pub(crate) struct Chunk {
    bytes: Bytes,
    of: Option<Rc<Progress>>,
}

impl Chunk {
    /// A small text of ours, which is not counted.
    pub(crate) const fn uncounted(bytes: Bytes) -> Self {
        Self { bytes, of: None }
    }

    /// What a backend sent.
    pub(crate) fn counted(bytes: Bytes, of: Rc<Progress>) -> Self {
        of.hand(bytes.len());
        Self {
            bytes,
            of: Some(of),
        }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(of) = &self.of {
            of.take(count);
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if let Some(of) = self.of.as_ref().filter(|_| !self.bytes.is_empty()) {
            of.take(self.bytes.len());
        }
    }
}
