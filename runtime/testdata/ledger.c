/* ledger: adds up amounts, for the tests of dead letters. Built with BROKEN it fails on
 * large amounts in two ways. */
#include "avx.h"

static void handle(const avx_event *ev) {
    int64_t amount = 0;
    avx_int(ev->data, &amount);
#ifdef BROKEN
    if (amount >= 1000) __builtin_trap();
    if (amount >= 100) { avx_fail(2, amount % 2 ? "order 0x1f is too large for account a-17" : "order 0x2c is too large for account a-9"); return; }
#endif
    if (amount < 0) { avx_fail(2, "a negative amount"); return; }
    avx_set_int(AVX_STR("total"), avx_get_int(AVX_STR("total"), 0) + amount);
    if (ev->flags & 1) avx_set_int(AVX_STR("replayed"), avx_get_int(AVX_STR("replayed"), 0) + 1);
    avx_emit(AVX_STR("ledger.booked"), ev->key, ev->data);
}

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
