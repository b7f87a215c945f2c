//! `cargo test --test chart`: see `chart/mod.rs`. It isn't called `chart.rs`, because rustfmt takes a file
//! beside a folder of its name for a module, and looks for `support` in that folder.

mod support {
    pub mod addresses;
    pub mod decision;
}

mod chart;
