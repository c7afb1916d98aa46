//! Sessions that rest.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::Client;
use crate::frame;
use crate::process::Processes;

/// Sessions that come up at the same time.
const AT_ONCE: usize = 64;
/// From the last message to the look at the memory.
const REST: Duration = Duration::from_millis(1500);

pub(crate) async fn run(to: SocketAddr, proxy: Processes, sessions: usize, size: usize) -> io::Result<()> {
    let before = proxy.memory()?;
    let payload = frame::payload(size);
    let messages = Rc::new((frame::binary(&payload, true), frame::binary(&payload, false)));
    let mut resting = Vec::with_capacity(sessions);
    let mut tasks = JoinSet::new();
    for _ in 0..sessions {
        if tasks.len() == AT_ONCE
            && let Some(up) = tasks.join_next().await
        {
            resting.push(up??);
        }
        tasks.spawn_local(session(to, Rc::clone(&messages)));
    }
    while let Some(up) = tasks.join_next().await {
        resting.push(up??);
    }
    sleep(REST).await;
    let after = proxy.memory()?;
    let mut tasks = JoinSet::new();
    for client in resting {
        tasks.spawn_local(client.close());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let each = |before: u64, after: u64| after.saturating_sub(before) as f64 / 1024.0 / sessions as f64;
    println!("rss_kib {:.3}", each(before.rss, after.rss));
    println!("pss_kib {:.3}", each(before.pss, after.pss));
    println!("total {sessions}");
    Ok(())
}

async fn session(to: SocketAddr, messages: Rc<(Vec<u8>, Vec<u8>)>) -> io::Result<Client> {
    let (request, reply) = &*messages;
    let mut client = Client::connect(to, "/echo").await?;
    client.send(request).await?;
    client.expect(reply, &mut vec![0; reply.len()]).await?;
    Ok(client)
}
