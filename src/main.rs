//! Parse, call, exit code.

use std::process::ExitCode;

#[cfg(feature = "lint")]
#[global_allocator]
static ALLOCATOR: taskcat::EngineAllocator = taskcat::EngineAllocator;

fn main() -> ExitCode {
    taskcat::cli::main()
}
