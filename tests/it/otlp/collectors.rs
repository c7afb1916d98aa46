//! A real collector between closewatch and the receiver.

use std::net::TcpListener;
use std::process::Command;

use super::receiver::{PROTOCOLS, Receiver};
use crate::instance::Running;
use crate::real_peers::process::{Process, repository};

/// rotel, on ports that were free a moment ago: it can be given none of the system's choice.
fn rotel(receiver: &Receiver) -> (Process, [u16; 2]) {
    let listeners = [0; 2].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let ports = listeners.map(|listener| listener.local_addr().unwrap().port());
    let package = std::fs::read_dir(repository(".work/python/lib"))
        .unwrap_or_else(|error| panic!("no rotel ({error}): run tests/run first"))
        .map(|python| python.unwrap().path().join("site-packages/rotel/rotel-agent"))
        .find(|agent| agent.exists())
        .expect("no rotel: run tests/run first");
    let mut command = Command::new(package);
    let [http, grpc] = ports.map(|port| format!("127.0.0.1:{port}"));
    command.args(["start", "--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc, "--exporter", "otlp"]);
    command.args(["--otlp-exporter-protocol", "grpc", "--otlp-exporter-endpoint", &receiver.endpoint("grpc")]);
    (Process::spawn("rotel", &mut command), ports)
}

#[tokio::test]
async fn a_collector_takes_the_spans_and_passes_them_on() {
    for protocol in PROTOCOLS {
        let receiver = Receiver::start();
        let (mut rotel, [http, grpc]) = rotel(&receiver);
        let port = if protocol == "grpc" { grpc } else { http };
        let config = format!("[otel]\nendpoint = \"http://127.0.0.1:{port}\"\nprotocol = \"{protocol}\"\n");
        let mut running = Running::in_environment(&[], &config).await;
        let mut expected = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (mut client, mut upstream) = running.session().await;
            client.reset();
            upstream.expect_reset().await;
            expected.insert(running.record().await["span_id"].as_str().unwrap().to_owned());
        }
        let spans = receiver.spans(40);
        let passed: std::collections::BTreeSet<_> = spans
            .iter()
            .filter(|span| span.text("name") == "websocket.session default" && span.is_error())
            .map(|span| span.text("spanId").to_owned())
            .collect();
        assert_eq!(passed, expected);
        // It would batch to the end of its patience.
        rotel.kill();
    }
}
