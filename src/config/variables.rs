//! Variables of the environment that begin like closewatch's and are none of them.

use super::error::{Mistake, Place};
use super::overrides::Overrides;
use super::spelling::closest;

const PREFIX: &str = "CLOSEWATCH_";

/// The unknown ones among `names`: a misspelt one is a mistake, like a misspelt key; any other is only worth a warning.
pub(super) fn unknown(names: impl Iterator<Item = String>) -> (Vec<Mistake>, Vec<String>) {
    let command = <Overrides as clap::Args>::augment_args(clap::Command::new("closewatch"));
    let known: Vec<_> = command.get_arguments().filter_map(|flag| flag.get_env()?.to_str()).collect();
    let (mut misspelt, mut others) = (Vec::new(), Vec::new());
    for name in names.filter(|name| name.starts_with(PREFIX) && !known.contains(&name.as_str())) {
        match closest(&name, &known) {
            Some(meant) => {
                let message = format!("unknown variable; did you mean {meant}?");
                misspelt.push(Mistake { place: Place::Variable(name), key: None, message });
            }
            None if is_of_kubernetes(&name) => {}
            None => others.push(format!("{}: unknown variable", name.escape_debug())),
        }
    }
    (misspelt, others)
}

/// Whether Kubernetes sets such a variable in every pod, for a Service whose name begins with `closewatch`.
fn is_of_kubernetes(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || name.ends_with("_PORT")
        || name.contains("_PORT_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> (Vec<String>, Vec<String>) {
        let (misspelt, others) = unknown(names.iter().map(|name| (*name).to_owned()));
        (misspelt.iter().map(ToString::to_string).collect(), others)
    }

    #[test]
    fn a_misspelt_variable_is_a_mistake_that_names_the_one_that_is_meant() {
        let (misspelt, others) = of(&["CLOSEWATCH_UPSTREM", "CLOSEWATCH_LOGLEVEL"]);
        assert_eq!(
            misspelt,
            [
                "CLOSEWATCH_UPSTREM: unknown variable; did you mean CLOSEWATCH_UPSTREAM?",
                "CLOSEWATCH_LOGLEVEL: unknown variable; did you mean CLOSEWATCH_LOG_LEVEL?"
            ]
        );
        assert!(others.is_empty());
    }

    #[test]
    fn other_unknown_variables_are_only_named_and_those_of_kubernetes_not_even_that() {
        let known = ["CLOSEWATCH_UPSTREAM", "CLOSEWATCH_TLS_CERT", "PATH", "UPSTREM"];
        let services = ["CLOSEWATCH_SERVICE_HOST", "CLOSEWATCH_PORT", "CLOSEWATCH_METRICS_PORT_9465_TCP_ADDR"];
        assert_eq!(of(&[&known[..], &services].concat()), (vec![], vec![]));
        assert_eq!(of(&["CLOSEWATCH_VERSION"]), (vec![], vec!["CLOSEWATCH_VERSION: unknown variable".to_owned()]));
    }
}
