//! The processes of one session: a client, a server, and closewatch between them.

use std::net::SocketAddr;
use std::process::Command;

use serde_json::{Value, json};

use super::endings::Ending;
use super::process::{Process, node, repository};
use super::secrets::Secrets;

/// A WebSocket implementation of the field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stack {
    Node,
    Python,
    Browser,
}

/// A client of some stack, ready for one session after the other.
pub(super) struct Client {
    process: Process,
    scheme: &'static str,
}

/// A server of some stack, listening.
pub(super) struct Server {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

/// The built binary, proxying.
pub(super) struct Closewatch {
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

/// The reports of the two libraries about one session. A page that is gone and a server that was killed report nothing.
#[derive(PartialEq, Debug, Clone)]
pub(super) struct Reports {
    pub(super) client: Option<Value>,
    pub(super) server: Option<Value>,
}

// === impl Stack ===

impl Stack {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
            Self::Browser => "browser",
        }
    }

    /// The command that runs this stack's `role`. What `tests/run` installs for it must be there: an absent peer is a
    /// failure, never a skip.
    fn command(self, role: &str, secrets: Option<&Secrets>) -> Command {
        let (needed, interpreter, script): (&[&str], _, _) = match self {
            Self::Node => (&[".work/node/.stamp"], node(), format!("{role}.mjs")),
            Self::Browser => (&[".work/node/.stamp", "/usr/bin/chromium"], node(), "browser.mjs".to_owned()),
            Self::Python => (&[".work/python/.stamp"], repository(".work/python/bin/python"), format!("{role}.py")),
        };
        for path in needed {
            assert!(repository(path).exists(), "{path} is missing: run tests/run first");
        }
        let mut command = Command::new(interpreter);
        command.arg(repository("tests/peers").join(script));
        if let Some(secrets) = secrets {
            secrets.tell(&mut command);
        }
        command
    }
}

// === impl Client ===

impl Client {
    pub(super) fn start(stack: Stack, secrets: Option<&Secrets>) -> Self {
        let process = Process::spawn(stack.name(), &mut stack.command("client", secrets));
        Self { process, scheme: if secrets.is_some() { "wss" } else { "ws" } }
    }

    /// Runs one session at `at`, to the end that `ending` asks for, and gathers what `server` and this client report.
    pub(super) fn meet(&mut self, server: &Server, at: SocketAddr, ending: &Ending) -> Reports {
        self.begin(at, ending.path, ending.action);
        let client = self.report();
        assert_ne!(client["event"], "failed", "{}\n{}", self.process.transcript(), server.process.transcript());
        let client = (client["event"] != "gone").then_some(client);
        if ending.kills_the_server() {
            server.process.await_end();
            return Reports { client, server: None };
        }
        Reports { client, server: Some(server.process.answer()) }
    }

    /// The same, with the subprotocol that it offers.
    pub(super) fn that_offers(stack: Stack, subprotocol: &str) -> Self {
        let mut command = stack.command("client", None);
        let process = Process::spawn(stack.name(), command.env("PEER_SUBPROTOCOL", subprotocol));
        Self { process, scheme: "ws" }
    }

    /// Asks for one session at `at`, with this action.
    pub(super) fn begin(&mut self, at: SocketAddr, path: &str, action: &[&str]) {
        let mut words = vec![format!("{}://{at}{path}", self.scheme)];
        words.extend(action.iter().map(ToString::to_string));
        self.process.ask(&json!(words));
    }

    /// The library's report of the session that was asked for last.
    pub(super) fn report(&self) -> Value {
        self.process.answer()
    }

    pub(super) fn transcript(&self) -> String {
        self.process.transcript()
    }
}

// === impl Server ===

impl Server {
    pub(super) fn start(stack: Stack, secrets: Option<&Secrets>) -> Self {
        let process = Process::spawn(stack.name(), &mut stack.command("server", secrets));
        let listening = process.answer();
        let port = listening["listening"].as_u64().and_then(|port| u16::try_from(port).ok());
        let port = port.unwrap_or_else(|| panic!("no port in {listening}"));
        Self { process, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

// === impl Closewatch ===

impl Closewatch {
    pub(super) fn start(upstream: SocketAddr, secrets: Option<&Secrets>) -> Self {
        let scheme = if secrets.is_some() { "https" } else { "http" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_closewatch"));
        command
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--close-log", "-", "--upstream"])
            .arg(format!("{scheme}://{upstream}"))
            .env_remove("RUST_LOG")
            .env("NO_COLOR", "1");
        if let Some(secrets) = secrets {
            secrets.tell_closewatch(&mut command);
        }
        let process = Process::spawn("closewatch", &mut command);
        let address = process.complaint(listening_address);
        Self { process, address }
    }

    /// The next record of a session.
    pub(super) fn record(&self) -> Value {
        loop {
            let line = self.process.answer();
            if line["event"] == "websocket.closed" {
                return line;
            }
        }
    }
}

impl Drop for Closewatch {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// The address of the proxy's listener, if this line of closewatch's own log announces it.
fn listening_address(line: &str) -> Option<SocketAddr> {
    if !(line.contains("listening") && line.contains("proxy")) {
        return None;
    }
    let (_, rest) = line.split_once("address=")?;
    rest.split_whitespace().next()?.parse().ok()
}
