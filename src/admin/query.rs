//! Query strings, read strictly: a filter that is misspelt must not pass for one that matches everything.

use std::net::IpAddr;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;
use url::form_urlencoded;

use super::filter::{CauseMatch, Filter};
use crate::close::{Cause, Outcome, UnknownLabel};

/// How many entries or sessions an answer has unless it is said.
const DEFAULT_LIMIT: usize = 100;
/// An answer has no more than this, whatever is said: some 2 MB.
const MAX_LIMIT: usize = 1000;

/// Which part of a listing is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) limit: usize,
    pub(super) filter: Filter,
}

/// A query that cannot be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("limit: {0:?} is not a number of 0 to {MAX_LIMIT}")]
    Limit(String),
    #[error("{key}: {source}")]
    Label { key: &'static str, source: UnknownLabel },
    #[error("cause: {cause}; nor of the outcomes of a handshake: {outcome}")]
    Cause { cause: UnknownLabel, outcome: UnknownLabel },
    #[error("client: {0:?} is neither an IP address nor a network, as in \"10.0.0.0/8\"")]
    Client(String),
    #[error("session: {0:?} is not the identifier of a session")]
    Session(String),
    #[error("since: {0:?} is not a time, as in \"2026-11-20T12:00:00Z\"")]
    Since(String),
    #[error("code: {0}")]
    Code(#[from] crate::close::CodeMatchError),
    #[error("mismatch: {0:?} is not 1: leave it out to get all")]
    Mismatch(String),
    #[error("{key:?} is none of the keys here: {allowed}")]
    Key { key: String, allowed: &'static str },
}

// === impl Query ===

impl Query {
    /// The query of `/closes`: limit and filters.
    pub(super) fn of_closes(query: Option<&str>) -> Result<Self, QueryError> {
        const ALLOWED: &str = "limit, class, code, route, cause, initiator, client, session, hint, mismatch, since";
        Self::parse(query, ALLOWED, true)
    }

    /// The query of `/sessions`: limit.
    pub(super) fn of_sessions(query: Option<&str>) -> Result<Self, QueryError> {
        Self::parse(query, "limit", false)
    }

    fn parse(query: Option<&str>, allowed: &'static str, filters: bool) -> Result<Self, QueryError> {
        let mut parsed = Self { limit: DEFAULT_LIMIT, filter: Filter::default() };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if key == "limit" {
                let limit: usize = value.parse().map_err(|_| QueryError::Limit(value.into_owned()))?;
                parsed.limit = limit.min(MAX_LIMIT);
            } else if !filters || !parsed.filter.add(&key, &value)? {
                return Err(QueryError::Key { key: key.into_owned(), allowed });
            }
        }
        Ok(parsed)
    }
}

impl Filter {
    /// Adds a value of a key; `false` if there is no such key.
    fn add(&mut self, key: &str, value: &str) -> Result<bool, QueryError> {
        let label = |key| move |source| QueryError::Label { key, source };
        match key {
            "class" => self.classes.push(value.parse().map_err(label("class"))?),
            "code" => self.codes.push(value.parse()?),
            "route" => self.routes.push(value.to_owned()),
            "cause" => self.causes.push(cause(value)?),
            "initiator" => self.initiators.push(value.parse().map_err(label("initiator"))?),
            "client" => {
                let address = value.parse::<IpAddr>().map(IpNet::from).or_else(|_| value.parse());
                self.clients.push(address.map_err(|_| QueryError::Client(value.to_owned()))?);
            }
            "session" => {
                let session = value.parse().map_err(|_| QueryError::Session(value.to_owned()));
                self.sessions.push(session?);
            }
            "hint" => self.hints.push(value.parse().map_err(label("hint"))?),
            "since" => {
                let since = value.parse().map_err(|_| QueryError::Since(value.to_owned()));
                self.since = Some(since?);
            }
            "mismatch" if value == "1" => self.mismatch = true,
            "mismatch" => return Err(QueryError::Mismatch(value.to_owned())),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn cause(value: &str) -> Result<CauseMatch, QueryError> {
    let cause = value.parse::<Cause>().map(CauseMatch::Cause);
    cause.or_else(|cause| {
        let outcome = value.parse::<Outcome>().map(CauseMatch::Outcome);
        outcome.map_err(|outcome| QueryError::Cause { cause, outcome })
    })
}

impl IntoResponse for QueryError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{self}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::close::Class;

    #[test]
    fn nothing_asked_is_the_default() {
        for query in [None, Some("")] {
            let parsed = Query::of_closes(query).unwrap();
            assert_eq!(parsed, Query { limit: 100, filter: Filter::default() });
        }
    }

    #[test]
    fn keys_may_be_repeated_and_the_limit_is_capped() {
        let query = Query::of_closes(Some("class=abnormal&class=overload&code=1006&code=4xxx&limit=99999")).unwrap();
        assert_eq!(query.limit, 1000);
        assert_eq!(query.filter.classes, [Class::Abnormal, Class::Overload]);
        assert_eq!(query.filter.codes, ["1006".parse().unwrap(), "4xxx".parse().unwrap()]);
    }

    #[test]
    fn errors_name_the_key_and_what_is_allowed() {
        let error = |query| Query::of_closes(Some(query)).unwrap_err().to_string();
        assert_eq!(error("limit=-1"), r#"limit: "-1" is not a number of 0 to 1000"#);
        assert!(error("class=bad").starts_with(r#"class: "bad" is none of: clean, planned, "#));
        assert!(error("code=x").starts_with(r#"code: "x" is not a close code"#));
        assert_eq!(
            error("clas=clean"),
            r#""clas" is none of the keys here: limit, class, code, route, cause, initiator, client, session, hint, mismatch, since"#
        );
        assert_eq!(
            error("client=10.1"),
            r#"client: "10.1" is neither an IP address nor a network, as in "10.0.0.0/8""#
        );
        assert!(error("cause=boom").contains("upstream_reset") && error("cause=boom").contains("dial_failed"));
        assert!(error("initiator=me").starts_with(r#"initiator: "me" is none of: client, upstream, "#));
        assert!(error("hint=idle").starts_with(r#"hint: "idle" is none of: idle_cut, "#));
        let error = Query::of_sessions(Some("class=clean")).unwrap_err().to_string();
        assert_eq!(error, r#""class" is none of the keys here: limit"#);
    }
}
