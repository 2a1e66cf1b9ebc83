//! CreateStack, what surrounds it, and what can go wrong with it.

pub mod hook;
