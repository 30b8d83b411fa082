//! count in Rust: how many events of each key there were.
#![no_std]
#![no_main]
#[path = "../../../sdk/rust/avx.rs"]
mod avx;

use avx::{Buf, Event, Outcome};

fn handle(ev: &Event) -> Outcome {
    let n = avx::get_int(ev.key)?.unwrap_or(0) + 1;
    avx::set_int(ev.key, n)?;
    avx::emit(b"counted.rust", ev.key, Buf::<24>::new().put_int(n).bytes())
}

avx::subscriber!(handle);
