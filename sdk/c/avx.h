/* avx.h: write avxrt subscribers in C or C++. One header, no libc, no allocator.
 *
 *   #include "avx.h"
 *   static void handle(const avx_event *ev) {
 *       if (avx_eq(ev->topic, "users.created"))
 *           avx_emit(AVX_STR("mail.wanted"), ev->key, ev->data);
 *   }
 *   AVX_SUBSCRIBER(handle)
 *
 *   clang --target=wasm32 -O2 -nostdlib -I. -Wl,--no-entry -Wl,--strip-all -o hello.wasm hello.c
 *
 * What the host promises a guest (docs/abi.md says it in full):
 *   - handle is called once per event. What it emits and writes is kept when it returns, and
 *     dropped when it calls avx_fail or traps.
 *   - State is avx_get/avx_set/avx_del. Memory is a cache: the host may start over with a
 *     fresh instance between any two events.
 *   - The same event and state give the same result: the clock is the event's, randomness
 *     is seeded by it.
 * Nothing here allocates but the receive buffer, which grows to the largest event seen.
 * Slices point into that buffer and are valid during handle.
 *
 * Natively the host is avx_fake.h or a test of yours, and handlers are ordinary functions.
 *
 * Licence: MIT OR Apache-2.0. */
#ifndef AVX_H
#define AVX_H
#include <stddef.h>
#include <stdint.h>
#ifndef __wasm__
#include <stdlib.h>
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---- slices ------------------------------------------------------------------------- */

typedef struct { const char *p; uint32_t n; } avx_str;

#define AVX_STR(literal) (avx_slice((literal), (uint32_t)(sizeof(literal) - 1)))

static inline avx_str avx_slice(const void *p, uint32_t n) { avx_str s; s.p = (const char *)p; s.n = n; return s; }

static inline void avx_copy(void *to, const void *from, uint32_t n) {
    char *t = (char *)to; const char *f = (const char *)from;
    while (n--) *t++ = *f++;
}

static inline uint32_t avx_len(const char *z) { uint32_t n = 0; while (z[n]) n++; return n; }

static inline int avx_eq(avx_str s, const char *z) {
    uint32_t i = 0;
    while (i < s.n && z[i] && s.p[i] == z[i]) i++;
    return i == s.n && !z[i];
}

/* avx_starts says whether s begins with z. */
static inline int avx_starts(avx_str s, const char *z) {
    uint32_t n = avx_len(z);
    s.n = s.n < n ? s.n : n;
    return avx_eq(s, z);
}

/* ---- status and verdicts ------------------------------------------------------------ */

enum { AVX_NOT_FOUND = -1, AVX_INVALID = -2, AVX_TOO_LARGE = -3, AVX_DENIED = -4, AVX_QUOTA = -5, AVX_CONFLICT = -6,
       AVX_UNAVAILABLE = -7, AVX_READ_ONLY = -8, AVX_NO_EVENT = -9, AVX_UNSUPPORTED = -10 };
enum { AVX_RETRY = 1, AVX_REJECT = 2, AVX_SKIP = 3, AVX_STOP = 4 };
enum { AVX_TRACE = 0, AVX_DEBUG = 1, AVX_INFO = 2, AVX_WARN = 3, AVX_ERROR = 4 };

/* ---- the host's functions ----------------------------------------------------------- */

#ifdef __wasm__
#define AVX_IMPORT(name) __attribute__((import_module("avx1"), import_name(name)))
#define AVX_EXPORT(name) __attribute__((export_name(name)))
#else /* natively, a test supplies them */
#define AVX_IMPORT(name)
#define AVX_EXPORT(name)
#endif

AVX_IMPORT("next") int32_t avx1_next(void *buf, int32_t cap);
AVX_IMPORT("fail") void avx1_fail(int32_t code, const void *msg, int32_t len);
AVX_IMPORT("emit") int32_t avx1_emit(const void *frame, int32_t len);
AVX_IMPORT("reply") int32_t avx1_reply(const void *data, int32_t len);
AVX_IMPORT("kv_get") int32_t avx1_kv_get(const void *k, int32_t klen, void *buf, int32_t cap);
AVX_IMPORT("kv_set") int32_t avx1_kv_set(const void *k, int32_t klen, const void *v, int32_t vlen);
AVX_IMPORT("kv_del") int32_t avx1_kv_del(const void *k, int32_t klen);
AVX_IMPORT("kv_scan") int32_t avx1_kv_scan(const void *prefix, int32_t plen, const void *after, int32_t alen, void *buf, int32_t cap);
AVX_IMPORT("conf") int32_t avx1_conf(const void *k, int32_t klen, void *buf, int32_t cap);
AVX_IMPORT("log") void avx1_log(int32_t level, const void *msg, int32_t len);
AVX_IMPORT("now") int64_t avx1_now(void);
AVX_IMPORT("rand") void avx1_rand(void *buf, int32_t len);

/* ---- events ------------------------------------------------------------------------- */

#define AVX_HEADER_LEN 96
enum { AVX_OFF_TOTAL = 0, AVX_OFF_HLEN = 4, AVX_OFF_FLAGS = 6, AVX_OFF_SEQ = 8, AVX_OFF_TIME = 16, AVX_OFF_VERSION = 24,
       AVX_OFF_KIND = 32, AVX_OFF_ATTEMPT = 36, AVX_OFF_LEFT = 40, AVX_OFF_TOPIC = 44, AVX_OFF_KEY = 48, AVX_OFF_ID = 52,
       AVX_OFF_SOURCE = 56, AVX_OFF_TYPE = 60, AVX_OFF_HEADERS = 64, AVX_OFF_DATA = 68, AVX_OFF_APPENDED = 72 };

/* Kinds of events: one that matched, a timer that is due, word from the host. */
enum { AVX_KIND_EVENT = 1, AVX_KIND_TIMER = 4, AVX_KIND_CONTROL = 6 };

typedef struct {
    uint64_t seq, version;
    int64_t time, appended; /* nanoseconds since 1970 UTC */
    uint32_t attempt, left;
    uint16_t kind, flags;
    avx_str topic, key, id, source, content_type, headers, data;
} avx_event;

static inline uint64_t avx_load(const unsigned char *b, int n) {
    uint64_t v = 0;
    while (n--) v = v << 8 | b[n];
    return v;
}

static inline void avx_store(unsigned char *b, uint64_t v, int n) {
    int i;
    for (i = 0; i < n; i++) b[i] = (unsigned char)(v >> (8 * i));
}

/* avx_decode opens the frame at b; the host made it, so its lengths hold. */
static inline void avx_decode(const unsigned char *b, avx_event *ev) {
    avx_str *parts[7];
    const unsigned char *at = b + avx_load(b + AVX_OFF_HLEN, 2);
    int i;
    parts[0] = &ev->topic; parts[1] = &ev->key; parts[2] = &ev->id; parts[3] = &ev->source;
    parts[4] = &ev->content_type; parts[5] = &ev->headers; parts[6] = &ev->data;
    ev->flags = (uint16_t)avx_load(b + AVX_OFF_FLAGS, 2);
    ev->seq = avx_load(b + AVX_OFF_SEQ, 8);
    ev->time = (int64_t)avx_load(b + AVX_OFF_TIME, 8);
    ev->version = avx_load(b + AVX_OFF_VERSION, 8);
    ev->kind = (uint16_t)avx_load(b + AVX_OFF_KIND, 2);
    ev->attempt = (uint32_t)avx_load(b + AVX_OFF_ATTEMPT, 4);
    ev->left = (uint32_t)avx_load(b + AVX_OFF_LEFT, 4);
    ev->appended = (int64_t)avx_load(b + AVX_OFF_APPENDED, 8);
    for (i = 0; i < 7; i++) {
        uint32_t n = (uint32_t)avx_load(b + AVX_OFF_TOPIC + 4 * i, 4);
        *parts[i] = avx_slice(at, n);
        at += n;
    }
}

/* avx_header finds the first header of that name; its p is 0 if there is none. */
static inline avx_str avx_header(const avx_event *ev, const char *name) {
    const unsigned char *h = (const unsigned char *)ev->headers.p;
    uint32_t left = ev->headers.n;
    while (left >= 4) {
        uint32_t k = (uint32_t)avx_load(h, 2), v = (uint32_t)avx_load(h + 2, 2);
        if (left - 4 < k + v) break;
        if (avx_eq(avx_slice(h + 4, k), name)) return avx_slice(h + 4 + k, v);
        h += 4 + k + v; left -= 4 + k + v;
    }
    return avx_slice(0, 0);
}

/* ---- bytes being built -------------------------------------------------------------- */

/* avx_buf is a buffer of yours that is written from the front. full is set, and nothing
 * more is written, when something does not fit. */
typedef struct { char *p; uint32_t n, cap; int full; } avx_buf;

static inline avx_buf avx_buffer(void *p, uint32_t cap) { avx_buf b; b.p = (char *)p; b.n = 0; b.cap = cap; b.full = 0; return b; }

static inline void avx_put(avx_buf *b, const void *p, uint32_t n) {
    if (b->full || n > b->cap - b->n) { b->full = 1; return; }
    avx_copy(b->p + b->n, p, n);
    b->n += n;
}

static inline void avx_puts(avx_buf *b, const char *z) { avx_put(b, z, avx_len(z)); }

static inline void avx_puti(avx_buf *b, int64_t v) {
    char d[20]; int i = 20;
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do { d[--i] = (char)('0' + u % 10); u /= 10; } while (u);
    if (v < 0) avx_put(b, "-", 1);
    avx_put(b, d + i, (uint32_t)(20 - i));
}

/* avx_put_decimal writes v / 10^places: 1250 with 2 is 12.50. */
static inline void avx_put_decimal(avx_buf *b, int64_t v, int places) {
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v, unit = 1;
    char c; int i;
    if (!places) { avx_puti(b, v); return; }
    for (i = 0; i < places; i++) unit *= 10;
    if (v < 0) avx_put(b, "-", 1);
    avx_puti(b, (int64_t)(u / unit));
    avx_put(b, ".", 1);
    for (u %= unit; places-- > 0;) {
        unit /= 10;
        c = (char)('0' + u / unit % 10);
        avx_put(b, &c, 1);
    }
}

/* avx_putj writes s as a JSON string with quotes. */
static inline void avx_putj(avx_buf *b, avx_str s) {
    static const char hex[] = "0123456789abcdef";
    uint32_t i;
    avx_put(b, "\"", 1);
    for (i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char brief = c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : c == '"' || c == '\\' ? (char)c : 0;
        if (brief) { char e[2]; e[0] = '\\'; e[1] = brief; avx_put(b, e, 2); }
        else if (c < 0x20) { char e[6] = {'\\', 'u', '0', '0', 0, 0}; e[4] = hex[c >> 4]; e[5] = hex[c & 15]; avx_put(b, e, 6); }
        else avx_put(b, &c, 1);
    }
    avx_put(b, "\"", 1);
}

static inline avx_str avx_done(const avx_buf *b) { return avx_slice(b->p, b->n); }

/* avx_int reads a decimal number that fills s; 0 if it is none or does not fit. */
static inline int avx_int(avx_str s, int64_t *out) {
    uint32_t i = 0; uint64_t v = 0; int minus = 0;
    if (s.n && s.p[0] == '-') { minus = 1; i = 1; }
    if (i == s.n) return 0;
    for (; i < s.n; i++) {
        unsigned d = (unsigned char)s.p[i] - '0';
        if (d > 9 || v > (UINT64_MAX - d) / 10) return 0;
        v = v * 10 + d;
    }
    if (v > (uint64_t)INT64_MAX + (uint64_t)minus) return 0;
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 1;
}

/* ---- what a handler does ------------------------------------------------------------ */

/* avx_fail gives the verdict on the event in hand; return from handle afterwards. */
static inline void avx_fail(int32_t code, const char *why) { avx1_fail(code, why, (int32_t)avx_len(why)); }
static inline void avx_fail_str(int32_t code, avx_str why) { avx1_fail(code, why.p, (int32_t)why.n); }
static inline void avx_retry(const char *why) { avx_fail(AVX_RETRY, why); }   /* again later, with the back-off of the manifest */
static inline void avx_reject(const char *why) { avx_fail(AVX_REJECT, why); } /* it will never work: a dead letter now */
static inline void avx_skip(const char *why) { avx_fail(AVX_SKIP, why); }     /* not for this subscriber; nothing is kept */
static inline void avx_stop(const char *why) { avx_fail(AVX_STOP, why); }     /* stop the subscriber at this event */

static inline void avx_log(int32_t level, const char *msg) { avx1_log(level, msg, (int32_t)avx_len(msg)); }
static inline void avx_log_str(int32_t level, avx_str msg) { avx1_log(level, msg.p, (int32_t)msg.n); }
static inline int64_t avx_now(void) { return avx1_now(); } /* the event's time, nanoseconds since 1970 UTC */

/* avx_rand fills buf with randomness that is the same whenever this event is handled. Make no secrets from it. */
static inline void avx_rand(void *buf, uint32_t n) { avx1_rand(buf, (int32_t)n); }

/* avx_reply answers a command, query or HTTP frame. */
static inline int32_t avx_reply(avx_str data) { return avx1_reply(data.p, (int32_t)data.n); }

/* avx_get returns the length of the value, AVX_NOT_FOUND, or more than cap if it does not fit. */
static inline int32_t avx_get(avx_str key, void *buf, uint32_t cap) { return avx1_kv_get(key.p, (int32_t)key.n, buf, (int32_t)cap); }
static inline int32_t avx_set(avx_str key, avx_str value) { return avx1_kv_set(key.p, (int32_t)key.n, value.p, (int32_t)value.n); }
static inline int32_t avx_del(avx_str key) { return avx1_kv_del(key.p, (int32_t)key.n); }

/* Numbers are kept as decimal text, so that people can read the state. */
static inline int64_t avx_get_int(avx_str key, int64_t absent) {
    char d[24]; int64_t v;
    int32_t n = avx_get(key, d, sizeof d);
    return n >= 0 && n <= (int32_t)sizeof d && avx_int(avx_slice(d, (uint32_t)n), &v) ? v : absent;
}

static inline int32_t avx_set_int(avx_str key, int64_t v) {
    char d[24]; avx_buf b = avx_buffer(d, sizeof d);
    avx_puti(&b, v);
    return avx_set(key, avx_done(&b));
}

/* AVX_MIGRATE(f) exports int32_t f(int32_t from): it turns the state of version from into that of
 * this module, a part a call. It is called until it returns 0; 1 is "more", below 0 "drop it".
 * What a call wrote is committed when it returns; how far it is must be seen in the state. */
#define AVX_MIGRATE(f) AVX_EXPORT("avx_migrate") int32_t avx_migrate(int32_t from) { return f(from); }
/* avx_add adds to a number, which begins at 0; AVX_INVALID, and nothing written, if the sum needs more than 64 bits. */
static inline int32_t avx_add(avx_str key, int64_t delta) {
    int64_t sum = 0;
    if (__builtin_add_overflow(avx_get_int(key, 0), delta, &sum)) return AVX_INVALID;
    return avx_set_int(key, sum);
}

/* avx_scan goes over the keys that begin with a prefix, ascending, in a buffer of yours:
 *
 *   avx_scan s = avx_scan_of(AVX_STR("stock/"), page, sizeof page);
 *   while (avx_scan_next(&s)) total(s.key, s.value);
 *
 * key and value are valid until the next avx_scan_next. err is a status in the end: 0, or
 * AVX_TOO_LARGE if a key and its value, with 8 bytes more, do not fit into the buffer. */
typedef struct { avx_str key, value; int32_t err; avx_str prefix; char *page; uint32_t cap, n, at; char after[1024]; } avx_scan;

static inline avx_scan avx_scan_of(avx_str prefix, void *page, uint32_t cap) {
    avx_scan s;
    s.key = s.value = avx_slice(0, 0); s.err = 0; s.prefix = prefix;
    s.page = (char *)page; s.cap = cap; s.n = s.at = 0;
    return s;
}

static inline int avx_scan_next(avx_scan *s) {
    const unsigned char *p;
    if (s->at == s->n) {
        int32_t n;
        if (s->err) return 0;
        avx_copy(s->after, s->key.p, s->key.n);
        n = avx1_kv_scan(s->prefix.p, (int32_t)s->prefix.n, s->after, (int32_t)s->key.n, s->page, (int32_t)s->cap);
        if (n > (int32_t)s->cap) n = AVX_TOO_LARGE;
        if (n < 0) s->err = n;
        if (n <= 0) return 0;
        s->n = (uint32_t)n; s->at = 0;
    }
    p = (const unsigned char *)s->page + s->at;
    s->key = avx_slice(p + 8, (uint32_t)avx_load(p, 4));
    s->value = avx_slice(s->key.p + s->key.n, (uint32_t)avx_load(p + 4, 4));
    s->at += 8 + s->key.n + s->value.n;
    return 1;
}

/* avx_conf reads a value of the manifest's config: its length, AVX_NOT_FOUND, or more than cap if it does not fit. */
static inline int32_t avx_conf(const char *key, void *buf, uint32_t cap) { return avx1_conf(key, (int32_t)avx_len(key), buf, (int32_t)cap); }

static inline int64_t avx_conf_int(const char *key, int64_t absent) {
    char d[24]; int64_t v;
    int32_t n = avx_conf(key, d, sizeof d);
    return n >= 0 && n <= (int32_t)sizeof d && avx_int(avx_slice(d, (uint32_t)n), &v) ? v : absent;
}

/* avx_draft is an event to emit, with everything that one can have. Clear it with {0} or
 * avx_draft_of, set what there is to say, and avx_stage it. */
typedef struct {
    avx_str topic, key, data;
    avx_str content_type; /* empty: JSON */
    avx_str headers;      /* of avx_put_header */
    uint64_t version;     /* that it must become in the stream of its key; 1: the first; 0: any */
    int64_t time;         /* at which it is appended, nanoseconds since 1970 UTC, which makes it a timer; 0: now */
} avx_draft;

static inline avx_draft avx_draft_of(avx_str topic, avx_str key, avx_str data) {
    avx_draft d;
    d.topic = topic; d.key = key; d.data = data;
    d.content_type = d.headers = avx_slice(0, 0);
    d.version = 0; d.time = 0;
    return d;
}

/* avx_put_header appends a header to those of a draft; each of its parts has at most 65,535 bytes. */
static inline void avx_put_header(avx_buf *b, avx_str name, avx_str value) {
    unsigned char n[4];
    if (name.n > 0xffff || value.n > 0xffff || name.n + value.n + 4 > b->cap - b->n) { b->full = 1; return; }
    avx_store(n, name.n, 2); avx_store(n + 2, value.n, 2);
    avx_put(b, n, 4); avx_put(b, name.p, name.n); avx_put(b, value.p, value.n);
}

/* avx_frame writes a draft as a frame into buf and returns its length, 0 if it does not fit. */
static inline uint32_t avx_frame(void *buf, uint32_t cap, const avx_draft *d) {
    unsigned char *b = (unsigned char *)buf;
    avx_str parts[7];
    uint64_t total = AVX_HEADER_LEN;
    int i; uint32_t j;
    avx_buf w = avx_buffer(buf, cap);
    parts[0] = d->topic; parts[1] = d->key; parts[2] = avx_slice(0, 0); parts[3] = parts[2];
    parts[4] = d->content_type; parts[5] = d->headers; parts[6] = d->data;
    for (i = 0; i < 7; i++) total += parts[i].n;
    if (total > cap) return 0;
    for (j = 0; j < AVX_HEADER_LEN; j++) b[j] = 0;
    avx_store(b + AVX_OFF_TOTAL, total, 4);
    avx_store(b + AVX_OFF_HLEN, AVX_HEADER_LEN, 2);
    avx_store(b + AVX_OFF_KIND, AVX_KIND_EVENT, 2);
    avx_store(b + AVX_OFF_VERSION, d->version, 8);
    avx_store(b + AVX_OFF_TIME, (uint64_t)d->time, 8);
    w.n = AVX_HEADER_LEN;
    for (i = 0; i < 7; i++) {
        avx_store(b + AVX_OFF_TOPIC + 4 * i, parts[i].n, 4);
        avx_put(&w, parts[i].p, parts[i].n);
    }
    return (uint32_t)total;
}

/* avx_grow returns fresh memory; 0 if the limit is reached. What it replaces is not reused:
 * buffers double, so the sum stays below twice the largest. */
#ifdef __wasm__
extern unsigned char __heap_base;
static inline unsigned char *avx_grow(uint32_t want, uint32_t *cap) {
    static unsigned char *at, *end;
    uint32_t need = want + want / 2 + 65536;
    unsigned char *p;
    if (!at) { at = &__heap_base; end = (unsigned char *)(__builtin_wasm_memory_size(0) << 16); }
    if (need > (uint32_t)(end - at)) {
        uint32_t pages = (need - (uint32_t)(end - at) + 65535) >> 16;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) return 0;
        end += pages << 16;
    }
    p = at;
    at += need;
    *cap = need;
    return p;
}
#else
static inline unsigned char *avx_grow(uint32_t want, uint32_t *cap) {
    *cap = want + want / 2 + 65536;
    return (unsigned char *)malloc(*cap);
}
#endif

/* avx_stage stages an event; 0 or a negative status. */
static inline int32_t avx_stage(const avx_draft *d) {
    static unsigned char *out;
    static uint32_t cap;
    uint64_t want = (uint64_t)AVX_HEADER_LEN + d->topic.n + d->key.n + d->content_type.n + d->headers.n + d->data.n;
    if (want > 1u << 30) return AVX_TOO_LARGE;
    if (want > cap) {
        out = avx_grow((uint32_t)want, &cap);
        if (!out) { cap = 0; return AVX_TOO_LARGE; }
    }
    return avx1_emit(out, (int32_t)avx_frame(out, cap, d));
}

/* avx_emit stages an event with JSON data; 0 or a negative status. */
static inline int32_t avx_emit(avx_str topic, avx_str key, avx_str data) {
    avx_draft d = avx_draft_of(topic, key, data);
    return avx_stage(&d);
}

/* avx_emit_as stages an event with a content type and headers of avx_put_header. */
static inline int32_t avx_emit_as(avx_str topic, avx_str key, avx_str content_type, avx_str headers, avx_str data) {
    avx_draft d = avx_draft_of(topic, key, data);
    d.content_type = content_type; d.headers = headers;
    return avx_stage(&d);
}

/* avx_timer stages an event that is appended at a time (nanoseconds since 1970; avx_now is
 * the present) and comes with kind 4. The subscriber has one timer of each name, at most 255
 * bytes: the next one replaces it, avx_cancel takes it out. An empty name is none. */
static inline int32_t avx_timer(avx_str name, int64_t time, avx_str topic, avx_str key, avx_str data) {
    char space[300];
    avx_buf h = avx_buffer(space, sizeof space);
    avx_draft d = avx_draft_of(topic, key, data);
    if (name.n > 255) return AVX_TOO_LARGE;
    if (name.n) avx_put_header(&h, AVX_STR("timer"), name);
    d.headers = avx_done(&h);
    d.time = time;
    return avx_stage(&d);
}

/* avx_cancel takes out the timer of that name; there need be none. */
static inline int32_t avx_cancel(avx_str name) {
    return avx_timer(name, 0, avx_slice(0, 0), avx_slice(0, 0), avx_slice(0, 0));
}

/* ---- JSON, read as a stream ---------------------------------------------------------- */

/* The reader takes a text apart from front to back, without recursion or memory. It is
 * strict: the first thing that is not JSON, not there or not of the wanted kind sets err,
 * and everything after answers 0.
 *
 *   avx_json j = avx_json_of(ev->data); avx_json_str key;
 *   avx_json_object(&j);
 *   while (avx_json_key(&j, &key))
 *       if (avx_json_is(key, "qty")) avx_json_int(&j, &qty); else avx_json_skip(&j);
 *   if (!avx_json_end(&j)) avx_fail(AVX_REJECT, "not an order"); */
typedef struct { const char *p, *end; uint64_t first; int depth, err; } avx_json;

/* avx_json_str is a string as it stands in the text, between its quotes. */
typedef struct { const char *p; uint32_t n; int escaped; } avx_json_str;

#define AVX_JSON_DEPTH 63

static inline avx_json avx_json_of(avx_str text) {
    avx_json j; j.p = text.p; j.end = text.p + text.n; j.first = 0; j.depth = 0; j.err = 0; return j;
}

static inline int avx_json_bad(avx_json *j) { j->err = 1; j->p = j->end; return 0; }

static inline void avx_json_space(avx_json *j) {
    const char *p = j->p, *end = j->end;
    while (p < end && *p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r')) p++;
    j->p = p;
}

static inline char avx_json_peek(avx_json *j) { avx_json_space(j); return j->p < j->end ? *j->p : 0; }

static inline int avx_json_take(avx_json *j, char c) {
    if (avx_json_peek(j) != c) return avx_json_bad(j);
    j->p++;
    return 1;
}

static inline int avx_json_open(avx_json *j, char c) {
    if (j->depth >= AVX_JSON_DEPTH || !avx_json_take(j, c)) return avx_json_bad(j);
    j->depth++;
    j->first |= (uint64_t)1 << j->depth;
    return 1;
}

static inline int avx_json_object(avx_json *j) { return avx_json_open(j, '{'); }
static inline int avx_json_list(avx_json *j) { return avx_json_open(j, '['); }
#define avx_json_array avx_json_list /* its older name */

/* avx_json_more steps over a comma; 0 at the closing bracket, which it takes. */
static inline int avx_json_more(avx_json *j, char close) {
    uint64_t bit = (uint64_t)1 << j->depth;
    if (j->err) return 0;
    if (avx_json_peek(j) == close) { j->p++; j->depth--; return 0; }
    if (!(j->first & bit)) return avx_json_take(j, ',');
    j->first &= ~bit;
    return 1;
}

static inline int avx_json_item(avx_json *j) { return avx_json_more(j, ']'); }

static inline int avx_json_hex(const char *p, uint32_t *out) {
    uint32_t v = 0; int i;
    for (i = 0; i < 4; i++) {
        char c = p[i];
        v <<= 4;
        if (c >= '0' && c <= '9') v |= (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f') v |= (uint32_t)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F') v |= (uint32_t)(c - 'A' + 10);
        else return 0;
    }
    *out = v;
    return 1;
}

/* avx_json_plain finds the first byte that ends a string, begins an escape or is a control
 * character, eight at a time; end if there is none. */
static inline const char *avx_json_plain(const char *p, const char *end) {
    const uint64_t each = 0x0101010101010101u, high = 0x8080808080808080u;
    for (; end - p >= 8; p += 8) {
        uint64_t x, quote, slash;
        __builtin_memcpy(&x, p, 8);
        quote = x ^ '"' * each; slash = x ^ '\\' * each;
        if ((((quote - each) & ~quote) | ((slash - each) & ~slash) | ((x - ' ' * each) & ~x)) & high) break;
    }
    while (p < end && *p != '"' && *p != '\\' && (unsigned char)*p >= 0x20) p++;
    return p;
}

static inline int avx_json_string(avx_json *j, avx_json_str *s) {
    const char *p, *end = j->end;
    uint32_t u;
    if (!avx_json_take(j, '"')) return 0;
    s->p = j->p; s->escaped = 0;
    for (p = avx_json_plain(j->p, end); p < end && *p != '"'; p = avx_json_plain(p, end)) {
        if (*p++ != '\\') return avx_json_bad(j);
        s->escaped = 1;
        if (p == end) return avx_json_bad(j);
        switch (*p++) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't': break;
        case 'u':
            if (end - p < 4 || !avx_json_hex(p, &u)) return avx_json_bad(j);
            p += 4;
            break;
        default: return avx_json_bad(j);
        }
    }
    if (p == end) return avx_json_bad(j);
    s->n = (uint32_t)(p - s->p);
    j->p = p + 1;
    return 1;
}

static inline int avx_json_key(avx_json *j, avx_json_str *key) {
    return avx_json_more(j, '}') && avx_json_string(j, key) && avx_json_take(j, ':');
}

static inline void avx_put_utf8(avx_buf *b, uint32_t u) {
    char c[4]; uint32_t n;
    if (u < 0x80) { c[0] = (char)u; n = 1; }
    else if (u < 0x800) { c[0] = (char)(0xc0 | u >> 6); c[1] = (char)(0x80 | (u & 63)); n = 2; }
    else if (u < 0x10000) { c[0] = (char)(0xe0 | u >> 12); c[1] = (char)(0x80 | (u >> 6 & 63)); c[2] = (char)(0x80 | (u & 63)); n = 3; }
    else { c[0] = (char)(0xf0 | u >> 18); c[1] = (char)(0x80 | (u >> 12 & 63)); c[2] = (char)(0x80 | (u >> 6 & 63)); c[3] = (char)(0x80 | (u & 63)); n = 4; }
    avx_put(b, c, n);
}

/* avx_json_text appends what the string means, without escapes. A lone half of a surrogate
 * pair becomes U+FFFD. */
static inline void avx_json_text(avx_json_str s, avx_buf *b) {
    const char *p = s.p, *end = s.p + s.n;
    if (!s.escaped) { avx_put(b, s.p, s.n); return; }
    while (p < end) {
        uint32_t u = 0, low = 0; char c = *p++;
        if (c != '\\') { avx_put(b, &c, 1); continue; }
        switch (c = *p++) {
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case 'u':
            avx_json_hex(p, &u); p += 4;
            if (u >= 0xd800 && u < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' && avx_json_hex(p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
                u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00); p += 6;
            } else if (u >= 0xd800 && u < 0xe000) u = 0xfffd;
            avx_put_utf8(b, u);
            continue;
        }
        avx_put(b, &c, 1);
    }
}

/* avx_json_is compares what the string means with z (at most 64 bytes). */
static inline int avx_json_is(avx_json_str s, const char *z) {
    char t[64]; avx_buf b = avx_buffer(t, sizeof t);
    if (!s.escaped) return avx_eq(avx_slice(s.p, s.n), z);
    avx_json_text(s, &b);
    return !b.full && avx_eq(avx_done(&b), z);
}

static inline int avx_json_digits(avx_json *j) {
    const char *start = j->p, *p = start, *end = j->end;
    while (p < end && *p >= '0' && *p <= '9') p++;
    j->p = p;
    return p > start;
}

/* avx_json_number steps over a number and says whether it is an integer without fraction and exponent. */
static inline int avx_json_number(avx_json *j, avx_str *text, int *whole) {
    const char *start = (avx_json_space(j), j->p);
    *whole = 1;
    if (j->p < j->end && *j->p == '-') j->p++;
    if (j->p < j->end && *j->p == '0') j->p++;
    else if (!avx_json_digits(j)) return avx_json_bad(j);
    if (j->p < j->end && *j->p == '.') { *whole = 0; j->p++; if (!avx_json_digits(j)) return avx_json_bad(j); }
    if (j->p < j->end && (*j->p == 'e' || *j->p == 'E')) {
        *whole = 0; j->p++;
        if (j->p < j->end && (*j->p == '+' || *j->p == '-')) j->p++;
        if (!avx_json_digits(j)) return avx_json_bad(j);
    }
    *text = avx_slice(start, (uint32_t)(j->p - start));
    return 1;
}

/* avx_json_int reads an integer; one that needs more than 64 bits is an error. */
static inline int avx_json_int(avx_json *j, int64_t *v) {
    avx_str text; int whole;
    if (!avx_json_number(j, &text, &whole) || !whole || !avx_int(text, v)) return avx_json_bad(j);
    return 1;
}

/* avx_json_decimal reads a number times 10^places: with 2, 12.5 is 1250. An exponent, digits
 * behind the places that are not 0, and more than 64 bits are errors. */
static inline int avx_json_decimal(avx_json *j, int places, int64_t *v) {
    avx_str text; int whole, minus; uint64_t u = 0; int left = -1; uint32_t i;
    if (!avx_json_number(j, &text, &whole)) return 0;
    minus = text.p[0] == '-';
    for (i = (uint32_t)minus; i < text.n; i++) {
        unsigned d = (unsigned char)text.p[i] - '0';
        if (text.p[i] == '.') { left = places; continue; }
        if (d > 9 || (left == 0 && d)) return avx_json_bad(j); /* an exponent, or too many digits */
        if (left == 0) continue;
        if (u > (UINT64_MAX - d) / 10) return avx_json_bad(j);
        u = u * 10 + d;
        if (left > 0) left--;
    }
    for (left = left < 0 ? places : left; left > 0; left--) {
        if (u > UINT64_MAX / 10) return avx_json_bad(j);
        u *= 10;
    }
    if (u > (uint64_t)INT64_MAX + (uint64_t)minus) return avx_json_bad(j);
    *v = minus ? (int64_t)(0 - u) : (int64_t)u;
    return 1;
}

static inline int avx_json_word(avx_json *j, const char *z) {
    while (*z) if (j->p == j->end || *j->p++ != *z++) return avx_json_bad(j);
    return 1;
}

/* avx_json_bool reads true or false. */
static inline int avx_json_bool(avx_json *j, int *v) {
    *v = avx_json_peek(j) == 't';
    return avx_json_word(j, *v ? "true" : "false");
}

/* avx_json_null takes a null if it is next. */
static inline int avx_json_null(avx_json *j) { return avx_json_peek(j) == 'n' && avx_json_word(j, "null"); }

/* avx_json_skip steps over any value. */
static inline int avx_json_skip(avx_json *j) {
    avx_json_str s; avx_str text; int whole, base = j->depth;
    uint64_t objects = 0; /* which open levels are objects */
    for (;;) {
        switch (avx_json_peek(j)) {
        case '{': if (!avx_json_object(j)) return 0; objects |= (uint64_t)1 << j->depth; break;
        case '[': if (!avx_json_list(j)) return 0; objects &= ~((uint64_t)1 << j->depth); break;
        case '"': if (!avx_json_string(j, &s)) return 0; break;
        case 't': if (!avx_json_word(j, "true")) return 0; break;
        case 'f': if (!avx_json_word(j, "false")) return 0; break;
        case 'n': if (!avx_json_word(j, "null")) return 0; break;
        default: if (!avx_json_number(j, &text, &whole)) return 0;
        }
        for (;;) { /* to the next value, closing what ends */
            if (j->depth == base) return !j->err;
            if (objects >> j->depth & 1 ? avx_json_key(j, &s) : avx_json_item(j)) break;
            if (j->err) return 0;
        }
    }
}

/* avx_json_raw steps over any value and gives its text. */
static inline int avx_json_raw(avx_json *j, avx_str *raw) {
    const char *start = (avx_json_space(j), j->p);
    if (!avx_json_skip(j)) return 0;
    *raw = avx_slice(start, (uint32_t)(j->p - start));
    return 1;
}

/* avx_json_end says whether the text was JSON and nothing but white space is left. */
static inline int avx_json_end(avx_json *j) {
    avx_json_space(j);
    return !j->err && j->depth == 0 && j->p == j->end;
}

/* ---- JSON, written as a stream ------------------------------------------------------- */

/* The writer puts the commas itself. It writes into a buffer of yours; buf.full is set, and
 * the text is of no use, if it does not fit, or is nested more than 63 deep.
 *
 *   avx_json_writer w = avx_json_to(space, sizeof space);
 *   avx_write_object(&w);
 *   avx_write_key(&w, "order"); avx_write_string(&w, id);
 *   avx_write_key(&w, "units"); avx_write_int(&w, 7);
 *   avx_write_end(&w);
 *   if (!w.buf.full) avx_emit(AVX_STR("orders.counted"), ev->key, avx_done(&w.buf)); */
typedef struct { avx_buf buf; uint64_t lists, begun; int depth, bare; } avx_json_writer;

static inline avx_json_writer avx_json_to(void *p, uint32_t cap) {
    avx_json_writer w; w.buf = avx_buffer(p, cap); w.lists = w.begun = 0; w.depth = w.bare = 0; return w;
}

static inline void avx_write_comma(avx_json_writer *w) {
    uint64_t bit = (uint64_t)1 << w->depth;
    if (!w->bare && w->depth && w->begun & bit) avx_put(&w->buf, ",", 1);
    w->begun |= bit;
    w->bare = 0;
}

static inline void avx_write_open(avx_json_writer *w, const char *c, int list) {
    uint64_t bit;
    if (w->depth == AVX_JSON_DEPTH) { w->buf.full = 1; return; }
    avx_write_comma(w);
    avx_put(&w->buf, c, 1);
    bit = (uint64_t)1 << ++w->depth;
    w->begun &= ~bit;
    w->lists = (w->lists & ~bit) | (uint64_t)list << w->depth;
}

static inline void avx_write_object(avx_json_writer *w) { avx_write_open(w, "{", 0); }
static inline void avx_write_list(avx_json_writer *w) { avx_write_open(w, "[", 1); }

/* avx_write_end ends the innermost object or list. */
static inline void avx_write_end(avx_json_writer *w) {
    if (!w->depth) { w->buf.full = 1; return; }
    avx_put(&w->buf, w->lists >> w->depth & 1 ? "]" : "}", 1);
    w->depth--;
}

static inline void avx_write_string(avx_json_writer *w, avx_str s) { avx_write_comma(w); avx_putj(&w->buf, s); }

/* avx_write_key_str writes a key; its value comes next. */
static inline void avx_write_key_str(avx_json_writer *w, avx_str name) {
    avx_write_string(w, name);
    avx_put(&w->buf, ":", 1);
    w->bare = 1;
}

static inline void avx_write_key(avx_json_writer *w, const char *name) { avx_write_key_str(w, avx_slice(name, avx_len(name))); }
static inline void avx_write_int(avx_json_writer *w, int64_t v) { avx_write_comma(w); avx_puti(&w->buf, v); }

/* avx_write_decimal writes v / 10^places. */
static inline void avx_write_decimal(avx_json_writer *w, int64_t v, int places) { avx_write_comma(w); avx_put_decimal(&w->buf, v, places); }

/* avx_write_raw writes what is JSON already. */
static inline void avx_write_raw(avx_json_writer *w, avx_str json) { avx_write_comma(w); avx_put(&w->buf, json.p, json.n); }
static inline void avx_write_bool(avx_json_writer *w, int v) { avx_write_raw(w, v ? AVX_STR("true") : AVX_STR("false")); }
static inline void avx_write_null(avx_json_writer *w) { avx_write_raw(w, AVX_STR("null")); }

#ifdef __cplusplus
}
#endif

/* ---- the loop ------------------------------------------------------------------------ */

#ifdef __wasm__
/* The compiler turns copies and clears into calls of these; without a libc they are here,
 * weak, so that a libc's win. With -mbulk-memory they are single instructions and unused. */
#ifdef __cplusplus
extern "C" {
#endif
__attribute__((weak, no_builtin("memcpy"))) void *memcpy(void *to, const void *from, size_t n) {
    char *t = (char *)to; const char *f = (const char *)from;
    while (n--) *t++ = *f++;
    return to;
}
__attribute__((weak, no_builtin("memset"))) void *memset(void *to, int c, size_t n) {
    char *t = (char *)to;
    while (n--) *t++ = (char)c;
    return to;
}
#ifdef __cplusplus
}
#endif

#define AVX_SMALL 65536
static unsigned char avx_small[AVX_SMALL];
static unsigned char *avx_in = avx_small;
static uint32_t avx_in_cap = AVX_SMALL;

static inline int32_t avx_loop(void (*handle)(const avx_event *), void (*control)(const avx_event *)) {
    int32_t n;
    while ((n = avx1_next(avx_in, (int32_t)avx_in_cap)) > 0) {
        avx_event ev;
        if ((uint32_t)n > avx_in_cap) { /* it does not fit: the next call gives it again */
            unsigned char *larger = avx_grow((uint32_t)n, &avx_in_cap);
            if (!larger) { avx_in_cap = AVX_SMALL; avx_in = avx_small; avx_fail(AVX_REJECT, "the event is too large for limits.memory"); continue; }
            avx_in = larger;
            continue;
        }
        avx_decode(avx_in, &ev);
        if (ev.kind != AVX_KIND_CONTROL) handle(&ev);
        else if (control) control(&ev);
    }
    return 0;
}

#define AVX_SUBSCRIBER(handle)                                   \
    AVX_EXPORT("avx_abi_1") void avx_abi_1(void) {}              \
    AVX_EXPORT("avx_run") int32_t avx_run(void) { return avx_loop(handle, 0); }

/* AVX_SUBSCRIBER_AND gives word from the host, kind 6, to control; the plain one ignores it.
 * docs/abi.md says under "Control frames" what there is. */
#define AVX_SUBSCRIBER_AND(handle, control)                      \
    AVX_EXPORT("avx_abi_1") void avx_abi_1(void) {}              \
    AVX_EXPORT("avx_run") int32_t avx_run(void) { return avx_loop(handle, control); }
#else /* natively, a test calls the handlers */
#define AVX_SUBSCRIBER(handle) typedef int avx_subscriber_declared;
#define AVX_SUBSCRIBER_AND(handle, control) typedef int avx_subscriber_declared;
#endif

/* avx_refused gives the verdict for a call that the host refused, in the words of the other SDKs,
 * and says whether it did: if (avx_refused(avx_emit(…))) return; A conflict is tried again. */
static inline int avx_refused(int32_t status) {
    if (status >= 0 || status == AVX_NOT_FOUND) return 0;
    switch (status) {
    case AVX_DENIED: avx_reject("the host denied it: grant the topic in the manifest's emits"); break;
    case AVX_QUOTA: avx_reject("over a quota of this event (limits)"); break;
    case AVX_TOO_LARGE: avx_reject("too large for the host"); break;
    case AVX_CONFLICT: avx_retry("version conflict"); break;
    default: avx_reject("the host refused the call");
    }
    return 1;
}
#endif
