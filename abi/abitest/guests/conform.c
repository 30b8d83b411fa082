/* The conformance guest in C, which is the one in C++ as well: what each topic must do is in
 * ../doc.go. */
#include "avx.h"

#define HOUR 3600000000000LL

static char space[1 << 20], page[8192];

static void emit(const char *topic, avx_str data) { avx_emit(avx_slice(topic, avx_len(topic)), AVX_STR(""), data); }

static void emit_int(const char *topic, int64_t v) {
    char d[24];
    avx_buf b = avx_buffer(d, sizeof d);
    avx_puti(&b, v);
    emit(topic, avx_done(&b));
}

static void echo(const avx_event *ev) {
    avx_draft d = avx_draft_of(AVX_STR("out.echo"), ev->key, ev->data);
    d.content_type = ev->content_type;
    if (avx_stage(&d) < 0) avx_reject("echo");
}

static void field(avx_json_writer *w, const char *name, avx_str s) { avx_write_key(w, name); avx_write_string(w, s); }
static void number(avx_json_writer *w, const char *name, int64_t v) { avx_write_key(w, name); avx_write_int(w, v); }

static void fields(const avx_event *ev) {
    avx_json_writer w = avx_json_to(space, sizeof space);
    avx_write_object(&w);
    number(&w, "seq", (int64_t)ev->seq);
    number(&w, "version", (int64_t)ev->version);
    number(&w, "time", ev->time);
    number(&w, "appended", ev->appended);
    number(&w, "attempt", ev->attempt);
    number(&w, "kind", ev->kind);
    number(&w, "flags", ev->flags);
    field(&w, "topic", ev->topic);
    field(&w, "key", ev->key);
    field(&w, "id", ev->id);
    field(&w, "source", ev->source);
    field(&w, "type", ev->content_type);
    number(&w, "data", ev->data.n);
    avx_write_end(&w);
    emit("out.fields", avx_done(&w.buf));
}

static void header(const avx_event *ev) {
    avx_str probe = avx_header(ev, "probe");
    avx_draft d = avx_draft_of(AVX_STR("out.header"), AVX_STR(""), AVX_STR(""));
    avx_buf h = avx_buffer(space, sizeof space);
    if (!probe.p) { emit("out.absent", AVX_STR("")); return; }
    avx_put_header(&h, AVX_STR("first"), AVX_STR("1"));
    avx_put_header(&h, AVX_STR("probe"), probe);
    d.headers = avx_done(&h);
    avx_stage(&d);
}

static void get(avx_str key) {
    int32_t n = avx_get(key, space, sizeof space);
    if (n < 0) emit("out.absent", AVX_STR(""));
    else emit("out.get", avx_slice(space, (uint32_t)n));
}

static void add(const avx_event *ev) {
    int64_t delta = 0;
    avx_int(ev->data, &delta);
    if (avx_add(ev->key, delta) < 0) { avx_reject("a total beyond 64 bits"); return; }
    emit_int("out.add", avx_get_int(ev->key, 0));
}

static void scan(avx_str prefix) {
    avx_buf b = avx_buffer(space, sizeof space);
    avx_scan s = avx_scan_of(prefix, page, sizeof page);
    while (avx_scan_next(&s)) {
        avx_put(&b, s.key.p, s.key.n); avx_puts(&b, "=");
        avx_put(&b, s.value.p, s.value.n); avx_puts(&b, "\n");
    }
    if (s.err || b.full) avx_reject("scan");
    else emit("out.scan", avx_done(&b));
}

static void state(const avx_event *ev) {
    if (avx_eq(ev->topic, "t.state.set")) avx_set(ev->key, ev->data);
    else if (avx_eq(ev->topic, "t.state.get")) get(ev->key);
    else if (avx_eq(ev->topic, "t.state.del")) avx_del(ev->key);
    else if (avx_eq(ev->topic, "t.state.add")) add(ev);
    else if (avx_eq(ev->topic, "t.state.scan")) scan(ev->data);
}

static void verdict(const avx_event *ev) {
    emit("out.dropped", AVX_STR(""));
    avx_set(AVX_STR("dropped"), AVX_STR("1"));
    if (avx_eq(ev->topic, "t.fail.retry")) avx_retry("because é");
    else if (avx_eq(ev->topic, "t.fail.reject")) avx_reject("because é");
    else if (avx_eq(ev->topic, "t.fail.skip")) avx_skip("because é");
    else if (avx_eq(ev->topic, "t.fail.stop")) avx_stop("because é");
    else if (avx_eq(ev->topic, "t.fail.code")) avx_fail(107, "because é");
    else __builtin_trap();
}

static void json(const avx_event *ev) {
    avx_json j = avx_json_of(ev->data);
    avx_json_str key, s;
    avx_json_writer w = avx_json_to(space, sizeof space);
    avx_buf name = avx_buffer(page, sizeof page);
    avx_str raw = avx_slice(0, 0);
    int64_t n = 0, cents = 0, sum = 0, item = 0;
    int yes = 0, none = 0;
    avx_json_object(&j);
    while (avx_json_key(&j, &key)) {
        if (avx_json_is(key, "name")) { name.n = 0; if (avx_json_string(&j, &s)) avx_json_text(s, &name); }
        else if (avx_json_is(key, "n")) avx_json_int(&j, &n);
        else if (avx_json_is(key, "cents")) avx_json_decimal(&j, 2, &cents);
        else if (avx_json_is(key, "yes")) avx_json_bool(&j, &yes);
        else if (avx_json_is(key, "none")) { none = avx_json_null(&j); if (!none) avx_json_skip(&j); }
        else if (avx_json_is(key, "raw")) avx_json_raw(&j, &raw);
        else if (avx_json_is(key, "list")) for (avx_json_list(&j); avx_json_item(&j); sum += item) avx_json_int(&j, &item);
        else avx_json_skip(&j);
    }
    if (!avx_json_end(&j) || name.full) { avx_reject("malformed"); return; }
    avx_write_object(&w);
    field(&w, "name", avx_done(&name));
    number(&w, "n", n);
    number(&w, "cents", cents);
    avx_write_key(&w, "price"); avx_write_decimal(&w, cents, 2);
    avx_write_key(&w, "yes"); avx_write_bool(&w, yes);
    avx_write_key(&w, "none"); avx_write_bool(&w, none);
    avx_write_key(&w, "list");
    avx_write_list(&w);
    avx_write_int(&w, sum);
    avx_write_list(&w); avx_write_end(&w);
    avx_write_object(&w); avx_write_end(&w);
    avx_write_null(&w);
    avx_write_end(&w);
    if (raw.n) { avx_write_key(&w, "raw"); avx_write_raw(&w, raw); }
    avx_write_end(&w);
    emit("out.json", avx_done(&w.buf));
}

static void conf(avx_str name) {
    int32_t n;
    if (name.n >= sizeof page) { avx_reject("name"); return; }
    avx_copy(page, name.p, name.n);
    page[name.n] = 0;
    n = avx_conf(page, space, sizeof space);
    if (n < 0) emit("out.absent", AVX_STR(""));
    else emit("out.conf", avx_slice(space, (uint32_t)n));
}

static void denied(void) {
    emit_int("out.denied", avx_emit(AVX_STR("denied"), AVX_STR(""), AVX_STR("")));
}

static void conflict(const avx_event *ev) {
    avx_draft d = avx_draft_of(AVX_STR("out.conflict"), ev->key, AVX_STR(""));
    int64_t second = 0;
    avx_int(ev->data, &second);
    d.version = ev->version + 1;
    if (avx_refused(avx_stage(&d))) return;
    d.version = ev->version + (uint64_t)second;
    avx_refused(avx_stage(&d));
}

static void host(const avx_event *ev) {
    avx_draft d = avx_draft_of(AVX_STR("out.version"), ev->key, AVX_STR(""));
    int32_t level;
    if (avx_eq(ev->topic, "t.conf")) conf(ev->data);
    else if (avx_eq(ev->topic, "t.log")) for (level = AVX_TRACE; level <= AVX_ERROR; level++) avx_log_str(level, ev->data);
    else if (avx_eq(ev->topic, "t.now")) emit_int("out.now", avx_now());
    else if (avx_eq(ev->topic, "t.rand")) { avx_rand(space, 16); emit("out.rand", avx_slice(space, 16)); }
    else if (avx_eq(ev->topic, "t.version")) { d.version = ev->version + 1; avx_stage(&d); }
    else if (avx_eq(ev->topic, "t.conflict")) conflict(ev);
    else if (avx_eq(ev->topic, "t.reply")) avx_reply(ev->data);
    else if (avx_eq(ev->topic, "t.denied")) denied();
    else avx_skip("unsupported");
}

static void handle(const avx_event *ev) {
    if (avx_eq(ev->topic, "t.echo")) echo(ev);
    else if (avx_eq(ev->topic, "t.fields")) fields(ev);
    else if (avx_eq(ev->topic, "t.header")) header(ev);
    else if (avx_eq(ev->topic, "t.json")) json(ev);
    else if (avx_starts(ev->topic, "t.state.")) state(ev);
    else if (avx_starts(ev->topic, "t.fail.")) verdict(ev);
    else if (avx_eq(ev->topic, "t.timer.start")) avx_timer(ev->key, ev->time + HOUR, AVX_STR("out.timer"), ev->key, ev->data);
    else if (avx_eq(ev->topic, "t.timer.cancel")) avx_cancel(ev->key);
    else host(ev);
}

static void control(const avx_event *ev) { avx_emit(AVX_STR("out.control"), ev->topic, ev->data); }

AVX_SUBSCRIBER_AND(handle, control)
