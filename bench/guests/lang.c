/* What the languages are compared by, in C: count events by key, and total orders. */
#include "avx.h"

static char space[256];

static void count(const avx_event *ev) {
    avx_buf k = avx_buffer(space, sizeof space);
    avx_puts(&k, "count/");
    avx_put(&k, ev->key.p, ev->key.n);
    avx_add(avx_done(&k), 1);
}

static int64_t line(avx_json *j) {
    avx_json_str k;
    int64_t qty = 0, cents = 0;
    avx_json_object(j);
    while (avx_json_key(j, &k)) {
        if (avx_json_is(k, "qty")) avx_json_int(j, &qty);
        else if (avx_json_is(k, "cents")) avx_json_int(j, &cents);
        else avx_json_skip(j);
    }
    return qty * cents;
}

static void total(const avx_event *ev) {
    avx_json j = avx_json_of(ev->data);
    avx_json_str k, s;
    avx_buf country = avx_buffer(space, sizeof space);
    int64_t sum = 0;
    avx_puts(&country, "total/");
    avx_json_object(&j);
    while (avx_json_key(&j, &k)) {
        if (avx_json_is(k, "country")) { if (avx_json_string(&j, &s)) avx_json_text(s, &country); }
        else if (avx_json_is(k, "lines")) for (avx_json_list(&j); avx_json_item(&j);) sum += line(&j);
        else avx_json_skip(&j);
    }
    if (!avx_json_end(&j)) avx_reject("not an order");
    else avx_add(avx_done(&country), sum);
}

static void handle(const avx_event *ev) {
    if (avx_eq(ev->topic, "bench.count")) count(ev);
    else total(ev);
}

AVX_SUBSCRIBER(handle)
