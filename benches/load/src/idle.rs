//! Memory of sessions that rest.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::client::To;
use crate::crowd;
use crate::process::Processes;

/// From the last message to the look at the memory.
const REST: Duration = Duration::from_millis(1500);

pub(crate) async fn run(to: &To, proxy: Processes, sessions: usize, size: usize) -> io::Result<()> {
    let before = proxy.memory()?;
    let resting = crowd::gather(to, sessions, size).await?;
    sleep(REST).await;
    let after = proxy.memory()?;
    crowd::close(resting).await?;
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1024.0 / sessions as f64;
    println!("rss_kib {:.3}", each(before.rss, after.rss));
    println!("pss_kib {:.3}", each(before.pss, after.pss));
    println!("total {sessions}");
    Ok(())
}
