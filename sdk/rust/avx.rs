//! avx.rs: write avxrt subscribers in Rust. One file, no crates, `no_std`.
//!
//! ```ignore
//! #![cfg_attr(target_arch = "wasm32", no_std, no_main)]
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
//! Natively, under `rustc --test`, the same calls go to a [`fake::Fake`] host, so handlers are
//! tested as ordinary functions are.
//!
//! Compiles with Rust 1.63 and later. Licence: MIT OR Apache-2.0.
#![allow(dead_code, unused_imports, unused_macros, unknown_lints, unexpected_cfgs)]

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

/// Levels of [`log`].
pub const TRACE: i32 = 0;
pub const DEBUG: i32 = 1;
pub const INFO: i32 = 2;
pub const WARN: i32 = 3;
pub const ERROR: i32 = 4;

/// An event to emit, with everything that one can have: `Draft { topic, key, data, ..Draft::default() }`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Draft<'a> {
    pub topic: Bytes<'a>,
    pub key: Bytes<'a>,
    pub data: Bytes<'a>,
    /// Empty means JSON.
    pub content_type: Bytes<'a>,
    /// Of [`Buf::put_header`].
    pub headers: Bytes<'a>,
    /// That it must become in the stream of its key; 1: the first; 0: any.
    pub version: u64,
    /// At which it is appended, nanoseconds since 1970 UTC, which makes it a timer; 0: now.
    pub time: i64,
}

/// An event in the receive buffer.
#[derive(Debug, Clone, Copy, Default)]
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

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<Bytes<'a>> {
        let mut rest = self.headers;
        while rest.len() >= 4 {
            let (k, v) = (load(rest, 0, 2) as usize, load(rest, 2, 2) as usize);
            rest = &rest[4..];
            if rest.len() < k + v { break; }
            if &rest[..k] == name.as_bytes() { return Some(&rest[k..k + v]); }
            rest = &rest[k + v..];
        }
        None
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

    pub fn bytes(&self) -> Bytes<'_> { &self.bytes[..self.len] }

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

    /// Appends v / 10^places: 1250 with 2 is 12.50.
    pub fn put_decimal(&mut self, v: i64, places: u32) -> &mut Self {
        if places == 0 { return self.put_int(v); }
        let (mut u, mut unit) = (v.unsigned_abs(), 10u64.pow(places));
        if v < 0 { self.put(b"-"); }
        self.put_int((u / unit) as i64).put(b".");
        for _ in 0..places {
            u %= unit;
            unit /= 10;
            self.put(&[b'0' + (u / unit) as u8]);
        }
        self
    }

    /// Appends a header to those of a [`Draft`]; its parts have at most 65,535 bytes each.
    pub fn put_header(&mut self, name: &str, value: Bytes) -> &mut Self {
        let (k, v) = (name.len(), value.len());
        if k > 0xffff || v > 0xffff || k + v + 4 > N - self.len {
            self.full = true;
            return self;
        }
        self.put(&[k as u8, (k >> 8) as u8, v as u8, (v >> 8) as u8]).put(name.as_bytes()).put(value)
    }

    /// Appends a JSON string with quotes.
    pub fn put_json(&mut self, s: Bytes) -> &mut Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.put(b"\"");
        for &c in s {
            match c {
                b'"' | b'\\' => self.put(&[b'\\', c]),
                b'\n' => self.put(b"\\n"),
                b'\r' => self.put(b"\\r"),
                b'\t' => self.put(b"\\t"),
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

/// Reads `-?digits[.digits]` as a number of 10^-places; `None` if it is none, needs more than 64
/// bits, or has digits behind the places that are not 0.
pub fn parse_decimal(s: Bytes, places: u32) -> Option<i64> {
    let point = s.iter().position(|&c| c == b'.').unwrap_or(s.len());
    let (whole, fraction) = (&s[..point], s.get(point + 1..).unwrap_or(&[]));
    if point < s.len() && fraction.is_empty() { return None; }
    let minus = s.first() == Some(&b'-');
    let mut v = parse_int(whole)?;
    for i in 0..fraction.len().max(places as usize) {
        let d = fraction.get(i).map_or(0, |c| c.wrapping_sub(b'0')) as i64;
        if d > 9 || i >= places as usize && d != 0 { return None; }
        if i >= places as usize { continue; }
        v = v.checked_mul(10)?;
        v = if minus { v.checked_sub(d)? } else { v.checked_add(d)? };
    }
    Some(v)
}

/// JSON, read as a stream: front to back, without recursion or memory, strict. The first thing
/// that is not JSON, not there or not of the wanted kind is an error.
pub mod json {
    use super::{parse_decimal, parse_int, Buf, Bytes};

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

        /// A number times 10^places: with 2, 12.5 is 1250. An exponent, digits behind the places
        /// that are not 0, and more than 64 bits are malformed.
        pub fn decimal(&mut self, places: u32) -> Result<i64> {
            let (text, _) = self.number()?;
            parse_decimal(text, places).ok_or(Malformed)
        }

        /// Any number, as near as 64 bits of floating point come.
        pub fn float(&mut self) -> Result<f64> {
            let (text, _) = self.number()?;
            core::str::from_utf8(text).ok().and_then(|s| s.parse().ok()).ok_or(Malformed)
        }

        /// `true` or `false`.
        pub fn bool(&mut self) -> Result<bool> {
            let yes = self.peek() == Some(b't');
            self.word(if yes { b"true" } else { b"false" })?;
            Ok(yes)
        }

        /// Takes a `null` if it is next.
        pub fn null(&mut self) -> Result<bool> {
            if self.peek() != Some(b'n') { return Ok(false); }
            self.word(b"null")?;
            Ok(true)
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

    /// Writes a text as a stream into a [`Buf`] and puts the commas itself. The buffer's `full`
    /// is set, and the text of no use, if it does not fit or is nested more than 63 deep.
    ///
    /// ```ignore
    /// let mut b = avx::Buf::<256>::new();
    /// json::Writer::new(&mut b).object().key("order").string(id).key("units").int(7).end();
    /// ```
    pub struct Writer<'a, const N: usize> {
        out: &'a mut Buf<N>,
        lists: u64, // which open levels are lists
        begun: u64, // which have an item
        depth: u32,
        bare: bool, // behind a key: no comma
    }

    impl<'a, const N: usize> Writer<'a, N> {
        pub fn new(out: &'a mut Buf<N>) -> Self { Writer { out, lists: 0, begun: 0, depth: 0, bare: false } }

        fn value(&mut self) -> &mut Buf<N> {
            if !self.bare && self.depth > 0 && self.begun >> self.depth & 1 == 1 { self.out.put(b","); }
            self.begun |= 1 << self.depth;
            self.bare = false;
            self.out
        }

        fn open(&mut self, bracket: Bytes, list: u64) -> &mut Self {
            if self.depth == DEPTH {
                self.out.full = true;
                return self;
            }
            self.value().put(bracket);
            self.depth += 1;
            self.begun &= !(1 << self.depth);
            self.lists = self.lists & !(1 << self.depth) | list << self.depth;
            self
        }

        /// Begins an object.
        pub fn object(&mut self) -> &mut Self { self.open(b"{", 0) }
        /// Begins a list.
        pub fn list(&mut self) -> &mut Self { self.open(b"[", 1) }

        /// Ends the innermost object or list.
        pub fn end(&mut self) -> &mut Self {
            if self.depth == 0 {
                self.out.full = true;
                return self;
            }
            let list = self.lists >> self.depth & 1 == 1;
            self.out.put(if list { b"]" } else { b"}" });
            self.depth -= 1;
            self
        }

        /// A key; its value comes next.
        pub fn key(&mut self, name: &str) -> &mut Self {
            self.value().put_json(name.as_bytes()).put(b":");
            self.bare = true;
            self
        }

        pub fn string(&mut self, s: Bytes) -> &mut Self { self.value().put_json(s); self }
        pub fn int(&mut self, v: i64) -> &mut Self { self.value().put_int(v); self }
        /// v / 10^places: 1250 with 2 is 12.50.
        pub fn decimal(&mut self, v: i64, places: u32) -> &mut Self { self.value().put_decimal(v, places); self }
        pub fn bool(&mut self, v: bool) -> &mut Self { self.raw(if v { b"true" } else { b"false" }) }
        pub fn null(&mut self) -> &mut Self { self.raw(b"null") }
        /// A value that is JSON already.
        pub fn raw(&mut self, json: Bytes) -> &mut Self { self.value().put(json); self }
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

    pub fn pages(n: usize) -> Option<*mut u8> {
        let old = core::arch::wasm32::memory_grow(0, n);
        if old == usize::MAX { None } else { Some((old << 16) as *mut u8) }
    }
}

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
        Draft { topic, key, data, ..Draft::default() }.emit()
    }

    /// Stages an event that is appended at a time (nanoseconds since 1970; [`now`] is the
    /// present) and comes with kind 4. The subscriber has one timer of each name, at most 255
    /// bytes: the next one replaces it, [`cancel`] takes it out. An empty name is none.
    pub fn timer(name: Bytes, time: i64, topic: Bytes, key: Bytes, data: Bytes) -> Outcome {
        if name.len() > 255 {
            return Err(reject("the name of a timer has more than 255 bytes"));
        }
        let mut headers = Buf::<264>::new();
        if !name.is_empty() { headers.put_header("timer", name); }
        Draft { topic, key, data, time, headers: headers.bytes(), ..Draft::default() }.emit()
    }

    /// Takes out the timer of that name; there need be none.
    pub fn cancel(name: Bytes) -> Outcome { timer(name, 0, b"", b"", b"") }

    impl Draft<'_> {
        /// Stages the event: 0, or what the host says against it, see [`status`].
        pub fn stage(&self) -> i32 {
            let parts = [self.topic, self.key, b"", b"", self.content_type, self.headers, self.data];
            let size = parts.iter().fold(frame::HEADER_LEN, |n, p| n.saturating_add(p.len()));
            let out = match room(size) { Some(b) => b, None => return status::TOO_LARGE };
            out[..frame::HEADER_LEN].fill(0);
            let mut put = |at: usize, n: usize, v: u64| out[at..at + n].copy_from_slice(&v.to_le_bytes()[..n]);
            put(frame::TOTAL, 4, size as u64);
            put(frame::HLEN, 2, frame::HEADER_LEN as u64);
            put(frame::TIME, 8, self.time as u64);
            put(frame::VERSION, 8, self.version);
            put(frame::KIND, 2, KIND_EVENT as u64);
            for (i, part) in parts.iter().enumerate() { put(frame::TOPIC + 4 * i, 4, part.len() as u64); }
            let mut at = frame::HEADER_LEN;
            for part in parts {
                out[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
            unsafe { host::emit(out.as_ptr(), size as i32) }
        }

        /// Stages the event; where the host refuses, the error rejects the one in hand.
        pub fn emit(&self) -> Outcome { check(self.stage()).map(|_| ()) }
    }

    /// Goes over the keys that begin with a prefix, ascending, in a buffer of yours. A key and
    /// its value, with 8 bytes more, must fit into it.
    ///
    /// ```ignore
    /// let mut scan = avx::Scan::new(b"stock/", &mut page);
    /// while let Some((key, value)) = scan.next()? { … }
    /// ```
    pub struct Scan<'a> {
        prefix: Bytes<'a>,
        page: &'a mut [u8],
        len: usize,
        at: usize,
        after: Buf<1024>,
    }

    impl<'a> Scan<'a> {
        pub fn new(prefix: Bytes<'a>, page: &'a mut [u8]) -> Self {
            Scan { prefix, page, len: 0, at: 0, after: Buf::new() }
        }

        /// The next key and its value, valid until the next call; `None` at the end.
        #[allow(clippy::should_implement_trait)]
        pub fn next(&mut self) -> Outcome<Option<(Bytes<'_>, Bytes<'_>)>> {
            if self.at == self.len {
                let (p, a) = (self.prefix, self.after.bytes());
                let n = check(unsafe {
                    host::kv_scan(p.as_ptr(), p.len() as i32, a.as_ptr(), a.len() as i32, self.page.as_mut_ptr(), self.page.len() as i32)
                })? as usize;
                if n > self.page.len() { return Err(reject("a key and its value do not fit into the buffer of a scan")); }
                if n == 0 { return Ok(None); }
                self.len = n;
                self.at = 0;
            }
            let page = &self.page[self.at..self.len];
            let (k, v) = (load(page, 0, 4) as usize, load(page, 4, 4) as usize);
            self.at += 8 + k + v;
            let (key, value) = (&page[8..8 + k], &page[8 + k..8 + k + v]);
            if self.at == self.len {
                self.after.clear();
                self.after.put(key);
            }
            Ok(Some((key, value)))
        }
    }

    /// Answers a command, query or HTTP frame.
    pub fn reply(data: Bytes) -> Outcome {
        check(unsafe { host::reply(data.as_ptr(), data.len() as i32) }).map(|_| ())
    }

    /// A value of the manifest's config; more than `buf` holds if it does not fit.
    pub fn conf(key: &str, buf: &mut [u8]) -> Option<usize> {
        let n = unsafe { host::conf(key.as_ptr(), key.len() as i32, buf.as_mut_ptr(), buf.len() as i32) };
        usize::try_from(n).ok()
    }

    /// A number of the config; `absent` where there is none, or it is no number.
    pub fn conf_int(key: &str, absent: i64) -> i64 {
        let mut d = [0; 24];
        match conf(key, &mut d) {
            Some(n) if n <= d.len() => parse_int(&d[..n]).unwrap_or(absent),
            _ => absent,
        }
    }

    /// Writes a line of the node's log: [`TRACE`] to [`ERROR`].
    pub fn log(level: i32, msg: &str) { log_bytes(level, msg.as_bytes()) }

    /// The same of bytes, which need not be UTF-8.
    pub fn log_bytes(level: i32, msg: Bytes) { unsafe { host::log(level, msg.as_ptr(), msg.len() as i32) } }

    /// The event's time, nanoseconds since 1970 UTC.
    pub fn now() -> i64 { unsafe { host::now() } }

    /// Fills `buf` with randomness that is the same whenever this event is handled. Make no
    /// secrets from it.
    pub fn rand(buf: &mut [u8]) { unsafe { host::rand(buf.as_mut_ptr(), buf.len() as i32) } }

    /// A buffer that grows and never shrinks, on pages of its own.
    struct Growing { p: *mut u8, cap: usize }

    #[cfg(target_arch = "wasm32")]
    static mut IN: Growing = Growing { p: core::ptr::null_mut(), cap: 0 };
    #[cfg(target_arch = "wasm32")]
    static mut OUT: Growing = Growing { p: core::ptr::null_mut(), cap: 0 };

    /// Where a frame to emit is built.
    #[cfg(target_arch = "wasm32")]
    fn room(size: usize) -> Option<&'static mut [u8]> { unsafe { (*core::ptr::addr_of_mut!(OUT)).at_least(size) } }

    #[cfg(not(target_arch = "wasm32"))]
    extern crate std;
    #[cfg(not(target_arch = "wasm32"))]
    std::thread_local!(static OUT: core::cell::RefCell<Growing> = core::cell::RefCell::new(Growing { p: core::ptr::null_mut(), cap: 0 }));
    #[cfg(not(target_arch = "wasm32"))]
    fn room(size: usize) -> Option<&'static mut [u8]> { OUT.with(|g| g.borrow_mut().at_least(size)) }

    impl Growing {
        fn at_least(&mut self, want: usize) -> Option<&'static mut [u8]> {
            if want > self.cap {
                let pages = (want / 2).checked_add(want)?.checked_add(0xffff)? >> 16;
                self.p = host::pages(pages)?;
                self.cap = pages << 16;
            }
            Some(unsafe { core::slice::from_raw_parts_mut(self.p, self.cap) })
        }
    }

    /// Gives an event to the handler of its kind.
    pub(super) fn give(ev: &Event, handle: fn(&Event) -> Outcome, control: Option<fn(&Event) -> Outcome>) -> Outcome {
        match control {
            _ if ev.kind != KIND_CONTROL => handle(ev),
            Some(control) => control(ev),
            None => Ok(()),
        }
    }

    /// Pulls events until the host has no more; `subscriber!` calls it.
    #[cfg(target_arch = "wasm32")]
    pub fn run(handle: fn(&Event) -> Outcome, control: Option<fn(&Event) -> Outcome>) -> i32 {
        let mut want = 1 << 16;
        loop {
            let buf = match unsafe { (*core::ptr::addr_of_mut!(IN)).at_least(want) } {
                Some(b) => b,
                None => {
                    let why = "the event is too large for limits.memory";
                    unsafe { host::fail(2, why.as_ptr(), why.len() as i32) }
                    return 0;
                }
            };
            let n = unsafe { host::next(buf.as_mut_ptr(), buf.len() as i32) };
            if n <= 0 { return 0; }
            if n as usize > buf.len() {
                want = n as usize; // the next call gives it again
                continue;
            }
            let ev = Event::decode(&buf[..n as usize]);
            if let Err(f) = give(&ev, handle, control) {
                unsafe { host::fail(f.code, f.why.as_ptr(), f.why.len() as i32) }
            }
        }
    }

    #[cfg(target_arch = "wasm32")]
    #[cfg_attr(not(feature = "std"), panic_handler)]
    fn panic(info: &core::panic::PanicInfo) -> ! {
        if let Some(l) = info.location() {
            let mut b = Buf::<128>::new();
            b.put(b"panic at ").put(l.file().as_bytes()).put(b":").put_int(l.line() as i64);
            log(4, core::str::from_utf8(b.bytes()).unwrap_or("panic"));
        }
        core::arch::wasm32::unreachable()
    }

    /// With the feature `std` (lib.rs) the panic handler is that of std, and this its hook.
    /// `subscriber!` calls it before each run.
    #[cfg(target_arch = "wasm32")]
    #[inline(always)]
    pub fn prepare() {
        #[cfg(feature = "std")]
        {
            use core::sync::atomic::{AtomicBool, Ordering};
            static HOOKED: AtomicBool = AtomicBool::new(false);
            if !HOOKED.swap(true, Ordering::Relaxed) {
                std::panic::set_hook(std::boxed::Box::new(|info| panic(info)));
            }
        }
    }
}
pub use guest::*;

/// Makes the exports of a guest around a handler `fn(&Event) -> Outcome`. A second one gets
/// word from the host, kind 6, which is ignored otherwise; docs/abi.md says what there is.
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! subscriber {
    ($handle:path) => {
        #[no_mangle]
        pub extern "C" fn avx_abi_1() {}
        #[no_mangle]
        pub extern "C" fn avx_run() -> i32 { avx::prepare(); avx::run($handle, None) }
    };
    ($handle:path, $control:path) => {
        #[no_mangle]
        pub extern "C" fn avx_abi_1() {}
        #[no_mangle]
        pub extern "C" fn avx_run() -> i32 { avx::prepare(); avx::run($handle, Some($control)) }
    };
}
/// Natively, where a test calls the handlers, it only looks at their types.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! subscriber {
    ($($handler:path),+) => {
        #[no_mangle]
        pub extern "C" fn avx_abi_1() { $(let _: fn(&avx::Event) -> avx::Outcome = $handler;)+ }
    };
}
pub(crate) use subscriber;

/// Natively the host is the fake that delivers.
#[cfg(not(target_arch = "wasm32"))]
mod host {
    use super::{fake::with, status};
    extern crate std;
    use std::{slice::from_raw_parts, vec, vec::Vec};

    unsafe fn bytes(p: *const u8, n: i32) -> Vec<u8> {
        if n == 0 { Vec::new() } else { from_raw_parts(p, n as usize).to_vec() }
    }

    unsafe fn write(value: Option<Vec<u8>>, buf: *mut u8, cap: i32) -> i32 {
        let v = match value { Some(v) => v, None => return status::NOT_FOUND };
        if v.len() <= cap as usize { core::ptr::copy_nonoverlapping(v.as_ptr(), buf, v.len()); }
        v.len() as i32
    }

    pub fn pages(n: usize) -> Option<*mut u8> { Some(std::boxed::Box::leak(vec![0; n << 16].into_boxed_slice()).as_mut_ptr()) }

    pub unsafe fn emit(frame: *const u8, len: i32) -> i32 { let f = bytes(frame, len); with(|h| h.emit(&f)) }
    pub unsafe fn reply(data: *const u8, len: i32) -> i32 { let d = bytes(data, len); with(|h| { h.answer = Some(d); 0 }) }
    pub unsafe fn kv_get(k: *const u8, klen: i32, buf: *mut u8, cap: i32) -> i32 {
        let k = bytes(k, klen);
        write(with(|h| h.state.get(&k).cloned()), buf, cap)
    }
    pub unsafe fn kv_set(k: *const u8, klen: i32, v: *const u8, vlen: i32) -> i32 {
        let (k, v) = (bytes(k, klen), bytes(v, vlen));
        with(|h| { h.state.insert(k, v); 0 })
    }
    pub unsafe fn kv_del(k: *const u8, klen: i32) -> i32 { let k = bytes(k, klen); with(|h| { h.state.remove(&k); 0 }) }
    pub unsafe fn kv_scan(prefix: *const u8, plen: i32, after: *const u8, alen: i32, buf: *mut u8, cap: i32) -> i32 {
        let (prefix, after) = (bytes(prefix, plen), bytes(after, alen));
        let mut page = Vec::new();
        with(|h| for (k, v) in h.state.iter().filter(|(k, _)| k.starts_with(&prefix) && **k > after) {
            if !page.is_empty() && page.len() + 8 + k.len() + v.len() > cap as usize { break; }
            page.extend((k.len() as u32).to_le_bytes());
            page.extend((v.len() as u32).to_le_bytes());
            page.extend(k);
            page.extend(v);
        });
        write(Some(page), buf, cap)
    }
    pub unsafe fn conf(k: *const u8, klen: i32, buf: *mut u8, cap: i32) -> i32 {
        let k = bytes(k, klen);
        write(with(|h| h.config.iter().find(|(name, _)| name.as_bytes() == k).map(|(_, v)| v.clone().into_bytes())), buf, cap)
    }
    pub unsafe fn log(level: i32, msg: *const u8, len: i32) {
        let m = std::string::String::from_utf8_lossy(&bytes(msg, len)).into_owned();
        with(|h| h.logs.push((level, m)))
    }
    pub unsafe fn now() -> i64 { with(|h| h.now) }
    pub unsafe fn rand(buf: *mut u8, len: i32) { core::ptr::write_bytes(buf, 0, len as usize) }
}

/// A host for native tests: put config and state in, deliver events, look at what came out.
///
/// ```ignore
/// let mut host = avx::fake::Fake::default();
/// host.deliver(handle, &Event { topic: b"users.created", key: b"ada", ..Event::default() }).unwrap();
/// assert_eq!(host.emits[0].topic, b"mail.wanted");
/// ```
///
/// It keeps the rules of the real host that handlers rely on: what a failing handler staged is
/// dropped. It grants everything, fires no timers (deliver them as events of kind 4), checks no
/// limits, and its randomness is zeros. Each thread has its own, so tests may run in parallel.
#[cfg(not(target_arch = "wasm32"))]
pub mod fake {
    use super::{give, Bytes, Event, Outcome};
    extern crate std;
    use std::{cell::RefCell, collections::BTreeMap, string::String, vec::Vec};

    /// An event that was emitted, or a timer that was set or, with `timer` alone, cancelled.
    #[derive(Debug, Clone, PartialEq, Eq, Default)]
    pub struct Emitted {
        pub topic: Vec<u8>,
        pub key: Vec<u8>,
        pub data: Vec<u8>,
        pub content_type: Vec<u8>,
        /// As [`Event::header`] reads them.
        pub headers: Vec<u8>,
        pub version: u64,
        pub timer: Vec<u8>,
        pub time: i64,
    }

    #[derive(Debug, Clone, Default)]
    pub struct Fake {
        pub config: BTreeMap<String, String>,
        pub state: BTreeMap<Vec<u8>, Vec<u8>>,
        pub emits: Vec<Emitted>,
        /// Level and text.
        pub logs: Vec<(i32, String)>,
        /// What was replied to the last event.
        pub reply: Option<Vec<u8>>,
        pub(super) answer: Option<Vec<u8>>,
        pub(super) now: i64,
    }

    std::thread_local!(static HOST: RefCell<Fake> = RefCell::new(Fake::default()));

    pub(super) fn with<T>(f: impl FnOnce(&mut Fake) -> T) -> T { HOST.with(|h| f(&mut h.borrow_mut())) }

    impl Fake {
        /// Gives `ev` to the handler and returns its outcome.
        pub fn deliver(&mut self, handle: fn(&Event) -> Outcome, ev: &Event) -> Outcome {
            self.reply = None;
            let mut before = self.clone();
            before.now = ev.time;
            with(|h| *h = before);
            let outcome = give(ev, handle, Some(handle));
            let after = with(core::mem::take);
            self.logs = after.logs;
            if outcome.is_ok() {
                self.state = after.state;
                self.emits = after.emits;
                self.reply = after.answer;
            }
            outcome
        }

        /// A key of the state as text.
        pub fn text(&self, key: Bytes) -> Option<String> {
            self.state.get(key).map(|v| String::from_utf8_lossy(v).into_owned())
        }

        pub(super) fn emit(&mut self, frame: Bytes) -> i32 {
            let ev = Event::decode(frame);
            self.emits.push(Emitted {
                topic: ev.topic.to_vec(),
                key: ev.key.to_vec(),
                data: ev.data.to_vec(),
                content_type: ev.content_type.to_vec(),
                headers: ev.headers.to_vec(),
                version: ev.version,
                timer: ev.header("timer").unwrap_or(b"").to_vec(),
                time: ev.time,
            });
            0
        }
    }
}
/// Exports a step `fn(u32) -> Outcome<bool>` as `avx_migrate`: it turns a part of the state of an
/// older state_version, which it gets, into that of the module, and says whether there is more. `Err` drops
/// the new version, and the old one goes on. What a step wrote is committed when it returns, and the
/// instance may be another one for the next: how far it is must be seen in the state.
#[macro_export]
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
pub(crate) use migrate;
