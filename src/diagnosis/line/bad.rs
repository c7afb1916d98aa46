//! Reasons why a line is no record.

/// A line that is not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Not a JSON object.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// A line of closewatch's own log.
    #[error("a line of closewatch's own log")]
    OwnLog,
    /// A JSON object, but none of closewatch's records.
    #[error("not a record of closewatch")]
    Foreign,
    /// A record whose time cannot be read.
    #[error("no time that can be read")]
    NoTime,
    /// A record of a schema that is newer than this reader.
    #[error("schema {0} is not known")]
    Schema(u32),
}
