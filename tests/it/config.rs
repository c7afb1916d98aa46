//! Configuration as a user meets it: shipped files, wrong files, flags and environment, through the built binary.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use closewatch::config::{self, Config, Overrides};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// All `.toml` files of a folder: never none, or a test over them would prove nothing.
fn toml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(root(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty(), "no files in {folder}");
    files
}

/// The binary, with nothing of this shell's configuration.
fn closewatch() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_closewatch"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLOSEWATCH_")) {
        command.env_remove(name);
    }
    command
}

fn check(path: &Path) -> Output {
    closewatch().arg("check").arg(path).output().unwrap()
}

/// Standard error, of a command that must have been refused as bad usage or configuration.
fn refused(output: &Output) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(64), "{stderr}");
    assert!(output.stdout.is_empty(), "{output:?}");
    stderr
}

fn loaded(text: &str) -> Config {
    config::parse(text, Path::new("test.toml")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Each line of the comments `# expect: LINE KEY words of the message` at the top; `-` for a mistake without a key.
fn expectations(path: &Path) -> Vec<(String, String, String)> {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let expected: Vec<_> = text
        .lines()
        .map_while(|line| line.strip_prefix("# expect: "))
        .map(|line| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let mut next = || words.next().unwrap_or_else(|| panic!("{}: {line}", path.display()));
            (next(), next(), next())
        })
        .collect();
    assert!(!expected.is_empty(), "{} expects nothing", path.display());
    expected
}

#[test]
fn every_wrong_file_is_refused_with_its_line_and_key() {
    for path in toml_files("tests/data/invalid") {
        let stderr = refused(&check(&path));
        let expected = expectations(&path);
        assert_eq!(stderr.lines().count(), expected.len(), "{}: one line a mistake:\n{stderr}", path.display());
        for (said, (line, key, message)) in stderr.lines().zip(expected) {
            let key = if key == "-" { String::new() } else { format!("{key}: ") };
            let start = format!("{}:{line}: {key}", path.display());
            assert!(said.starts_with(&start), "expected {start}\ngot {said}");
            assert!(said[start.len()..].contains(&message), "expected … {message} …\ngot {said}");
        }
    }
}

#[test]
fn every_key_has_a_wrong_file() {
    let defaults = Config::new("http://127.0.0.1:9000".parse().unwrap());
    let mut expected = Vec::new();
    keys(&toml::to_string(&defaults).unwrap().parse().unwrap(), "", &mut expected);
    expected.extend(["upstream", "classes.4401"].map(str::to_owned));
    let of_routes = ["name", "host", "path", "upstream", "idle", "codes", "classes.4401", "upstream_tls.insecure"];
    expected.extend(of_routes.map(|key| format!("routes.{key}")));
    let covered: Vec<_> = toml_files("tests/data/invalid").iter().flat_map(|path| expectations(path)).collect();
    for key in expected {
        assert!(
            covered.iter().any(|(_, covered, _)| *covered == key),
            "nothing in tests/data/invalid is wrong with {key}"
        );
    }
}

#[test]
fn every_shipped_file_loads() {
    for path in toml_files("config") {
        let output = check(&path);
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
        assert!(stdout.starts_with(&format!("{}: ok\n", path.display())), "{stdout}");
        assert!(stdout.contains("default: */ -> http://127.0.0.1:9000"), "{stdout}");
    }
}

#[test]
fn the_example_says_the_defaults() {
    let example = config::read(&root("config/example.toml")).unwrap();
    let defaults = Config::new("http://127.0.0.1:9000".parse().unwrap());
    assert_eq!(example.to_string(), defaults.to_string());
}

/// The keys of a table with those of its tables, as in `timeouts.idle`.
fn keys(table: &toml::Table, prefix: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        match value.as_table() {
            Some(inner) => keys(inner, &format!("{prefix}{key}."), found),
            None => found.push(format!("{prefix}{key}")),
        }
    }
}

#[test]
fn the_example_has_every_key() {
    let text = fs::read_to_string(root("config/example.toml")).unwrap();
    let (mut expected, mut found) = (Vec::new(), Vec::new());
    let effective: toml::Table = toml::to_string(&loaded(&text)).unwrap().parse().unwrap();
    keys(&effective, "", &mut expected);
    keys(&text.parse().unwrap(), "", &mut found);
    expected.retain(|key| key != "routes");
    found.retain(|key| key != "upstream");
    assert!(expected.len() > 20, "{expected:?}");
    assert_eq!(found, expected);
}

#[test]
fn the_examples_in_the_example_load_too() {
    let text = fs::read_to_string(root("config/example.toml")).unwrap();
    let is_example = |line: &str| line.len() > 1 && line.starts_with('#') && !line.starts_with("# ");
    let lines = text.lines().filter(|line| !line.starts_with("upstream ="));
    let lines: Vec<_> = lines.map(|line| if is_example(line) { &line[1..] } else { line }).collect();
    let text = lines.join("\n");
    let config = loaded(&text);
    let route: toml::Table = toml::to_string(&config.routes[0]).unwrap().parse().unwrap();
    for key in route.keys() {
        assert!(
            text.lines().any(|line| line.starts_with(&format!("{key} =")) || line.contains(&format!(".{key}]"))),
            "{key}"
        );
    }
    assert_eq!(config.classes.len(), 2);
}

#[test]
fn the_effective_configuration_is_one_line_and_loads_to_the_same() {
    let config = loaded(
        r#"
        workers = 3
        admin.listen = "off"
        metrics.listen = "[::]:0"
        log = { closes = "/var/log/closes.jsonl", path = "redacted", reason = "off", only = "abnormal", query = "on", level = "warn" }
        timeouts = { dial = "250ms", idle = "1m 30s", half_closed = "0", dead_peer = 0, unready = "3s" }
        drain = { code = 0 }
        limits = { sessions = 1000, header_bytes = 8192, routes = 2 }
        forwarded.x_forwarded = "append"
        relay = { verbatim = "off", splice = "off" }
        classes = { 4xxx = "application" }
        [[routes]]
        name = "chat"
        host = "*.Example.com"
        path = "/chat"
        upstream = "unix:/run/chat.sock"
        idle = "0"
        codes = [4401, "4402"]
        classes.4401 = "policy"
        [[routes]]
        name = "rest"
        upstream = "http://[::1]:9000"
        "#,
    );
    let effective = config.to_string();
    assert!(!effective.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(&effective).unwrap();
    assert_eq!(json["routes"][1]["idle"], "1m 30s", "what timeouts.idle says");
    assert_eq!(loaded(&toml::to_string(&json).unwrap()).to_string(), effective);
}

#[test]
fn the_documentation_of_defaults_holds() {
    let config = Config::new("http://127.0.0.1:9000".parse().unwrap());
    let json: serde_json::Value = serde_json::from_str(&config.to_string()).unwrap();
    let expected = serde_json::json!({
        "version": 1,
        "listen": "0.0.0.0:8080",
        "workers": 0,
        "tls": { "cert": "", "key": "" },
        "upstream_tls": { "ca": "system", "cert": "", "key": "", "server_name": "", "insecure": "off" },
        "admin": { "listen": "127.0.0.1:9464", "names": [], "url": "" },
        "metrics": { "listen": "off" },
        "log": {
            "closes": "-", "closes_format": "json", "path": "full", "reason": "on", "only": "all", "query": "off", "level": "info",
            "own_format": "text",
        },
        "timeouts": {
            "dial": "5s", "head": "10s", "keep_alive": "1m 15s", "tls": "10s", "handshake": "30s", "idle": "0", "linger": "5s",
            "half_closed": "1m 15s",
            "close_reply": "5s", "dead_peer": "1m", "unready": "0", "drain": "15s", "drain_jitter": "0", "final_scrape": "0",
        },
        "drain": { "code": 1001, "reason": "" },
        "restart": { "socket": "off" },
        "limits": {
            "sessions": 0, "connections": 0, "upstream_connections": 0, "connections_per_source": 0,
            "header_bytes": 65_536, "header_lines": 100, "routes": 200,
        },
        "forwarded": {
            "x_forwarded": "pass", "trusted": [], "header": "x-forwarded-for", "proxy_protocol": "off",
        },
        "relay": { "verbatim": "on", "splice": "on" },
        "otel": {
            "endpoint": "off", "ca": "system", "protocol": "http/protobuf", "headers": {}, "timeout": "10s", "traces": "on", "logs": "off",
            "metrics": "off", "sampler": "parentbased_always_on", "sampler_ratio": 1.0, "sample_clean": 1.0,
            "propagators": ["tracecontext"], "queue": 32_768, "interval": "1m", "resource": {},
        },
        "diagnosis": {
            "enabled": "on", "windows": ["15m", "24h"], "memory": 67_108_864, "hops": [], "client": "", "silent": [],
        },
        "classes": {},
        "routes": [{
            "name": "default", "path": "/", "upstream": "http://127.0.0.1:9000", "idle": "0", "codes": [], "classes": {},
        }],
    });
    assert_eq!(json, expected);
}

#[test]
fn flags_win_over_the_file() {
    let overrides = Overrides {
        config: Some(root("config/example.toml")),
        listen: Some("127.0.0.1:0".into()),
        upstream: Some("http://127.0.0.1:9001".into()),
        tls_cert: None,
        tls_key: None,
        upstream_ca: None,
        insecure: None,
        admin: Some("off".into()),
        metrics: Some("127.0.0.1:0".into()),
        close_log: Some("off".into()),
        close_log_format: Some("text".into()),
        workers: Some("2".into()),
        log_level: Some("debug".into()),
        log_format: Some("json".into()),
    };
    let config = config::load(&overrides).unwrap();
    let json: serde_json::Value = serde_json::from_str(&config.to_string()).unwrap();
    assert_eq!(json["listen"], "127.0.0.1:0");
    assert_eq!(json["routes"][0]["upstream"], "http://127.0.0.1:9001");
    assert_eq!(json["admin"]["listen"], "off");
    assert_eq!(json["metrics"]["listen"], "127.0.0.1:0");
    assert_eq!((&json["log"]["closes"], &json["log"]["level"]), (&"off".into(), &"debug".into()));
    assert_eq!(json["workers"], 2);
}

#[test]
fn wrong_flags_and_variables_are_named_together() {
    let output = closewatch()
        .args(["--listen", "example.com:8080", "--upstream", "wss://chat.internal"])
        .env("CLOSEWATCH_WORKERS", "four")
        .env("CLOSEWATCH_ADMIN", "9464")
        .env("CLOSEWATCH_METRICS", ":none")
        .env("CLOSEWATCH_CLOSE_LOG", "")
        .env("CLOSEWATCH_LOG_LEVEL", "verbose")
        .output()
        .unwrap();
    let stderr = refused(&output);
    for (flag, message) in [
        ("--listen (CLOSEWATCH_LISTEN): ", "is not an address"),
        ("--upstream (CLOSEWATCH_UPSTREAM): ", "should begin with https://"),
        ("--workers (CLOSEWATCH_WORKERS): ", "\"four\" is not a whole number"),
        ("--admin (CLOSEWATCH_ADMIN): ", "is not an address"),
        ("--metrics (CLOSEWATCH_METRICS): ", "is not an address"),
        ("--close-log (CLOSEWATCH_CLOSE_LOG): ", "is empty"),
        ("--log-level (CLOSEWATCH_LOG_LEVEL): ", "off, error, warn"),
    ] {
        assert!(stderr.lines().any(|line| line.starts_with(flag) && line.contains(message)), "{flag}\n{stderr}");
    }
    assert_eq!(stderr.lines().count(), 7, "{stderr}");
}

#[test]
fn an_upstream_flag_does_not_replace_routes() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let path = Path::new(folder).join("routes.toml");
    fs::write(&path, "[[routes]]\nname = \"chat\"\nupstream = \"http://127.0.0.1:9000\"\n").unwrap();
    let output = closewatch().arg("--config").arg(&path).env("CLOSEWATCH_UPSTREAM", "http://a").output().unwrap();
    assert!(refused(&output).starts_with("--upstream (CLOSEWATCH_UPSTREAM): the file has [[routes]]"));
}

#[test]
fn a_file_without_an_upstream_can_take_it_from_a_flag() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-upstream.toml");
    fs::write(&path, "workers = 2\n[timeouts]\nidle = \"5m\"\n").unwrap();
    assert!(refused(&check(&path)).contains("no-upstream.toml:1: upstream: missing"));
    let upstream = Some("http://127.0.0.1:9000".to_owned());
    let config = config::load(&Overrides { config: Some(path), upstream, ..Overrides::default() }).unwrap();
    assert_eq!(config.routes[0].idle, config.timeouts.idle);
    assert!(config.timeouts.idle.is_some());
}

#[test]
fn with_nothing_to_proxy_to_both_ways_are_named() {
    let stderr = refused(&closewatch().output().unwrap());
    assert!(stderr.contains("--upstream URL") && stderr.contains("--config FILE"), "{stderr}");
}

#[test]
fn wrong_usage_exits_64_and_asking_for_help_does_not() {
    for arguments in [&["--frobnicate"][..], &["frobnicate"], &["check"], &["--workers"], &["check", "a", "b"]] {
        refused(&closewatch().args(arguments).output().unwrap());
    }
    for arguments in [&["--help"][..], &["--version"], &["check", "--help"], &["help"]] {
        let output = closewatch().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
}

/// `check` with `text` on standard input.
fn check_input(arguments: &[&str], text: &str) -> Output {
    let mut command = closewatch();
    command.arg("check").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn standard_input_can_be_checked() {
    let right = check_input(&["-"], "upstream = \"http://127.0.0.1:9000\"\n");
    assert!(right.status.success(), "{right:?}");
    assert!(String::from_utf8(right.stdout).unwrap().starts_with("-: ok\n"));
    let wrong = refused(&check_input(&["-"], "upstream = \"http://127.0.0.1:9000\"\nworkers = \"four\"\n"));
    assert!(wrong.starts_with("-:2: workers: "), "{wrong}");
}

#[test]
fn a_check_can_answer_in_json() {
    let right = check_input(&["--json", "-"], "upstream = \"http://127.0.0.1:9000\"\n");
    let answer: serde_json::Value = serde_json::from_slice(&right.stdout).unwrap();
    assert!(right.status.success() && right.stderr.is_empty(), "{right:?}");
    assert_eq!((&answer["ok"], &answer["mistakes"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(answer["config"]["routes"][0]["upstream"], "http://127.0.0.1:9000", "the effective configuration");

    let wrong =
        check_input(&["--json", "-"], "upstream = \"http://127.0.0.1:9000\"\n[log]\nlevel = \"loud\"\npath = 1\n");
    let answer: serde_json::Value = serde_json::from_slice(&wrong.stdout).unwrap();
    assert_eq!(wrong.status.code(), Some(64));
    assert!(wrong.stderr.is_empty(), "{wrong:?}");
    assert_eq!((&answer["ok"], &answer["config"], &answer["file"]), (&false.into(), &().into(), &"-".into()));
    let mistakes: Vec<_> =
        answer["mistakes"].as_array().unwrap().iter().map(|one| (&one["line"], &one["key"])).collect();
    assert_eq!(mistakes, [(&3.into(), &"log.level".into()), (&4.into(), &"log.path".into())]);

    let missing = closewatch().args(["check", "--json", "/nowhere.toml"]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&missing.stdout).unwrap();
    assert_eq!(missing.status.code(), Some(64));
    assert!(answer["mistakes"][0]["message"].as_str().unwrap().starts_with("cannot be read: "), "{answer}");
}

#[test]
fn the_environment_of_a_run_does_not_disturb_a_check() {
    let mut command = closewatch();
    command
        .env("CLOSEWATCH_UPSTREAM", "nonsense")
        .env("CLOSEWATCH_CONFIG", "/missing.toml")
        .env("CLOSEWATCH_ADMIN", "?");
    assert!(command.arg("check").arg(root("config/minimal.toml")).output().unwrap().status.success());
}

#[test]
fn a_check_notices_a_misspelt_variable() {
    let mut command = closewatch();
    command.env("CLOSEWATCH_UPSTREM", "http://127.0.0.1:9000").arg("check").arg(root("config/minimal.toml"));
    let stderr = refused(&command.output().unwrap());
    assert_eq!(stderr, "CLOSEWATCH_UPSTREM: unknown variable; did you mean CLOSEWATCH_UPSTREAM?\n");
}

#[test]
fn what_cannot_be_read_is_named_with_the_reason() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let missing = folder.join("no-such-file.toml");
    for arguments in ["check", "--config"] {
        for (path, reason) in
            [(missing.as_path(), "No such file"), (folder, "directory"), (Path::new("/dev/zero"), "larger")]
        {
            let stderr = refused(&closewatch().arg(arguments).arg(path).output().unwrap());
            let start = format!("{}: cannot be read: ", path.display());
            assert!(stderr.starts_with(&start) && stderr.contains(reason), "{stderr}");
        }
    }
}

#[test]
fn forwarded_headers_pass_by_default_and_off_is_another_word_for_it() {
    for text in ["", "[forwarded]\nx_forwarded = \"pass\"\n", "[forwarded]\nx_forwarded = \"off\"\n"] {
        let config = loaded(&format!("upstream = \"http://a.test\"\n{text}"));
        assert_eq!(config.forwarded.x_forwarded, config::XForwarded::Pass, "{text}");
    }
}
