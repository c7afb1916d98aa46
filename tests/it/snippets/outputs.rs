//! Output as the documents quote it, compared with what closewatch prints.

use tokio::process::Command;

use crate::instance::{BINARY, Child, Output, Running, Workspace};
use crate::rig::{Valid, authority, close};

pub(super) async fn compare(place: &str, text: &str) {
    let workspace = Workspace::new();
    let upstream = "upstream = \"http://127.0.0.1:9\"\n";
    if text.starts_with("TIME ") {
        line_of_tail(place, text).await;
    } else if text.starts_with("closewatch.toml:12: timeouts.dial:") {
        let file = format!("{upstream}{}[timeouts]\ndial = 5\n", "\n".repeat(9));
        is_said_of(place, &file, text, &workspace).await;
    } else if text.starts_with("closewatch.toml:3: tls.key:") {
        let folder = workspace.path("").display().to_string();
        std::fs::write(workspace.path("chain.pem"), authority().issue(&["chat.test"], Valid::Now).cert).unwrap();
        std::fs::write(workspace.path("key.pem"), authority().issue(&["chat.test"], Valid::Now).key).unwrap();
        let file = format!("{upstream}tls.cert = \"/etc/tls/chain.pem\"\ntls.key = \"/etc/tls/key.pem\"\n");
        let [file, text] = [&file, text].map(|text| text.replace("/etc/tls/", &folder));
        is_said_of(place, &file, &text, &workspace).await;
    } else {
        panic!("{place}: nobody here knows a file of which this is said: {text}");
    }
}

/// `closewatch check` says just that of the file.
async fn is_said_of(place: &str, file: &str, text: &str, workspace: &Workspace) {
    std::fs::write(workspace.path("closewatch.toml"), file).unwrap();
    let mut command = Command::new(BINARY);
    let mut child = Child::run(command.current_dir(workspace.path("")), &["check", "closewatch.toml"], Output::Read);
    assert_eq!(child.exit_code().await, Some(64), "{place}");
    let said = child.rest_of_log().await;
    assert!(said.lines().any(|line| line.ends_with(text)), "{place}: {said}");
}

/// A session that ends as the second line of the text says is printed so, but for its times.
async fn line_of_tail(place: &str, text: &str) {
    let (heads, expected) = text.split_once('\n').unwrap();
    let expected: Vec<_> = expected.split_whitespace().collect();
    let config = "[[routes]]\nname = \"chat\"\nupstream = \"{upstream}\"\n";
    let mut running = Running::with(config, &[], Output::Read).await;
    let (mut client, mut upstream) = running.session().await;
    upstream.say(&close(1011, "boom")).await;
    client.hear(&close(1011, "boom")).await;
    client.fin().await;
    upstream.expect_fin().await;
    upstream.fin().await;
    client.expect_fin().await;
    running.record().await;
    let admin = format!("http://{}", running.admin);
    let mut child = Child::start(&["tail", "--admin", &admin], Output::Read);
    let line = child.line().await.unwrap();
    let mut words: Vec<_> = line.split_whitespace().collect();
    // Into a pipe the time has its date.
    let (time, after) = (heads.split_whitespace().position(|head| head == "TIME"), 6);
    assert_eq!((time, expected.len(), words.len()), (Some(0), 9, 9), "{place}: {line}");
    words[0] = expected[0];
    words[after] = expected[after];
    assert_eq!(words, expected, "{place}");
}
