//! Resolves Availability Zones: `$[taskcat_genaz_…]` and `$[taskcat_gensingleaz_…]`.

use thiserror::Error;

use super::CellContext;
use crate::plan::AvailabilityZone;

/// There are fewer zones than the parameter requires.
#[derive(Debug, PartialEq, Eq, Error)]
#[error(
    "only {found} availability zone{} in {region}{}, {wanted} wanted",
    plural(*found),
    after(*excluded)
)]
pub(super) struct TooFewZones {
    region: String,
    found: usize,
    excluded: bool,
    wanted: usize,
}

/// Returns the names of the first `count` zones in AWS's order, without those whose ID is in
/// `az_blacklist`.
pub(super) fn first<'a>(
    zones: &'a [AvailabilityZone],
    count: usize,
    scope: &CellContext,
) -> Result<Vec<&'a str>, TooFewZones> {
    let allowed = zones
        .iter()
        .filter(|zone| !scope.az_blacklist.contains(&zone.id));
    let names: Vec<&str> = allowed.map(|zone| zone.name.as_str()).collect();
    if names.len() < count {
        let region = scope.region.to_owned();
        let excluded = names.len() < zones.len();
        return Err(TooFewZones {
            region,
            found: names.len(),
            excluded,
            wanted: count,
        });
    }
    Ok(names.into_iter().take(count).collect())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn after(excluded: bool) -> &'static str {
    if excluded { " after az_blacklist" } else { "" }
}
