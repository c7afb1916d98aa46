//! Limits that products ship with. They lend a cluster a name, and the setting to change; a cluster is found without them.

use super::finding::Mechanism;

/// A limit that is known.
struct Known {
    seconds: f64,
    mechanism: Mechanism,
    name: &'static str,
}

const fn idle(seconds: f64, name: &'static str) -> Known {
    Known { seconds, mechanism: Mechanism::IdleCut, name }
}

const fn age(seconds: f64, name: &'static str) -> Known {
    Known { seconds, mechanism: Mechanism::MaxLifetime, name }
}

const KNOWN: &[Known] = &[
    idle(30.0, "HAProxy's timeout client and timeout server, or the idle timeout of a mesh"),
    idle(50.0, "HAProxy's timeout client and timeout server"),
    idle(55.0, "Heroku's router, where it is fixed"),
    idle(60.0, "nginx's proxy_read_timeout, or the idle timeout of an AWS ALB"),
    idle(100.0, "Cloudflare"),
    idle(230.0, "Azure App Service, where it is fixed"),
    idle(240.0, "the idle timeout of an Azure Load Balancer or NAT"),
    idle(300.0, "Envoy's stream_idle_timeout"),
    idle(350.0, "the TCP idle timeout of an AWS NLB, or a NAT gateway, where it is fixed"),
    idle(600.0, "AWS API Gateway or Google Cloud's firewall, where it is fixed"),
    idle(3600.0, "HAProxy's timeout tunnel, or Envoy's idle_timeout of TCP"),
    age(15.0, "Envoy's route timeout"),
    age(30.0, "the backend service timeout of Google Cloud"),
    age(300.0, "the request timeout of Cloud Run"),
    age(3600.0, "the request timeout of Cloud Run at its longest"),
    age(7200.0, "AWS API Gateway, where it is fixed"),
    age(86_400.0, "a service that renews each session once a day"),
];

/// Products that are known for such a limit.
pub(super) fn known(mechanism: Mechanism, seconds: f64) -> Option<&'static str> {
    let near = |known: &&Known| known.mechanism == mechanism && (known.seconds - seconds).abs() <= known.seconds * 0.02;
    KNOWN.iter().find(near).map(|known| known.name)
}
