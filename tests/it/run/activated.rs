//! Sockets that systemd opened (`sd_listen_fds(3)`).

use closewatch::wire::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::instance::{BINARY, Child, Output, get};
use crate::rig::{REQUEST, RawPeer, SWITCH};

/// Opens sockets on free ports, says where on standard error, and becomes its arguments: closewatch, or systemd's own tool, which
/// passes on what it is given and has no word for a free port.
const SYSTEMD: &str = r#"
import os, socket, sys
names = os.environ["LISTEN_FDNAMES"].split(":")
host = os.environ.get("HOST", "127.0.0.1")
family = socket.AF_INET6 if ":" in host else socket.AF_INET
sockets = [socket.create_server((host, 0), family=family, dualstack_ipv6=":" in host) for _ in names]
for number, (name, opened) in enumerate(zip(names, sockets)):
    print("opened %s %s:%d" % ((name,) + opened.getsockname()[:2]), file=sys.stderr, flush=True)
    # Above all of them first: a socket may stand where another has to go.
    os.dup2(opened.fileno(), 50 + number)
for number in range(len(names)):
    os.dup2(50 + number, 3 + number)
os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"] = str(os.getpid()), str(len(names))
os.execvp(sys.argv[1], sys.argv[1:])
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

/// Has systemd's own tool start closewatch, at its first client, with a socket on `[::]` of this name. Gives its port and that client
/// too.
async fn activated(name: &str, arguments: &[&str]) -> (Child, String, TcpStream) {
    let fdname = format!("--fdname={name}");
    let tool = ["-c", SYSTEMD, "systemd-socket-activate", &fdname];
    let common = [BINARY, "--admin", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"];
    let mut command = Command::new("python3");
    let command = command.env("LISTEN_FDNAMES", name).env("HOST", "::");
    let mut child = Child::run(command, &[&tool[..], &common, arguments].concat(), Output::Read);
    let line = child.logs(&["opened", name]).await;
    let port = line.rsplit(':').next().unwrap().to_owned();
    child.logs(&["Listening on [::]:", &port]).await;
    let client = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    (child, port, client)
}

#[tokio::test]
async fn the_only_socket_of_systemd_is_the_listener_if_nothing_else_is_said() {
    // `ListenStream=8080` is [::]:8080, and the default is 0.0.0.0:8080.
    let (mut child, port, client) = activated("closewatch.socket", &[]).await;
    child.logs(&["listening", "listener=\"proxy\"", &format!("address=[::]:{port}")]).await;
    // The one that waited meanwhile is served.
    let mut client = RawPeer::of(Peer::Client, client);
    client.send(REQUEST.as_bytes()).await;
    assert!(client.receive_head().await.starts_with("HTTP/1.1 502 "));
}

#[tokio::test]
async fn a_socket_of_systemd_that_no_key_wants_is_an_error_with_both_addresses() {
    for (name, arguments) in
        [("closewatch.socket", &["--listen", "127.0.0.1:0"][..]), ("metrics", &["--listen", "127.0.0.1:0"])]
    {
        let (mut child, port, _client) = activated(name, arguments).await;
        assert_eq!(child.exit_code().await, Some(1));
        let log = child.rest_of_log().await;
        let passed = format!("systemd passed the socket \"{name}\" on [::]:{port}");
        for words in [&*passed, "listen is 127.0.0.1:0", "admin.listen is 127.0.0.1:0", "metrics.listen is off"] {
            assert!(log.contains(words), "{words}: {log}");
        }
    }
}
