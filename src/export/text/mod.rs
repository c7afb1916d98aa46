//! Events as lines for people: in a terminal, in a pipe, and in the close log if it is asked to be text.

mod layout;
mod row;

pub use layout::Layout;
pub use row::{Row, RowError};
