//! Two hundred sessions in the middle of large message streams, each end of which reads what it is given.

use std::io;

use closewatch::wire::Peer;
use rustix::process::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::instance::{Output, PATIENCE, Running};
use crate::rig::{REQUEST, SWITCH, binary, close, continuation};

const SESSIONS: usize = 200;

/// The payload of each frame of a message.
const PART: usize = 50_000;

/// A message in three frames: far more than one read or write moves.
fn message(from: Peer) -> Vec<u8> {
    let part = vec![0x5a; PART];
    [binary(&part).unfinished(), continuation(&part).unfinished(), continuation(&part)]
        .iter()
        .flat_map(|frame| frame.bytes(from))
        .collect()
}

/// Everything that a peer was given before the end of its connection.
#[derive(Debug, PartialEq, Eq)]
struct Given {
    /// The code of each Close, in order.
    closes: Vec<u16>,
    /// Frames behind the first.
    frames_behind: usize,
    /// The Close came in the middle of a message.
    mid_message: bool,
    /// Every frame was masked, or none, as it is sent by whom it seems to come from.
    masked_right: bool,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Fin,
    /// FIN or reset inside a frame.
    Torn(io::ErrorKind),
}

/// How far a stream towards a peer has come.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    messages: usize,
    closed: bool,
}

/// Reads frames until the connection ends.
async fn listen(role: Peer, from: OwnedReadHalf, heard: &watch::Sender<Heard>) -> Given {
    let mut from = BufReader::with_capacity(64 * 1024, from);
    let mut given =
        Given { closes: Vec::new(), frames_behind: 0, mid_message: false, masked_right: true, end: End::Fin };
    let mut inside = false;
    loop {
        match from.read_u8().await {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return given,
            Err(error) => return Given { end: End::Torn(error.kind()), ..given },
            Ok(first) => {
                let payload = match frame(role, &mut from).await {
                    Ok((payload, masked)) => {
                        given.masked_right &= masked == (role == Peer::Upstream);
                        payload
                    }
                    Err(error) => return Given { end: End::Torn(error.kind()), ..given },
                };
                given.frames_behind += usize::from(!given.closes.is_empty());
                match first {
                    0x88 => {
                        given.mid_message |= inside;
                        given.closes.push(u16::from_be_bytes([payload[0], payload[1]]));
                        heard.send_modify(|heard| heard.closed = true);
                    }
                    0x02 | 0x00 => inside = true,
                    0x80 => {
                        inside = false;
                        heard.send_modify(|heard| heard.messages += 1);
                    }
                    other => panic!("a frame that nobody sends: {other:#x}"),
                }
            }
        }
    }
}

/// The rest of a frame: its payload, unmasked if it is short, and whether it was masked.
async fn frame(role: Peer, from: &mut BufReader<OwnedReadHalf>) -> io::Result<(Vec<u8>, bool)> {
    let second = from.read_u8().await?;
    let len = match second & 0x7f {
        126 => from.read_u16().await?.into(),
        127 => usize::try_from(from.read_u64().await?).unwrap(),
        len => len.into(),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        from.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; len];
    from.read_exact(&mut payload).await?;
    // The first bytes of a large one tell as much as all of them, in a fraction of the time.
    payload.iter_mut().zip(mask.iter().cycle()).take(125).for_each(|(byte, key)| *byte ^= key);
    if len == PART {
        assert!(payload[..125].iter().all(|byte| *byte == 0x5a), "{role:?} was given other bytes");
    }
    Ok((payload, second & 0x80 != 0))
}

/// Sends whole messages until a Close has come, then answers it and hangs up. One for each that it is given, so that there
/// is always one on its way, and never so many that they hold up the Close.
async fn talk(role: Peer, mut to: OwnedWriteHalf, mut heard: watch::Receiver<Heard>) {
    let message = message(role);
    let mut sent = 0;
    while !heard.wait_for(|heard| heard.closed || heard.messages >= sent).await.unwrap().closed {
        // Its end is told by the other half.
        if to.write_all(&message).await.is_err() {
            return;
        }
        sent += 1;
    }
    let _ = to.write_all(&close(1001, "").bytes(role)).await;
    let _ = to.shutdown().await;
}

/// One end of a session, until it is over.
async fn end_of_session(role: Peer, stream: TcpStream, heard: watch::Sender<Heard>) -> Given {
    stream.set_nodelay(true).unwrap();
    let (from, to) = stream.into_split();
    tokio::join!(listen(role, from, &heard), talk(role, to, heard.subscribe())).0
}

async fn open(running: &Running) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(running.proxy).await.unwrap();
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let (mut upstream, _) = running.upstream.accept().await.unwrap();
    head(&mut upstream).await;
    upstream.write_all(SWITCH.as_bytes()).await.unwrap();
    head(&mut client).await;
    (client, upstream)
}

async fn head(from: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(from.read_u8().await.unwrap());
    }
}

#[tokio::test]
async fn a_drain_ends_live_streams_at_boundaries_and_each_once() {
    let config = "timeouts.drain = \"0\"\ntimeouts.drain_jitter = \"1s\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    let mut opened = Vec::new();
    for _ in 0..SESSIONS - 1 {
        opened.push(open(&running).await);
    }
    let (mut flows, mut ends) = (Vec::new(), JoinSet::new());
    for (client, upstream) in opened {
        for (role, stream) in [(Peer::Client, client), (Peer::Upstream, upstream)] {
            let (heard, flowing) = watch::channel(Heard::default());
            flows.push(flowing);
            ends.spawn(end_of_session(role, stream, heard));
        }
    }
    // One client that stops inside a frame, for ever.
    let (mut stuck_client, mut stuck_upstream) = running.session().await;
    let begun = &message(Peer::Client)[..10_000];
    stuck_client.send(begun).await;
    stuck_upstream.expect(begun).await;

    for flow in &mut flows {
        timeout(PATIENCE, flow.wait_for(|heard| heard.messages > 0)).await.unwrap().unwrap();
    }
    running.child.signal(Signal::TERM);

    stuck_client.hear_own_close(1001, "").await;
    // It cannot answer inside a frame, but need not be waited for.
    stuck_client.fin().await;
    stuck_upstream.expect_reset().await;
    let expected =
        Given { closes: vec![1001], frames_behind: 0, mid_message: false, masked_right: true, end: End::Fin };
    let mut wrong = Vec::new();
    while let Some(given) = ends.join_next().await {
        let given = given.unwrap();
        if given != expected {
            wrong.push(given);
        }
    }
    assert!(wrong.is_empty(), "{} of {} ends: {wrong:#?}", wrong.len(), 2 * (SESSIONS - 1));
    let mut sessions = std::collections::BTreeSet::new();
    for _ in 0..SESSIONS {
        let record = running.record().await;
        assert_eq!((&record["cause"], &record["initiator"]), (&"drain".into(), &"proxy".into()), "{record}");
        assert_eq!((&record["class"], &record["code"]), (&"planned".into(), &1001.into()), "{record}");
        sessions.insert(record["session"].as_str().unwrap().to_owned());
    }
    assert_eq!(sessions.len(), SESSIONS);
    assert_eq!(running.child.exit_code().await, Some(0));
    assert_eq!(running.child.line().await, None, "200 records and no more");
}
