//! Limits the number of concurrent stacks, in total and per region.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

pub(super) struct LaunchLimits {
    all: Option<Semaphore>,
    by_region: HashMap<Arc<str>, Semaphore>,
}

/// The permission to have a stack; returned when dropped.
pub(super) struct LaunchPermit<'l> {
    _all: Option<SemaphorePermit<'l>>,
    _region: Option<SemaphorePermit<'l>>,
}

impl LaunchLimits {
    /// Creates the limits; `None` means unlimited.
    pub(super) fn new<'r>(
        all: Option<usize>,
        per_region: Option<usize>,
        regions: impl Iterator<Item = &'r Arc<str>>,
    ) -> Self {
        let by_region = per_region.map(|limit| {
            regions
                .map(|region| (region.clone(), Semaphore::new(limit)))
                .collect()
        });
        Self {
            all: all.map(Semaphore::new),
            by_region: by_region.unwrap_or_default(),
        }
    }

    /// Waits for a place in the region first, so that a busy region doesn't hold places that others
    /// could use.
    pub(super) async fn permit(&self, region: &str) -> LaunchPermit<'_> {
        LaunchPermit {
            _region: acquire(self.by_region.get(region)).await,
            _all: acquire(self.all.as_ref()).await,
        }
    }
}

async fn acquire(semaphore: Option<&Semaphore>) -> Option<SemaphorePermit<'_>> {
    // The semaphores are never closed, so this can't fail; without a permit the limit would merely
    // be exceeded.
    semaphore?.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn both_limits_hold_and_places_are_given_back() {
        let regions: [Arc<str>; 2] = ["a".into(), "b".into()];
        let limits = LaunchLimits::new(Some(3), Some(2), regions.iter());
        let first = limits.permit("a").await;
        let _second = limits.permit("a").await;
        assert!(
            limits.permit("a").now_or_never().is_none(),
            "two in one region"
        );
        let _third = limits.permit("b").await;
        assert!(limits.permit("b").now_or_never().is_none(), "three in all");
        drop(first);
        assert!(limits.permit("b").now_or_never().is_some());
    }
}
