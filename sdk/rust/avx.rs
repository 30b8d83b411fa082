//! avx.rs: write avxrt subscribers in Rust. One file, no crates, `no_std`.
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! #[path = "avx.rs"]
//! mod avx;
//! use avx::{Event, Outcome};
//!
//! fn handle(ev: &Event) -> Outcome {
//!     if ev.topic == b"users.created" {
//!         avx::emit(b"mail.wanted", ev.key, ev.data)?;
//!     }
//!     Ok(())
//! }
//! avx::subscriber!(handle);
//! ```
//!
//! `rustc --edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -C opt-level=2 -C panic=abort -C strip=symbols`
//!
//! What the host promises a guest (docs/abi.md says it in full): `handle` is called once per
//! event; what it emits and writes is kept when it returns `Ok` and dropped otherwise; memory is
//! a cache, state is [`get`] and [`set`]; the same event and state give the same result.
//!
//! Nothing here allocates but the receive buffer, which grows to the largest event seen. Slices
//! of an [`Event`] point into that buffer and live as long as the event.
//!
//! Compiles with Rust 1.63 and later. Licence: MIT OR Apache-2.0.
#![allow(dead_code)]

/// Text and bytes are slices of bytes: events need not be UTF-8.
pub type Bytes<'a> = &'a [u8];

/// Why an event is not handled; [`Outcome`] carries it to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fail {
    /// 1 retry, 2 reject, 3 skip, 4 stop, from 100 on a code of your own.
    pub code: i32,
    pub why: &'static str,
}

/// What a handler returns.
pub type Outcome<T = ()> = Result<T, Fail>;

/// Try again later, with the manifest's back-off.
pub const fn retry(why: &'static str) -> Fail { Fail { code: 1, why } }
/// It will never work: a dead letter now.
pub const fn reject(why: &'static str) -> Fail { Fail { code: 2, why } }
/// Not for this subscriber; nothing is kept.
pub const fn skip(why: &'static str) -> Fail { Fail { code: 3, why } }
/// Stop the subscriber at this event.
pub const fn stop(why: &'static str) -> Fail { Fail { code: 4, why } }

/// The host's status codes, as in the contract.
pub mod status {
    pub const NOT_FOUND: i32 = -1;
    pub const INVALID: i32 = -2;
    pub const TOO_LARGE: i32 = -3;
    pub const DENIED: i32 = -4;
    pub const QUOTA: i32 = -5;
    pub const CONFLICT: i32 = -6;
    pub const UNAVAILABLE: i32 = -7;
    pub const READ_ONLY: i32 = -8;
    pub const NO_EVENT: i32 = -9;
    pub const UNSUPPORTED: i32 = -10;
}

/// The layout of a frame; a test holds these against the host's.
pub mod frame {
    pub const HEADER_LEN: usize = 96;
    pub const TOTAL: usize = 0;
    pub const HLEN: usize = 4;
    pub const FLAGS: usize = 6;
    pub const SEQ: usize = 8;
    pub const TIME: usize = 16;
    pub const VERSION: usize = 24;
    pub const KIND: usize = 32;
    pub const ATTEMPT: usize = 36;
    pub const LEFT: usize = 40;
    pub const TOPIC: usize = 44;
    pub const KEY: usize = 48;
    pub const ID: usize = 52;
    pub const SOURCE: usize = 56;
    pub const CONTENT_TYPE: usize = 60;
    pub const HEADERS: usize = 64;
    pub const DATA: usize = 68;
    pub const APPENDED: usize = 72;
}

/// Kinds of events: one that matched.
pub const KIND_EVENT: u16 = 1;
/// A timer that is due.
pub const KIND_TIMER: u16 = 4;
/// Word from the host.
pub const KIND_CONTROL: u16 = 6;

/// An event in the receive buffer.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub seq: u64,
    pub version: u64,
    /// Nanoseconds since 1970 UTC: the publisher's time.
    pub time: i64,
    /// The same, the host's time of appending.
    pub appended: i64,
    pub attempt: u32,
    pub left: u32,
    pub kind: u16,
    pub flags: u16,
    pub topic: Bytes<'a>,
    pub key: Bytes<'a>,
    pub id: Bytes<'a>,
    pub source: Bytes<'a>,
    pub content_type: Bytes<'a>,
    pub headers: Bytes<'a>,
    pub data: Bytes<'a>,
}

fn load(b: Bytes, at: usize, n: usize) -> u64 {
    b[at..at + n].iter().rev().fold(0, |v, &c| v << 8 | c as u64)
}

impl<'a> Event<'a> {
    /// Opens a frame, which the host made, so its lengths hold; what does not fit reads as empty.
    pub fn decode(b: Bytes<'a>) -> Event<'a> {
        let mut rest = b.get(load(b, frame::HLEN, 2) as usize..).unwrap_or(&[]);
        let mut part = |off: usize| {
            let n = (load(b, off, 4) as usize).min(rest.len());
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        Event {
            topic: part(frame::TOPIC),
            key: part(frame::KEY),
            id: part(frame::ID),
            source: part(frame::SOURCE),
            content_type: part(frame::CONTENT_TYPE),
            headers: part(frame::HEADERS),
            data: part(frame::DATA),
            flags: load(b, frame::FLAGS, 2) as u16,
            seq: load(b, frame::SEQ, 8),
            time: load(b, frame::TIME, 8) as i64,
            version: load(b, frame::VERSION, 8),
            kind: load(b, frame::KIND, 2) as u16,
            attempt: load(b, frame::ATTEMPT, 4) as u32,
            left: load(b, frame::LEFT, 4) as u32,
            appended: load(b, frame::APPENDED, 8) as i64,
        }
    }

    /// The UTC date of the event's time as YYYY-MM-DD.
    pub fn day(&self) -> [u8; 10] {
        date(self.time.div_euclid(86_400_000_000_000))
    }
}

/// The date that lies `days` after 1970-01-01, in the proleptic Gregorian calendar
/// (days-to-civil, with years that begin in March so that the leap day is the last).
pub fn date(days: i64) -> [u8; 10] {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + (m <= 2) as i64;
    let mut out = *b"0000-00-00";
    for (at, n, v) in [(0, 4, y), (5, 2, m), (8, 2, d)] {
        let mut v = v;
        for i in (at..at + n).rev() {
            out[i] = b'0' + (v % 10) as u8;
            v /= 10;
        }
    }
    out
}

/// A buffer of fixed size that is written from the front; `full` is set, and nothing more is
/// written, when something does not fit.
pub struct Buf<const N: usize> {
    bytes: [u8; N],
    len: usize,
    pub full: bool,
}

impl<const N: usize> Buf<N> {
    pub const fn new() -> Self { Buf { bytes: [0; N], len: 0, full: false } }

    pub fn clear(&mut self) { self.len = 0; self.full = false; }

    pub fn bytes(&self) -> Bytes { &self.bytes[..self.len] }

    pub fn put(&mut self, b: Bytes) -> &mut Self {
        if self.full || b.len() > N - self.len {
            self.full = true;
        } else {
            self.bytes[self.len..self.len + b.len()].copy_from_slice(b);
            self.len += b.len();
        }
        self
    }

    /// Appends a decimal number.
    pub fn put_int(&mut self, v: i64) -> &mut Self {
        let mut d = [0u8; 20];
        let (mut i, mut u) = (20, v.unsigned_abs());
        loop {
            i -= 1;
            d[i] = b'0' + (u % 10) as u8;
            u /= 10;
            if u == 0 { break; }
        }
        if v < 0 { self.put(b"-"); }
        self.put(&d[i..])
    }

    /// Appends a JSON string with quotes.
    pub fn put_json(&mut self, s: Bytes) -> &mut Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.put(b"\"");
        for &c in s {
            match c {
                b'"' | b'\\' => self.put(&[b'\\', c]),
                0..=0x1f => self.put(&[b'\\', b'u', b'0', b'0', HEX[(c >> 4) as usize], HEX[(c & 15) as usize]]),
                _ => self.put(&[c]),
            };
        }
        self.put(b"\"")
    }
}

/// Reads a decimal number that fills `s`.
pub fn parse_int(s: Bytes) -> Option<i64> {
    let (minus, digits) = match s.split_first() {
        Some((b'-', rest)) => (true, rest),
        _ => (false, s),
    };
    if digits.is_empty() { return None; }
    digits.iter().try_fold(0i64, |v, &c| {
        let d = c.wrapping_sub(b'0');
        if d > 9 { return None; }
        let v = v.checked_mul(10)?;
        if minus { v.checked_sub(d as i64) } else { v.checked_add(d as i64) }
    })
}

/// JSON, read as a stream: front to back, without recursion or memory, strict. The first thing
/// that is not JSON, not there or not of the wanted kind is an error.
pub mod json {
    use super::{parse_int, Buf, Bytes};

    /// The text is not what was asked for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Malformed;

    type Result<T> = core::result::Result<T, Malformed>;

    const DEPTH: u32 = 63;

    /// A reader over one text.
    #[derive(Clone, Copy)]
    pub struct Reader<'a> {
        text: Bytes<'a>,
        at: usize,
        first: u64, // per level: no item was read yet
        depth: u32,
    }

    /// A string as it stands in the text, between its quotes.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Str<'a> {
        pub raw: Bytes<'a>,
        escaped: bool,
    }

    impl<'a> Reader<'a> {
        pub fn new(text: Bytes<'a>) -> Self { Reader { text, at: 0, first: 0, depth: 0 } }

        fn peek(&mut self) -> Option<u8> {
            while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.text.get(self.at) { self.at += 1; }
            self.text.get(self.at).copied()
        }

        fn take(&mut self, c: u8) -> Result<()> {
            if self.peek() != Some(c) { return Err(Malformed); }
            self.at += 1;
            Ok(())
        }

        fn open(&mut self, c: u8) -> Result<()> {
            if self.depth == DEPTH { return Err(Malformed); }
            self.take(c)?;
            self.depth += 1;
            self.first |= 1 << self.depth;
            Ok(())
        }

        /// Enters an object.
        pub fn object(&mut self) -> Result<()> { self.open(b'{') }
        /// Enters a list.
        pub fn list(&mut self) -> Result<()> { self.open(b'[') }

        fn more(&mut self, close: u8) -> Result<bool> {
            if self.peek() == Some(close) {
                self.at += 1;
                self.depth -= 1;
                return Ok(false);
            }
            if self.first & 1 << self.depth == 0 { self.take(b',')?; }
            self.first &= !(1 << self.depth);
            Ok(true)
        }

        /// The next key of the object, `None` at its end, which it takes.
        pub fn key(&mut self) -> Result<Option<Str<'a>>> {
            if !self.more(b'}')? { return Ok(None); }
            let s = self.string()?;
            self.take(b':')?;
            Ok(Some(s))
        }

        /// Whether the list has one more item; at its end it takes the bracket.
        pub fn item(&mut self) -> Result<bool> { self.more(b']') }

        /// A string.
        pub fn string(&mut self) -> Result<Str<'a>> {
            self.take(b'"')?;
            let start = self.at;
            let mut escaped = false;
            loop {
                let c = *self.text.get(self.at).ok_or(Malformed)?;
                self.at += 1;
                match c {
                    b'"' => return Ok(Str { raw: &self.text[start..self.at - 1], escaped }),
                    b'\\' => { escaped = true; self.escape()?; }
                    0..=0x1f => return Err(Malformed),
                    _ => {}
                }
            }
        }

        fn escape(&mut self) -> Result<()> {
            let c = *self.text.get(self.at).ok_or(Malformed)?;
            self.at += 1;
            match c {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
                b'u' => {
                    hex4(self.text.get(self.at..self.at + 4).ok_or(Malformed)?).ok_or(Malformed)?;
                    self.at += 4;
                    Ok(())
                }
                _ => Err(Malformed),
            }
        }

        fn digits(&mut self) -> Result<()> {
            let start = self.at;
            while let Some(b'0'..=b'9') = self.text.get(self.at) { self.at += 1; }
            if self.at > start { Ok(()) } else { Err(Malformed) }
        }

        fn number(&mut self) -> Result<(Bytes<'a>, bool)> {
            self.peek();
            let (start, mut whole) = (self.at, true);
            if self.text.get(self.at) == Some(&b'-') { self.at += 1; }
            if self.text.get(self.at) == Some(&b'0') { self.at += 1; } else { self.digits()?; }
            if self.text.get(self.at) == Some(&b'.') {
                whole = false;
                self.at += 1;
                self.digits()?;
            }
            if let Some(b'e' | b'E') = self.text.get(self.at) {
                whole = false;
                self.at += 1;
                if let Some(b'+' | b'-') = self.text.get(self.at) { self.at += 1; }
                self.digits()?;
            }
            Ok((&self.text[start..self.at], whole))
        }

        /// An integer; a fraction, or more than 64 bits, is malformed.
        pub fn int(&mut self) -> Result<i64> {
            match self.number()? {
                (text, true) => parse_int(text).ok_or(Malformed),
                _ => Err(Malformed),
            }
        }

        fn word(&mut self, w: Bytes) -> Result<()> {
            if self.text.get(self.at..self.at + w.len()) != Some(w) { return Err(Malformed); }
            self.at += w.len();
            Ok(())
        }

        /// Steps over any value and returns its text.
        pub fn skip(&mut self) -> Result<Bytes<'a>> {
            self.peek();
            let (start, base) = (self.at, self.depth);
            let mut objects = 0u64;
            loop {
                match self.peek() {
                    Some(b'{') => { self.object()?; objects |= 1 << self.depth; }
                    Some(b'[') => { self.list()?; objects &= !(1 << self.depth); }
                    Some(b'"') => { self.string()?; }
                    Some(b't') => self.word(b"true")?,
                    Some(b'f') => self.word(b"false")?,
                    Some(b'n') => self.word(b"null")?,
                    _ => { self.number()?; }
                }
                loop {
                    if self.depth == base { return Ok(&self.text[start..self.at]); }
                    let more = if objects >> self.depth & 1 == 1 { self.key()?.is_some() } else { self.item()? };
                    if more { break; }
                }
            }
        }

        /// Checks that the text ends here.
        pub fn end(&mut self) -> Result<()> {
            if self.peek().is_none() && self.depth == 0 { Ok(()) } else { Err(Malformed) }
        }
    }

    fn hex4(b: Bytes) -> Option<u32> {
        b.iter().try_fold(0, |v, &c| Some(v << 4 | (c as char).to_digit(16)?))
    }

    impl<'a> Str<'a> {
        /// Appends what the string means, without escapes. Half a surrogate pair becomes U+FFFD.
        pub fn text<const N: usize>(&self, out: &mut Buf<N>) {
            if !self.escaped { out.put(self.raw); return; }
            let mut rest = self.raw;
            while let Some((&c, tail)) = rest.split_first() {
                rest = tail;
                if c != b'\\' { out.put(&[c]); continue; }
                let c = rest[0];
                rest = &rest[1..];
                match c {
                    b'b' => out.put(&[8]),
                    b'f' => out.put(&[12]),
                    b'n' => out.put(b"\n"),
                    b'r' => out.put(b"\r"),
                    b't' => out.put(b"\t"),
                    b'u' => {
                        let mut u = hex4(&rest[..4]).unwrap_or(0xfffd);
                        rest = &rest[4..];
                        if (0xd800..0xdc00).contains(&u) && rest.len() >= 6 && rest.starts_with(b"\\u") {
                            if let Some(low @ 0xdc00..=0xdfff) = hex4(&rest[2..6]) {
                                u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
                                rest = &rest[6..];
                            }
                        }
                        let mut utf8 = [0; 4];
                        out.put(char::from_u32(u).unwrap_or('\u{fffd}').encode_utf8(&mut utf8).as_bytes())
                    }
                    c => out.put(&[c]),
                };
            }
        }

        /// Compares what the string means with `want` (at most 64 bytes).
        pub fn is(&self, want: &str) -> bool {
            if !self.escaped { return self.raw == want.as_bytes(); }
            let mut b = Buf::<64>::new();
            self.text(&mut b);
            !b.full && b.bytes() == want.as_bytes()
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "avx1")]
    extern "C" {
        pub fn next(buf: *mut u8, cap: i32) -> i32;
        pub fn fail(code: i32, msg: *const u8, len: i32);
        pub fn emit(frame: *const u8, len: i32) -> i32;
        pub fn reply(data: *const u8, len: i32) -> i32;
        pub fn kv_get(k: *const u8, klen: i32, buf: *mut u8, cap: i32) -> i32;
        pub fn kv_set(k: *const u8, klen: i32, v: *const u8, vlen: i32) -> i32;
        pub fn kv_del(k: *const u8, klen: i32) -> i32;
        pub fn kv_scan(prefix: *const u8, plen: i32, after: *const u8, alen: i32, buf: *mut u8, cap: i32) -> i32;
        pub fn conf(k: *const u8, klen: i32, buf: *mut u8, cap: i32) -> i32;
        pub fn log(level: i32, msg: *const u8, len: i32);
        pub fn now() -> i64;
        pub fn rand(buf: *mut u8, len: i32);
    }
}

#[cfg(target_arch = "wasm32")]
mod guest {
    use super::*;

    fn check(status: i32) -> Outcome<i32> {
        match status {
            status::DENIED => Err(reject("the host denied it: grant the topic in the manifest's emits")),
            status::QUOTA => Err(reject("over a quota of this event (limits)")),
            status::TOO_LARGE => Err(reject("too large for the host")),
            status::CONFLICT => Err(retry("version conflict")),
            s if s < 0 && s != status::NOT_FOUND => Err(reject("the host refused the call")),
            s => Ok(s),
        }
    }

    /// The value's length if the key exists; more than `buf` holds if it does not fit.
    pub fn get(key: Bytes, buf: &mut [u8]) -> Outcome<Option<usize>> {
        let n = unsafe { host::kv_get(key.as_ptr(), key.len() as i32, buf.as_mut_ptr(), buf.len() as i32) };
        Ok(usize::try_from(check(n)?).ok())
    }

    pub fn set(key: Bytes, value: Bytes) -> Outcome {
        check(unsafe { host::kv_set(key.as_ptr(), key.len() as i32, value.as_ptr(), value.len() as i32) }).map(|_| ())
    }

    pub fn del(key: Bytes) -> Outcome {
        check(unsafe { host::kv_del(key.as_ptr(), key.len() as i32) }).map(|_| ())
    }

    /// Numbers are kept as decimal text, so that people can read the state.
    pub fn get_int(key: Bytes) -> Outcome<Option<i64>> {
        let mut d = [0; 24];
        Ok(match get(key, &mut d)? {
            Some(n) if n <= d.len() => parse_int(&d[..n]),
            _ => None,
        })
    }

    pub fn set_int(key: Bytes, v: i64) -> Outcome {
        let mut b = Buf::<24>::new();
        set(key, b.put_int(v).bytes())
    }

    /// Adds to a number, which begins at 0; too large a sum rejects the event.
    pub fn add_int(key: Bytes, delta: i64) -> Outcome {
        let sum = get_int(key)?.unwrap_or(0).checked_add(delta);
        set_int(key, sum.ok_or(reject("a total beyond 64 bits"))?)
    }

    /// Stages an event; its content type is JSON.
    pub fn emit(topic: Bytes, key: Bytes, data: Bytes) -> Outcome {
        stage(0, b"", topic, key, data)
    }

    /// Stages an event that is appended at a time (nanoseconds since 1970; [`now`] is the
    /// present) and comes with kind 4. The subscriber has one timer of each name, at most 255
    /// bytes: the next one replaces it, [`cancel`] takes it out. An empty name is none.
    pub fn timer(name: Bytes, time: i64, topic: Bytes, key: Bytes, data: Bytes) -> Outcome {
        stage(time, name, topic, key, data)
    }

    /// Takes out the timer of that name; there need be none.
    pub fn cancel(name: Bytes) -> Outcome {
        stage(0, name, b"", b"", b"")
    }

    fn stage(time: i64, timer: Bytes, topic: Bytes, key: Bytes, data: Bytes) -> Outcome {
        if timer.len() > 255 {
            return Err(reject("the name of a timer has more than 255 bytes"));
        }
        let head = [5, 0, timer.len() as u8, 0, b't', b'i', b'm', b'e', b'r'];
        let head: Bytes = if timer.is_empty() { b"" } else { &head };
        let headers = head.len() + timer.len();
        let size = frame::HEADER_LEN + topic.len() + key.len() + headers + data.len();
        let out = unsafe { OUT.at_least(size) }.ok_or(reject("no memory for an emit"))?;
        out[..frame::HEADER_LEN].fill(0);
        let mut put = |at: usize, n: usize, v: u64| {
            for i in 0..n { out[at + i] = (v >> (8 * i)) as u8; }
        };
        put(frame::TOTAL, 4, size as u64);
        put(frame::HLEN, 2, frame::HEADER_LEN as u64);
        put(frame::TIME, 8, time as u64);
        put(frame::KIND, 2, 1);
        put(frame::TOPIC, 4, topic.len() as u64);
        put(frame::KEY, 4, key.len() as u64);
        put(frame::HEADERS, 4, headers as u64);
        put(frame::DATA, 4, data.len() as u64);
        let mut at = frame::HEADER_LEN;
        for part in [topic, key, head, timer, data] {
            out[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        check(unsafe { host::emit(out.as_ptr(), size as i32) }).map(|_| ())
    }

    pub fn reply(data: Bytes) -> Outcome {
        check(unsafe { host::reply(data.as_ptr(), data.len() as i32) }).map(|_| ())
    }

    /// A value of the manifest's config; more than `buf` holds if it does not fit.
    pub fn conf(key: &str, buf: &mut [u8]) -> Option<usize> {
        let n = unsafe { host::conf(key.as_ptr(), key.len() as i32, buf.as_mut_ptr(), buf.len() as i32) };
        usize::try_from(n).ok()
    }

    /// 0 trace, 1 debug, 2 info, 3 warning, 4 error.
    pub fn log(level: i32, msg: &str) { unsafe { host::log(level, msg.as_ptr(), msg.len() as i32) } }

    pub fn now() -> i64 { unsafe { host::now() } }

    /// A buffer that grows and never shrinks, on pages of its own.
    struct Growing { p: *mut u8, cap: usize }

    static mut IN: Growing = Growing { p: core::ptr::null_mut(), cap: 0 };
    static mut OUT: Growing = Growing { p: core::ptr::null_mut(), cap: 0 };

    impl Growing {
        fn at_least(&mut self, want: usize) -> Option<&'static mut [u8]> {
            if want > self.cap {
                let pages = (want + want / 2 + 0xffff) >> 16;
                let old = core::arch::wasm32::memory_grow(0, pages);
                if old == usize::MAX { return None; }
                self.p = (old << 16) as *mut u8;
                self.cap = pages << 16;
            }
            Some(unsafe { core::slice::from_raw_parts_mut(self.p, self.cap) })
        }
    }

    /// Pulls events until the host has no more; `subscriber!` calls it.
    pub fn run(handle: fn(&Event) -> Outcome, control: Option<fn(&Event) -> Outcome>) -> i32 {
        let mut want = 1 << 16;
        loop {
            let buf = match unsafe { IN.at_least(want) } { Some(b) => b, None => return 1 };
            let n = unsafe { host::next(buf.as_mut_ptr(), buf.len() as i32) };
            if n <= 0 { return 0; }
            if n as usize > buf.len() {
                want = n as usize; // the next call gives it again
                continue;
            }
            let ev = Event::decode(&buf[..n as usize]);
            let outcome = match control {
                _ if ev.kind != KIND_CONTROL => handle(&ev),
                Some(control) => control(&ev),
                None => Ok(()),
            };
            if let Err(f) = outcome {
                unsafe { host::fail(f.code, f.why.as_ptr(), f.why.len() as i32) }
            }
        }
    }

    #[panic_handler]
    fn panic(info: &core::panic::PanicInfo) -> ! {
        if let Some(l) = info.location() {
            let mut b = Buf::<128>::new();
            b.put(b"panic at ").put(l.file().as_bytes()).put(b":").put_int(l.line() as i64);
            log(4, core::str::from_utf8(b.bytes()).unwrap_or("panic"));
        }
        core::arch::wasm32::unreachable()
    }
}
#[cfg(target_arch = "wasm32")]
pub use guest::*;

/// Makes the exports of a guest around a handler `fn(&Event) -> Outcome`. A second one gets
/// word from the host, kind 6, which is ignored otherwise; docs/abi.md says what there is.
#[cfg(target_arch = "wasm32")]
macro_rules! subscriber {
    ($handle:path) => {
        #[no_mangle]
        pub extern "C" fn avx_abi_1() {}
        #[no_mangle]
        pub extern "C" fn avx_run() -> i32 { avx::run($handle, None) }
    };
    ($handle:path, $control:path) => {
        #[no_mangle]
        pub extern "C" fn avx_abi_1() {}
        #[no_mangle]
        pub extern "C" fn avx_run() -> i32 { avx::run($handle, Some($control)) }
    };
}
#[cfg(target_arch = "wasm32")]
pub(crate) use subscriber;

/// Exports a step `fn(u32) -> Outcome<bool>` as `avx_migrate`: it turns a part of the state of an
/// older state_version, which it gets, into that of the module, and says whether there is more. `Err` drops
/// the new version, and the old one goes on. What a step wrote is committed when it returns, and the
/// instance may be another one for the next: how far it is must be seen in the state.
#[cfg(target_arch = "wasm32")]
#[allow(unused_macros)]
macro_rules! migrate {
    ($step:path) => {
        #[no_mangle]
        pub extern "C" fn avx_migrate(from: i32) -> i32 {
            match $step(from as u32) {
                Ok(more) => more as i32,
                Err(fail) => {
                    avx::log(4, fail.why);
                    -1
                }
            }
        }
    };
}
#[cfg(target_arch = "wasm32")]
#[allow(unused_imports)]
pub(crate) use migrate;
