//! Certificates of the webhook: made, renewed and rotated without a gap.

mod plan;
#[cfg(test)]
mod simulation;
mod snapshot;
