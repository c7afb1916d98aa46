//! HTTP/1.1 messages: their heads read and changed, plain requests passed on, answers of closewatch's own.

pub(super) mod answer;
pub(super) mod early;
mod expect;
pub(super) mod facts;
pub(super) mod failures;
pub(super) mod head;
pub(super) mod headers;
pub(super) mod lines;
pub(super) mod offer;
pub(super) mod plain;
pub(super) mod rewrite;
pub(super) mod target;
pub(super) mod upstream;
pub(super) mod upstreams;
pub(super) mod websocket;
