//! Messages to systemd (`sd_notify(3)`).

use rustix::process::Signal;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::instance::{PATIENCE, Running, Workspace};

async fn told(socket: &UnixDatagram) -> String {
    let mut message = [0; 256];
    let size = timeout(PATIENCE, socket.recv(&mut message)).await.unwrap().unwrap();
    String::from_utf8(message[..size].to_vec()).unwrap()
}

#[tokio::test]
async fn systemd_is_told_of_the_start_a_reload_and_the_drain() {
    let workspace = Workspace::new();
    let path = workspace.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut running = Running::in_environment(&environment, "").await;
    assert_eq!(told(&socket).await, "READY=1\n");
    for config in ["", "mistake = 1\n"] {
        running.reload(config);
        let reloading = told(&socket).await;
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
        assert!(time.trim().parse::<u64>().is_ok(), "{reloading}");
        assert_eq!(told(&socket).await, "READY=1\n");
    }
    running.child.signal(Signal::TERM);
    assert_eq!(told(&socket).await, "STOPPING=1\n");
    assert_eq!(running.child.exit_code().await, Some(0));
}
