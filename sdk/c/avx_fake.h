/* avx_fake.h: a host for native tests of subscribers in C or C++. Include it in the test, behind
 * the subscriber's own source, and build the two with any C compiler:
 *
 *   #include "hello.c"
 *   #include "avx_fake.h"
 *   int main(void) {
 *       avx_event ev = avx_fake_event("users.created", "ada", "{}");
 *       assert(avx_fake_deliver(handle, &ev) == 0);
 *       assert(avx_fake.emits == 1 && avx_eq(avx_fake.emit[0].topic, "mail.wanted"));
 *       return 0;
 *   }
 *
 *   cc -I. -o hello_test hello_test.c && ./hello_test
 *
 * It keeps the rules of the real host that handlers rely on: what a failing handler staged is
 * dropped. It grants everything, fires no timers (deliver them as events of kind 4), checks no
 * limits, gives zeros for randomness, and gives no memory back until the process ends.
 *
 * Licence: MIT OR Apache-2.0. */
#ifndef AVX_FAKE_H
#define AVX_FAKE_H
#include "avx.h"
#include <string.h>
#ifdef __wasm__
#error "avx_fake.h is for native tests: a guest has a real host"
#endif

#define AVX_FAKE_MAX 256 /* emits, log lines, keys of the state and of the config, each */

typedef struct { avx_str key, value; } avx_fake_pair;
typedef struct { int32_t level; avx_str text; } avx_fake_line;

/* avx_fake is what the host holds: put config in with avx_fake_conf and state with avx_fake_set,
 * deliver events, look at what came out. Clear it with avx_fake_reset. */
static struct {
    avx_event emit[AVX_FAKE_MAX]; /* a timer has a time and, if it has a name, the header timer */
    avx_fake_pair state[AVX_FAKE_MAX], conf[AVX_FAKE_MAX];
    avx_fake_line log[AVX_FAKE_MAX];
    avx_str reply; /* to the last event; its p is 0 if there was none */
    avx_str why;   /* of the last verdict */
    int emits, keys, confs, lines;
    int32_t verdict; /* of the event in hand */
    int64_t now;
} avx_fake;

static inline avx_str avx_fake_copy(const void *p, uint32_t n) {
    char *c = (char *)malloc(n + 1);
    if (!c) abort();
    if (n) memcpy(c, p, n);
    c[n] = 0; /* so that a debugger, or strcmp, can read it */
    return avx_slice(c, n);
}

static inline avx_str avx_fake_z(const char *z) { return avx_slice(z, avx_len(z)); }

static inline int avx_fake_cmp(avx_str a, avx_str b) {
    uint32_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* avx_fake_find answers where the key is, or where it would be. */
static inline int avx_fake_find(const avx_fake_pair *pairs, int n, avx_str key) {
    int i = 0;
    while (i < n && avx_fake_cmp(pairs[i].key, key) < 0) i++;
    return i;
}

static inline int avx_fake_has(const avx_fake_pair *pairs, int n, int i, avx_str key) {
    return i < n && avx_fake_cmp(pairs[i].key, key) == 0;
}

static inline void avx_fake_put(avx_fake_pair *pairs, int *n, avx_str key, avx_str value) {
    int i = avx_fake_find(pairs, *n, key);
    if (!avx_fake_has(pairs, *n, i, key)) {
        if (*n == AVX_FAKE_MAX) abort();
        memmove(pairs + i + 1, pairs + i, (size_t)(*n - i) * sizeof *pairs);
        ++*n;
        pairs[i].key = avx_fake_copy(key.p, key.n);
    }
    pairs[i].value = avx_fake_copy(value.p, value.n);
}

static inline int32_t avx_fake_give(const avx_fake_pair *pairs, int n, avx_str key, void *buf, int32_t cap) {
    int i = avx_fake_find(pairs, n, key);
    if (!avx_fake_has(pairs, n, i, key)) return AVX_NOT_FOUND;
    if ((int32_t)pairs[i].value.n <= cap && pairs[i].value.n) memcpy(buf, pairs[i].value.p, pairs[i].value.n);
    return (int32_t)pairs[i].value.n;
}

static inline void avx_fake_reset(void) { memset(&avx_fake, 0, sizeof avx_fake); }
static inline void avx_fake_conf(const char *key, const char *value) { avx_fake_put(avx_fake.conf, &avx_fake.confs, avx_fake_z(key), avx_fake_z(value)); }
static inline void avx_fake_set(const char *key, const char *value) { avx_fake_put(avx_fake.state, &avx_fake.keys, avx_fake_z(key), avx_fake_z(value)); }

/* avx_fake_get is a value of the state as text, 0 if there is none. */
static inline const char *avx_fake_get(const char *key) {
    int i = avx_fake_find(avx_fake.state, avx_fake.keys, avx_fake_z(key));
    return avx_fake_has(avx_fake.state, avx_fake.keys, i, avx_fake_z(key)) ? avx_fake.state[i].value.p : 0;
}

/* avx_fake_event is an event to deliver; set more of it if you need. */
static inline avx_event avx_fake_event(const char *topic, const char *key, const char *data) {
    avx_event ev;
    memset(&ev, 0, sizeof ev);
    ev.kind = AVX_KIND_EVENT; ev.attempt = 1;
    ev.topic = avx_fake_z(topic); ev.key = avx_fake_z(key); ev.data = avx_fake_z(data);
    return ev;
}

/* avx_fake_deliver gives ev to the handler: 0, or the code that it failed with, whose reason
 * is avx_fake.why. */
static inline int32_t avx_fake_deliver(void (*handle)(const avx_event *), const avx_event *ev) {
    avx_fake_pair state[AVX_FAKE_MAX];
    int keys = avx_fake.keys, emits = avx_fake.emits;
    memcpy(state, avx_fake.state, sizeof state);
    avx_fake.now = ev->time;
    avx_fake.verdict = 0;
    avx_fake.why = avx_fake.reply = avx_slice(0, 0);
    handle(ev);
    if (avx_fake.verdict) {
        memcpy(avx_fake.state, state, sizeof state);
        avx_fake.keys = keys; avx_fake.emits = emits;
        avx_fake.reply = avx_slice(0, 0);
    }
    return avx_fake.verdict;
}

#ifdef __cplusplus
extern "C" {
#endif

void avx1_fail(int32_t code, const void *msg, int32_t len) {
    if (avx_fake.verdict) return;
    avx_fake.verdict = code;
    avx_fake.why = avx_fake_copy(msg, (uint32_t)len);
}

int32_t avx1_emit(const void *frame, int32_t len) {
    if (avx_fake.verdict) return AVX_NO_EVENT;
    if (avx_fake.emits == AVX_FAKE_MAX) return AVX_QUOTA;
    avx_decode((const unsigned char *)avx_fake_copy(frame, (uint32_t)len).p, &avx_fake.emit[avx_fake.emits++]);
    return 0;
}

int32_t avx1_reply(const void *data, int32_t len) { avx_fake.reply = avx_fake_copy(data, (uint32_t)len); return 0; }

int32_t avx1_kv_get(const void *k, int32_t klen, void *buf, int32_t cap) {
    return avx_fake_give(avx_fake.state, avx_fake.keys, avx_slice(k, (uint32_t)klen), buf, cap);
}

int32_t avx1_kv_set(const void *k, int32_t klen, const void *v, int32_t vlen) {
    if (avx_fake.verdict) return AVX_NO_EVENT;
    avx_fake_put(avx_fake.state, &avx_fake.keys, avx_slice(k, (uint32_t)klen), avx_slice(v, (uint32_t)vlen));
    return 0;
}

int32_t avx1_kv_del(const void *k, int32_t klen) {
    avx_str key = avx_slice(k, (uint32_t)klen);
    int i = avx_fake_find(avx_fake.state, avx_fake.keys, key);
    if (!avx_fake_has(avx_fake.state, avx_fake.keys, i, key)) return 0;
    memmove(avx_fake.state + i, avx_fake.state + i + 1, (size_t)(--avx_fake.keys - i) * sizeof *avx_fake.state);
    return 0;
}

int32_t avx1_kv_scan(const void *prefix, int32_t plen, const void *after, int32_t alen, void *buf, int32_t cap) {
    avx_str behind = avx_slice(after, (uint32_t)alen);
    int32_t n = 0, i;
    for (i = 0; i < avx_fake.keys; i++) {
        avx_fake_pair *s = &avx_fake.state[i];
        int32_t size = (int32_t)(8 + s->key.n + s->value.n);
        char *to = (char *)buf + n;
        if ((int32_t)s->key.n < plen || (plen && memcmp(s->key.p, prefix, (size_t)plen)) || (alen && avx_fake_cmp(s->key, behind) <= 0)) continue;
        if (n + size > cap) return n ? n : size;
        avx_store((unsigned char *)to, s->key.n, 4);
        avx_store((unsigned char *)to + 4, s->value.n, 4);
        avx_copy(to + 8, s->key.p, s->key.n);
        avx_copy(to + 8 + s->key.n, s->value.p, s->value.n);
        n += size;
    }
    return n;
}

int32_t avx1_conf(const void *k, int32_t klen, void *buf, int32_t cap) {
    return avx_fake_give(avx_fake.conf, avx_fake.confs, avx_slice(k, (uint32_t)klen), buf, cap);
}

void avx1_log(int32_t level, const void *msg, int32_t len) {
    if (avx_fake.lines == AVX_FAKE_MAX) return;
    avx_fake.log[avx_fake.lines].level = level;
    avx_fake.log[avx_fake.lines++].text = avx_fake_copy(msg, (uint32_t)len);
}

int64_t avx1_now(void) { return avx_fake.now; }
void avx1_rand(void *buf, int32_t len) { memset(buf, 0, (size_t)len); }

#ifdef __cplusplus
}
#endif
#endif
