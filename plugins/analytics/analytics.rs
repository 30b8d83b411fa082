//! analytics: what orders and requests add up to. README.md says what it keeps.
#![no_std]
#![no_main]
#[path = "../../sdk/rust/avx.rs"]
mod avx;
#[path = "../request.rs"]
mod request;
mod visits;

use avx::json::{Malformed, Reader, Str};
use avx::{reject, Buf, Bytes, Event, Fail, Outcome};

const MAX_QTY: u64 = 1_000_000;
const MAX_CENTS: u64 = 1_000_000_000;
const MAX_NAME: usize = 400;

impl From<Malformed> for Fail {
    fn from(_: Malformed) -> Fail { reject("the data is not an order: malformed JSON, or a field of the wrong kind") }
}

/// The parts of an order that count here.
struct Order<'a> {
    country: Str<'a>,
    lines: Bytes<'a>,
}

fn read_order(data: Bytes) -> Outcome<Order> {
    let mut r = Reader::new(data);
    let (mut country, mut lines) = (None, None);
    r.object()?;
    while let Some(k) = r.key()? {
        if k.is("country") {
            country = Some(r.string()?);
        } else if k.is("lines") {
            lines = Some(r.skip()?);
        } else {
            r.skip()?;
        }
    }
    r.end()?;
    Ok(Order { country: country.ok_or(reject("country: missing"))?, lines: lines.ok_or(reject("lines: missing"))? })
}

struct Line<'a> {
    sku: Str<'a>,
    qty: i64,
    cents: i64,
}

fn read_line<'a>(r: &mut Reader<'a>) -> Outcome<Line<'a>> {
    let (mut sku, mut qty, mut cents) = (None, None, None);
    r.object()?;
    while let Some(k) = r.key()? {
        if k.is("sku") {
            sku = Some(r.string()?);
        } else if k.is("qty") {
            qty = Some(r.int()?);
        } else if k.is("cents") {
            cents = Some(r.int()?);
        } else {
            r.skip()?;
        }
    }
    let line = Line {
        sku: sku.ok_or(reject("lines: a sku is missing"))?,
        qty: qty.ok_or(reject("lines: a qty is missing"))?,
        cents: cents.ok_or(reject("lines: cents are missing"))?,
    };
    if line.qty.unsigned_abs() > MAX_QTY { return Err(reject("lines: a qty is beyond 1,000,000")); }
    if line.cents.unsigned_abs() > MAX_CENTS { return Err(reject("lines: a price is beyond 1,000,000,000 cents")); }
    Ok(line)
}

/// Adds to the number at `space` + what the string means.
fn add(space: &str, name: Str, delta: i64) -> Outcome {
    let mut key = Buf::<{ MAX_NAME + 16 }>::new();
    key.put(space.as_bytes());
    name.text(&mut key);
    if key.full { return Err(reject("a sku or country is longer than 400 bytes")); }
    avx::add_int(key.bytes(), delta)
}

fn add_day(space: &str, ev: &Event, delta: i64) -> Outcome {
    let mut key = Buf::<32>::new();
    avx::add_int(key.put(space.as_bytes()).put(&ev.day()).bytes(), delta)
}

/// Every line counts as it stands, so a cancellation, whose quantities are negative, takes
/// back what the order brought. A failure on the way drops all that was written before.
fn handle(ev: &Event) -> Outcome {
    if ev.topic == request::TOPIC { return visits::handle(ev); }
    let created = ev.topic == b"orders.created";
    if !created && ev.topic != b"orders.cancelled" {
        return Err(avx::skip("a topic that analytics does not know"));
    }
    let order = read_order(ev.data)?;
    let mut r = Reader::new(order.lines);
    let mut revenue = 0i64;
    r.list()?;
    while r.item()? {
        let line = read_line(&mut r)?;
        let sum = revenue.checked_add(line.qty * line.cents); // a line is at most 10^15, many of them may be more than 64 bits
        revenue = sum.ok_or(reject("a total beyond 64 bits"))?;
        add("units/", line.sku, line.qty)?;
    }
    add("revenue/", order.country, revenue)?;
    add_day("revenue_day/", ev, revenue)?;
    add_day(if created { "orders/" } else { "cancelled/" }, ev, 1)
}

avx::subscriber!(handle);
