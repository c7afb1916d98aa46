//! `closewatch explain` through the built binary: exit codes, and where its words go.

use std::process::{Command, Output};

fn explain(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closewatch")).arg("explain").args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = explain(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_code_is_explained_on_standard_output() {
    let text = printed(&["1006"]);
    assert!(text.starts_with("1006 Abnormal Closure (abnormal)\n") && text.contains("Operator"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&printed(&["1005", "1006", "--json"])).unwrap();
    assert_eq!(json["codes"][1]["code"], 1006);
}

#[test]
fn a_code_comes_with_the_use_that_products_make_of_it() {
    for (code, product, said) in [
        ("1000", "Phoenix", "heartbeat timeout"),
        ("1000", "RabbitMQ", "MQTT died"),
        ("1005", "Socket.IO", "Close without a code"),
        ("1006", "mosquitto", "upstream_eof"),
        ("1011", "SignalR", "ASP.NET Core"),
        ("4004", "Preset", "discord"),
    ] {
        let text = printed(&[code]);
        let (_, told) = text.split_once(&format!("\n{product}")).unwrap_or_else(|| panic!("{code}: {text}"));
        assert!(told.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{code}, {product}: {text}");
    }
}

#[test]
fn a_cause_and_a_hint_are_explained_like_codes() {
    let text = printed(&["upstream_reset"]);
    assert!(text.starts_with("upstream_reset (cause)\n") && text.contains("Seen when"), "{text}");
    let text = printed(&["idle_cut"]);
    assert!(text.starts_with("idle_cut (hint)\n") && text.contains("Send pings"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&printed(&["idle_cut", "--json"])).unwrap();
    assert_eq!((&json[0]["field"], &json[0]["word"]), (&"hint".into(), &"idle_cut".into()));
}

#[test]
fn a_configuration_says_which_class_each_route_gives() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config/example.toml");
    let text = printed(&["1006", "--config", file]);
    let by_route = text.split("Class by route\n").nth(1).unwrap();
    assert_eq!(by_route.split_whitespace().collect::<Vec<_>>(), ["default", "abnormal"]);
    let json: serde_json::Value = serde_json::from_str(&printed(&["1006", "--config", file, "--json"])).unwrap();
    assert_eq!(json["classes"], serde_json::json!([{ "route": "default", "class": "abnormal" }]));
}

#[test]
fn what_cannot_be_explained_exits_with_64_and_says_what_can() {
    for (arguments, said) in [
        (&["5000"][..], "0 to 4999"),
        (&["upstream_rst"], "upstream_reset"),
        (&["clean", "--config", "config/example.toml"], "--config goes with one code"),
        (&["1006", "clean"], "only codes can be compared"),
        (&["1006", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
    ] {
        let output = explain(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said) && output.stdout.is_empty(), "{arguments:?}: {stderr}");
    }
}
