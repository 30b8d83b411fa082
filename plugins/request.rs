//! The data of `http.request.completed`, as analytics and metrics read it.
use crate::avx::json::{Malformed, Reader, Str};
use crate::avx::{reject, Buf, Bytes, Fail, Outcome};

pub const TOPIC: Bytes = b"http.request.completed";

/// A name becomes a part of state keys, so it has a bound.
pub const MAX_NAME: usize = 200;
pub type Name = Buf<MAX_NAME>;

const MAX_MICROS: i64 = 86_400_000_000; // a day
const MAX_BYTES: i64 = 1 << 50;

/// A request that was answered. What the event leaves out, or gives as null, is empty.
pub struct Request {
    pub method: Name,
    pub route: Name,
    pub user: Name,
    pub experiment: Name,
    pub variant: Name,
    pub status: i64,
    pub micros: i64,
    pub bytes: i64,
}

const BAD: Fail = reject("the data is not a request: malformed JSON, or a field of the wrong kind");

fn ok<T>(r: Result<T, Malformed>) -> Outcome<T> { r.map_err(|_| BAD) }

/// Reads the data; the fields may come in any order, the last of a name counts.
pub fn read(data: Bytes) -> Outcome<Request> {
    let mut q = Request {
        method: Buf::new(), route: Buf::new(), user: Buf::new(), experiment: Buf::new(), variant: Buf::new(), status: -1, micros: -1, bytes: -1,
    };
    let mut r = Reader::new(data);
    ok(r.object())?;
    while let Some(k) = ok(r.key())? {
        match field(&k) {
            b"method" => name(&mut r, &mut q.method)?,
            b"route" => name(&mut r, &mut q.route)?,
            b"user" => name(&mut r, &mut q.user)?,
            b"experiment" => name(&mut r, &mut q.experiment)?,
            b"variant" => name(&mut r, &mut q.variant)?,
            b"status" => q.status = ok(r.int())?,
            b"duration_us" => q.micros = ok(r.int())?,
            b"bytes" => q.bytes = ok(r.int())?,
            _ => { ok(r.skip())?; }
        }
    }
    ok(r.end())?;
    check(q)
}

/// Names of fields stand without escapes in what the middleware writes; one that is escaped is another field.
fn field<'a>(k: &Str<'a>) -> Bytes<'a> { k.raw }

fn check(q: Request) -> Outcome<Request> {
    if q.method.bytes().is_empty() { return Err(reject("method: missing or empty")); }
    if q.route.bytes().is_empty() { return Err(reject("route: missing or empty")); }
    if !(100..=599).contains(&q.status) { return Err(reject("status: missing, or not 100 to 599")); }
    if !(0..=MAX_MICROS).contains(&q.micros) { return Err(reject("duration_us: missing, negative or over a day")); }
    if !(0..=MAX_BYTES).contains(&q.bytes) { return Err(reject("bytes: missing, negative or over 2^50")); }
    if q.experiment.bytes().is_empty() != q.variant.bytes().is_empty() {
        return Err(reject("experiment and variant: one without the other"));
    }
    Ok(q)
}

/// Reads a string or null. Control characters would make state keys ambiguous.
fn name(r: &mut Reader, to: &mut Name) -> Outcome {
    to.clear();
    let text = ok(r.skip())?;
    if text == b"null" { return Ok(()); }
    let mut again = Reader::new(text);
    ok(again.string())?.text(to);
    if to.full { return Err(reject("a method, route, user, experiment or variant has over 200 bytes")); }
    if to.bytes().iter().any(|&c| c < 0x20) { return Err(reject("a method, route, user, experiment or variant has control characters")); }
    Ok(())
}
