/* tally: how many were ordered of each item. */
#include "../../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    avx_set_int(ev->key, avx_get_int(ev->key, 0) + 1);
}

AVX_SUBSCRIBER(handle)
