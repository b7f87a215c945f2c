//! The commands for people, one module each, and what several of them share. They know the rooms below, but
//! not each other.

pub mod account;
pub mod context;
pub mod demo;
pub mod doctor;
pub mod inject;
pub mod ownership;
pub mod report;
pub mod status;
pub mod terminal;
pub mod token;
