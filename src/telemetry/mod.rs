//! What the process reports about itself: log lines and metrics. It makes no decisions.

pub mod histogram;
pub mod logs;
pub mod metrics;
