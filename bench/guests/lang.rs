//! What the languages are compared by, in Rust: count events by key, and total orders.
#![cfg_attr(target_arch = "wasm32", no_std, no_main)]
#[path = "../../sdk/rust/avx.rs"]
mod avx;
use avx::{json, reject, Buf, Event, Outcome};

fn count(ev: &Event) -> Outcome { avx::add_int(Buf::<256>::new().put(b"count/").put(ev.key).bytes(), 1) }

fn line(j: &mut json::Reader) -> Result<i64, json::Malformed> {
    let (mut qty, mut cents) = (0, 0);
    j.object()?;
    while let Some(key) = j.key()? {
        if key.is("qty") { qty = j.int()?; } else if key.is("cents") { cents = j.int()?; } else { j.skip()?; }
    }
    Ok(qty * cents)
}

fn read(data: &[u8], country: &mut Buf<256>) -> Result<i64, json::Malformed> {
    let mut j = json::Reader::new(data);
    let mut sum = 0;
    j.object()?;
    while let Some(key) = j.key()? {
        if key.is("country") {
            j.string()?.text(country);
        } else if key.is("lines") {
            j.list()?;
            while j.item()? { sum += line(&mut j)?; }
        } else {
            j.skip()?;
        }
    }
    j.end()?;
    Ok(sum)
}

fn total(ev: &Event) -> Outcome {
    let mut key = Buf::<256>::new();
    key.put(b"total/");
    match read(ev.data, &mut key) {
        Ok(sum) => avx::add_int(key.bytes(), sum),
        Err(json::Malformed) => Err(reject("not an order")),
    }
}

fn handle(ev: &Event) -> Outcome { if ev.topic == b"bench.count" { count(ev) } else { total(ev) } }

avx::subscriber!(handle);
