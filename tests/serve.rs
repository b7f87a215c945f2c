mod common;
mod serving;
