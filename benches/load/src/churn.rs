//! Sessions that only begin and end.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::client::{Client, To};
use crate::echo::Round;
use crate::process::Processes;

pub(crate) async fn run(
    to: &To,
    proxy: Processes,
    sessions: usize,
    rate: Option<f64>,
    time: Duration,
) -> io::Result<()> {
    let round = Round::new();
    let mut tasks = JoinSet::new();
    for _ in 0..sessions {
        let pace = rate.map(|rate| Duration::from_secs_f64(sessions as f64 / rate));
        tasks.spawn_local(clients(to.of_another_client(), Rc::clone(&round), pace));
    }
    let cpu = round.measure(&proxy, time).await?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    round.print(cpu, time);
    Ok(())
}

/// One client after the other, at most one in a `pace`.
async fn clients(to: To, round: Rc<Round>, pace: Option<Duration>) -> io::Result<()> {
    let mut pace = pace.map(interval);
    while !round.over.get() {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        let began = Instant::now();
        Client::connect(&to, "/echo").await?.close().await?;
        round.count(began);
    }
    Ok(())
}
