//! The wire: what RFC 6455 bytes say, and nothing else.
//!
//! *Takes* the bytes of one direction, in slices of any size, as they are read. *Gives* observations: frames, control
//! payloads, violations. *May import* nothing of ours.
//!
//! Total: every byte string decodes, or makes the tap *blind*. It never unmasks, copies or keeps data payload, and it can
//! neither delay nor fail whoever moves the bytes.

mod opcode;
mod peer;

pub use opcode::Opcode;
pub use peer::Peer;
