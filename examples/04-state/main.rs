//! carts: what lies in the cart of each customer. The key of an event is the customer.
#![no_std]
#![no_main]
#[path = "../../sdk/rust/avx.rs"]
mod avx;

use avx::json::{Malformed, Reader};
use avx::{reject, Buf, Event, Fail, Outcome};

impl From<Malformed> for Fail {
    fn from(_: Malformed) -> Fail { reject(r#"the data is not {"item":"…"}"#) }
}

fn handle(ev: &Event) -> Outcome {
    let mut key = Buf::<1024>::new();
    key.put(ev.key).put(b"/");
    let mut r = Reader::new(ev.data);
    r.object()?;
    while let Some(k) = r.key()? {
        if k.is("item") { r.string()?.text(&mut key) } else { r.skip()?; }
    }
    r.end()?;
    if key.full { return Err(reject("the names are too long")); }

    let number = avx::get_int(key.bytes())?.unwrap_or(0);
    if ev.topic == b"cart.added" { return avx::set_int(key.bytes(), number + 1); }
    match number {
        0 => Err(reject("it is not in the cart")),
        1 => avx::del(key.bytes()),
        _ => avx::set_int(key.bytes(), number - 1),
    }
}

avx::subscriber!(handle);
