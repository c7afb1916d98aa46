//! The load that closewatch and its peers are measured with: clients and backend speak raw frames, so that they cost little,
//! and check every byte, so that a proxy that loses or alters one fails the run.
//!
//! Every command prints its figures as lines of `name value`.

mod backend;
mod churn;
mod client;
mod crowd;
mod echo;
mod flood;
mod frame;
mod idle;
mod plain;
mod process;
mod refused;
mod relay;
mod scrape;
mod storm;
mod table;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use self::client::To;
use self::process::Processes;

/// How much longer than its measuring a command may take.
const PATIENCE: Duration = Duration::from_mins(1);

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The server behind all proxies: /echo gives every message back, /flood sends what is asked of it, /plain/N answers N bytes,
    /// /refuse is refused, and what is posted is taken as a collector takes telemetry
    Backend {
        listen: SocketAddr,
        /// Speaks TLS with this certificate
        #[arg(long, requires = "key")]
        cert: Option<PathBuf>,
        /// Its key
        #[arg(long, requires = "cert")]
        key: Option<PathBuf>,
    },
    /// Messages back and forth, one in flight a session: CPU time of the proxy and latency
    Echo {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 64)]
        sessions: usize,
        /// Payload bytes of a message
        #[arg(long, default_value_t = 128)]
        size: usize,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
        /// Sessions that rest meanwhile
        #[arg(long, default_value_t = 0)]
        resting: usize,
        /// The admin address, to be asked for /metrics and /sessions once a second
        #[arg(long)]
        scrape: Option<SocketAddr>,
    },
    /// Messages from the server only, as fast as they go: CPU time of the proxy
    Flood {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 8)]
        sessions: usize,
        /// Payload bytes of a message
        #[arg(long, default_value_t = 1024)]
        size: usize,
        /// Payload of all sessions together
        #[arg(long, default_value_t = 1024)]
        mib: usize,
    },
    /// Connect, upgrade, Close 1000, end, and again: CPU time of the proxy
    Churn {
        #[command(flatten)]
        target: Target,
        /// Clients that do so side by side
        #[arg(long, default_value_t = 32)]
        sessions: usize,
        /// Sessions a second, all clients together [default: as many as there can be]
        #[arg(long)]
        rate: Option<f64>,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// Upgrades that are refused, each on a connection of its own: CPU time of the proxy
    Refused {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 32)]
        clients: usize,
        #[arg(long)]
        path: String,
        /// Status of the refusal
        #[arg(long)]
        status: String,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// Plain requests, one in flight a client: CPU time of the proxy and latency
    Plain {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 64)]
        clients: usize,
        /// Bytes of an answer's body
        #[arg(long, default_value_t = 128)]
        size: usize,
        /// A new connection for each request
        #[arg(long)]
        anew: bool,
        #[arg(long, default_value_t = 4.0)]
        seconds: f64,
    },
    /// Sessions that rest after one message each way: memory of the proxy
    Idle {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 2000)]
        sessions: usize,
        /// Payload bytes of that message
        #[arg(long, default_value_t = 4096)]
        size: usize,
    },
    /// Sessions that all end at once: how long until the last has ended, and is in the close log
    Storm {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 9000)]
        sessions: usize,
        /// The close log, a file
        #[arg(long)]
        log: Option<PathBuf>,
    },
    /// The floor: copies bytes between two sockets with epoll and nothing else, no HTTP and no frames
    Relay {
        listen: SocketAddr,
        to: SocketAddr,
        /// Moves them with splice(2) instead of a buffer
        #[arg(long)]
        splice: bool,
    },
    /// A Markdown table of collected results
    Table { results: PathBuf },
}

#[derive(Args)]
struct Target {
    /// The proxy's address
    to: SocketAddr,
    /// The proxy's processes
    #[arg(long)]
    pid: Vec<u32>,
    /// Speaks TLS with it, and trusts the certificates in this file
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Resumes no TLS session
    #[arg(long)]
    anew_tls: bool,
}

impl Target {
    fn proxy(self) -> io::Result<(To, Processes)> {
        let tls = self.ca.map(|ca| tls::client(&ca, self.anew_tls)).transpose()?;
        Ok((To { address: self.to, tls }, Processes(self.pid)))
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    match command {
        Command::Backend { listen, cert, key } => {
            let tls = cert.zip(key).map(|(cert, key)| tls::acceptor(&cert, &key)).transpose()?;
            block_on(None, backend::serve(listen, tls))
        }
        Command::Echo { target, sessions, size, seconds, resting, scrape } => {
            let load = echo::Load { sessions, size, time: Duration::from_secs_f64(seconds), resting, scrape };
            let (to, proxy) = target.proxy()?;
            block_on(Some(load.time), echo::run(&to, proxy, load))
        }
        Command::Flood { target, sessions, size, mib } => {
            let frames = ((mib << 20) / size / sessions).max(1);
            let (to, proxy) = target.proxy()?;
            block_on(Some(Duration::ZERO), flood::run(&to, proxy, sessions, size, frames))
        }
        Command::Churn { target, sessions, rate, seconds } => {
            let time = Duration::from_secs_f64(seconds);
            let (to, proxy) = target.proxy()?;
            block_on(Some(time), churn::run(&to, proxy, sessions, rate, time))
        }
        Command::Refused { target, clients, path, status, seconds } => {
            let load = refused::Load { clients, path, status, time: Duration::from_secs_f64(seconds) };
            let (to, proxy) = target.proxy()?;
            block_on(Some(load.time), refused::run(&to, proxy, load))
        }
        Command::Plain { target, clients, size, anew, seconds } => {
            let load = plain::Load { clients, size, anew, time: Duration::from_secs_f64(seconds) };
            block_on(Some(load.time), plain::run(target.to, Processes(target.pid), load))
        }
        Command::Idle { target, sessions, size } => {
            let (to, proxy) = target.proxy()?;
            block_on(Some(Duration::ZERO), idle::run(&to, proxy, sessions, size))
        }
        Command::Storm { target, sessions, log } => {
            let (to, proxy) = target.proxy()?;
            block_on(Some(Duration::ZERO), storm::run(&to, proxy, sessions, log.as_deref()))
        }
        Command::Relay { listen, to, splice } => relay::run(listen, to, splice),
        Command::Table { results } => table::print(&results),
    }
}

/// Runs a command on one thread; `time` is how long it measures, if it is to come to an end.
fn block_on(time: Option<Duration>, command: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Tasks share what they count without locks.
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        match time {
            None => command.await,
            Some(time) => tokio::time::timeout(time + PATIENCE, command)
                .await
                .unwrap_or_else(|_| Err(io::Error::other("no end in time: bytes or closes were lost"))),
        }
    })
}
