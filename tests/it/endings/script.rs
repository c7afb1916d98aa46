//! A script of one session: the steps of its peers, and its record in one line.

use closewatch::wire::Peer;

use crate::rig::{Frame, RawPeer, Rig, line};

/// One thing that happens. Unless it says otherwise, the next step waits until the other peer was given it, so that the
/// order of events at closewatch is the order of the steps.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A peer sends a frame.
    Says(Peer, Frame),
    /// A peer sends several frames in one write.
    SaysTogether(Peer, Vec<Frame>),
    /// A peer sends a frame in writes of one byte, each of which arrives before the next is sent.
    Spells(Peer, Frame),
    /// A peer sends bytes that are no frame.
    Sends(Peer, Vec<u8>),
    /// The client and the upstream each send a frame, both readable before closewatch looks at either.
    Cross { client: Frame, upstream: Frame },
    /// A peer sends a frame and its FIN at once.
    SaysAndHangsUp(Peer, Frame),
    /// A peer sends FIN.
    HangsUp(Peer),
    /// A peer sends FIN without close_notify; the other is told so, if its leg has TLS.
    CutsOff(Peer),
    /// A peer says close_notify, and leaves the connection open.
    Notifies(Peer),
    /// A peer ends its TLS with a fatal alert, and the other is reset for it.
    Alerts(Peer),
    /// A peer sends a frame and a fatal alert at once.
    SaysAndAlerts(Peer, Frame),
    /// A peer sends a frame and resets at once.
    SaysAndResets(Peer, Frame),
    /// A peer resets, and the other is reset for it.
    Resets(Peer),
    /// A peer was sent a FIN by closewatch itself.
    IsLeft(Peer),
}

/// A session's script, and the line that its record must come to.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: String,
}

pub(crate) fn case(name: &str, steps: impl Into<Vec<Step>>, expected: &str) -> Case {
    Case { name: name.to_owned(), steps: steps.into(), expected: expected.to_owned() }
}

/// Both peers hang up, the upstream first, as RFC 6455 §7.1.1 has it.
pub(crate) fn both_hang_up() -> [Step; 2] {
    [Step::HangsUp(Peer::Upstream), Step::HangsUp(Peer::Client)]
}

/// Plays every case through one proxy, and fails with all that went wrong.
pub(crate) async fn play(mut rig: Rig, cases: impl IntoIterator<Item = Case>) {
    let mut wrong = Vec::new();
    let mut played = 0;
    for Case { name, steps, expected } in cases {
        let (mut client, mut upstream) = rig.session().await;
        for step in steps {
            act(step, &mut client, &mut upstream).await;
        }
        let line = line(&rig.record().await);
        if line != expected {
            wrong.push(format!("{name}\n  expected {expected}\n  was      {line}"));
        }
        played += 1;
    }
    assert!(played > 0, "a table without rows");
    assert!(wrong.is_empty(), "{} of {played} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
    rig.done().await;
}

async fn act(step: Step, client: &mut RawPeer, upstream: &mut RawPeer) {
    match step {
        Step::Says(peer, frame) => {
            let (from, to) = pair(peer, client, upstream);
            from.say(&frame).await;
            to.hear(&frame).await;
        }
        Step::SaysTogether(peer, frames) => {
            let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes(peer)).collect();
            let (from, to) = pair(peer, client, upstream);
            from.send(&bytes).await;
            to.expect(&bytes).await;
        }
        Step::Spells(peer, frame) => {
            let (from, to) = pair(peer, client, upstream);
            for byte in frame.bytes(peer) {
                from.send(&[byte]).await;
                to.expect(&[byte]).await;
            }
        }
        Step::Sends(peer, bytes) => {
            let (from, to) = pair(peer, client, upstream);
            from.send(&bytes).await;
            to.expect(&bytes).await;
        }
        Step::Cross { client: from_client, upstream: from_upstream } => {
            client.send_at_once(&from_client.bytes(Peer::Client));
            upstream.send_at_once(&from_upstream.bytes(Peer::Upstream));
            upstream.hear(&from_client).await;
            client.hear(&from_upstream).await;
        }
        Step::SaysAndHangsUp(peer, frame) => {
            let (from, to) = pair(peer, client, upstream);
            from.send_at_once(&frame.bytes(peer));
            from.fin().await;
            to.hear(&frame).await;
            to.expect_fin().await;
        }
        Step::SaysAndResets(peer, frame) => {
            let (from, to) = pair(peer, client, upstream);
            from.send_at_once(&frame.bytes(peer));
            from.reset();
            to.hear(&frame).await;
            to.expect_reset().await;
        }
        Step::HangsUp(peer) => {
            let (from, to) = pair(peer, client, upstream);
            from.fin().await;
            to.expect_fin().await;
        }
        Step::CutsOff(peer) => {
            let (from, to) = pair(peer, client, upstream);
            from.cut_off();
            if from.has_tls() && to.has_tls() { to.expect_cut_off().await } else { to.expect_fin().await }
        }
        Step::Notifies(peer) => {
            let (from, to) = pair(peer, client, upstream);
            from.notify().await;
            to.expect_fin().await;
        }
        Step::Alerts(peer) => {
            let (from, to) = pair(peer, client, upstream);
            from.alert();
            to.expect_reset().await;
        }
        Step::SaysAndAlerts(peer, frame) => {
            let (from, to) = pair(peer, client, upstream);
            from.send_at_once(&frame.bytes(peer));
            from.alert();
            to.hear(&frame).await;
            to.expect_reset().await;
        }
        Step::Resets(peer) => {
            let (from, to) = pair(peer, client, upstream);
            from.reset();
            to.expect_reset().await;
        }
        Step::IsLeft(peer) => pair(peer, client, upstream).0.expect_fin().await,
    }
}

/// The peer that acts, and the other.
fn pair<'p>(peer: Peer, client: &'p mut RawPeer, upstream: &'p mut RawPeer) -> (&'p mut RawPeer, &'p mut RawPeer) {
    match peer {
        Peer::Client => (client, upstream),
        Peer::Upstream => (upstream, client),
    }
}
