//! The files of TLS, as `check` and the start of a run see them.

use std::fs;
use std::process::Command;

use crate::instance::Workspace;
use crate::rig::{Authority, Valid, authority};

/// An ECDSA key with secp256k1, and a certificate of X.509 version 1 with its key, both made with openssl.
const SECP256K1: &str = "-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIIzW9JhNs+bm4X1691gmLFzqsm43NI/S5IrZ0eojzPqFoAcGBSuBBAAK
oUQDQgAEy+42W9hkUlRaATlf2zI1UuecO/AztQujmx2PIKaMbnJ662k45nLph2Bn
JVXwtAg/At7sH0e8KuJJSOraWSDQlg==
-----END EC PRIVATE KEY-----
";
const VERSION_1: &str = "-----BEGIN CERTIFICATE-----
MIIBFjCBvQIUEY4CNxpe6O7pKonoNAT++mKhsp0wCgYIKoZIzj0EAwIwDTELMAkG
A1UEAwwCdjEwIBcNMjYxMTI5MTAzNzMzWhgPMjEyNjExMDUxMDM3MzNaMA0xCzAJ
BgNVBAMMAnYxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJEcPZ3MEJoIJsLkl
UxKDuD9K3bOy9d+4mFaGdHfF/1Ei+DVLyWYDEWrZzREtI747oibTNscOkhKDrlJB
vxXoZDAKBggqhkjOPQQDAgNIADBFAiEA0VVuHu51V5UPnaSiAfweZdSAtdYwBy+j
i3Z6qVnxr+cCIBjEqQWNMAhmTO2qt1LmxPsEG/k1TB2MGfCrKrkexTAH
-----END CERTIFICATE-----
";

/// The binary's standard error, and its exit code.
fn said(arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(env!("CARGO_BIN_EXE_closewatch")).args(arguments).env_clear().output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

/// A workspace with one of each kind of file.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let put = |name: &str, content: &str| fs::write(workspace.path(name), content).unwrap();
    let (good, other) = (authority().issue(&["a.test"], Valid::Now), authority().issue(&["a.test"], Valid::Now));
    let expired = authority().issue(&["a.test"], Valid::Expired);
    let early = authority().issue(&["a.test"], Valid::NotYet);
    for (name, issued) in [("good", good), ("other", other), ("expired", expired), ("early", early)] {
        put(&format!("{name}.cert"), &issued.cert);
        put(&format!("{name}.key"), &issued.key);
    }
    put("ca.pem", &authority().pem());
    put("secp256k1.key", SECP256K1);
    put("version1.cert", VERSION_1);
    put("no.pem", "nothing of interest\n");
    put("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n");
    put("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    workspace
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name_and_key() {
    let workspace = workspace();
    for (cert, key, line, expected) in [
        ("gone.cert", "good.key", "3: tls.cert", "gone.cert: cannot be read (No such file or directory"),
        ("good.cert", "gone.key", "4: tls.key", "gone.key: cannot be read (No such file or directory"),
        ("good.cert", ".", "4: tls.key", "cannot be read (Is a directory"),
        ("good.cert", "other.key", "4: tls.key", "other.key: is not the private key of the certificate in"),
        ("good.cert", "encrypted.key", "4: tls.key", "holds no private key, or an encrypted one"),
        ("good.cert", "good.cert", "4: tls.key", "good.cert: holds no private key"),
        ("expired.cert", "expired.key", "3: tls.cert", "expired.cert: expired at 2021-01-01T00:00:00Z"),
        ("early.cert", "early.key", "3: tls.cert", "early.cert: not valid before 2100-01-01T00:00:00Z"),
        (
            "good.cert",
            "secp256k1.key",
            "4: tls.key",
            "is of a kind that cannot be used: give RSA, ECDSA with P-256, P-384 or P-521",
        ),
        ("version1.cert", "good.key", "3: tls.cert", "X.509 version 1: make one of version 3"),
        ("no.pem", "good.key", "3: tls.cert", "no.pem: holds no certificate in PEM"),
        ("broken.pem", "good.key", "3: tls.cert", "broken.pem: is not PEM"),
    ] {
        let [cert, key] = [cert, key].map(|name| workspace.path(name).display().to_string());
        let file = workspace.path("closewatch.toml");
        let text = format!("upstream = \"http://127.0.0.1:9\"\n[tls]\ncert = \"{cert}\"\nkey = \"{key}\"\n");
        fs::write(&file, text).unwrap();
        let file = file.display().to_string();
        // A run is refused in the same words, before it listens anywhere.
        for arguments in [&["check", &file][..], &["--config", &file][..]] {
            let (stderr, code) = said(arguments);
            assert_eq!((code, stderr.lines().count()), (Some(64), 1), "{stderr}");
            assert!(stderr.starts_with(&format!("{file}:{line}: ")), "{stderr}");
            assert!(stderr.contains(expected), "{expected:?} is not in {stderr}");
        }
    }
}

#[test]
fn flags_name_their_files_too() {
    let workspace = workspace();
    let path = |name: &str| workspace.path(name).display().to_string();
    let [cert, other, ca] = ["good.cert", "other.key", "no.pem"].map(path);
    let plain = ["--upstream", "http://127.0.0.1:9"];
    let with_tls = ["--upstream", "https://127.0.0.1:9"];
    for (arguments, expected) in [
        ([&plain[..], &["--tls-cert", &cert]].concat(), "--tls-cert (CLOSEWATCH_TLS_CERT): its private key is missing"),
        ([&plain[..], &["--tls-key", &other]].concat(), "--tls-key (CLOSEWATCH_TLS_KEY): its certificate is missing"),
        ([&plain[..], &["--tls-cert", &cert, "--tls-key", &other]].concat(), "--tls-key (CLOSEWATCH_TLS_KEY): "),
        ([&plain[..], &["--insecure"]].concat(), "--insecure (CLOSEWATCH_INSECURE): is for upstreams that begin with"),
        ([&with_tls[..], &["--upstream-ca", &ca]].concat(), "--upstream-ca (CLOSEWATCH_UPSTREAM_CA): "),
        ([&with_tls[..], &["--insecure=yes"]].concat(), "--insecure (CLOSEWATCH_INSECURE): \"yes\" is neither"),
        ([&plain[..], &["--upstream-ca", &ca]].concat(), "is for upstreams that begin with https://"),
    ] {
        let (stderr, code) = said(&arguments);
        assert_eq!(code, Some(64), "{stderr}");
        assert!(stderr.starts_with(expected) || stderr.contains(expected), "{expected:?} is not in {stderr}");
    }
}

#[test]
fn upstreams_have_settings_of_their_own_over_those_of_all() {
    let workspace = workspace();
    let path = |name: &str| workspace.path(name).display().to_string();
    let file = workspace.path("closewatch.toml");
    let other = workspace.path("other-ca.pem");
    fs::write(&other, Authority::new().pem()).unwrap();
    let text = format!(
        "[upstream_tls]\nca = \"{}\"\nserver_name = \"all.test\"\n\
         [[routes]]\nname = \"a\"\nupstream = \"https://127.0.0.1:9\"\n\
         [[routes]]\nname = \"b\"\npath = \"/b\"\nupstream = \"https://127.0.0.1:9\"\n\
         [routes.upstream_tls]\nca = \"{}\"\nserver_name = \"\"\ncert = \"{}\"\nkey = \"{}\"\n\
         [[routes]]\nname = \"c\"\npath = \"/c\"\nupstream = \"http://127.0.0.1:9\"\n",
        path("ca.pem"),
        other.display(),
        path("good.cert"),
        path("good.key"),
    );
    fs::write(&file, &text).unwrap();
    let config = closewatch::config::read(&file).unwrap();
    let [a, b, c] = [0, 1, 2].map(|at| config.routes[at].upstream_tls.clone());
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(c.is_none());
    assert_eq!(a.server_name.map(|name| name.to_str().into_owned()).as_deref(), Some("all.test"));
    assert_eq!((b.server_name, b.identity.is_some(), b.roots.len()), (None, true, 1));
    assert_eq!((a.identity.is_some(), a.roots.len()), (false, 1));

    // A mistake that is all routes' is said once, and what is of no use is refused.
    fs::write(&file, text.replace(&path("ca.pem"), &path("no.pem"))).unwrap();
    let (stderr, _) = said(&["check", &file.display().to_string()]);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(":2: upstream_tls.ca: "), "{stderr}");
    fs::write(&file, format!("{text}[routes.upstream_tls]\ninsecure = \"on\"\n")).unwrap();
    let (stderr, _) = said(&["check", &file.display().to_string()]);
    assert!(stderr.contains("routes.upstream_tls.insecure: is for upstreams that begin with https://"), "{stderr}");
}

#[test]
fn byte_order_marks_hide_no_certificate() {
    let workspace = Workspace::new();
    let issued = authority().issue(&["a.test"], Valid::Now);
    let mark = "\u{feff}";
    // Two files put together, each with its mark.
    let roots = format!("{mark}{}{mark}{}", authority().pem(), Authority::new().pem());
    let files = [("marked.cert", format!("{mark}{}", issued.cert)), ("marked.key", format!("{mark}{}", issued.key))];
    for (name, content) in files.iter().chain([&("roots.pem", roots)]) {
        fs::write(workspace.path(name), content).unwrap();
    }
    let [cert, key, ca] = ["marked.cert", "marked.key", "roots.pem"].map(|name| workspace.path(name));
    let text = format!(
        "upstream = \"https://127.0.0.1:9\"\n[tls]\ncert = \"{}\"\nkey = \"{}\"\n[upstream_tls]\nca = \"{}\"\n",
        cert.display(),
        key.display(),
        ca.display()
    );
    let config = closewatch::config::parse(&text, std::path::Path::new("test.toml")).unwrap();
    assert!(config.tls.identity.is_some());
    assert_eq!(config.routes[0].upstream_tls.as_ref().unwrap().roots.len(), 2);
}
