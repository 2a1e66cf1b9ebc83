//! What AWS offers: tables of facts, no I/O. Called by `plan` and, for hosts of URLs, by `launch`
//! and `stage`.
//!
//! - `partition`: partitions, and the region names that belong to them
//! - `region`: which regions there are, and which of them have which resource type
//! - `resource_type`: what a resource type looks like; its parts are described in `shape`
//! - `s3_url`: the URLs by which S3's objects go
//! - `packed`: the two embedded tables are compressed; each is unpacked when it is first asked
//!
//! Both tables are made by `schemas/resource_types.py`; `schemas/README.md` says from what, and how
//! far they go.

mod packed;
mod partition;
mod region;
mod resource_type;
pub mod s3_url;
mod shape;

pub use partition::{Partition, partition, partition_of};
pub use region::{
    Availability, as_of, is_known_region, is_unrecognized, nearest_regions, offers, regions,
};
pub use resource_type::{ResourceType, resource_type, resource_type_names};
pub use shape::{JsonType, ObjectShape, PropertyShape, Shape};
