/* remind: an order that is not paid in time is overdue. The data of orders.placed says in
 * how many seconds that is. */
#include "../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    int64_t seconds;
    if (avx_eq(ev->topic, "orders.paid"))
        avx_cancel(ev->key);
    else if (avx_int(ev->data, &seconds) && seconds > 0 && seconds < 1000000)
        avx_timer(ev->key, avx1_now() + seconds * 1000000000, AVX_STR("orders.overdue"), ev->key, AVX_STR("{}"));
    else
        avx_fail(AVX_REJECT, "the data is no number of seconds");
}

AVX_SUBSCRIBER(handle)
