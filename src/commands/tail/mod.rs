//! `closewatch tail`: the closures of a running instance as they come, one line each.
//!
//! Lines go to standard output, all else to standard error: a pipe gets lines only.

mod feed;
mod summary;
mod target;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use self::feed::{Feed, FeedError, Sent};
use self::summary::Summary;
use self::target::Target;
use super::{FAILURE, USAGE, report, terminal};
use crate::export::Row;

/// Between two attempts to connect again.
const RETRY: Duration = Duration::from_secs(1);

/// The arguments of `tail`.
#[expect(clippy::doc_markdown, reason = "this is the text of --help, which would show the backticks")]
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The operator's address of the instance
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9464")]
    pub admin: Target,

    /// Only these classes: clean, abnormal and so on; may be repeated, as all filters
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    pub class: Vec<String>,

    /// Only these codes, of either side: 1006, 4400-4499, 4xxx, invalid
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub code: Vec<String>,

    /// Only these routes
    #[arg(long, value_name = "ROUTE", value_delimiter = ',')]
    pub route: Vec<String>,

    /// Only these causes, or outcomes of failed upgrades: upstream_reset, dial_failed and so on
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    pub cause: Vec<String>,

    /// Only sessions that these ended: client, upstream, both, proxy
    #[arg(long, value_name = "PEER", value_delimiter = ',')]
    pub initiator: Vec<String>,

    /// Only these clients: an IP address, or a network as in 10.0.0.0/8
    #[arg(long, value_name = "NET", value_delimiter = ',')]
    pub client: Vec<String>,

    /// Only sessions whose end diagnosis puts down to these mechanisms: idle_cut, crash and so on
    #[arg(long, value_name = "HINT", value_delimiter = ',')]
    pub hint: Vec<String>,

    /// Only sessions whose two sides saw different codes
    #[arg(long)]
    pub mismatch: bool,

    /// Begin with this many of the latest
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub last: u32,

    /// The lines of the close log instead of lines for people
    #[arg(long)]
    pub json: bool,
}

/// Reasons to stop.
enum End {
    /// A signal.
    Interrupted,
    /// Nobody reads standard output any more.
    Unread,
    /// The first attempt to connect failed.
    Failed(FeedError),
    /// The system gives no runtime or signal.
    System(io::Error),
}

/// Prints closures until it is interrupted.
pub fn execute(args: &Args) -> ExitCode {
    let mut tail = Tail { args, summary: Summary::new(), last: None };
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_or_else(End::System, |runtime| runtime.block_on(tail.run())) {
        End::Interrupted => {
            // A terminal has just shown the ^C of the keys.
            let line = if io::stderr().is_terminal() { "\n" } else { "" };
            say(&format!("{line}{}", tail.summary));
            ExitCode::SUCCESS
        }
        End::Unread => ExitCode::SUCCESS,
        End::Failed(error) => {
            report(&error);
            ExitCode::from(if matches!(error, FeedError::Query(_)) { USAGE } else { FAILURE })
        }
        End::System(error) => {
            report(&error);
            ExitCode::from(FAILURE)
        }
    }
}

struct Tail<'a> {
    args: &'a Args,
    summary: Summary,
    /// The id of the last event: where the next connection goes on.
    last: Option<String>,
}

// === impl Args ===

impl Args {
    /// The filters as a query string.
    fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let filters = [
            ("class", &self.class),
            ("code", &self.code),
            ("route", &self.route),
            ("cause", &self.cause),
            ("initiator", &self.initiator),
            ("client", &self.client),
            ("hint", &self.hint),
        ];
        for (key, values) in filters {
            query.extend_pairs(values.iter().map(|value| (key, value)));
        }
        if self.mismatch {
            query.append_pair("mismatch", "1");
        }
        query.append_pair("limit", &self.last.to_string());
        query.finish()
    }
}

// === impl Tail ===

impl Tail<'_> {
    async fn run(&mut self) -> End {
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (mut interrupt, mut terminate) = match signals {
            (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
            (Err(error), _) | (_, Err(error)) => return End::System(error),
        };
        tokio::select! {
            _ = interrupt.recv() => End::Interrupted,
            _ = terminate.recv() => End::Interrupted,
            end = self.follow() => end,
        }
    }

    /// Reads one connection after the other.
    async fn follow(&mut self) -> End {
        let query = self.args.query();
        let mut feed = match Feed::open(&self.args.admin, &query, None).await {
            Ok(feed) => feed,
            Err(error) => return End::Failed(error),
        };
        if !self.args.json && io::stdout().is_terminal() && print(&terminal::layout().heading()).is_err() {
            return End::Unread;
        }
        loop {
            let lost = loop {
                match feed.next().await {
                    Ok(sent) => {
                        if self.show(sent).is_err() {
                            return End::Unread;
                        }
                    }
                    Err(error) => break error,
                }
            };
            say(&format!("({lost}; trying again)"));
            feed = self.again(&query).await;
            say("(connected again)");
        }
    }

    /// Tries until there is a connection.
    async fn again(&self, query: &str) -> Feed {
        loop {
            sleep(RETRY).await;
            // The first failure was said, and the next ones are the same.
            if let Ok(feed) = Feed::open(&self.args.admin, query, self.last.as_deref()).await {
                return feed;
            }
        }
    }

    /// Prints what came. Fails if nobody reads it.
    fn show(&mut self, sent: Sent) -> io::Result<()> {
        match sent {
            Sent::Place(id) => self.last = Some(id),
            Sent::Record { id, line } => {
                self.last = id.or_else(|| self.last.take());
                let row = match Row::parse(&line) {
                    Ok(row) => row,
                    Err(error) => {
                        say(&format!("(a line that cannot be shown: {error})"));
                        return Ok(());
                    }
                };
                self.summary.count(row.class());
                if self.args.json {
                    print(&line)?;
                } else {
                    print(&terminal::layout().line(&row))?;
                }
            }
            Sent::Missed(count) => {
                self.summary.missed += count;
                say(&format!("({count} missed: they came too fast, or while there was no connection)"));
            }
            Sent::Sampled { shown, of } => {
                self.summary.left_out += of.saturating_sub(shown);
                say(&format!("({shown} of {of} are shown: too many at once)"));
            }
        }
        Ok(())
    }
}

/// A line on standard output, at once.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// A line on standard error. If that is gone there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", terminal::wrapped(line));
}
