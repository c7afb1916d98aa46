//! Limits that products ship with. They lend a cluster a name; a cluster is found without them.

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
    idle(30.0, "HAProxy's example timeouts, and many meshes"),
    idle(50.0, "HAProxy's common timeout client and server"),
    idle(55.0, "Heroku's router"),
    idle(60.0, "nginx (proxy_read_timeout) and AWS ALB (idle timeout)"),
    idle(100.0, "Cloudflare"),
    idle(230.0, "Azure App Service"),
    idle(240.0, "Azure Load Balancer and NAT"),
    idle(300.0, "Envoy (stream_idle_timeout)"),
    idle(350.0, "AWS NLB and NAT gateway"),
    idle(600.0, "AWS API Gateway and Google Cloud's firewall"),
    idle(3600.0, "HAProxy's timeout tunnel as Kubernetes ingresses set it, and Envoy's TCP idle timeout"),
    age(15.0, "Envoy's route timeout"),
    age(30.0, "Google Cloud's backend service timeout"),
    age(300.0, "Cloud Run's request timeout"),
    age(3600.0, "Cloud Run's longest request timeout"),
    age(7200.0, "AWS API Gateway"),
    age(86_400.0, "services that renew each session once a day"),
];

/// Products that are known for such a limit.
pub(super) fn known(mechanism: Mechanism, seconds: f64) -> Option<&'static str> {
    let near = |known: &&Known| known.mechanism == mechanism && (known.seconds - seconds).abs() <= known.seconds * 0.02;
    KNOWN.iter().find(near).map(|known| known.name)
}
