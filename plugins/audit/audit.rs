//! audit: a chain of digests over every event that it sees. README.md says what is hashed.
#![no_std]
#![no_main]
#[path = "../../sdk/rust/avx.rs"]
mod avx;
mod sha256;

use avx::json::Reader;
use avx::{parse_int, reject, stop, Buf, Bytes, Event, Fail, Outcome};
use sha256::{Digest, Sha256};

type Text = Buf<256>;

/// Where the chain ends: state `head` = "<count> <link>".
struct Head {
    count: i64,
    link: Digest,
}

const BROKEN: Fail = stop("the state's head is not what audit writes: reset the subscriber to build the chain anew");

fn read_head() -> Outcome<Head> {
    let mut text = [0; 128];
    let n = match avx::get(b"head", &mut text)? {
        None => return Ok(Head { count: 0, link: [0; 32] }),
        Some(n) if n <= text.len() => n,
        Some(_) => return Err(BROKEN),
    };
    let mut words = text[..n].split(|&c| c == b' ');
    let count = words.next().and_then(parse_int).ok_or(BROKEN)?;
    let link = words.next().and_then(unhex).ok_or(BROKEN)?;
    Ok(Head { count, link })
}

fn unhex(s: Bytes) -> Option<Digest> {
    let mut out = [0; 32];
    if s.len() != 64 { return None; }
    for (to, two) in out.iter_mut().zip(s.chunks_exact(2)) {
        let digit = |c: u8| (c as char).to_digit(16);
        *to = (digit(two[0])? << 4 | digit(two[1])?) as u8;
    }
    Some(out)
}

fn put_hex(b: &mut Text, d: &Digest) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for &c in d { b.put(&[HEX[(c >> 4) as usize], HEX[(c & 15) as usize]]); }
}

/// The digest of what stays of an event when it is redacted.
fn meta(ev: &Event) -> Digest {
    let mut h = Sha256::new();
    h.put(&ev.seq.to_le_bytes()).put(&ev.time.to_le_bytes()).put(&ev.appended.to_le_bytes());
    h.part(ev.topic).part(ev.key).part(ev.id).part(ev.source).part(ev.content_type).digest()
}

/// Data can be any bytes, so no event is refused.
fn handle(ev: &Event) -> Outcome {
    let payload = Sha256::new().part(ev.headers).part(ev.data).digest();
    let head = read_head()?;
    let meta = meta(ev);
    let link = Sha256::new().put(&head.link).put(&meta).put(&payload).digest();
    let mut row = Text::new();
    row.put_int(ev.seq as i64).put(b" ");
    put_hex(&mut row, &meta);
    row.put(b" ");
    put_hex(&mut row, &payload);
    append(&head, link, row)?;
    checkpoint(ev, head.count + 1, &link)
}

/// The host says that events left the log before they could be seen: that is a link as well.
fn control(ev: &Event) -> Outcome {
    if ev.topic != b"$sys.gap" { return Ok(()); }
    let (from, to) = gap(ev.data).ok_or(reject("a gap that audit cannot read"))?;
    let head = read_head()?;
    let link = Sha256::new().put(&head.link).put(b"gap").put(&from.to_le_bytes()).put(&to.to_le_bytes()).digest();
    let mut row = Text::new();
    row.put(b"gap ").put_int(from).put(b" ").put_int(to);
    append(&head, link, row)
}

fn gap(data: Bytes) -> Option<(i64, i64)> {
    let mut r = Reader::new(data);
    let (mut from, mut to) = (None, None);
    r.object().ok()?;
    while let Some(k) = r.key().ok()? {
        if k.is("from") { from = Some(r.int().ok()?); } else if k.is("to") { to = Some(r.int().ok()?); } else { r.skip().ok()?; }
    }
    Some((from?, to?))
}

/// Rows are in the order in which the events came, which is not always that of their seqs:
/// one that had to be tried again, or was redriven, comes later.
fn append(head: &Head, link: Digest, mut row: Text) -> Outcome {
    let mut key = Text::new();
    key.put(b"entry/");
    let mut d = *b"00000000000000000000";
    let mut n = head.count + 1;
    for c in d.iter_mut().rev() {
        *c = b'0' + (n % 10) as u8;
        n /= 10;
    }
    row.put(b" ");
    put_hex(&mut row, &link);
    avx::set(key.put(&d).bytes(), row.bytes())?;
    let mut end = Text::new();
    end.put_int(head.count + 1).put(b" ");
    put_hex(&mut end, &link);
    avx::set(b"head", end.bytes())
}

/// Emits the end of the chain after every config `checkpoint` events, for keeping elsewhere.
fn checkpoint(ev: &Event, count: i64, link: &Digest) -> Outcome {
    const WRONG: Fail = stop("config checkpoint: not a number from 10 on, or 0 for none");
    let mut d = [0; 20];
    let every = match avx::conf("checkpoint", &mut d) {
        None => 0,
        Some(n) if n <= d.len() => parse_int(&d[..n]).filter(|&v| v == 0 || v >= 10).ok_or(WRONG)?,
        Some(_) => return Err(WRONG),
    };
    if every == 0 || count % every != 0 { return Ok(()); }
    let mut b = Text::new();
    b.put(b"{\"count\":").put_int(count).put(b",\"seq\":").put_int(ev.seq as i64).put(b",\"link\":\"");
    put_hex(&mut b, link);
    avx::emit(b"$audit.checkpoint", b"audit", b.put(b"\"}").bytes())
        .map_err(|_| stop("the checkpoint was refused: grant $audit.checkpoint in the manifest's emits, or set config checkpoint to 0"))
}

avx::subscriber!(handle, control);
