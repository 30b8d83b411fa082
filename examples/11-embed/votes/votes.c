/* votes: counts them, and says so. */
#include "../../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    char space[24];
    avx_buf count = avx_buffer(space, sizeof space);
    int64_t n = avx_get_int(ev->key, 0) + 1;
    avx_set_int(ev->key, n);
    avx_puti(&count, n);
    avx_emit(AVX_STR("votes.counted"), ev->key, avx_done(&count));
}

AVX_SUBSCRIBER(handle)
