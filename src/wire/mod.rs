//! The wire: what RFC 6455 bytes say, and nothing else.
//!
//! *Takes* the bytes of one direction, in slices of any size, as they are read. *Gives* observations: frames, close
//! bodies, violations. *May import* nothing of ours.
//!
//! Total: every byte string decodes, or makes the tap *blind*. It never unmasks, copies or keeps data payload, and it can
//! neither delay nor fail whoever moves the bytes.

mod close_body;
mod encode;
mod frame;
mod header;
mod opcode;
mod peer;
mod tap;
#[cfg(test)]
mod tests;
mod violation;

pub use close_body::{CloseBody, may_be_sent};
pub use encode::close_frame;
pub use frame::{Frame, MessageKind, ReservedBits};
pub use header::{MAX_CONTROL_PAYLOAD, MAX_HEADER};
pub use opcode::Opcode;
pub use peer::Peer;
pub use tap::{Boundary, Observe, Tap};
pub use violation::Violation;
