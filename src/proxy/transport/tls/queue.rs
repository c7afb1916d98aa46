//! Bytes that wait, for a socket or for a reader.

/// Bytes that are taken from the beginning.
#[derive(Default)]
pub(super) struct Queue {
    bytes: Vec<u8>,
    gone: usize,
}

// === impl Queue ===

impl Queue {
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.gone..]
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The first `count` bytes are gone. A queue that is empty holds nothing.
    pub(super) fn advance(&mut self, count: usize) {
        self.gone += count;
        if self.gone == self.bytes.len() {
            *self = Self::default();
        }
    }
}
