/* count: how many events of each topic there were. */
#include "../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    avx_set_int(ev->topic, avx_get_int(ev->topic, 0) + 1);
}

AVX_SUBSCRIBER(handle)
