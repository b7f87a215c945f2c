//! What the process tells about itself: log lines and metrics. It decides nothing.

pub mod histogram;
pub mod logs;
pub mod metrics;
