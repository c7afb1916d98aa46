//! Messages back and forth, one in flight a session.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::client::{Client, To};
use crate::crowd;
use crate::frame;
use crate::process::Processes;
use crate::scrape::Scraper;

/// Before anything is measured: caches, branch predictors and the kernel's buffers come to what they stay at.
pub(crate) const WARM_UP: Duration = Duration::from_millis(300);

/// The state that the sessions share.
pub(crate) struct Round {
    pub(crate) measuring: Cell<bool>,
    pub(crate) over: Cell<bool>,
    /// Of what was begun and ended while measuring, in nanoseconds.
    pub(crate) latency: RefCell<Histogram<u64>>,
    /// All, measured or not.
    pub(crate) total: Cell<u64>,
}

impl Round {
    pub(crate) fn new() -> Rc<Self> {
        let latency = Histogram::new_with_bounds(100, 60_000_000_000, 3).expect("the bounds are in order");
        Rc::new(Self {
            measuring: Cell::new(false),
            over: Cell::new(false),
            latency: RefCell::new(latency),
            total: Cell::new(0),
        })
    }

    /// One unit of work is done.
    pub(crate) fn count(&self, began: Instant) {
        self.total.set(self.total.get() + 1);
        if self.measuring.get() {
            self.latency.borrow_mut().saturating_record(began.elapsed().as_nanos() as u64);
        }
    }

    /// Warms up, measures for `time`, and gives the CPU time of `proxy`.
    pub(crate) async fn measure(&self, proxy: &Processes, time: Duration) -> io::Result<Duration> {
        sleep(WARM_UP).await;
        let before = proxy.cpu()?;
        self.measuring.set(true);
        sleep(time).await;
        self.measuring.set(false);
        let after = proxy.cpu()?;
        self.over.set(true);
        Ok(after.saturating_sub(before))
    }

    /// Prints what was measured.
    pub(crate) fn print(&self, cpu: Duration, time: Duration) {
        let latency = self.latency.borrow();
        let microseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        println!("cpu_us {:.3}", cpu.as_secs_f64() * 1e6 / latency.len() as f64);
        println!("per_second {:.0}", latency.len() as f64 / time.as_secs_f64());
        println!("p50_us {:.1}", microseconds(0.5));
        println!("p99_us {:.1}", microseconds(0.99));
        println!("total {}", self.total.get());
    }
}

/// The work that is asked for.
pub(crate) struct Load {
    /// Sessions with one message in flight each.
    pub(crate) sessions: usize,
    /// Payload bytes of a message.
    pub(crate) size: usize,
    pub(crate) time: Duration,
    /// Sessions that rest.
    pub(crate) resting: usize,
    /// The admin address, if it is scraped meanwhile.
    pub(crate) scrape: Option<SocketAddr>,
}

pub(crate) async fn run(to: &To, proxy: Processes, load: Load) -> io::Result<()> {
    let resting = crowd::gather(to, load.resting, load.size).await?;
    let round = Round::new();
    let mut tasks = JoinSet::new();
    for _ in 0..load.sessions {
        let client = Client::connect(to, "/echo").await?;
        tasks.spawn_local(session(client, load.size, Rc::clone(&round)));
    }
    let scraper = load.scrape.map(Scraper::start);
    let cpu = round.measure(&proxy, load.time).await?;
    if let Some(scraper) = scraper {
        scraper.stop()?;
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    crowd::close(resting).await?;
    round.print(cpu, load.time);
    Ok(())
}

async fn session(mut client: Client, size: usize, round: Rc<Round>) -> io::Result<()> {
    let payload = frame::payload(size);
    let mut request = frame::binary(&payload, true);
    let mut reply = frame::binary(&payload, false);
    let mut buffer = vec![0; reply.len()];
    let mut number = 0_u64;
    while !round.over.get() {
        // A number at the end of each message: an old one that came again would be noticed.
        number += 1;
        for message in [&mut request, &mut reply] {
            let at = message.len() - size_of::<u64>();
            message[at..].copy_from_slice(&number.to_be_bytes());
        }
        let began = Instant::now();
        client.send(&request).await?;
        client.expect(&reply, &mut buffer).await?;
        round.count(began);
    }
    client.close().await
}
