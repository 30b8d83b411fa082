/* The conformance guest in C on the fake host, as an author tests a subscriber. */
#include "../../abi/abitest/guests/conform.c"
#include "avx_fake.h"
#include <stdio.h>

#define CHECK(ok) do { if (!(ok)) { printf("%d: %s\n", __LINE__, #ok); return 1; } } while (0)

static int32_t deliver(const char *topic, const char *key, const char *data) {
    avx_event ev = avx_fake_event(topic, key, data);
    ev.time = 7;
    return avx_fake_deliver(handle, &ev);
}

#define LAST avx_fake.emit[avx_fake.emits - 1]

int main(void) {
    avx_event word = avx_fake_event("sys.gap", "", "{}");
    CHECK(deliver("t.echo", "k", "data") == 0);
    CHECK(avx_fake.emits == 1 && avx_eq(LAST.topic, "out.echo") && avx_eq(LAST.key, "k") && avx_eq(LAST.data, "data"));
    CHECK(deliver("t.state.set", "s/b", "2") == 0 && deliver("t.state.set", "s/a", "1") == 0 && deliver("t.state.set", "t", "3") == 0);
    CHECK(!strcmp(avx_fake_get("s/a"), "1") && !avx_fake_get("s"));
    CHECK(deliver("t.state.scan", "", "s/") == 0 && avx_eq(LAST.data, "s/a=1\ns/b=2\n"));
    CHECK(deliver("t.state.del", "s/a", "") == 0 && deliver("t.state.get", "s/a", "") == 0 && avx_eq(LAST.topic, "out.absent"));
    CHECK(deliver("t.state.add", "t", "-5") == 0 && !strcmp(avx_fake_get("t"), "-2"));
    { /* what a failing handler staged is dropped */
        int emits = avx_fake.emits;
        CHECK(deliver("t.fail.reject", "", "") == AVX_REJECT && avx_eq(avx_fake.why, "because é"));
        CHECK(avx_fake.emits == emits && !avx_fake_get("dropped"));
    }
    avx_fake_conf("greeting", "hi");
    CHECK(deliver("t.conf", "", "greeting") == 0 && avx_eq(LAST.data, "hi"));
    CHECK(deliver("t.log", "", "line") == 0 && avx_fake.lines == 5 && avx_fake.log[4].level == AVX_ERROR && avx_eq(avx_fake.log[4].text, "line"));
    CHECK(deliver("t.now", "", "") == 0 && avx_eq(LAST.data, "7"));
    CHECK(deliver("t.reply", "", "answer") == 0 && avx_eq(avx_fake.reply, "answer"));
    CHECK(deliver("t.timer.start", "name", "d") == 0 && LAST.time == 7 + HOUR && avx_eq(avx_header(&LAST, "timer"), "name"));
    CHECK(deliver("t.json", "", "{\"name\":\"\\u00e9\",\"cents\":-0.5}") == 0);
    CHECK(avx_starts(LAST.data, "{\"name\":\"é\",\"n\":0,\"cents\":-50,\"price\":-0.50,"));
    CHECK(avx_fake_deliver(control, &word) == 0 && avx_eq(LAST.topic, "out.control"));
    avx_fake_reset();
    CHECK(avx_fake.emits == 0 && !avx_fake_get("t"));
    return 0;
}
