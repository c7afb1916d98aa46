//! `closewatch demo`: see it work, with nothing else installed.
//!
//! An embedded backend and clients, on real sockets with the real data path between them, end their sessions in every way
//! there is. `scenes` says which, `peers` plays them.

mod peers;
mod scenes;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::runtime;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::instance::{Ended, Instance};
use super::{FAILURE, HeldSignals, own_log, report, terminal};
use crate::config::{self, LogLevel, OwnLogFormat};
use crate::export::{Event, JsonStyle, Row};

/// The arguments of `demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Where metrics, closures and live sessions are shown
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    pub admin: SocketAddr,

    /// Where the proxy accepts sessions [default: a free port]
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", hide_default_value = true)]
    pub listen: SocketAddr,

    /// Sessions begun a second
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rate: u16,

    /// Append the close log to this file, for `closewatch report` [default: none is written]
    #[arg(long, value_name = "FILE")]
    pub closes: Option<PathBuf>,

    /// End by itself when every scene was played this many times [default: never]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,
}

/// Runs the demo until it is interrupted.
pub fn execute(args: &Args, held: HeldSignals) -> ExitCode {
    match demo(args, held) {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Hurried) => ExitCode::from(FAILURE),
        Err(error) => {
            report(&*error);
            ExitCode::from(FAILURE)
        }
    }
}

fn demo(args: &Args, held: HeldSignals) -> Result<Ended, Box<dyn std::error::Error>> {
    let _log = own_log::start(LogLevel::Warn, OwnLogFormat::Text, own_log::Wrap::InTerminal)?;
    let backend = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let config = configuration(args, backend.local_addr()?)?;
    let instance = Instance::open(config, None)?;
    let (front, admin) = (instance.front()?, instance.admin());
    let feed = instance.exporter().subscribe();
    introduce(front, admin)?;
    let printer = std::thread::Builder::new().name("printer".to_owned()).spawn(move || print(feed))?;

    let (played, all_played) = tokio::sync::oneshot::channel::<()>();
    let (rate, rounds) = (args.rate, args.rounds);
    std::thread::Builder::new().name("peers".to_owned()).spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(peers::play(backend, front, rate, rounds))?;
        // Nobody listens any more if the instance was interrupted first.
        let _ = played.send(());
        io::Result::Ok(())
    })?;
    let until = async {
        if all_played.await.is_err() {
            // The peers have failed, which is no reason to stop serving.
            std::future::pending::<()>().await;
        }
    };
    let ended = instance.run(held, until)?;
    // The feed ends with the instance; a broken pipe has ended the printer before.
    let _ = printer.join();
    Ok(ended)
}

/// Three routes to one backend, one of them with the codes of a well-known protocol, and limits short enough to be seen.
fn configuration(args: &Args, backend: SocketAddr) -> Result<config::Config, config::Error> {
    let text = format!(
        r#"
        listen = "{listen}"
        admin.listen = "{admin}"
        log.closes = "{closes}"
        timeouts = {{ half_closed = "5s", linger = "2s", idle = "0", drain = "2s", close_reply = "1s" }}
        [[routes]]
        name = "chat"
        path = "/chat"
        upstream = "http://{backend}"
        [[routes]]
        name = "feed"
        path = "/feed"
        idle = "4s"
        upstream = "http://{backend}"
        [[routes]]
        name = "graphql"
        path = "/graphql"
        codes = ["graphql-ws"]
        upstream = "http://{backend}"
        "#,
        listen = args.listen,
        admin = args.admin,
        closes = args.closes.as_deref().unwrap_or(Path::new("off")).display(),
    );
    config::parse(&text, Path::new("demo"))
}

fn introduce(front: SocketAddr, admin: Option<SocketAddr>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "closewatch demo: closewatch between a backend and clients that end in every way")?;
    writeln!(out)?;
    writeln!(out, "  proxy     ws://{front}/chat/echo (connect with your own client)")?;
    if let Some(admin) = admin {
        writeln!(out, "  live page http://{admin}/")?;
        writeln!(out, "  metrics   http://{admin}/metrics")?;
        writeln!(out, "  closures  http://{admin}/closes?class=abnormal")?;
        writeln!(out, "  sessions  http://{admin}/sessions")?;
    }
    writeln!(out)?;
    writeln!(out, "Each line is a session that ended, or an upgrade that failed. [1011/1006]: the")?;
    writeln!(out, "client saw 1011, the upstream 1006; left out where both saw CODE. Ctrl-C drains.")?;
    writeln!(out)?;
    writeln!(out, "{}", terminal::layout().heading())?;
    out.flush()
}

/// Prints one line for each event, until the feed ends.
fn print(mut feed: Receiver<std::sync::Arc<Event>>) {
    let style = JsonStyle::default();
    loop {
        let printed = match feed.blocking_recv() {
            Ok(event) => writeln!(io::stdout(), "{}", terminal::layout().line(&Row::of(&event, &style))),
            Err(RecvError::Lagged(missed)) => writeln!(io::stdout(), "({missed} closures not shown)"),
            Err(RecvError::Closed) => return,
        };
        if printed.is_err() {
            return;
        }
    }
}
