//! What closewatch must not change: bytes, their order, back-pressure, and how a transport ends.

mod bytes;
mod ends;
mod faults;
mod heads;
mod limits;
mod plain;
mod slow;
mod splice;
