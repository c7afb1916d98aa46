//! Sessions that come up and rest.

use std::io;
use std::rc::Rc;

use tokio::task::JoinSet;

use crate::client::{Client, To};
use crate::frame;

/// Sessions that come up at the same time.
const AT_ONCE: usize = 64;

/// So many sessions, all of them up, each with one message of `size` bytes each way behind it.
pub(crate) async fn gather(to: &To, sessions: usize, size: usize) -> io::Result<Vec<Client>> {
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
        tasks.spawn_local(session(to.clone(), Rc::clone(&messages)));
    }
    while let Some(up) = tasks.join_next().await {
        resting.push(up??);
    }
    Ok(resting)
}

/// Closes them all, at the same time.
pub(crate) async fn close(resting: Vec<Client>) -> io::Result<()> {
    let mut tasks = JoinSet::new();
    for client in resting {
        tasks.spawn_local(client.close());
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn session(to: To, messages: Rc<(Vec<u8>, Vec<u8>)>) -> io::Result<Client> {
    let (request, reply) = &*messages;
    let mut client = Client::connect(&to, "/echo").await?;
    client.send(request).await?;
    client.expect(reply, &mut vec![0; reply.len()]).await?;
    Ok(client)
}
