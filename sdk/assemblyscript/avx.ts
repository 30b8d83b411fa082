// avx.ts: write avxrt subscribers in AssemblyScript. One file, no packages.
//
//   import * as avx from "./avx";
//   export { avx_abi_1, avx_run } from "./avx";
//
//   avx.handle((ev) => {
//     if (ev.topic.is("users.created")) avx.emit("mail.wanted", ev.key, ev.data);
//   });
//
//   asc hello.ts -o hello.wasm -O3 --runtime minimal
//
// What the host promises a guest (docs/abi.md says it in full):
//   - The handler is called once per event. What it emits and writes is kept when it returns,
//     and dropped when it calls retry, reject, skip or stop, or traps (throw, abort, assert).
//   - State is get, set, del and Scan. Globals are a cache: the host may start over with a
//     fresh instance between any two events.
//   - The same event and state give the same result: the clock is the event's, randomness is
//     seeded by it. Date, Math.random, console and trace are not there: use now, rand and log.
//
// Text and bytes are Bytes: views of UTF-8 in the receive buffer, which nobody copies and
// which are valid until the handler returns; toString makes a string of one. Wherever bytes
// are wanted, a string, Bytes, Buf, JSONWriter, ArrayBuffer or Uint8Array will do.
//
// Strings and objects that a handler makes are garbage when it returns, and collected between
// events: with the runtime "minimal" there is no other moment, which is what makes it fast.
// The handler of one event must get by within limits.memory.
//
// Licence: MIT OR Apache-2.0.

// ---- the host's functions ------------------------------------------------------------

@external("avx1", "next") declare function hostNext(buf: usize, cap: i32): i32;
@external("avx1", "fail") declare function hostFail(code: i32, msg: usize, len: i32): void;
@external("avx1", "emit") declare function hostEmit(frame: usize, len: i32): i32;
@external("avx1", "reply") declare function hostReply(data: usize, len: i32): i32;
@external("avx1", "kv_get") declare function hostGet(k: usize, klen: i32, buf: usize, cap: i32): i32;
@external("avx1", "kv_set") declare function hostSet(k: usize, klen: i32, v: usize, vlen: i32): i32;
@external("avx1", "kv_del") declare function hostDel(k: usize, klen: i32): i32;
@external("avx1", "kv_scan") declare function hostScan(prefix: usize, plen: i32, after: usize, alen: i32, buf: usize, cap: i32): i32;
@external("avx1", "conf") declare function hostConf(k: usize, klen: i32, buf: usize, cap: i32): i32;
@external("avx1", "log") declare function hostLog(level: i32, msg: usize, len: i32): void;
@external("avx1", "now") declare function hostNow(): i64;
@external("avx1", "rand") declare function hostRand(buf: usize, len: i32): void;

/** The host's refusals. */
export namespace Status {
  export const NOT_FOUND: i32 = -1;
  export const INVALID: i32 = -2;
  export const TOO_LARGE: i32 = -3;
  export const DENIED: i32 = -4;
  export const QUOTA: i32 = -5;
  export const CONFLICT: i32 = -6;
  export const UNAVAILABLE: i32 = -7;
  export const READ_ONLY: i32 = -8;
  export const NO_EVENT: i32 = -9;
  export const UNSUPPORTED: i32 = -10;
}

// ---- bytes ---------------------------------------------------------------------------

/** A view of bytes, most often UTF-8 text. It owns nothing: see the head of this file. */
@final
export class Bytes {
  constructor(
    /** Where the bytes are. */
    public ptr: usize = 0,
    /** How many. */
    public length: i32 = 0,
  ) {}

  /** A copy of s as UTF-8 that stays valid. */
  static from(s: string): Bytes {
    return new Buf().put(s).bytes();
  }

  /** Points it at other bytes. */
  point(ptr: usize, length: i32): this {
    this.ptr = ptr;
    this.length = length;
    return this;
  }

  @operator("[]") at(i: i32): u8 {
    if (<u32>i >= <u32>this.length) throw new RangeError("index out of range");
    return load<u8>(this.ptr + i);
  }

  /** Compares with a string, without making one. */
  is(s: string): bool {
    return same(this.ptr, this.length, s);
  }

  /** Compares with other bytes. */
  equals(b: Bytes): bool {
    return this.length == b.length && memory.compare(this.ptr, b.ptr, this.length) == 0;
  }

  startsWith(s: string): bool {
    let n = String.UTF8.byteLength(s);
    return n <= this.length && same(this.ptr, n, s);
  }

  /** The bytes from start up to end, as another view. */
  slice(start: i32, end: i32 = i32.MAX_VALUE): Bytes {
    end = min(end, this.length);
    start = min(max(start, 0), end);
    return new Bytes(this.ptr + start, max(end - start, 0));
  }

  /** A decimal number that fills the bytes, or absent. */
  toInt(absent: i64 = 0): i64 {
    return parseDecimal(this.ptr, this.ptr + this.length, 0) ? parsed : absent;
  }

  toString(): string {
    return String.UTF8.decodeUnsafe(this.ptr, this.length);
  }

  /** A copy that stays valid. */
  copy(): Uint8Array {
    let a = new Uint8Array(this.length);
    memory.copy(a.dataStart, this.ptr, this.length);
    return a;
  }
}

/** Whether the n bytes at p are s in UTF-8. */
function same(p: usize, n: i32, s: string): bool {
  let length = s.length, at = changetype<usize>(s);
  if (length > n) return false;
  for (let i = 0; i < length; i++) {
    let c = <u32>load<u16>(at + (<usize>i << 1));
    if (c >= 0x80) return String.UTF8.byteLength(s) == n && String.UTF8.decodeUnsafe(p, n) == s;
    if (c != <u32>load<u8>(p + i)) return false;
  }
  return length == n;
}

/** Bytes being built; it grows, and clear keeps its memory for the next use. */
@final
export class Buf {
  private room: ArrayBuffer;
  length: i32 = 0;

  constructor(capacity: i32 = 64) {
    this.room = new ArrayBuffer(capacity);
  }

  get ptr(): usize {
    return changetype<usize>(this.room);
  }

  clear(): this {
    this.length = 0;
    return this;
  }

  /** Makes room for n more bytes and says where they go; add n to length afterwards. */
  reserve(n: i32): usize {
    let want = this.length + n;
    if (want > this.room.byteLength) {
      let larger = new ArrayBuffer(max(want, this.room.byteLength << 1));
      memory.copy(changetype<usize>(larger), this.ptr, this.length);
      this.room = larger;
    }
    return this.ptr + this.length;
  }

  byte(c: u8): this {
    store<u8>(this.reserve(1), c);
    this.length++;
    return this;
  }

  /** Appends a string, Bytes or whatever else has bytes. */
  put<T>(v: T): this {
    if (isString<T>()) {
      let s = changetype<string>(v);
      this.length += encode(s, this.reserve(bound(s)));
    } else {
      let n = sizeOf(v);
      let to = this.reserve(n); // v may be this, and move
      memory.copy(to, addressOf(v), n);
      this.length += n;
    }
    return this;
  }

  /** Appends a decimal number. */
  int(v: i64): this {
    this.length += putDecimal(this.reserve(20), v);
    return this;
  }

  /** Appends v / 10^places: decimal(1250, 2) is 12.50. */
  decimal(v: i64, places: i32): this {
    if (places == 0) return this.int(v);
    let u = v < 0 ? 0 - <u64>v : <u64>v, unit: u64 = 1;
    for (let i = 0; i < places; i++) unit *= 10;
    if (v < 0) this.byte(0x2d);
    this.int(u / unit);
    this.byte(0x2e);
    for (u %= unit; places > 0; places--) {
      unit /= 10;
      this.byte(0x30 + <u8>(u / unit % 10));
    }
    return this;
  }

  /** What was built. It is valid until more is built. */
  bytes(): Bytes {
    return new Bytes(this.ptr, this.length);
  }

  toString(): string {
    return String.UTF8.decodeUnsafe(this.ptr, this.length);
  }
}

/** The most bytes that s can need; null needs none. */
function bound(s: string): i32 {
  return changetype<usize>(s) == 0 ? 0 : s.length * 3;
}

/** Writes s as UTF-8, at most 3 bytes a unit; half a surrogate pair becomes U+FFFD. */
function encode(s: string, to: usize): i32 {
  if (changetype<usize>(s) == 0) return 0;
  let at = changetype<usize>(s), end = at + (<usize>s.length << 1), start = to;
  while (at < end) {
    let c = <u32>load<u16>(at);
    at += 2;
    if (c < 0x80) {
      store<u8>(to++, <u8>c);
      continue;
    }
    if ((c & 0xf800) == 0xd800) {
      let low = c < 0xdc00 && at < end ? <u32>load<u16>(at) : 0;
      if ((low & 0xfc00) == 0xdc00) {
        c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
        at += 2;
      } else {
        c = 0xfffd;
      }
    }
    to += putRune(to, c);
  }
  return <i32>(to - start);
}

function putRune(to: usize, c: u32): usize {
  if (c < 0x80) {
    store<u8>(to, <u8>c);
    return 1;
  }
  if (c < 0x800) {
    store<u8>(to, <u8>(0xc0 | (c >> 6)));
    store<u8>(to, <u8>(0x80 | (c & 63)), 1);
    return 2;
  }
  if (c < 0x10000) {
    store<u8>(to, <u8>(0xe0 | (c >> 12)));
    store<u8>(to, <u8>(0x80 | ((c >> 6) & 63)), 1);
    store<u8>(to, <u8>(0x80 | (c & 63)), 2);
    return 3;
  }
  store<u8>(to, <u8>(0xf0 | (c >> 18)));
  store<u8>(to, <u8>(0x80 | ((c >> 12) & 63)), 1);
  store<u8>(to, <u8>(0x80 | ((c >> 6) & 63)), 2);
  store<u8>(to, <u8>(0x80 | (c & 63)), 3);
  return 4;
}

function putDecimal(to: usize, v: i64): i32 {
  let u = v < 0 ? 0 - <u64>v : <u64>v, n = v < 0 ? 1 : 0;
  for (let t = u; t >= 10; t /= 10) n++;
  let at = to + n;
  for (; u >= 10; u /= 10) store<u8>(at--, 0x30 + <u8>(u % 10));
  store<u8>(at, 0x30 + <u8>u);
  if (v < 0) store<u8>(to, 0x2d);
  return n + 1;
}

/** What parseDecimal found. */
let parsed: i64 = 0;

/**
 * Reads -?digits[.digits] as a number of 10^-places into parsed; false if it is none, is too
 * large, or has digits behind the places that are not 0.
 */
function parseDecimal(at: usize, end: usize, places: i32): bool {
  let minus = at < end && load<u8>(at) == 0x2d;
  if (minus) at++;
  let u: u64 = 0, left = -1, digits = 0; // left: places still to come, -1 before the point
  for (; at < end; at++) {
    let d = <u32>load<u8>(at) - 0x30;
    if (d > 9) {
      if (d != <u32>-2 || left >= 0 || digits == 0) return false;
      left = places;
      digits = 0;
      continue;
    }
    digits++;
    if (left == 0) {
      if (d != 0) return false;
      continue;
    }
    if (u > (u64.MAX_VALUE - d) / 10) return false;
    u = u * 10 + d;
    if (left > 0) left--;
  }
  if (digits == 0) return false;
  for (let i = left < 0 ? places : left; i > 0; i--) {
    if (u > u64.MAX_VALUE / 10) return false;
    u *= 10;
  }
  if (u > <u64>i64.MAX_VALUE + (minus ? 1 : 0)) return false;
  parsed = minus ? <i64>(0 - u) : <i64>u;
  return true;
}

// Where bytes that are given lie, and how many they are; null is as good as empty. Strings
// are encoded by lay.

function sizeOf<T>(v: T): i32 {
  if (isNullable<T>()) return v === null ? 0 : sizeOf(changetype<NonNullable<T>>(v));
  if (v instanceof Bytes) return v.length;
  if (v instanceof Buf) return v.length;
  if (v instanceof JSONWriter) return v.buf.length;
  if (v instanceof ArrayBuffer) return v.byteLength;
  if (v instanceof Uint8Array) return v.length;
  return ERROR("bytes are a string, Bytes, Buf, JSONWriter, ArrayBuffer or Uint8Array");
}

function addressOf<T>(v: T): usize {
  if (isNullable<T>()) return v === null ? 0 : addressOf(changetype<NonNullable<T>>(v));
  if (v instanceof Bytes) return v.ptr;
  if (v instanceof Buf) return v.ptr;
  if (v instanceof JSONWriter) return v.buf.ptr;
  if (v instanceof ArrayBuffer) return changetype<usize>(v);
  if (v instanceof Uint8Array) return v.dataStart;
  return ERROR("bytes are a string, Bytes, Buf, JSONWriter, ArrayBuffer or Uint8Array");
}

/** A buffer for the host, on pages of its own once it has to grow; it never shrinks. */
@final
class Room {
  constructor(public ptr: usize, public cap: i32) {}

  /** Makes it hold n bytes; what was in it is lost. False where limits.memory is reached. */
  atLeast(n: i32): bool {
    if (n <= this.cap) return true;
    if (n < 0) return false;
    let pages = <i32>((<u32>n + (<u32>n >> 1) + 0xffff) >> 16);
    let at = memory.grow(pages);
    if (at < 0) return false;
    this.ptr = <usize>at << 16;
    this.cap = pages << 16;
    return true;
  }
}

const inbox = new Room(memory.data(8192), 8192); // the event in hand
const outbox = new Room(memory.data(4096), 4096); // frames to emit, and values
const scratch = new Room(memory.data(2048), 2048); // keys and messages that came as strings
const values = new Room(memory.data(4096), 4096); // what get and conf found

/** How many bytes lay found. */
let laid: i32 = 0;

/** Says where the bytes of v are, in laid how many; a string is encoded into room. */
function lay<T>(room: Room, v: T): usize {
  if (isString<T>()) {
    let s = changetype<string>(v);
    if (!room.atLeast(bound(s))) throw new Error("out of memory (limits.memory)");
    laid = encode(s, room.ptr);
    return room.ptr;
  } else {
    laid = sizeOf(v);
    return addressOf(v);
  }
}

// ---- events --------------------------------------------------------------------------

const HEADER_LEN = 96;

// Where a frame has what; a test holds these against the host's.
namespace Off {
  export const TOTAL = 0;
  export const HLEN = 4;
  export const FLAGS = 6;
  export const SEQ = 8;
  export const TIME = 16;
  export const VERSION = 24;
  export const KIND = 32;
  export const ATTEMPT = 36;
  export const LEFT = 40;
  export const TOPIC = 44;
  export const KEY = 48;
  export const ID = 52;
  export const SOURCE = 56;
  export const CONTENT_TYPE = 60;
  export const HEADERS = 64;
  export const DATA = 68;
  export const APPENDED = 72;
}

/** Why the handler is called. */
export namespace Kind {
  /** An event that matched. */
  export const EVENT: u16 = 1;
  /** A timer that is due. */
  export const TIMER: u16 = 4;
  /** Word from the host: see handleControl. */
  export const CONTROL: u16 = 6;
}

/** The event in hand. There is one object, which shows the next event after this one. */
@final
export class Event {
  /** Position in the log. */
  seq: u64 = 0;
  /** Position in the stream of key. */
  version: u64 = 0;
  /** The publisher's time, nanoseconds since 1970 UTC. */
  time: i64 = 0;
  /** The host's time of appending, same unit. */
  appended: i64 = 0;
  /** Which try this is, from 1. */
  attempt: u32 = 0;
  /** How many events follow in this batch; a hint. */
  left: u32 = 0;
  kind: u16 = 0;
  /** 1 replay, 2 shadow, 4 redelivered, 8 read-only. */
  flags: u16 = 0;
  topic: Bytes = new Bytes();
  key: Bytes = new Bytes();
  id: Bytes = new Bytes();
  source: Bytes = new Bytes();
  /** Empty means JSON. */
  contentType: Bytes = new Bytes();
  data: Bytes = new Bytes();
  private headers: Bytes = new Bytes();

  /** Shows the frame at b, which the host made, so its lengths hold. */
  open(b: usize): void {
    this.flags = load<u16>(b, Off.FLAGS);
    this.seq = load<u64>(b, Off.SEQ);
    this.time = load<i64>(b, Off.TIME);
    this.version = load<u64>(b, Off.VERSION);
    this.kind = load<u16>(b, Off.KIND);
    this.attempt = load<u32>(b, Off.ATTEMPT);
    this.left = load<u32>(b, Off.LEFT);
    this.appended = load<i64>(b, Off.APPENDED);
    let at = b + load<u16>(b, Off.HLEN);
    at = part(this.topic, at, load<i32>(b, Off.TOPIC));
    at = part(this.key, at, load<i32>(b, Off.KEY));
    at = part(this.id, at, load<i32>(b, Off.ID));
    at = part(this.source, at, load<i32>(b, Off.SOURCE));
    at = part(this.contentType, at, load<i32>(b, Off.CONTENT_TYPE));
    at = part(this.headers, at, load<i32>(b, Off.HEADERS));
    part(this.data, at, load<i32>(b, Off.DATA));
  }

  /** The first header of that name, null if there is none. */
  header(name: string): Bytes | null {
    let at = this.headers.ptr, end = at + this.headers.length;
    while (at + 4 <= end) {
      let k = <i32>load<u16>(at), v = <i32>load<u16>(at, 2);
      if (at + 4 + k + v > end) break;
      if (same(at + 4, k, name)) return new Bytes(at + 4 + k, v);
      at += 4 + k + v;
    }
    return null;
  }

  /** The UTC date of time as YYYY-MM-DD. */
  day(): string {
    return date(floorDiv(this.time, 86_400_000_000_000));
  }
}

function part(view: Bytes, at: usize, n: i32): usize {
  view.point(at, n);
  return at + n;
}

function floorDiv(a: i64, b: i64): i64 {
  return a / b - i64(a % b < 0);
}

/** The date that lies so many days after 1970-01-01, as YYYY-MM-DD (years 0 to 9999). */
export function date(days: i64): string {
  let z = days + 719_468, era = floorDiv(z, 146_097), doe = z - era * 146_097; // years begin in March
  let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  let mp = (5 * doy + 2) / 153, m = mp < 10 ? mp + 3 : mp - 9;
  let y = yoe + era * 400 + i64(m <= 2), d = doy - (153 * mp + 2) / 5 + 1;
  return y.toString().padStart(4, "0") + "-" + m.toString().padStart(2, "0") + "-" + d.toString().padStart(2, "0");
}

// ---- the loop ------------------------------------------------------------------------

/** What is called with an event. */
export type Handler = (ev: Event) => void;

const event = new Event();
let handler: Handler | null = null;
let control: Handler | null = null;

/** Sets the handler. Call it at the top level of the file. */
export function handle(h: Handler): void {
  handler = h;
}

/**
 * Sets the handler of word from the host, kind 6, which is ignored otherwise. docs/abi.md
 * says under "Control frames" what there is.
 */
export function handleControl(h: Handler): void {
  control = h;
}

/** The mark of the contract; export it. */
export function avx_abi_1(): void {}

/** Pulls events until the host has no more; export it. */
export function avx_run(): i32 {
  while (true) {
    let n = hostNext(inbox.ptr, inbox.cap);
    if (n <= 0) return 0;
    if (n > inbox.cap) { // the next call gives it again
      if (!inbox.atLeast(n)) reject("the event is too large for limits.memory");
      continue;
    }
    event.open(inbox.ptr);
    let h = event.kind == Kind.CONTROL ? control : handler;
    if (h !== null) h(event);
    tidy(n);
  }
}

let events: i32 = 0; // since the last collection
let taken: i32 = 0; // bytes of events, same
let pages: i32 = 0; // of memory, then

/**
 * Collects garbage when there may be some worth it: here nothing but globals holds an object.
 * Garbage grows with what was read, so that is what is counted.
 */
function tidy(n: i32): void {
  taken += n;
  if (++events < 64 && taken < 65536 && pages == memory.size()) return;
  __collect();
  events = 0;
  taken = 0;
  pages = memory.size();
}

// ---- verdicts ------------------------------------------------------------------------

/**
 * Gives the verdict on the event in hand: 1 retry, 2 reject, 3 skip, 4 stop, from 100 on a
 * code of your own. What it staged is dropped. Return from the handler afterwards.
 */
export function fail<T>(code: i32, why: T): void {
  let p = lay(scratch, why);
  hostFail(code, p, laid);
}

/** Try again later, with the manifest's back-off. */
export function retry<T>(why: T): void {
  fail(1, why);
}

/** It will never work: a dead letter now. */
export function reject<T>(why: T): void {
  fail(2, why);
}

/** Not for this subscriber; nothing is kept. */
export function skip<T>(why: T): void {
  fail(3, why);
}

/** Stop the subscriber at this event. */
export function stop<T>(why: T): void {
  fail(4, why);
}

/** Rejects the event where the host refused something; true where it did not. */
function granted(status: i32): bool {
  if (status >= 0) return true;
  if (status == Status.DENIED) reject("the host denied it: grant the topic in the manifest's emits");
  else if (status == Status.QUOTA) reject("over a quota of this event (limits)");
  else if (status == Status.TOO_LARGE) reject("too large for the host");
  else if (status == Status.CONFLICT) retry("version conflict");
  else reject("the host answered " + status.toString());
  return false;
}

// ---- emits ---------------------------------------------------------------------------

/**
 * An event to emit, with everything that one can have: draft(topic, key), then what there is
 * to say, in this order: type, header, data; at and expect whenever you like; then stage.
 * There is one object and one buffer of all drafts: stage one before you begin the next.
 */
@final
export class Draft {
  private n: i32 = 0;
  private seen: i32 = 0; // the last part that was given: a frame has them in one order

  /** Begins an event. */
  begin<T, K>(topic: T, key: K): this {
    this.n = 0;
    this.seen = Off.TOPIC;
    memory.fill(this.room(HEADER_LEN), 0, HEADER_LEN);
    this.n = HEADER_LEN;
    store<u16>(outbox.ptr, HEADER_LEN, Off.HLEN);
    store<u16>(outbox.ptr, Kind.EVENT, Off.KIND);
    return this.part(Off.TOPIC, topic).part(Off.KEY, key);
  }

  private room(n: i32): usize {
    if (this.n + n > outbox.cap) {
      let old = outbox.ptr;
      if (!outbox.atLeast(this.n + n)) throw new Error("out of memory for an emit (limits.memory)");
      memory.copy(outbox.ptr, old, this.n);
    }
    return outbox.ptr + this.n;
  }

  private part<T>(off: i32, v: T): this {
    if (this.seen > off) throw new Error("a draft takes type, header and data in this order");
    this.seen = off;
    let n = 0;
    if (isString<T>()) {
      let s = changetype<string>(v);
      n = encode(s, this.room(bound(s)));
    } else {
      n = sizeOf(v);
      memory.copy(this.room(n), addressOf(v), n);
    }
    this.n += n;
    let at = outbox.ptr + off;
    store<i32>(at, load<i32>(at) + n);
    return this;
  }

  /** The content type of the data; without it, JSON. */
  type<T>(contentType: T): this {
    return this.part(Off.CONTENT_TYPE, contentType);
  }

  /** Adds a header. */
  header<T, V>(name: T, value: V): this {
    let at = this.n;
    this.room(4);
    this.n += 4;
    this.part(Off.HEADERS, name);
    let k = this.n - at - 4;
    this.part(Off.HEADERS, value);
    let v = this.n - at - 4 - k;
    if (k > 0xffff || v > 0xffff) throw new Error("a header's name or value is over 65,535 bytes");
    store<u16>(outbox.ptr + at, <u16>k);
    store<u16>(outbox.ptr + at, <u16>v, 2);
    store<i32>(outbox.ptr, load<i32>(outbox.ptr, Off.HEADERS) + 4, Off.HEADERS);
    return this;
  }

  /** The data. */
  data<T>(data: T): this {
    return this.part(Off.DATA, data);
  }

  /** The version that the event must become in the stream of its key; 1: the first. */
  expect(version: u64): this {
    store<u64>(outbox.ptr, version, Off.VERSION);
    return this;
  }

  /** The time at which it is appended, which makes it a timer: nanoseconds since 1970. */
  at(time: i64): this {
    store<i64>(outbox.ptr, time, Off.TIME);
    return this;
  }

  /** Stages it: 0, or what the host says against it, see Status. */
  stage(): i32 {
    store<i32>(outbox.ptr, this.n, Off.TOTAL);
    return hostEmit(outbox.ptr, this.n);
  }

  /** Stages it, or rejects the event in hand with the host's reason and says false. */
  emit(): bool {
    return granted(this.stage());
  }
}

const theDraft = new Draft();

/** Begins an event to emit. */
export function draft<T, K>(topic: T, key: K): Draft {
  return theDraft.begin(topic, key);
}

/**
 * Stages an event with JSON data. Where the host refuses, the event in hand is rejected with
 * the reason, and the answer is false; Draft.stage leaves that to you.
 */
export function emit<T, K, D>(topic: T, key: K, data: D): bool {
  return draft(topic, key).data(data).emit();
}

/**
 * Stages an event that is appended at a time (nanoseconds since 1970; now is the present) and
 * comes with kind 4. The subscriber has one timer of each name, of at most 255 bytes: the next
 * one replaces it, cancel takes it out. An empty name is none.
 */
export function timer<T, K, D>(name: string, time: i64, topic: T, key: K, data: D): bool {
  let d = draft(topic, key).at(time);
  if (name.length > 0) d.header("timer", name);
  return d.data(data).emit();
}

/** Takes out the timer of that name; there need be none. */
export function cancel(name: string): bool {
  return draft("", "").header("timer", name).emit();
}

/** Answers a command, query or HTTP frame. */
export function reply<T>(data: T): bool {
  let p = lay(outbox, data);
  return granted(hostReply(p, laid));
}

// ---- state ---------------------------------------------------------------------------

const found = new Bytes();

/** A key's value, null if there is none. It is valid until the next get, conf or getInt. */
export function get<K>(key: K): Bytes | null {
  let k = lay(scratch, key), klen = laid;
  while (true) {
    let n = hostGet(k, klen, values.ptr, values.cap);
    if (n < 0) return null;
    if (n <= values.cap) return found.point(values.ptr, n);
    if (!values.atLeast(n)) throw new Error("out of memory for a value (limits.memory)");
  }
}

/** A key's value as a string, null if there is none. */
export function getString<K>(key: K): string | null {
  let v = get(key);
  return v === null ? null : v.toString();
}

/** A number, which the state keeps as decimal text so that people can read it. */
export function getInt<K>(key: K, absent: i64 = 0): i64 {
  let v = get(key);
  return v === null ? absent : v.toInt(absent);
}

/** Writes a key. Where the host refuses, the event is rejected and the answer is false. */
export function set<K, V>(key: K, value: V): bool {
  let k = lay(scratch, key), klen = laid, v = lay(outbox, value);
  return granted(hostSet(k, klen, v, laid));
}

/** Writes a number as decimal text. */
export function setInt<K>(key: K, n: i64): bool {
  let k = lay(scratch, key), klen = laid;
  return granted(hostSet(k, klen, outbox.ptr, putDecimal(outbox.ptr, n)));
}

/** Adds to a number, which begins at 0; a sum beyond 64 bits rejects the event. */
export function add<K>(key: K, delta: i64): bool {
  let n = getInt(key), sum = n + delta;
  if (((n ^ sum) & (delta ^ sum)) < 0) {
    reject("a total beyond 64 bits");
    return false;
  }
  return setInt(key, sum);
}

/** Removes a key; there need be none. */
export function del<K>(key: K): bool {
  let k = lay(scratch, key);
  return granted(hostDel(k, laid));
}

/**
 * Goes over the keys that begin with a prefix, ascending:
 *
 *   for (let s = new avx.Scan("stock/"); s.next(); ) total += s.value.toInt();
 */
@final
export class Scan {
  /** The key at hand, and its value. They are valid until the next next. */
  key: Bytes = new Bytes();
  value: Bytes = new Bytes();
  private page: Buf;
  private at: i32 = 0;
  private prefix: Buf;
  private after: Buf = new Buf();

  constructor(prefix: string, page: i32 = 4096) {
    this.prefix = new Buf().put(prefix);
    this.page = new Buf(page);
  }

  /** Goes to the next key; false at the end. */
  next(): bool {
    if (this.at == this.page.length && !this.turn()) return false;
    let p = this.page.ptr + this.at, k = load<i32>(p), v = load<i32>(p, 4);
    this.key.point(p + 8, k);
    this.value.point(p + 8 + k, v);
    this.at += 8 + k + v;
    return true;
  }

  private turn(): bool {
    if (this.at > 0) this.after.clear().put(this.key);
    this.page.clear();
    this.at = 0;
    let cap = 4096;
    while (true) {
      let to = this.page.reserve(cap);
      let n = hostScan(this.prefix.ptr, this.prefix.length, this.after.ptr, this.after.length, to, cap);
      if (n <= 0) return granted(n) && n > 0;
      if (n <= cap) {
        this.page.length = n;
        return true;
      }
      cap = n;
    }
  }
}

// ---- the rest of the host ------------------------------------------------------------

/** A value of the manifest's config, null if there is none. */
export function conf(key: string): string | null {
  let k = lay(scratch, key), klen = laid;
  while (true) {
    let n = hostConf(k, klen, values.ptr, values.cap);
    if (n < 0) return null;
    if (n <= values.cap) return String.UTF8.decodeUnsafe(values.ptr, n);
    if (!values.atLeast(n)) throw new Error("out of memory for a value (limits.memory)");
  }
}

/** A number of the config; absent where there is none, or it is no number. */
export function confInt(key: string, absent: i64): i64 {
  let v = conf(key);
  return v === null ? absent : Bytes.from(v).toInt(absent);
}

/** Levels of log. */
export namespace Level {
  export const TRACE: i32 = 0;
  export const DEBUG: i32 = 1;
  export const INFO: i32 = 2;
  export const WARN: i32 = 3;
  export const ERROR: i32 = 4;
}

/** Writes a line of the node's log, which adds subscriber and event. */
export function log<T>(level: i32, message: T): void {
  let p = lay(scratch, message);
  hostLog(level, p, laid);
}

/** The event's time, nanoseconds since 1970 UTC. */
export function now(): i64 {
  return hostNow();
}

/** Randomness that is the same whenever this event is handled. Make no secrets from it. */
export function rand(n: i32): Uint8Array {
  let a = new Uint8Array(n);
  hostRand(a.dataStart, n);
  return a;
}

/** A number of the same randomness. */
export function randInt(): u64 {
  hostRand(scratch.ptr, 8);
  return load<u64>(scratch.ptr);
}

// ---- JSON ----------------------------------------------------------------------------

const MAX_DEPTH = 63;

/**
 * Reads a text as a stream, front to back, without recursion, and without making objects but
 * for string and raw. It is strict: the first thing that is not JSON, not there or not of the
 * wanted kind sticks, everything after answers nothing, and end says false.
 *
 *   let j = new avx.JSONReader(ev.data), qty: i64 = 0;
 *   for (j.object(); j.key(); ) {
 *     if (j.is("qty")) qty = j.int();
 *     else j.skip();
 *   }
 *   if (!j.end()) return avx.reject("not an order");
 *
 * A reader may be kept in a global and pointed at the next text by read.
 */
@final
export class JSONReader {
  private p: usize = 0;
  private stop: usize = 0;
  private first: u64 = 0; // per level: no item was read yet
  private depth: i32 = 0;
  /** Whether nothing was wrong so far. */
  ok: bool = true;
  private at: usize = 0; // the string that was read last: where, how long, with escapes
  private n: i32 = 0;
  private escaped: bool = false;

  constructor(text: Bytes) {
    this.read(text);
  }

  /** Begins again with another text, which must stay where it is while it is read. */
  read(text: Bytes): this {
    this.p = text.ptr;
    this.stop = text.ptr + text.length;
    this.first = 0;
    this.depth = 0;
    this.ok = true;
    return this;
  }

  private bad(): bool {
    this.ok = false;
    this.p = this.stop;
    return false;
  }

  /** The next byte behind white space, 0 at the end. */
  private peek(): u32 {
    let p = this.p, stop = this.stop, c: u32 = 0;
    for (; p < stop; p++) {
      c = load<u8>(p);
      if (c > 0x20 || (c != 0x20 && c != 0x0a && c != 0x09 && c != 0x0d)) break;
      c = 0;
    }
    this.p = p;
    return c;
  }

  private take(c: u32): bool {
    if (this.peek() != c) return this.bad();
    this.p++;
    return true;
  }

  private open(c: u32): bool {
    if (this.depth == MAX_DEPTH || !this.take(c)) return this.bad();
    this.depth++;
    this.first |= (<u64>1) << this.depth;
    return true;
  }

  /** Enters an object. */
  object(): bool {
    return this.open(0x7b);
  }

  /** Enters a list. */
  list(): bool {
    return this.open(0x5b);
  }

  private more(close: u32): bool {
    if (!this.ok) return false;
    let bit = (<u64>1) << this.depth;
    if (this.peek() == close) {
      this.p++;
      this.depth--;
      return false;
    }
    if ((this.first & bit) == 0) return this.take(0x2c);
    this.first &= ~bit;
    return true;
  }

  /** Whether the list has one more item; at its end it takes the bracket. */
  item(): bool {
    return this.more(0x5d);
  }

  /** Goes to the next key, which is compares; at the object's end it takes the bracket. */
  key(): bool {
    return this.more(0x7d) && this.scan() && this.take(0x3a);
  }

  /** Compares the key, or the string that was read last. */
  is(name: string): bool {
    if (!this.escaped) return same(this.at, this.n, name);
    return this.last() == name;
  }

  /** Steps over a string and notes where it is. */
  private scan(): bool {
    if (!this.take(0x22)) return false;
    let p = this.p, stop = this.stop;
    this.at = p;
    this.escaped = false;
    for (; p < stop; p++) {
      let c = <u32>load<u8>(p);
      if (c == 0x22) {
        this.n = <i32>(p - this.at);
        this.p = p + 1;
        return true;
      }
      if (c < 0x20) break;
      if (c == 0x5c) {
        this.escaped = true;
        p = escape(p + 1, stop);
        if (!p) break;
      }
    }
    return this.bad();
  }

  private last(): string {
    let b = new Buf(this.n);
    this.unescape(b);
    return b.toString();
  }

  private unescape(b: Buf): void {
    if (!this.escaped) {
      b.put(new Bytes(this.at, this.n));
      return;
    }
    for (let p = this.at, end = p + this.n; p < end; ) {
      let c = <u32>load<u8>(p++);
      if (c != 0x5c) {
        b.byte(<u8>c);
        continue;
      }
      c = load<u8>(p++);
      if (c == 0x75) {
        let u = hex4(p);
        p += 4;
        if ((u & 0xf800) == 0xd800) {
          let low: u32 = 0;
          if (u < 0xdc00 && p + 6 <= end && load<u16>(p) == 0x755c) low = hex4(p + 2);
          if ((low & 0xfc00) == 0xdc00) {
            u = 0x10000 + ((u & 0x3ff) << 10) + (low & 0x3ff);
            p += 6;
          } else {
            u = 0xfffd;
          }
        }
        b.length += <i32>putRune(b.reserve(4), u);
        continue;
      }
      if (c == 0x62) c = 8;
      else if (c == 0x66) c = 12;
      else if (c == 0x6e) c = 10;
      else if (c == 0x72) c = 13;
      else if (c == 0x74) c = 9;
      b.byte(<u8>c);
    }
  }

  /** A string. Half a surrogate pair becomes U+FFFD. */
  string(): string {
    if (!this.scan()) return "";
    if (!this.escaped) return String.UTF8.decodeUnsafe(this.at, this.n);
    return this.last();
  }

  /** A string, appended to b as UTF-8: without making one. */
  text(b: Buf): bool {
    if (!this.scan()) return false;
    this.unescape(b);
    return true;
  }

  private digits(p: usize): usize {
    let start = p;
    while (p < this.stop && <u32>load<u8>(p) - 0x30 < 10) p++;
    if (p == start) this.bad();
    return p;
  }

  /** Steps over a number and notes where it is; whole: without fraction and exponent. */
  private number(whole: bool): bool {
    this.peek();
    let p = this.p, stop = this.stop;
    this.at = p;
    if (p < stop && load<u8>(p) == 0x2d) p++;
    if (p < stop && load<u8>(p) == 0x30) p++;
    else p = this.digits(p);
    if (this.ok && p < stop && load<u8>(p) == 0x2e) {
      p = this.digits(p + 1);
      whole = false;
    }
    if (this.ok && p < stop && (load<u8>(p) | 0x20) == 0x65) {
      p++;
      if (p < stop && (load<u8>(p) == 0x2b || load<u8>(p) == 0x2d)) p++;
      p = this.digits(p);
    }
    if (!this.ok) return false;
    this.n = <i32>(p - this.at);
    this.p = p;
    return true;
  }

  /** An integer; a fraction, an exponent, or more than 64 bits is an error. */
  int(): i64 {
    return this.decimal(0);
  }

  /** A number times 10^places: decimal(2) reads 12.5 as 1250. More digits that are not 0 are an error. */
  decimal(places: i32): i64 {
    if (!this.ok || !this.number(false)) return 0;
    if (places == 0 && !whole(this.at, this.n) || !parseDecimal(this.at, this.at + this.n, places)) {
      this.bad();
      return 0;
    }
    return parsed;
  }

  /** Any number, as near as 64 bits of floating point come. */
  float(): f64 {
    if (!this.ok || !this.number(false)) return 0;
    return parseFloat(String.UTF8.decodeUnsafe(this.at, this.n));
  }

  private word(w: string): bool {
    let n = w.length;
    if (<i32>(this.stop - this.p) < n || !same(this.p, n, w)) return this.bad();
    this.p += n;
    return true;
  }

  /** true or false. */
  bool(): bool {
    if (this.peek() == 0x74) return this.word("true");
    this.word("false");
    return false;
  }

  /** Takes a null if it is next. */
  null(): bool {
    return this.ok && this.peek() == 0x6e && this.word("null");
  }

  /** Steps over any value. */
  skip(): bool {
    let base = this.depth, objects: u64 = 0; // which open levels are objects
    while (this.ok) {
      let c = this.peek();
      if (c == 0x22) {
        this.scan();
      } else if (c == 0x7b) {
        this.object();
        objects |= (<u64>1) << this.depth;
      } else if (c == 0x5b) {
        this.list();
        objects &= ~((<u64>1) << this.depth);
      } else if (c == 0x74) {
        this.word("true");
      } else if (c == 0x66) {
        this.word("false");
      } else if (c == 0x6e) {
        this.word("null");
      } else {
        this.number(false);
      }
      while (this.ok) { // to the next value, closing what ends
        if (this.depth == base) return true;
        if ((objects >> this.depth) & 1 ? this.key() : this.item()) break;
      }
    }
    return false;
  }

  /** Steps over any value and gives its text. */
  raw(): Bytes {
    this.peek();
    let start = this.p;
    return this.skip() ? new Bytes(start, <i32>(this.p - start)) : new Bytes();
  }

  /** Whether the text was JSON, and nothing but white space is left of it. */
  end(): bool {
    return this.peek() == 0 && this.ok && this.depth == 0 && this.p == this.stop;
  }
}

/** Whether a number has neither fraction nor exponent. */
function whole(p: usize, n: i32): bool {
  for (let end = p + n; p < end; p++) {
    let c = load<u8>(p);
    if (c == 0x2e || (c | 0x20) == 0x65) return false;
  }
  return true;
}

/** What stands behind the backslash of a character that has a short form, 0 if it has none. */
function brief(c: u8): u8 {
  switch (c) {
    case 0x0a: return 0x6e; // n
    case 0x0d: return 0x72; // r
    case 0x09: return 0x74; // t
    case 0x22: case 0x5c: return c;
  }
  return 0;
}

/** Checks what stands behind a backslash and gives its last byte, 0 if it is no escape. */
function escape(p: usize, stop: usize): usize {
  if (p >= stop) return 0;
  let c = <u32>load<u8>(p);
  if (c == 0x75) return stop - p > 4 && hex4(p + 1) != u32.MAX_VALUE ? p + 4 : 0;
  return c == 0x22 || c == 0x5c || c == 0x2f || c == 0x62 || c == 0x66 || c == 0x6e || c == 0x72 || c == 0x74 ? p : 0;
}

/** Four hexadecimal digits, u32.MAX_VALUE if they are none. */
function hex4(p: usize): u32 {
  let v: u32 = 0;
  for (let end = p + 4; p < end; p++) {
    let c = <u32>load<u8>(p), d = c - 0x30;
    if (d > 9) {
      d = (c | 0x20) - 0x61;
      if (d > 5) return u32.MAX_VALUE;
      d += 10;
    }
    v = (v << 4) | d;
  }
  return v;
}

/**
 * Writes a text as a stream and puts the commas itself:
 *
 *   let w = new avx.JSONWriter();
 *   w.object().key("order").string(id).key("units").int(7).end();
 *   avx.emit("orders.counted", ev.key, w);
 *
 * A writer may be kept in a global and used again after clear.
 */
@final
export class JSONWriter {
  /** What was written so far. */
  buf: Buf = new Buf(256);
  private lists: u64 = 0; // which open levels are lists
  private begun: u64 = 0; // which have an item
  private depth: i32 = 0;
  private bare: bool = false; // behind a key: no comma

  /** Begins again, with the same memory. */
  clear(): this {
    this.buf.clear();
    this.depth = 0;
    this.begun = 0;
    this.bare = false;
    return this;
  }

  private comma(): void {
    let bit = (<u64>1) << this.depth;
    if (!this.bare && this.depth > 0 && (this.begun & bit)) this.buf.byte(0x2c);
    this.begun |= bit;
    this.bare = false;
  }

  private open(c: u8, list: u64): this {
    if (this.depth == MAX_DEPTH) throw new Error("JSON is nested too deeply");
    this.comma();
    this.buf.byte(c);
    let bit = (<u64>1) << ++this.depth;
    this.begun &= ~bit;
    this.lists = (this.lists & ~bit) | (list << this.depth);
    return this;
  }

  /** Begins an object. */
  object(): this {
    return this.open(0x7b, 0);
  }

  /** Begins a list. */
  list(): this {
    return this.open(0x5b, 1);
  }

  /** Ends the innermost object or list. */
  end(): this {
    if (this.depth == 0) throw new Error("JSON: nothing is open");
    this.buf.byte((this.lists >> this.depth) & 1 ? 0x5d : 0x7d);
    this.depth--;
    return this;
  }

  /** A key; its value comes next. */
  key<T>(name: T): this {
    this.string(name);
    this.buf.byte(0x3a);
    this.bare = true;
    return this;
  }

  /** A string, of a string, Bytes or whatever else has bytes. */
  string<T>(v: T): this {
    this.comma();
    this.buf.byte(0x22);
    let start = this.buf.length;
    this.buf.put(v);
    this.escape(start);
    this.buf.byte(0x22);
    return this;
  }

  /** Escapes what was put behind start, from the back so that nothing moves twice. */
  private escape(start: i32): void {
    let b = this.buf, more = 0, from = b.ptr + start, n = b.length - start;
    for (let i = 0; i < n; i++) {
      let c = load<u8>(from + i);
      if (brief(c)) more++;
      else if (c < 0x20) more += 5;
    }
    if (more == 0) return;
    let to = b.reserve(more) + more;
    from = b.ptr + start;
    b.length += more;
    for (let i = n - 1; i >= 0; i--) {
      let c = load<u8>(from + i);
      let letter = brief(c);
      if (c < 0x20 && !letter) {
        to -= 6;
        store<u32>(to, 0x3030755c); // \\u00
        store<u8>(to, 0x30 + (c >> 4), 4);
        store<u8>(to, (c & 15) < 10 ? 0x30 + (c & 15) : 0x57 + (c & 15), 5);
        continue;
      }
      store<u8>(--to, letter ? letter : c);
      if (letter) store<u8>(--to, 0x5c);
    }
  }

  int(v: i64): this {
    this.comma();
    this.buf.int(v);
    return this;
  }

  /** v / 10^places: decimal(1250, 2) is 12.50. */
  decimal(v: i64, places: i32): this {
    this.comma();
    this.buf.decimal(v, places);
    return this;
  }

  /** A number of floating point; what JSON has no word for becomes null. */
  float(v: f64): this {
    return this.raw(isFinite(v) ? v.toString() : "null");
  }

  bool(v: bool): this {
    return this.raw(v ? "true" : "false");
  }

  null(): this {
    return this.raw("null");
  }

  /** A value that is JSON already. */
  raw<T>(v: T): this {
    this.comma();
    this.buf.put(v);
    return this;
  }

  /** What was written, valid until more is. */
  bytes(): Bytes {
    return this.buf.bytes();
  }

  toString(): string {
    return this.buf.toString();
  }
}
