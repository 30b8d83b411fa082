// The guest of avxrt: the first byte of the data says what to do.
#include "../../../guests/work.c"
#include "avx.h"

static uint32_t sum_of(avx_str data) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < data.n; i++) sum = sum * 31 + (uint8_t)data.p[i];
    return sum;
}

// The answer to an event is that to all before it too, so one answer shows that all were right.
static uint32_t total;

static void handle(const avx_event *ev) {
    uint32_t out;
    switch (ev->data.n ? ev->data.p[0] : 0) {
    case 'b': out = bytes(1); break;
    case 'p': out = parse(20); break;
    case 's': out = sort(1); break;
    case 't': out = text(1); break;
    default: out = sum_of(ev->data);
    }
    total = total * 16777619u + out;
    avx1_reply(&total, sizeof total);
}

AVX_SUBSCRIBER(handle)
