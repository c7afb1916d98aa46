//! The answer that a client was given instead of a session.

use closewatch::close::{HandshakeRecord, Outcome};

use crate::rig::{RawPeer, Rig};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// All that `client` is given, up to the FIN behind it: nothing is cut off by a reset. Then the client hangs up too.
    pub(crate) async fn to(client: &mut RawPeer) -> Self {
        let (bytes, end) = client.receive_all().await;
        client.fin().await;
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(end, None, "a reset overtook the answer: {text:?}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status in {head:?}"));
        Self { status, head: format!("{head}\r\n"), body: body.to_owned() }
    }

    /// The value of the one header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.head.lines().skip(1).filter_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = found.next();
        assert_eq!(found.next(), None, "{name} is repeated: {}", self.head);
        value
    }
}

/// The next handshake's record is `outcome` with `status` on `route`, and there is no session.
pub(crate) async fn fails(rig: &mut Rig, route: &str, outcome: Outcome, status: Option<u16>) -> HandshakeRecord {
    let (recorded, record) = rig.handshake().await;
    let wanted = (route, outcome, status);
    if (recorded.as_str(), record.outcome, record.status) != wanted {
        rig.fail(&format!("expected {wanted:?}, was {recorded}: {record:?}"));
    }
    assert_eq!(rig.seen().opened, 0, "a failed upgrade is no session");
    record
}
