//! Messages from the server only.

use std::io;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::{Client, To, failure};
use crate::frame::{self, CLIENT_CLOSE, SERVER_CLOSE};
use crate::process::Processes;

/// Read at once; large, so that the load costs less than the proxy.
const READ: usize = 256 * 1024;

pub(crate) async fn run(to: &To, proxy: Processes, sessions: usize, size: usize, frames: usize) -> io::Result<()> {
    let mut clients = Vec::new();
    for _ in 0..sessions {
        clients.push(Client::connect(to, "/flood").await?);
    }
    let before = proxy.cpu()?;
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn_local(session(client, size, frames));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let time = began.elapsed().as_secs_f64();
    let cpu = proxy.cpu()?.saturating_sub(before).as_secs_f64();
    let gib = (sessions * frames * size) as f64 / f64::from(1 << 30);
    println!("cpu_s_per_gib {:.4}", cpu / gib);
    println!("gib_per_second {:.3}", gib / time);
    println!("total {}", sessions * frames);
    Ok(())
}

/// Asks for `frames` messages of `size` bytes, and compares every byte of them.
async fn session(mut client: Client, size: usize, frames: usize) -> io::Result<()> {
    let mut order = (size as u64).to_be_bytes().to_vec();
    order.extend_from_slice(&(frames as u64).to_be_bytes());
    client.send(&frame::binary(&order, true)).await?;

    let message = frame::binary(&frame::payload(size), false);
    let mut remaining = message.len() * frames;
    let mut at = 0;
    let mut buffer = vec![0; READ];
    while remaining > 0 {
        let want = remaining.min(READ);
        let mut bytes = match client.read(&mut buffer[..want]).await? {
            0 => return Err(failure("the connection ended within the messages")),
            read => &buffer[..read],
        };
        remaining -= bytes.len();
        while !bytes.is_empty() {
            let here = bytes.len().min(message.len() - at);
            if bytes[..here] != message[at..at + here] {
                return Err(failure("other bytes than were sent"));
            }
            at = (at + here) % message.len();
            bytes = &bytes[here..];
        }
    }
    client.expect(&SERVER_CLOSE, &mut buffer).await?;
    client.send(&CLIENT_CLOSE).await?;
    client.end().await
}
