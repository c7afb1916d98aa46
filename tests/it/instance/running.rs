//! An instance between scripted peers.

use std::net::SocketAddr;

use closewatch::wire::Peer;
use rustix::process::Signal;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::child::{Child, Output, Workspace};
use super::http::{Answer, get, until};
use super::metrics::Metrics;
use crate::rig::{REQUEST, RawPeer, SWITCH};

/// The configuration file, in the workspace.
const FILE: &str = "closewatch.toml";

/// A running instance, the upstream that it dials, and its addresses.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) upstream: TcpListener,
    pub(crate) proxy: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// The second address, with metrics and health only.
    pub(crate) metrics: SocketAddr,
    workspace: Workspace,
}

impl Running {
    /// With the defaults.
    pub(crate) async fn start() -> Self {
        Self::with("", &[], Output::Read).await
    }

    /// With these lines in its configuration file, and these arguments. The upstream is a flag, unless the file has it, as
    /// `{upstream}`.
    pub(crate) async fn with(config: &str, arguments: &[&str], output: Output) -> Self {
        let workspace = Workspace::new();
        Self::within(workspace, config, arguments, output).await
    }

    /// With these variables in its environment.
    pub(crate) async fn in_environment(environment: &[(&str, &str)], config: &str) -> Self {
        Self::launch(Workspace::new(), environment, config, &[], Output::Read).await
    }

    /// The same, with files of the test's own at hand.
    pub(crate) async fn within(workspace: Workspace, config: &str, arguments: &[&str], output: Output) -> Self {
        Self::launch(workspace, &[], config, arguments, output).await
    }

    async fn launch(
        workspace: Workspace,
        environment: &[(&str, &str)],
        config: &str,
        arguments: &[&str],
        output: Output,
    ) -> Self {
        // Room for all that a storm opens at once: what finds the queue full asks again a second later.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let upstream = socket.listen(1024).unwrap();
        let file = workspace.path(FILE);
        let url = url(&upstream);
        std::fs::write(&file, config.replace("{upstream}", &url)).unwrap();
        let file = file.to_str().unwrap();
        let free = "127.0.0.1:0";
        let own = ["--config", file, "--listen", free, "--admin", free, "--metrics", free, "--upstream", &url];
        let own = &own[..if config.contains("{upstream}") { 8 } else { 10 }];
        let mut child = Child::start_in(environment, &[own, arguments].concat(), output);
        let [admin, metrics, proxy] = [
            address(&mut child, "admin").await,
            address(&mut child, "metrics").await,
            address(&mut child, "proxy").await,
        ];
        Self { child, upstream, proxy, admin, metrics, workspace }
    }

    /// Puts another configuration into its file, and has it read.
    pub(crate) fn reload(&self, config: &str) {
        let config = config.replace("{upstream}", &url(&self.upstream));
        std::fs::write(self.workspace.path(FILE), config).unwrap();
        self.child.signal(Signal::HUP);
    }

    /// Has it look for a configuration file that is gone.
    pub(crate) fn remove_configuration(&self) {
        std::fs::remove_file(self.workspace.path(FILE)).unwrap();
        self.child.signal(Signal::HUP);
    }

    /// A client that has said nothing yet.
    pub(crate) async fn connect(&self) -> RawPeer {
        RawPeer::of(Peer::Client, TcpStream::connect(self.proxy).await.unwrap())
    }

    /// The next connection to the upstream.
    pub(crate) async fn accept(&self) -> RawPeer {
        RawPeer::of(Peer::Upstream, self.upstream.accept().await.unwrap().0)
    }

    /// Both peers of a session that has just opened.
    pub(crate) async fn session(&self) -> (RawPeer, RawPeer) {
        let (client, upstream, _) = self.session_with(REQUEST).await;
        (client, upstream)
    }

    /// The same with another request; also gives what the upstream was given of it.
    pub(crate) async fn session_with(&self, request: &str) -> (RawPeer, RawPeer, String) {
        let mut client = self.connect().await;
        client.send(request.as_bytes()).await;
        let mut upstream = self.accept().await;
        let head = upstream.receive_head().await;
        upstream.send(SWITCH.as_bytes()).await;
        client.receive_head().await;
        (client, upstream, head)
    }

    /// The same several times, once the instance has counted all of them: it opens them behind their 101s.
    pub(crate) async fn sessions(&self, count: usize) -> Vec<(RawPeer, RawPeer)> {
        let before = self.opened().await;
        let mut sessions = Vec::with_capacity(count);
        for _ in 0..count {
            sessions.push(self.session().await);
        }
        until("every session to be open", async || self.opened().await - before == count as u64).await;
        sessions
    }

    async fn opened(&self) -> u64 {
        self.scrape().await.sum("closewatch_sessions_opened_total", &[])
    }

    /// The next record on standard output.
    pub(crate) async fn record(&mut self) -> Value {
        let Some(line) = self.child.line().await else { self.child.fail("standard output ended without a record") };
        serde_json::from_str(&line).unwrap_or_else(|error| self.child.fail(&format!("{error} in {line}")))
    }

    /// The operator's view.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        get(self.admin, path).await.unwrap()
    }

    pub(crate) async fn scrape(&self) -> Metrics {
        let metrics = Metrics::parse(&self.get("/metrics").await.body);
        metrics.assert_balanced();
        metrics
    }
}

fn url(upstream: &TcpListener) -> String {
    format!("http://{}", upstream.local_addr().unwrap())
}

/// The address that the child's log gives for a listener.
async fn address(child: &mut Child, listener: &str) -> SocketAddr {
    let line = child.logs(&["listening", &format!("listener=\"{listener}\"")]).await;
    let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
    address.and_then(|address| address.parse().ok()).unwrap_or_else(|| child.fail(&format!("no address in {line}")))
}
