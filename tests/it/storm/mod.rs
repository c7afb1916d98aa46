//! Thousands of sessions that end in every way at once.

mod aftermath;
mod cut;
mod ends;
mod peers;
mod play;
mod restart;
mod soak;

/// The configuration of an instance under a storm. Its endings are a finding, as they should be, which is a line in the log; and
/// the diagnosis keeps a sample of the records, within a bound of its own (`diagnosis.memory`). Neither is what a storm measures.
const WITHOUT_DIAGNOSIS: &str = "[diagnosis]\nenabled = \"off\"\n";
