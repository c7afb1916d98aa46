//! `closewatch completions` and `closewatch man` through the built binary.

use std::process::{Command, Output};

use crate::docs::commands;

fn closewatch(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_closewatch")).args(arguments).output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = closewatch(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn each_shell_completes_commands_and_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for word in ["tail", "explain", "close-log-format"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    // A shell that reads it finds no mistake in it.
    let script = printed(&["completions", "bash"]);
    let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn the_manual_has_a_page_for_closewatch_and_for_each_command() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH closewatch 1") && page.contains("close\\-log"), "{page}");
    let help = printed(&["--help"]);
    let commands = commands(&help);
    assert!(commands.len() > 6, "{help}");
    for command in commands {
        let named = format!(".TH closewatch-{command} 1");
        assert!(printed(&["man", command]).contains(&named), "{named}");
        assert!(page.contains(&format!("closewatch\\-{command}(1)")), "the first page names {command}: {page}");
    }
}

#[test]
fn a_shell_or_a_page_that_there_is_not_exits_with_64() {
    for (arguments, said) in [(["completions", "cmd"], "bash"), (["man", "tial"], "tail")] {
        let output = closewatch(&arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(said), "{arguments:?}");
    }
}
