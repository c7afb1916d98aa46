//! The JSON Schema of a configuration file, for editors: its keys are those of the effective configuration.

use serde_json::{Map, Value, json};

use super::diagnosis::Diagnosis;
use super::draft::{LONGEST_REASON, MOST_ROUTES, MOST_WORKERS};
use super::forwarded::{AddressHeader, XForwarded};
use super::otel::{OtelPropagator, OtelProtocol, OtelSampler};
use super::route::{HostMatch, Route};
use super::settings::{Config, LogFormat, LogLevel, LogPath, OwnLogFormat, VERSION};
use super::tls::UpstreamTls;
use super::upstream::Upstream;
use super::words::Words;
use crate::close::{Class, Outcome};
use crate::diagnosis::Mechanism;

/// A duration: a number with its unit, or several. Spelt as jiff reads it, but for words that nobody writes.
const DURATION: &str =
    r"^([0-9]+([.][0-9]+)?\s*(ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)[\s,]*)+$";
/// A size with its unit, or in bytes.
const SIZE: &str = r"^[0-9]+([.][0-9]+)?\s*([kKmMgG]i?)?[bB]?$";
/// `IP:port`, and what stands for one.
const ADDRESS: &str = r"(\[[0-9a-fA-F:.%]+\]|[0-9.]+|localhost|):[0-9]{1,5}";
const UPSTREAM: &str = r"^(https?://(\[[0-9a-fA-F:.]+\]|[^/?#@:\[\]]+)(:[1-9][0-9]{0,4})?/?|unix:/.+)$";
const HOST: &str = r"^((\*\.)?[A-Za-z0-9_.-]+|\[[0-9a-fA-F:.]+\])$";
/// The keys of a table of classes.
const CODES: &str = r"^(invalid|[34]xxx|[0-9]{1,4}(-[0-9]{1,4})?)$";

/// The JSON Schema of a file, without descriptions. What it refuses, closewatch refuses, too; `closewatch check` finds more.
///
/// A key of the configuration that has no [`kind`] is described as anything; a test sees to it that there is none.
pub fn schema() -> Value {
    let mut config = Config::without_routes();
    let anywhere: Result<Upstream, _> = "https://localhost".parse();
    let mut route = anywhere.ok().map(|upstream| Route::new("any", upstream));
    if let Some(route) = &mut route {
        route.host = Some(HostMatch::Exact("localhost".to_owned()));
        route.upstream_tls = Some(UpstreamTls::default());
    }
    config.routes.extend(route);
    config.diagnosis = Diagnosis::default();
    let keys = serde_json::to_value(&config).unwrap_or_default();
    let mut schema = table(&keys, "");
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "The configuration of closewatch".into();
    // Stands for a route, and so not among the keys of a configuration.
    schema["properties"]["upstream"] = kind("upstream").unwrap_or_default();
    let mut former = one_of::<LogFormat>(&[]);
    former["deprecated"] = true.into();
    former["description"] = "The former name of log.closes_format".into();
    schema["properties"]["log"]["properties"]["format"] = former;
    schema["not"] = json!({ "required": ["upstream", "routes"] });
    schema
}

/// A table with these keys, each with its kind.
fn table(keys: &Value, path: &str) -> Value {
    let mut properties = Map::new();
    for (name, value) in keys.as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let schema = match (kind(&path), value) {
            (Some(schema), _) => schema,
            (None, Value::Array(tables)) => {
                let mut one = table(tables.first().unwrap_or(&Value::Null), &path);
                one["required"] = json!(["name", "upstream"]);
                json!({ "type": "array", "minItems": 1, "items": one })
            }
            (None, value) => table(value, &path),
        };
        properties.insert(name.clone(), schema);
    }
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The values that a key may have; `None` for a table.
fn kind(key: &str) -> Option<Value> {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    Some(match (table, name) {
        ("", "version") => json!({ "const": VERSION }),
        ("", "workers") => whole(0, Some(MOST_WORKERS)),
        ("", "listen") => json!({ "type": "string", "pattern": format!("^{ADDRESS}$") }),
        ("admin" | "metrics", "listen") => json!({ "type": "string", "pattern": format!("^(off|{ADDRESS}|)$") }),
        ("" | "routes", "upstream") => json!({ "type": "string", "pattern": UPSTREAM }),
        ("" | "routes", "classes") => classes(),
        ("tls" | "upstream_tls" | "routes.upstream_tls", "insecure")
        | ("log", "reason" | "query")
        | ("relay", "verbatim" | "splice")
        | ("forwarded", "proxy_protocol")
        | ("diagnosis", "enabled") => json!({ "enum": ["on", "off"] }),
        ("tls" | "upstream_tls" | "routes.upstream_tls", _)
        | ("log", "closes")
        | ("otel", "endpoint" | "ca" | "traces" | "logs" | "metrics") => json!({ "type": "string" }),
        ("routes", "host") => json!({ "type": "string", "pattern": HOST }),
        ("admin", "url") => json!({ "type": "string", "pattern": "^(https?://.+|)$" }),
        ("admin", "names") | ("forwarded", "trusted") | ("diagnosis", "hops") => list(&json!({ "type": "string" })),
        ("log", "path") => one_of::<LogPath>(&[]),
        ("log", "closes_format") => one_of::<LogFormat>(&[]),
        ("log", "level") => one_of::<LogLevel>(&[]),
        ("log", "own_format") => one_of::<OwnLogFormat>(&[]),
        ("log", "only") => only(),
        ("timeouts", "dial" | "head" | "keep_alive" | "tls" | "handshake") | ("otel", "timeout" | "interval") => {
            json!({ "type": "string", "pattern": DURATION })
        }
        ("timeouts", _) | ("routes", "idle") => {
            json!({ "anyOf": [{ "const": 0 }, { "const": "0" }, { "type": "string", "pattern": DURATION }] })
        }
        ("drain", "code") => json!({ "anyOf": [
            { "const": 0 }, whole(1000, Some(1003)), whole(1007, Some(1014)), whole(3000, Some(4999)),
        ] }),
        ("drain", "reason") => json!({ "type": "string", "maxLength": LONGEST_REASON }),
        ("restart", "socket") => json!({ "type": "string", "pattern": "^(off|/.*)$" }),
        ("limits", "header_bytes") | ("diagnosis", "memory") => {
            json!({ "anyOf": [whole(0, None), { "type": "string", "pattern": SIZE }] })
        }
        ("limits", "header_lines") => whole(16, Some(1000)),
        ("limits", "routes") => whole(1, Some(MOST_ROUTES)),
        ("limits", _) => whole(0, None),
        ("forwarded", "x_forwarded") => one_of::<XForwarded>(&["off"]),
        ("forwarded", "header") => one_of::<AddressHeader>(&[]),
        ("otel", "protocol") => one_of::<OtelProtocol>(&[]),
        ("otel", "sampler") => one_of::<OtelSampler>(&[]),
        ("otel", "propagators") => list(&one_of::<OtelPropagator>(&[])),
        ("otel", "sampler_ratio" | "sample_clean") => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        ("otel", "queue") => whole(1, None),
        ("otel", "headers" | "resource") => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        ("diagnosis", "windows") => {
            let mut windows = list(&json!({ "type": "string", "pattern": DURATION }));
            windows["minItems"] = 2.into();
            windows["maxItems"] = 2.into();
            windows
        }
        ("diagnosis", "client") => json!({ "type": "string", "pattern": "^((cookie|header):.+|)$" }),
        ("diagnosis", "silent") => list(&silent()),
        ("routes", "name") => {
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$", "not": { "const": "none" } })
        }
        ("routes", "path") => json!({ "type": "string", "pattern": "^/[^?# *]*$" }),
        ("routes", "codes") => list(&json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })),
        _ => return None,
    })
}

fn whole(least: usize, most: Option<usize>) -> Value {
    let mut schema = json!({ "type": "integer", "minimum": least });
    if let Some(most) = most {
        schema["maximum"] = most.into();
    }
    schema
}

fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn one_of<W: Words>(more: &[&'static str]) -> Value {
    json!({ "enum": W::words().chain(more.iter().copied()).collect::<Vec<_>>() })
}

fn classes() -> Value {
    let classes: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).collect();
    json!({ "type": "object", "propertyNames": { "pattern": CODES }, "additionalProperties": { "enum": classes } })
}

fn only() -> Value {
    let classes = Class::ALL.iter().map(|class| class.as_str());
    let mut words: Vec<_> =
        classes.chain(Outcome::ALL.iter().map(|outcome| outcome.as_str())).chain(["warn"]).collect();
    // `unknown` and the like stand in one set only, but nothing says that they always will.
    words.sort_unstable();
    words.dedup();
    let mut several = list(&json!({ "enum": words }));
    several["minItems"] = 1.into();
    words.push("all");
    json!({ "anyOf": [{ "enum": words }, several] })
}

fn silent() -> Value {
    let mechanisms: Vec<_> = Mechanism::ALL.iter().map(|mechanism| mechanism.as_str()).collect();
    json!({
        "type": "object",
        "properties": {
            "route": { "type": "string" },
            "mechanism": { "enum": mechanisms },
            "until": { "type": "string" },
        },
        "required": ["mechanism"],
        "additionalProperties": false,
    })
}
