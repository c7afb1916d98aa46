//! Integration tests, one binary: each module is a suite.

mod real_peers;
