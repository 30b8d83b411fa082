/* hello: answers every greeting, and counts them by the one who greets. */
#include "../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    char space[256], count[1100];
    avx_buf data = avx_buffer(space, sizeof space), key = avx_buffer(count, sizeof count);
    avx_puts(&key, "greetings/");
    avx_put(&key, ev->key.p, ev->key.n);
    avx_set_int(avx_done(&key), avx_get_int(avx_done(&key), 0) + 1);

    avx_puts(&data, "{\"hello\":");
    avx_putj(&data, ev->key);
    avx_puts(&data, "}");
    avx_emit(AVX_STR("hello.said"), ev->key, avx_done(&data));
}

AVX_SUBSCRIBER(handle)
