//! primes: counts the primes below the number that an event brings, one by one.
#![no_std]
#![no_main]
#[path = "../../sdk/rust/avx.rs"]
mod avx;

use avx::{parse_int, reject, Event, Outcome};

fn handle(ev: &Event) -> Outcome {
    let below = parse_int(ev.data).ok_or(reject("the data is no number"))?;
    let mut text = [0; 24];
    let most = avx::conf("most", &mut text).and_then(|n| parse_int(text.get(..n)?));
    if below > most.unwrap_or(1000) { return Err(reject("more than config.most allows")); }
    let primes = (2..below).filter(|n| (2..*n).all(|d| n % d != 0)).count();
    avx::set_int(ev.data, primes as i64)
}

avx::subscriber!(handle);
