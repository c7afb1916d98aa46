//! The kernel's view of a TCP connection (`TCP_INFO`), and the keepalive options that closewatch sets.

use std::time::Duration;

use nix::{getsockopt_impl, libc, sockopt_impl};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use crate::close::TcpFacts;

/// The part of Linux's `struct tcp_info` up to the last field that is used here (since Linux 4.19).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(unreachable_pub, reason = "the macro below makes a public type of it")]
pub struct RawTcpInfo {
    state: u8,
    _ca_state_retransmits_probes: [u8; 3],
    backoff: u8,
    _options: [u8; 3],
    rto: u32,
    _ato_and_sizes: [u32; 3],
    unacked: u32,
    _sacked_lost_retrans_fackets: [u32; 4],
    _last_data_sent: u32,
    _last_ack_sent: u32,
    _last_data_recv: u32,
    last_ack_recv: u32,
    _pmtu_and_rcv_ssthresh: [u32; 2],
    rtt: u32,
    _window: [u32; 5],
    _rcv_rtt_and_space: [u32; 2],
    total_retrans: u32,
    _rates: [u64; 2],
    bytes_acked: u64,
    _bytes_received: u64,
    _segs: [u32; 2],
    notsent_bytes: u32,
    _min_rtt: u32,
    _data_segs: [u32; 2],
    _delivery_rate_and_limited: [u64; 4],
    _delivered: [u32; 2],
    bytes_sent: u64,
    bytes_retrans: u64,
}

sockopt_impl!(
    /// `TCP_INFO`, read only.
    TcpInfoOption,
    GetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    RawTcpInfo
);

/// `TCP_CLOSE` in the kernel's `tcp_states.h`.
const TCP_CLOSE: u8 = 7;
/// `TCP_CLOSE_WAIT`: the peer's FIN has been received.
const TCP_CLOSE_WAIT: u8 = 8;

/// `TCP_RTO_MAX`: the longest wait of the kernel between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The state of a connection at one look.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct TcpInfo {
    /// Bytes for the peer are not acknowledged, or not even sent.
    pub(in crate::proxy) unacknowledged: bool,
    /// Payload that the kernel was given for the peer, and the acknowledged of it, a SYN and a FIN counted as one byte.
    given: u64,
    acknowledged: u64,
    /// Time since the peer's host last acknowledged anything.
    pub(in crate::proxy) last_ack: Duration,
    /// The kernel's present wait before it resends unacknowledged bytes or probes a closed window. It doubles each time, up to
    /// two minutes.
    pub(in crate::proxy) pause: Duration,
    /// The end that the peer has sent, even if data before it was not read yet.
    pub(in crate::proxy) hung_up: Option<HungUp>,
    /// For the record.
    pub(in crate::proxy) facts: TcpFacts,
}

/// The end of a connection that is not being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum HungUp {
    /// A FIN is waiting behind the data.
    Fin,
    /// Reset, or given up by the kernel.
    Reset,
}

// === impl TcpInfo ===

impl TcpInfo {
    /// Asks the kernel; one system call. `None` if it does not say.
    pub(in crate::proxy) fn look(stream: &TcpStream) -> Option<Self> {
        let info = nix::sys::socket::getsockopt(stream, TcpInfoOption).ok()?;
        Some(Self {
            unacknowledged: info.unacked > 0 || info.notsent_bytes > 0,
            given: info.bytes_sent.saturating_sub(info.bytes_retrans) + u64::from(info.notsent_bytes),
            acknowledged: info.bytes_acked,
            last_ack: Duration::from_millis(info.last_ack_recv.into()),
            pause: info.pause(),
            hung_up: match info.state {
                TCP_CLOSE => Some(HungUp::Reset),
                TCP_CLOSE_WAIT => Some(HungUp::Fin),
                _ => None,
            },
            facts: TcpFacts { rtt: Duration::from_micros(info.rtt.into()), retransmits: info.total_retrans },
        })
    }

    /// Bytes that the peer's host has not acknowledged: still true when the connection is gone, and its queue with it.
    /// `dialled` says that the connection was opened from here: then its SYN is among the acknowledged bytes.
    pub(in crate::proxy) fn outstanding(&self, dialled: bool) -> u64 {
        (self.given + u64::from(dialled)).saturating_sub(self.acknowledged)
    }
}

// === impl RawTcpInfo ===

impl RawTcpInfo {
    fn pause(&self) -> Duration {
        let rto = Duration::from_micros(self.rto.into());
        // Resending doubles the timeout itself, probing only counts how often it would have.
        let doubled = if self.unacked > 0 { 0 } else { u32::from(self.backoff.min(16)) };
        (rto * 2_u32.pow(doubled)).min(LONGEST_PAUSE)
    }
}

/// Sets keepalive, if it is wanted, on a connection that is up: an idle peer whose host is gone is noticed `dead_peer` after
/// its last byte, half of it quiet, then three probes (30 s + 3 × 10 s for 60 s). It may be called late:
/// the kernel counts from that byte.
pub(in crate::proxy) fn keep_alive(stream: &TcpStream, dead_peer: Option<Duration>) {
    let Some(dead_peer) = dead_peer else { return };
    let second = Duration::from_secs(1);
    let (time, interval) = ((dead_peer / 2).max(second), (dead_peer / 6).max(second));
    let keepalive = TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(3);
    // It fails only on a connection that is gone, which the next read reports.
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

/// The number of segments received, acknowledgements included.
#[cfg(test)]
#[expect(clippy::used_underscore_binding, reason = "nothing else reads it")]
pub(in crate::proxy) fn segments_received(stream: &TcpStream) -> u32 {
    let [_sent, received] = nix::sys::socket::getsockopt(stream, TcpInfoOption).unwrap()._segs;
    received
}
