//! OpenSSL at the other end: what closewatch makes of the certificates and versions that the field still has, in sentences.

use std::process::Stdio;

use tokio::process::Command;

use crate::instance::{Child, Output, Running, Workspace};
use crate::rig::REQUEST;

/// P-256, for whatever is not about the kind of key.
const USUAL: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1";
const P521: &str = "-newkey ec -pkeyopt ec_paramgen_curve:secp521r1";
/// Of a kind that few programs can check.
const ED448: &str = "-newkey ed448";

/// Runs openssl in a folder of the test's own.
struct OpenSsl(Workspace);

/// A server that shows a certificate, and what closewatch makes of it.
struct Case {
    name: &'static str,
    /// Arguments of `openssl req` and `openssl x509` behind the usual ones.
    key: &'static str,
    /// The name of the authority that signs; empty if the certificate is its own.
    by: &'static str,
    /// The extensions of the certificate; without any it is of X.509 version 1.
    extensions: &'static str,
    /// The authority that closewatch is given.
    ca: &'static str,
    /// Arguments of the server.
    server: &'static str,
    /// `tls_error` and words of `detail`; `None` if it is taken.
    refused: Option<(&'static str, &'static str)>,
}

/// Shown and taken, but for what a case changes.
const GOOD: Case = Case {
    name: "good",
    key: USUAL,
    by: "ca",
    extensions: "subjectAltName=IP:127.0.0.1",
    ca: "ca",
    server: "",
    refused: None,
};

const CASES: &[Case] = &[
    GOOD,
    Case { name: "self-signed-given-as-ca", by: "", ca: "self-signed-given-as-ca", ..GOOD },
    Case {
        name: "self-signed",
        by: "",
        refused: Some(("unknown_ca", "is its own authority: to trust it, give that very file as upstream_tls.ca")),
        ..GOOD
    },
    Case {
        name: "of-another-authority",
        ca: "self-signed-given-as-ca",
        refused: Some(("unknown_ca", "no authority of upstream_tls.ca has issued the upstream's certificate")),
        ..GOOD
    },
    Case {
        name: "without-a-name",
        extensions: "basicConstraints=CA:FALSE",
        refused: Some(("wrong_name", "it has none; make one with the subjectAltName \"127.0.0.1\"")),
        ..GOOD
    },
    Case {
        name: "of-another-name",
        extensions: "subjectAltName=DNS:chat.test",
        refused: Some(("wrong_name", "set upstream_tls.server_name to one of its own, DnsName(\"chat.test\")")),
        ..GOOD
    },
    Case {
        name: "version-1",
        extensions: "",
        refused: Some(("bad_certificate", "is of X.509 version 1: make one of version 3")),
        ..GOOD
    },
    Case { name: "p-521", key: P521, by: "ca-p-521", ca: "ca-p-521", ..GOOD },
    Case { name: "ed448", key: ED448, refused: Some(("refused", "cannot check (Ed448)")), ..GOOD },
    Case {
        name: "signed-with-ed448",
        by: "ca-ed448",
        ca: "ca-ed448",
        refused: Some(("bad_certificate", "signed in a way that closewatch cannot check (Ed448, SHA-1)")),
        ..GOOD
    },
    Case {
        name: "rsa-1024",
        key: "-newkey rsa:1024",
        server: "-cipher ALL:@SECLEVEL=0",
        refused: Some(("bad_certificate", "an RSA key of less than 2048 bits")),
        ..GOOD
    },
    Case {
        name: "for-clients",
        extensions: "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=clientAuth",
        refused: Some(("bad_certificate", "make one with the extended key usage serverAuth")),
        ..GOOD
    },
    Case {
        name: "tls-1.1-alone",
        server: "-tls1_1 -cipher ALL:@SECLEVEL=0",
        refused: Some(("no_common_version", "the upstream speaks neither TLS 1.2 nor 1.3: enable one of them there")),
        ..GOOD
    },
    Case {
        name: "asks-for-a-certificate",
        server: "-Verify 1 -verify_return_error",
        refused: Some(("certificate_required", "give upstream_tls.cert and upstream_tls.key")),
        ..GOOD
    },
    Case {
        name: "asks-for-a-certificate-in-1.2",
        server: "-tls1_2 -Verify 1 -verify_return_error",
        refused: Some(("refused", "it asks for a client certificate (upstream_tls.cert)")),
        ..GOOD
    },
];

// === impl OpenSsl ===

impl OpenSsl {
    /// Waits for a command to be over; its success is asked for.
    async fn run(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments.split(' ')).current_dir(self.0.path("")).output().await.unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn authority(&self, name: &str, key: &str) {
        self.run(&format!("req -x509 {key} -nodes -keyout {name}.key -out {name}.pem -days 30 -subj /CN={name}")).await;
    }

    async fn certificate(&self, Case { name, key, by, extensions, .. }: &Case) {
        let subject = format!("{key} -nodes -keyout {name}.key -subj /CN=127.0.0.1");
        if by.is_empty() {
            let itself = format!("req -x509 {subject} -out {name}.pem -days 30 -addext {extensions}");
            return self.run(&itself).await;
        }
        self.run(&format!("req -new {subject} -out {name}.csr")).await;
        let sign =
            format!("x509 -req -in {name}.csr -CA {by}.pem -CAkey {by}.key -CAcreateserial -days 30 -out {name}.pem");
        if extensions.is_empty() {
            return self.run(&sign).await;
        }
        std::fs::write(self.0.path(&format!("{name}.ext")), extensions).unwrap();
        self.run(&format!("{sign} -extfile {name}.ext")).await;
    }

    /// A server that answers every request with a page, and its port.
    async fn server(&self, Case { name, server, .. }: &Case) -> (Child, String) {
        let mut arguments = vec!["s_server", "-accept", "127.0.0.1:0", "-www"];
        let [cert, key] = ["pem", "key"].map(|kind| format!("{name}.{kind}"));
        arguments.extend(["-cert", &cert, "-key", &key]);
        arguments.extend(server.split_terminator(' '));
        let mut child = Child::run(Command::new("openssl").current_dir(self.0.path("")), &arguments, Output::Read);
        loop {
            let Some(line) = child.line().await else { child.fail("it does not listen") };
            if let Some(address) = line.strip_prefix("ACCEPT ") {
                let port = address.rsplit(':').next().unwrap().to_owned();
                return (child, port);
            }
        }
    }
}

/// Whether `record` is of a handshake that TLS let through, or was refused for this reason.
#[track_caller]
fn assert_outcome(name: &str, record: &serde_json::Value, refused: Option<(&str, &str)>) {
    let Some((why, words)) = refused else {
        assert_eq!((&record["outcome"], &record["status"]), (&"refused".into(), &200.into()), "{name}: {record}");
        return;
    };
    assert_eq!((&record["outcome"], &record["tls_error"]), (&"tls_failed".into(), &why.into()), "{name}: {record}");
    assert!(record["detail"].as_str().unwrap().contains(words), "{name}: {words:?} is not in {record}");
}

#[tokio::test]
async fn a_server_is_taken_or_refused_in_a_sentence_that_says_what_to_do() {
    let openssl = OpenSsl(Workspace::new());
    openssl.authority("ca", USUAL).await;
    openssl.authority("ca-p-521", P521).await;
    openssl.authority("ca-ed448", ED448).await;
    let mut servers = Vec::new();
    let mut routes = vec!["[[routes]]\nname = \"elsewhere\"\nupstream = \"{upstream}\"\n".to_owned()];
    for case in CASES {
        openssl.certificate(case).await;
        let (server, port) = openssl.server(case).await;
        servers.push(server);
        let ca = openssl.0.path(&format!("{}.pem", case.ca));
        let upstream = format!("upstream = \"https://127.0.0.1:{port}\"\nupstream_tls.ca = {ca:?}\n");
        routes.push(format!("[[routes]]\nname = {0:?}\npath = \"/{0}\"\n{upstream}", case.name));
    }
    let mut running = Running::with(&routes.concat(), &[], Output::Read).await;
    for case in CASES {
        let mut client = running.connect().await;
        client.send(REQUEST.replace("/chat", &format!("/{}", case.name)).as_bytes()).await;
        client.receive_all().await;
        assert_outcome(case.name, &running.record().await, case.refused);
    }
}

#[tokio::test]
async fn a_client_is_refused_in_a_sentence_that_says_what_to_do() {
    let openssl = OpenSsl(Workspace::new());
    openssl.authority("ca", USUAL).await;
    openssl.authority("stranger", USUAL).await;
    openssl.certificate(&GOOD).await;
    let [cert, key] = ["good.pem", "good.key"].map(|name| openssl.0.path(name));
    let config = format!("upstream = \"{{upstream}}\"\n[tls]\ncert = {cert:?}\nkey = {key:?}\n");
    let mut running = Running::with(&config, &[], Output::Read).await;
    let address = running.proxy.to_string();
    for (arguments, why, words) in [
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", "no_common_version", "speaks TLS 1.1 or older: update it"),
        ("-tls1 -cipher ALL:@SECLEVEL=0", "no_common_version", "speaks TLS 1.1 or older: update it"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "no_common_cipher", "ECDHE with AES-GCM or ChaCha20-Poly1305"),
        ("-groups secp521r1", "no_common_cipher", "X25519, P-256 or P-384"),
        ("-sigalgs RSA-PSS+SHA256", "no_common_cipher", "give a key of another kind"),
        ("-alpn h2", "no_application_protocol", "closewatch speaks http/1.1"),
        ("-CAfile stranger.pem -verify_return_error", "unknown_ca", "put the intermediate certificates behind it"),
    ] {
        let mut client = Command::new("openssl");
        client.args(["s_client", "-connect", &address]).args(arguments.split(' ')).current_dir(openssl.0.path(""));
        client.stdin(Stdio::null()).output().await.unwrap();
        assert_outcome(arguments, &running.record().await, Some((why, words)));
    }
}
