//! metrics: counts, latency and errors of requests, and events by topic, for /metrics.
//! README.md says what it keeps.
#![no_std]
#![no_main]
#[path = "../../sdk/rust/avx.rs"]
mod avx;
#[path = "../request.rs"]
mod request;

use avx::{parse_int, stop, Buf, Bytes, Event, Fail, Outcome};
use request::Request;

const MAX_BUCKETS: usize = 20;
const BUCKETS: Bytes = b"5,10,25,50,100,250,500,1000,2500,5000,10000";
const OTHER: Bytes = b"other";
const METHODS: [Bytes; 8] = [b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT"];

/// The name of a series: metric/<name>{labels}. The host shows the numbers below metric/.
struct Series {
    text: Buf<1000>,
    labels: usize,
}

impl Series {
    fn new(name: &str) -> Series {
        let mut text = Buf::new();
        text.put(b"metric/").put(name.as_bytes());
        Series { text, labels: 0 }
    }

    /// Adds a label; they are written in the order of their names.
    fn label(mut self, name: &str, value: Bytes) -> Series {
        self.text.put(if self.labels == 0 { b"{" } else { b"," }).put(name.as_bytes()).put(b"=\"");
        for &c in value {
            match c {
                b'"' | b'\\' => self.text.put(&[b'\\', c]),
                _ => self.text.put(&[c]),
            };
        }
        self.text.put(b"\"");
        self.labels += 1;
        self
    }

    fn key(&mut self) -> Outcome<Bytes> {
        if self.labels > 0 { self.text.put(b"}"); }
        self.labels = 0;
        if self.text.full { return Err(avx::reject("a topic or route is too long for the name of a series")); }
        Ok(self.text.bytes())
    }

    fn add(mut self, delta: i64) -> Outcome { avx::add_int(self.key()?, delta) }
}

fn conf_int(key: &str, absent: i64, wrong: Fail) -> Outcome<i64> {
    let mut d = [0; 20];
    match avx::conf(key, &mut d) {
        None => Ok(absent),
        Some(n) if n <= d.len() => parse_int(&d[..n]).filter(|&v| (1..=500).contains(&v)).ok_or(wrong),
        Some(_) => Err(wrong),
    }
}

/// Returns name, or "other" where `space` has its fill of names. Whoever publishes may make
/// up names without end; what is kept of them must have a bound.
fn bounded<'a>(space: &str, name: Bytes<'a>, most: i64) -> Outcome<Bytes<'a>> {
    let mut known = Buf::<1000>::new();
    known.put(b"known/").put(space.as_bytes()).put(b"/").put(name);
    let mut count = Buf::<32>::new();
    count.put(b"count/").put(space.as_bytes());
    if known.full || name.len() > 400 { return Ok(OTHER); }
    if avx::get_int(known.bytes())?.is_some() { return Ok(name); }
    if avx::get_int(count.bytes())?.unwrap_or(0) >= most { return Ok(OTHER); }
    avx::add_int(count.bytes(), 1)?;
    avx::set(known.bytes(), b"1")?;
    Ok(name)
}

fn handle(ev: &Event) -> Outcome {
    let topics = conf_int("max_topics", 100, stop("config max_topics: not a number from 1 to 500"))?;
    let topic = bounded("topic", ev.topic, topics)?;
    Series::new("events_total").label("topic", topic).add(1)?;
    if ev.topic != request::TOPIC { return Ok(()); }
    let q = request::read(ev.data)?;
    let routes = conf_int("max_routes", 30, stop("config max_routes: not a number from 1 to 500"))?;
    let route = bounded("route", q.route.bytes(), routes)?;
    count(&q, route)?;
    latency(&q, route)
}

fn count(q: &Request, route: Bytes) -> Outcome {
    let class = [b'0' + (q.status / 100) as u8, b'x', b'x'];
    let method = if METHODS.contains(&q.method.bytes()) { q.method.bytes() } else { OTHER };
    Series::new("http_requests_total").label("route", route).label("status", &class).add(1)?;
    Series::new("http_requests_by_method_total").label("method", method).add(1)?;
    Series::new("http_response_bytes_total").label("route", route).add(q.bytes)?;
    Series::new("http_errors_total").label("route", route).add((q.status >= 500) as i64)
}

/// Adds the request to the histogram of its route, whose buckets hold all that is not slower,
/// and sets the part of its requests that were errors.
fn latency(q: &Request, route: Bytes) -> Outcome {
    let mut text = [0; 200];
    let bounds = match avx::conf("buckets_ms", &mut text) {
        None => BUCKETS,
        Some(n) if n <= text.len() => &text[..n],
        Some(_) => return Err(WRONG_BUCKETS),
    };
    let (mut last, mut n) = (0, 0);
    for b in bounds.split(|&c| c == b',') {
        let ms = parse_int(b).filter(|&ms| ms > last && ms <= 86_400_000).ok_or(WRONG_BUCKETS)?;
        (last, n) = (ms, n + 1);
        if n > MAX_BUCKETS { return Err(WRONG_BUCKETS); }
        let mut le = Buf::<32>::new();
        put_seconds(&mut le, ms * 1000, true);
        bucket(route, le.bytes(), q.micros <= ms * 1000)?;
    }
    bucket(route, b"+Inf", true)?;
    let mut sum = Series::new("http_request_duration_seconds_sum").label("route", route);
    add_seconds(sum.key()?, q.micros)?;
    let mut count = Series::new("http_request_duration_seconds_count").label("route", route);
    let requests = avx::get_int(count.key()?)?.unwrap_or(0) + 1;
    avx::set_int(count.text.bytes(), requests)?;
    let errors = avx::get_int(Series::new("http_errors_total").label("route", route).key()?)?.unwrap_or(0);
    let mut ratio = Buf::<32>::new();
    put_seconds(&mut ratio, (errors as i128 * 1_000_000 / requests as i128) as i64, false); // millionths are written as microseconds are
    avx::set(Series::new("http_error_ratio").label("route", route).key()?, ratio.bytes())
}

const WRONG_BUCKETS: Fail = stop("config buckets_ms: not up to 20 ascending numbers with commas between");

/// A bucket that nothing fell into is written once, for without it the histogram has a hole.
fn bucket(route: Bytes, le: Bytes, within: bool) -> Outcome {
    let mut s = Series::new("http_request_duration_seconds_bucket").label("le", le).label("route", route);
    let key = s.key()?;
    match avx::get_int(key)? {
        Some(_) if !within => Ok(()),
        n => avx::set_int(key, n.unwrap_or(0) + within as i64),
    }
}

/// Writes microseconds as seconds: 1.250000, or 1.25 where it is short.
fn put_seconds(b: &mut Buf<32>, micros: i64, short: bool) {
    let (whole, mut rest, mut digits) = (micros / 1_000_000, micros % 1_000_000, 6);
    b.put_int(whole);
    while short && digits > 0 && rest % 10 == 0 { (rest, digits) = (rest / 10, digits - 1); }
    if digits == 0 { return; }
    let mut d = [b'0'; 6];
    for i in (0..digits).rev() {
        d[i] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    b.put(b".").put(&d[..digits]);
}

/// Adds to a number with six digits behind the point.
fn add_seconds(key: Bytes, micros: i64) -> Outcome {
    let mut text = [0; 32];
    let mut before = 0i64;
    if let Some(n) = avx::get(key, &mut text)? {
        let mut digits = Buf::<32>::new();
        for &c in text[..n.min(32)].iter().filter(|&&c| c != b'.') { digits.put(&[c]); }
        before = parse_int(digits.bytes()).unwrap_or(0);
    }
    let sum = before.checked_add(micros).ok_or(avx::reject("a sum of durations beyond 64 bits"))?;
    let mut b = Buf::<32>::new();
    put_seconds(&mut b, sum, false);
    avx::set(key, b.bytes())
}

avx::subscriber!(handle);
