//! Query strings, read strictly: a filter that is misspelt must not pass for one that matches everything.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use crate::close::{Class, CloseRecord, CodeLabel, CodeMatch, Verdict};
use crate::wire::Peer;

/// How many entries or sessions an answer has unless it is said.
const DEFAULT_LIMIT: usize = 100;
/// An answer has no more than this, whatever is said: some 2 MB.
const MAX_LIMIT: usize = 1000;

/// Which part of a listing is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) limit: usize,
    /// Any of these; all if empty.
    pub(super) classes: Vec<Class>,
    /// Any of these; all if empty.
    pub(super) codes: Vec<CodeMatch>,
    /// Only those whose two sides saw different codes.
    pub(super) mismatch: bool,
}

/// A query that cannot be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueryError {
    #[error("limit: {0:?} is not a number of 0 to {MAX_LIMIT}")]
    Limit(String),
    #[error("class: {0}")]
    Class(#[from] crate::close::UnknownLabel),
    #[error("code: {0}")]
    Code(#[from] crate::close::CodeMatchError),
    #[error("mismatch: {0:?} is not 1: leave it out to get all")]
    Mismatch(String),
    #[error("{key:?} is none of the keys here: {allowed}")]
    Key { key: String, allowed: &'static str },
}

// === impl Query ===

impl Query {
    /// The query of `/closes`: limit, class, code, mismatch.
    pub(super) fn of_closes(query: Option<&str>) -> Result<Self, QueryError> {
        Self::parse(query, "limit, class, code, mismatch", true)
    }

    /// The query of `/sessions`: limit.
    pub(super) fn of_sessions(query: Option<&str>) -> Result<Self, QueryError> {
        Self::parse(query, "limit", false)
    }

    fn parse(query: Option<&str>, allowed: &'static str, filters: bool) -> Result<Self, QueryError> {
        let mut parsed = Self { limit: DEFAULT_LIMIT, classes: Vec::new(), codes: Vec::new(), mismatch: false };
        for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*key {
                "limit" => {
                    let limit: usize = value.parse().map_err(|_| QueryError::Limit(value.into_owned()))?;
                    parsed.limit = limit.min(MAX_LIMIT);
                }
                "class" if filters => parsed.classes.push(value.parse()?),
                "code" if filters => parsed.codes.push(value.parse()?),
                "mismatch" if filters && value == "1" => parsed.mismatch = true,
                "mismatch" if filters => return Err(QueryError::Mismatch(value.into_owned())),
                _ => return Err(QueryError::Key { key: key.into_owned(), allowed }),
            }
        }
        Ok(parsed)
    }

    /// Whether closures alone are asked for.
    pub(super) fn is_filter(&self) -> bool {
        !self.classes.is_empty() || !self.codes.is_empty() || self.mismatch
    }

    /// Whether this closure is asked for.
    pub(super) fn takes(&self, record: &CloseRecord) -> bool {
        (self.classes.is_empty() || self.classes.contains(&record.verdict.class))
            && (self.codes.is_empty() || self.codes.iter().any(|codes| has_code(codes, record)))
            && (!self.mismatch || record.verdict.saw_mismatch())
    }
}

/// Whether somebody who has one of these codes in hand looks for this session: it is the verdict's, or a side saw it, or sent
/// it.
fn has_code(codes: &CodeMatch, record: &CloseRecord) -> bool {
    if is_verdict(codes, &record.verdict) {
        return true;
    }
    let CodeMatch::Codes(range) = codes else { return false };
    Peer::ALL.into_iter().any(|peer| {
        let (facts, saw) = record.of(peer);
        // A Close with 1005 or 1006 in it is no *derived* one: it is `invalid`.
        let sent = facts.close.as_ref().and_then(|close| close.code).filter(|code| code.may_be_sent());
        [saw.code, sent].into_iter().flatten().any(|code| range.contains(&code.0))
    })
}

/// 1006 asks for the derived 1006, never for a Close with that number in it: that one is `invalid`.
fn is_verdict(codes: &CodeMatch, verdict: &Verdict) -> bool {
    match (codes, verdict.label) {
        (CodeMatch::Invalid, CodeLabel::Invalid) => true,
        (CodeMatch::Codes(range), CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private) => {
            verdict.code.is_some_and(|code| range.contains(&code.0))
        }
        (CodeMatch::Invalid, CodeLabel::Code(_) | CodeLabel::Library | CodeLabel::Private)
        | (CodeMatch::Codes(_), CodeLabel::Invalid)
        | (_, CodeLabel::Unknown) => false,
    }
}

impl IntoResponse for QueryError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{self}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_asked_is_the_default() {
        for query in [None, Some("")] {
            let parsed = Query::of_closes(query).unwrap();
            assert_eq!(parsed, Query { limit: 100, classes: vec![], codes: vec![], mismatch: false });
        }
    }

    #[test]
    fn keys_may_be_repeated_and_the_limit_is_capped() {
        let query = Query::of_closes(Some("class=abnormal&class=overload&code=1006&code=4xxx&limit=99999")).unwrap();
        assert_eq!(query.limit, 1000);
        assert_eq!(query.classes, [Class::Abnormal, Class::Overload]);
        assert_eq!(query.codes, ["1006".parse().unwrap(), "4xxx".parse().unwrap()]);
    }

    #[test]
    fn errors_name_the_key_and_what_is_allowed() {
        let error = |query| Query::of_closes(Some(query)).unwrap_err().to_string();
        assert_eq!(error("limit=-1"), r#"limit: "-1" is not a number of 0 to 1000"#);
        assert!(error("class=bad").starts_with(r#"class: "bad" is none of: clean, planned, "#));
        assert!(error("code=x").starts_with(r#"code: "x" is not a close code"#));
        assert_eq!(error("clas=clean"), r#""clas" is none of the keys here: limit, class, code, mismatch"#);
        let error = Query::of_sessions(Some("class=clean")).unwrap_err().to_string();
        assert_eq!(error, r#""class" is none of the keys here: limit"#);
    }
}
