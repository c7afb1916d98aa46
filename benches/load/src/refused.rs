//! Upgrades that are refused, each on a connection of its own.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Client, To};
use crate::echo::Round;
use crate::process::Processes;

/// The work that is asked for.
#[derive(Clone)]
pub(crate) struct Load {
    /// Clients that ask side by side.
    pub(crate) clients: usize,
    pub(crate) path: String,
    /// Status of every answer.
    pub(crate) status: String,
    pub(crate) time: Duration,
}

pub(crate) async fn run(to: &To, proxy: Processes, load: Load) -> io::Result<()> {
    let (round, time) = (Round::new(), load.time);
    let mut tasks = JoinSet::new();
    for _ in 0..load.clients {
        tasks.spawn_local(client(to.clone(), load.clone(), Rc::clone(&round)));
    }
    let cpu = round.measure(&proxy, time).await?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    round.print(cpu, time);
    Ok(())
}

async fn client(to: To, load: Load, round: Rc<Round>) -> io::Result<()> {
    while !round.over.get() {
        let began = Instant::now();
        Client::refused(&to, &load.path, &load.status).await?;
        round.count(began);
    }
    Ok(())
}
