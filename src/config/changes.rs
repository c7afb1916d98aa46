//! Keys of a new configuration that only a restart can put in force.

use serde_json::Value;

use super::settings::Config;

/// Keys that take effect only at the start: sockets are bound, threads run, outputs are open. A table stands for all its keys.
const FIXED: [&str; 26] = [
    "listen",
    "workers",
    "admin",
    "metrics",
    "restart",
    "otel.endpoint",
    "otel.ca",
    "otel.protocol",
    "otel.headers",
    "otel.timeout",
    "otel.traces",
    "otel.logs",
    "otel.metrics",
    "otel.queue",
    "otel.interval",
    "otel.resource",
    "diagnosis.enabled",
    "diagnosis.windows",
    "diagnosis.memory",
    "diagnosis.client",
    "log.closes",
    "log.path",
    "log.reason",
    "log.only",
    "log.level",
    "log.own_format",
];

/// A key whose new value waits for a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The key with its tables.
    pub key: &'static str,
    /// The value in force, as JSON.
    pub running: String,
    /// The value that was given, as JSON.
    pub given: String,
}

/// The keys in which `given` differs from `running` and that only a restart can change.
pub fn pending(running: &Config, given: &Config) -> Vec<Pending> {
    let (running, given) = (keys(running), keys(given));
    let differs = |key: &'static str| {
        let pointer = format!("/{}", key.replace('.', "/"));
        let [running, given] = [&running, &given].map(|config| config.pointer(&pointer).unwrap_or(&Value::Null));
        (running != given).then(|| Pending { key, running: running.to_string(), given: given.to_string() })
    };
    FIXED.into_iter().filter_map(differs).collect()
}

fn keys(config: &Config) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::new("http://127.0.0.1:9000".parse().unwrap())
    }

    #[test]
    fn every_fixed_key_is_a_key() {
        for key in FIXED {
            assert!(keys(&config()).pointer(&format!("/{}", key.replace('.', "/"))).is_some(), "{key}");
        }
    }

    #[test]
    fn only_what_is_used_up_at_the_start_waits() {
        let (running, mut given) = (config(), config());
        given.limits.sessions = Some(7);
        given.timeouts.head *= 2;
        given.routes.clear();
        assert_eq!(pending(&running, &given), []);
        given.workers = 3;
        given.admin.listen = None;
        let expected = |key, running: &str, given: &str| Pending { key, running: running.into(), given: given.into() };
        assert_eq!(
            pending(&running, &given),
            [
                expected("workers", "0", "3"),
                expected(
                    "admin",
                    r#"{"listen":"127.0.0.1:9464","names":[],"url":""}"#,
                    r#"{"listen":"off","names":[],"url":""}"#
                )
            ]
        );
    }
}
