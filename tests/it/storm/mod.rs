//! Thousands of sessions that end in every way at once.

mod ends;
mod peers;
mod storm;
