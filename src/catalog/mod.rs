//! What AWS offers: tables of facts, no I/O. Called by `plan` and, for hosts of URLs, by `launch` and `stage`.

mod partition;

pub use partition::{Partition, partition, partition_of};
