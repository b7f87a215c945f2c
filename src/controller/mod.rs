//! The controller: what keeps the webhook going.

pub mod certificates;
