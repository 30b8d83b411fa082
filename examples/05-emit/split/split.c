/* split: makes an event of each item of an order. */
#include "../../../sdk/c/avx.h"

static void handle(const avx_event *ev) {
    avx_json j = avx_json_of(ev->data);
    avx_json_str item;
    avx_json_array(&j);
    while (avx_json_item(&j) && avx_json_string(&j, &item)) {
        avx_str name = avx_slice(item.p, item.n);
        avx_str topic = avx_eq(name, "gold") ? AVX_STR("vault.opened") : AVX_STR("items.ordered");
        if (avx_emit(topic, name, AVX_STR("1")) < 0) {
            avx_fail(AVX_REJECT, "an emit was refused");
            return; /* and nothing of what was emitted before is kept */
        }
    }
    if (!avx_json_end(&j)) avx_fail(AVX_REJECT, "the data is no list of names");
}

AVX_SUBSCRIBER(handle)
