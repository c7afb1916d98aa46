//! Sessions that only begin and end.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::Client;
use crate::echo::Round;
use crate::process::Processes;

pub(crate) async fn run(to: SocketAddr, proxy: Processes, sessions: usize, time: Duration) -> io::Result<()> {
    let round = Round::new();
    let mut tasks = JoinSet::new();
    for _ in 0..sessions {
        tasks.spawn_local(clients(to, Rc::clone(&round)));
    }
    let cpu = round.measure(&proxy, time).await?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    round.print(cpu, time);
    Ok(())
}

/// One client after the other.
async fn clients(to: SocketAddr, round: Rc<Round>) -> io::Result<()> {
    while !round.over.get() {
        let began = Instant::now();
        Client::connect(to, "/echo").await?.close().await?;
        round.count(began);
    }
    Ok(())
}
