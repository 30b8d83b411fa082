//! The SDK as a crate, for projects with a Cargo.toml: `avx = { path = "…/sdk/rust" }`. It is the one
//! file avx.rs and nothing else; its name must stay `avx`.
//!
//! A guest is `no_std` on wasm32, or takes the feature `std`: std brings a panic handler of its own.
#![cfg_attr(all(target_arch = "wasm32", not(feature = "std")), no_std)]

mod avx;
pub use avx::*;
