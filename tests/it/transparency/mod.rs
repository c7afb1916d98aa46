//! Transparency: closewatch changes neither bytes nor their order, neither back-pressure nor the way in which a transport ends.

mod bytes;
mod ends;
mod faults;
mod heads;
mod idle;
mod limits;
mod lines;
mod options;
mod own_connections;
mod plain;
mod slow;
mod splice;
