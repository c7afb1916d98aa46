//! Thousands of sessions that end in every way at once.

mod aftermath;
mod cut;
mod ends;
mod peers;
mod play;
mod restart;
mod soak;
