//! Sockets that systemd opened (`sd_listen_fds(3)`).

use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::instance::{BINARY, Child, Output, get};
use crate::rig::{REQUEST, RawPeer, SWITCH};
use closewatch::wire::Peer;

/// Opens what systemd would, says where on standard error, and becomes closewatch.
const SYSTEMD: &str = r#"
import os, socket, sys
names = os.environ["LISTEN_FDNAMES"].split(":")
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
for number, (name, opened) in enumerate(zip(names, sockets)):
    print("opened %s %s:%d" % ((name,) + opened.getsockname()), file=sys.stderr, flush=True)
    # Above all of them first: a socket may stand where another has to go.
    os.dup2(opened.fileno(), 50 + number)
for number in range(len(names)):
    os.dup2(50 + number, 3 + number)
os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), str(len(names))
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[tokio::test]
async fn sockets_of_systemd_are_taken_by_their_names() {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", upstream.local_addr().unwrap());
    let arguments = ["-c", SYSTEMD, BINARY, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", &url];
    let mut command = Command::new("python3");
    // A socket unit without FileDescriptorName= has the unit's own name.
    let mut child = Child::run(command.env("LISTEN_FDNAMES", "admin:closewatch.socket"), &arguments, Output::Read);
    let mut opened = Vec::new();
    for name in ["admin", "closewatch.socket"] {
        let line = child.logs(&["opened", name]).await;
        opened.push(line.rsplit(' ').next().unwrap().to_owned());
    }
    for (name, address) in [("admin", &opened[0]), ("proxy", &opened[1])] {
        child.logs(&["listening", &format!("listener=\"{name}\""), &format!("address={address}")]).await;
    }
    assert_eq!(get(opened[0].parse().unwrap(), "/readyz").await.unwrap().status, 200);
    let mut client = RawPeer::of(Peer::Client, TcpStream::connect(&opened[1]).await.unwrap());
    client.send(REQUEST.as_bytes()).await;
    let mut upstream = RawPeer::of(Peer::Upstream, upstream.accept().await.unwrap().0);
    upstream.receive_head().await;
    upstream.send(SWITCH.as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 101 "));
}
