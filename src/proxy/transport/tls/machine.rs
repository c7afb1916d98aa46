//! The protocol of one connection without its socket: ciphertext in, plaintext out, and the other way round.
//!
//! It uses rustls's unbuffered connections: the buffered ones keep 4 KiB for each idle connection, and an idle session must
//! hold no buffer.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{ClientConfig, Error, ProtocolVersion, ServerConfig};

use crate::close::TlsVersion;
use crate::wire::Peer;

/// The most bytes that the records of one write take beyond its plaintext, a key update included.
pub(super) const OVERHEAD: usize = 4 * 1024;

/// One end of a TLS connection.
pub(super) enum Machine {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// The result of processing some ciphertext.
#[derive(Debug, Default)]
pub(super) struct Processed {
    /// Number of its bytes that are done with; the rest has to be given again, in front of the bytes that follow.
    pub(super) used: usize,
    /// The peer has said close_notify: nothing more comes of it.
    pub(super) peer_closed: bool,
    /// The handshake is over.
    pub(super) open: bool,
    /// The connection has failed. Plaintext that was decrypted before is valid.
    pub(super) error: Option<Error>,
}

enum Step {
    /// Something was done, there may be more.
    On,
    PeerClosed,
    /// Nothing can be done without more ciphertext.
    Rest,
}

// === impl Machine ===

impl Machine {
    pub(super) fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, Error> {
        UnbufferedClientConnection::new(config, name).map(Self::Client)
    }

    pub(super) fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        UnbufferedServerConnection::new(config).map(Self::Server)
    }

    /// The peer at the other end of the connection.
    pub(super) const fn peer(&self) -> Peer {
        match self {
            Self::Client(_) => Peer::Upstream,
            Self::Server(_) => Peer::Client,
        }
    }

    /// The version that was agreed on: known from the server's first answer on.
    pub(super) fn version(&self) -> Option<TlsVersion> {
        let agreed = match self {
            Self::Client(machine) => machine.protocol_version(),
            Self::Server(machine) => machine.protocol_version(),
        };
        // rustls speaks no other.
        match agreed {
            Some(ProtocolVersion::TLSv1_3) => Some(TlsVersion::Tls13),
            Some(ProtocolVersion::TLSv1_2) => Some(TlsVersion::Tls12),
            Some(_) | None => None,
        }
    }

    /// Takes `input`: gives the plaintext to `plain`, and appends what is to be sent for it to `out`.
    pub(super) fn process(&mut self, input: &mut [u8], plain: &mut dyn FnMut(&[u8]), out: &mut Vec<u8>) -> Processed {
        let mut processed = Processed::default();
        loop {
            let input = &mut input[processed.used..];
            let (used, step) = match self {
                Self::Client(machine) => step(machine.process_tls_records(input), plain, out),
                Self::Server(machine) => step(machine.process_tls_records(input), plain, out),
            };
            processed.used += used;
            match step {
                Ok(Step::On) => {}
                Ok(Step::PeerClosed) => processed.peer_closed = true,
                Ok(Step::Rest) => break,
                Err(error) => drop(processed.error.get_or_insert(error)),
            }
            // After an error only its alert is sent; the record that caused it is not processed again.
            if processed.error.is_some() && !self.owes_output() {
                break;
            }
        }
        processed.open = self.is_open();
        processed
    }

    /// Encrypts `bytes`, and appends the records to `out`. `partial` is what the last [`Machine::process`] left.
    pub(super) fn encrypt(&mut self, bytes: &[u8], partial: &mut [u8], out: &mut Vec<u8>) -> Result<(), EncryptError> {
        let at = out.len();
        out.resize(at + bytes.len() + OVERHEAD, 0);
        let written = match self {
            Self::Client(machine) => encrypt(machine.process_tls_records(partial), bytes, &mut out[at..]),
            Self::Server(machine) => encrypt(machine.process_tls_records(partial), bytes, &mut out[at..]),
        };
        out.truncate(at + *written.as_ref().unwrap_or(&0));
        written.map(drop)
    }

    /// Appends close_notify to `out`, if it can still be said.
    pub(super) fn close(&mut self, partial: &mut [u8], out: &mut Vec<u8>) {
        let at = out.len();
        out.resize(at + OVERHEAD, 0);
        let written = match self {
            Self::Client(machine) => close(machine.process_tls_records(partial), &mut out[at..]),
            Self::Server(machine) => close(machine.process_tls_records(partial), &mut out[at..]),
        };
        out.truncate(at + written);
    }

    fn is_open(&self) -> bool {
        match self {
            Self::Client(machine) => !machine.is_handshaking(),
            Self::Server(machine) => !machine.is_handshaking(),
        }
    }

    fn owes_output(&self) -> bool {
        match self {
            Self::Client(machine) => machine.wants_write(),
            Self::Server(machine) => machine.wants_write(),
        }
    }
}

fn step<Data>(
    status: UnbufferedStatus<'_, '_, Data>,
    plain: &mut dyn FnMut(&[u8]),
    out: &mut Vec<u8>,
) -> (usize, Result<Step, Error>) {
    let UnbufferedStatus { mut discard, state, .. } = status;
    let step = match state {
        Err(error) => Err(error),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => loop {
            match traffic.next_record() {
                None => break Ok(Step::On),
                Some(Ok(record)) => {
                    discard += record.discard;
                    plain(record.payload);
                }
                Some(Err(error)) => break Err(error),
            }
        },
        Ok(ConnectionState::EncodeTlsData(mut data)) => loop {
            let at = out.len();
            out.resize(out.capacity().max(at + 1024), 0);
            match data.encode(&mut out[at..]) {
                Ok(written) => {
                    out.truncate(at + written);
                    break Ok(Step::On);
                }
                Err(EncodeError::InsufficientSize(needed)) => {
                    out.truncate(at);
                    out.reserve(needed.required_size);
                }
                Err(error @ EncodeError::AlreadyEncoded) => break Err(Error::General(error.to_string())),
            }
        },
        // Encoded records are sent in their turn, when the socket takes them.
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Ok(Step::On)
        }
        Ok(ConnectionState::PeerClosed) => Ok(Step::PeerClosed),
        Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed) => {
            Ok(Step::Rest)
        }
        // Early data is never agreed to.
        Ok(other) => Err(Error::General(format!("an unexpected state: {other:?}"))),
    };
    (discard, step)
}

fn encrypt<Data>(status: UnbufferedStatus<'_, '_, Data>, bytes: &[u8], out: &mut [u8]) -> Result<usize, EncryptError> {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.encrypt(bytes, out),
        _ => Err(EncryptError::EncryptExhausted),
    }
}

fn close<Data>(status: UnbufferedStatus<'_, '_, Data>, out: &mut [u8]) -> usize {
    match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(out).unwrap_or(0),
        _ => 0,
    }
}
