//! What requests add up to: visits, users, and experiments.
use crate::avx::{self, Buf, Bytes, Event, Outcome};
use crate::request::{self, Request, MAX_NAME};

type Key = Buf<{ 3 * MAX_NAME + 32 }>;

/// Builds space + a, and a tab + b where there is one.
fn key(space: &str, a: Bytes, b: Bytes) -> Key {
    let mut k = Key::new();
    k.put(space.as_bytes()).put(a);
    if !b.is_empty() { k.put(b"\t").put(b); }
    k
}

/// Adds 1 to a number of the state.
fn count(space: &str, a: Bytes, b: Bytes) -> Outcome { avx::add_int(key(space, a, b).bytes(), 1) }

/// A request that was answered with an error is no visit and converts nobody.
pub fn handle(ev: &Event) -> Outcome {
    let q = request::read(ev.data)?;
    let day = ev.day();
    if q.status >= 400 { return count("failed_visits/", &day, b""); }
    count("visits/", q.route.bytes(), b"")?;
    count("visits_day/", &day, b"")?;
    if !q.user.bytes().is_empty() {
        let seen = key("user/", &day, q.user.bytes());
        if avx::get_int(seen.bytes())?.is_none() { count("users/", &day, b"")?; }
        avx::add_int(seen.bytes(), 1)?;
    }
    if q.experiment.bytes().is_empty() { return Ok(()); }
    // Who has no name is told apart by the event's key, the client.
    experiment(&q, if q.user.bytes().is_empty() { ev.key } else { q.user.bytes() })
}

/// A person is exposed to an experiment once, by the variant that came first, and converts
/// once at most. Who is shown another variant later is counted as mixed, for such people blur
/// the comparison, and stays with the first.
fn experiment(q: &Request, subject: Bytes) -> Outcome {
    let (name, variant) = (q.experiment.bytes(), q.variant.bytes());
    if subject.is_empty() || subject.len() > MAX_NAME || subject.iter().any(|&c| c < 0x20) {
        return Err(avx::reject("an experiment wants a user, or a key of at most 200 bytes without control characters"));
    }
    let exposed = key("exposed/", name, subject);
    let mut first = [0; MAX_NAME];
    match avx::get(exposed.bytes(), &mut first)? {
        None => {
            avx::set(exposed.bytes(), variant)?;
            count("exposures/", name, variant)?;
            first[..variant.len()].copy_from_slice(variant);
            converted(q, name, subject, &first[..variant.len()])
        }
        Some(n) => {
            let first = &first[..n.min(MAX_NAME)];
            if first != variant { count("mixed/", name, b"")?; }
            converted(q, name, subject, first)
        }
    }
}

fn converted(q: &Request, name: Bytes, subject: Bytes, variant: Bytes) -> Outcome {
    if !is_goal(q)? { return Ok(()); }
    let done = key("converted/", name, subject);
    if avx::get_int(done.bytes())?.is_some() { return Ok(()); }
    avx::set(done.bytes(), b"1")?;
    count("conversions/", name, variant)
}

const GOALS: Bytes = b"POST /orders";
const MAX_GOALS: usize = 4096;

/// Whether the request is one of config `goals`: "METHOD route", several with commas between.
fn is_goal(q: &Request) -> Outcome<bool> {
    let mut text = [0; MAX_GOALS];
    let goals = match avx::conf("goals", &mut text) {
        Some(n) if n <= MAX_GOALS => &text[..n],
        Some(_) => return Err(avx::stop("config goals: over 4096 bytes")),
        None => GOALS,
    };
    let mut want = Buf::<{ 2 * MAX_NAME + 1 }>::new();
    want.put(q.method.bytes()).put(b" ").put(q.route.bytes());
    Ok(goals.split(|&c| c == b',').any(|g| trim(g) == want.bytes()))
}

fn trim(mut s: Bytes) -> Bytes {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = s { s = rest; }
    s
}
