//! Thousands of sessions that end in every way at once.

mod aftermath;
mod ends;
mod peers;
mod play;
mod restart;
mod soak;
