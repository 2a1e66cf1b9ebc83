//! The binary's allocator: mimalloc for the lint engine, the system's for everything else.
//!
//! The engine unpacks a quarter of a gigabyte and allocates much in several threads. On mimalloc,
//! with the huge pages that it asks Linux for, that takes two thirds of the time. The rest of the
//! program would start later on it, and a large run would need a third more memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

use libmimalloc_sys::{mi_is_in_heap_region, mi_option_eager_commit_delay, mi_option_set};
use mimalloc::MiMalloc;

use super::engine;

/// Chooses by what the thread does, and frees by where the memory lies.
pub struct EngineAllocator;

/// Whether mimalloc was ever used; until then nothing has to be looked up.
static USED: AtomicBool = AtomicBool::new(false);

// SAFETY: every call is passed on unchanged, to the allocator that the memory came from.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for EngineAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if engine::is_at_work() {
            prepare();
            unsafe { MiMalloc.alloc(layout) }
        } else {
            unsafe { System.alloc(layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if engine::is_at_work() {
            prepare();
            unsafe { MiMalloc.alloc_zeroed(layout) }
        } else {
            unsafe { System.alloc_zeroed(layout) }
        }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        if is_of_mimalloc(start) {
            unsafe { MiMalloc.dealloc(start, layout) }
        } else {
            unsafe { System.dealloc(start, layout) }
        }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_of_mimalloc(start) {
            unsafe { MiMalloc.realloc(start, layout, size) }
        } else {
            unsafe { System.realloc(start, layout, size) }
        }
    }
}

/// Before the first use, has mimalloc ask for huge pages from the first allocation of a thread on.
#[allow(unsafe_code)]
fn prepare() {
    if !USED.load(Ordering::Relaxed) {
        // SAFETY: options may be set at any time, by any thread.
        unsafe { mi_option_set(mi_option_eager_commit_delay, 0) };
        USED.store(true, Ordering::Relaxed);
    }
}

/// Who got the address from another thread sees `USED` as that thread left it.
#[allow(unsafe_code)]
fn is_of_mimalloc(start: *mut u8) -> bool {
    // SAFETY: the address is looked up in a table of mimalloc's, and not followed.
    USED.load(Ordering::Relaxed) && unsafe { mi_is_in_heap_region(start.cast()) }
}
