/* planted: traps on the line that says so, for tests of source lines. Built with -g. */
#include "avx.h"

static int32_t depth(int32_t n) {
    if (n == 0) return 1;
    return depth(n - 1) + n;
}

static volatile int32_t zero;

static void handle(const avx_event *ev) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < ev->data.n; i++) {
        sum += depth(ev->data.p[i] & 7);
        if (sum % 7 == 0) avx_emit(AVX_STR("out.x"), ev->key, ev->data);
    }
    if (avx_eq(ev->data, "divide")) {
        zero = sum / zero; /* PLANTED divide */
    }
    if (avx_eq(ev->data, "trap")) {
        __builtin_trap(); /* PLANTED trap */
    }
}

AVX_SUBSCRIBER(handle)
