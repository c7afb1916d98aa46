//! Plain requests: what a sidecar passes on beside its sessions.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::failure;
use crate::echo::Round;
use crate::frame;
use crate::process::Processes;

/// The most that an answer's head may take.
const HEAD: usize = 4096;

/// The work that is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// Clients, each with one request at a time.
    pub(crate) clients: usize,
    /// Bytes of an answer's body.
    pub(crate) size: usize,
    /// A new connection for each request.
    pub(crate) anew: bool,
    pub(crate) time: Duration,
}

pub(crate) async fn run(to: SocketAddr, proxy: Processes, load: Load) -> io::Result<()> {
    let round = Round::new();
    let mut tasks = JoinSet::new();
    for _ in 0..load.clients {
        tasks.spawn_local(client(to, load, Rc::clone(&round)));
    }
    let cpu = round.measure(&proxy, load.time).await?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    round.print(cpu, load.time);
    Ok(())
}

async fn client(to: SocketAddr, load: Load, round: Rc<Round>) -> io::Result<()> {
    let connection = if load.anew { "close" } else { "keep-alive" };
    let request = format!(
        "GET /plain/{} HTTP/1.1\r\nHost: {to}\r\nUser-Agent: load\r\nConnection: {connection}\r\n\r\n",
        load.size
    );
    let body = frame::payload(load.size);
    let mut answer = vec![0; HEAD + load.size];
    let mut kept = None;
    while !round.over.get() {
        let began = Instant::now();
        let mut stream = if let Some(stream) = kept.take() {
            stream
        } else {
            let stream = TcpSocket::new_v4()?.connect(to).await?;
            stream.set_nodelay(true)?;
            stream
        };
        stream.write_all(request.as_bytes()).await?;
        expect(&mut stream, &body, &mut answer).await?;
        if load.anew {
            if stream.read(&mut [0; 16]).await? != 0 {
                return Err(failure("bytes behind the answer"));
            }
        } else {
            kept = Some(stream);
        }
        round.count(began);
    }
    Ok(())
}

/// Reads a 200 with `body`, and fails if anything else comes. `answer` has room for all of it.
async fn expect(stream: &mut TcpStream, body: &[u8], answer: &mut [u8]) -> io::Result<()> {
    let mut len = 0;
    loop {
        match stream.read(&mut answer[len..]).await? {
            0 => return Err(failure("the connection ended before the whole answer")),
            more => len += more,
        }
        let read = &answer[..len];
        let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        if !read.starts_with(b"HTTP/1.1 200 ") {
            return Err(failure("not a 200"));
        }
        match read[head + 4..].len().cmp(&body.len()) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal if read[head + 4..] == *body => return Ok(()),
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => {
                return Err(failure("another body than was sent"));
            }
        }
    }
}
