/* tally: adds up amounts by key, for the tests of state versions. Version 1 keeps "n/<key>".
 * Version 2 keeps "acct/<key>" and "grand", the sum of all; with MIGRATE it turns the state of
 * version 1 into that, three keys a call, and with BAD it does so in a way that is refused:
 * 1 it drops the version, 2 it traps, 3 it spins, 4 it writes nothing and asks for more.
 * An amount of 13 or 14 is too much for version 2, one of 99 for version 1. */
#include "avx.h"

static char name[1200];

static avx_str key_of(const char *prefix, avx_str key) {
    avx_buf b = avx_buffer(name, sizeof name);
    avx_puts(&b, prefix);
    avx_put(&b, key.p, key.n);
    return avx_done(&b);
}

static void add(avx_str key, int64_t amount) { avx_set_int(key, avx_get_int(key, 0) + amount); }

static void handle(const avx_event *ev) {
    int64_t amount = 0;
    if (!avx_int(ev->data, &amount)) { avx_fail(2, "no number"); return; }
#ifdef V2
    if (amount == 13) { avx_fail(2, "thirteen"); return; }
    if (amount == 14) __builtin_trap();
    add(key_of("acct/", ev->key), amount);
    add(AVX_STR("grand"), amount);
#else
    if (amount == 99) { avx_fail(1, "later"); return; }
    add(key_of("n/", ev->key), amount);
#endif
    avx_emit(AVX_STR("tally.added"), ev->key, ev->data);
}

#ifdef MIGRATE
static unsigned char page[4096];

static int32_t migrate(int32_t from) {
    int32_t done = 0, at = 0, n = avx1_kv_scan("n/", 2, "", 0, page, sizeof page);
    if (from != 1) return -7;
#if BAD == 4
    return 1;
#endif
    if (n == 0) return 0;
    while (at < n && done < 3) {
        uint32_t klen = (uint32_t)avx_load(page + at, 4), vlen = (uint32_t)avx_load(page + at + 4, 4);
        avx_str key = avx_slice(page + at + 8, klen);
        int64_t value = 0;
        avx_int(avx_slice(page + at + 8 + klen, vlen), &value);
        add(key_of("acct/", avx_slice(key.p + 2, key.n - 2)), value);
        add(AVX_STR("grand"), value);
        avx_del(key);
        at += (int32_t)(8 + klen + vlen);
        done++;
    }
#if BAD
    if (avx_get_int(AVX_STR("grand"), 0) > 20) {
#if BAD == 1
        return -3;
#elif BAD == 2
        __builtin_trap();
#else
        for (;;) add(AVX_STR("spin"), 1);
#endif
    }
#endif
    return 1;
}
AVX_MIGRATE(migrate)
#endif

AVX_EXPORT("avx_abi_1") void avx_abi_1(void) {}
AVX_EXPORT("avx_run") int32_t avx_run(void) {
    int32_t n;
    while ((n = avx1_next(avx_in, (int32_t)avx_in_cap)) > 0) {
        avx_event ev;
        if ((uint32_t)n > avx_in_cap) { avx_in = avx_grow((uint32_t)n, &avx_in_cap); if (!avx_in) return 9; continue; }
        avx_decode(avx_in, &ev);
        handle(&ev);
    }
    return 0;
}
