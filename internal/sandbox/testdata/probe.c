/* probe: a guest that does what the event tells it to, for tests. The data is a list of
 * statements, separated by ';', of words separated by single spaces. What they find is
 * appended to the reply. */
#include "avx.h"

#ifndef VERSION
#define VERSION "1"
#endif

static char reply_space[4096];
static avx_buf out;
static unsigned char big[4 << 20];
static int32_t leave;

static int next_word(avx_str *rest, avx_str *word) {
    uint32_t n = 0;
    if (!rest->n) return 0;
    while (n < rest->n && rest->p[n] != ' ') n++;
    *word = avx_slice(rest->p, n);
    if (n < rest->n) n++;
    *rest = avx_slice(rest->p + n, rest->n - n);
    return 1;
}

static int64_t num(avx_str w) { int64_t v = 0; avx_int(w, &v); return v; }

static void say_status(int32_t s) { avx_puti(&out, s); avx_puts(&out, " "); }

static void say_value(int32_t n, const char *value) {
    if (n < 0) { say_status(n); return; }
    avx_put(&out, value, (uint32_t)n);
    avx_puts(&out, " ");
}


/* call uses the raw host functions, with any pointers. */
static void call(avx_str name, int64_t *v) {
#define P(i) ((void *)(size_t)(uint32_t)v[i])
#define N(i) ((int32_t)v[i])
    if (avx_eq(name, "next")) avx1_next(P(0), N(1));
    if (avx_eq(name, "fail")) avx1_fail(1, P(0), N(1));
    if (avx_eq(name, "emit")) avx1_emit(P(0), N(1));
    if (avx_eq(name, "reply")) avx1_reply(P(0), N(1));
    if (avx_eq(name, "kv_get")) avx1_kv_get(P(0), N(1), P(0), N(1));
    if (avx_eq(name, "kv_get2")) avx1_kv_get("k", 1, P(0), N(1));
    if (avx_eq(name, "kv_set")) avx1_kv_set(P(0), N(1), P(0), N(1));
    if (avx_eq(name, "kv_set2")) avx1_kv_set("k", 1, P(0), N(1));
    if (avx_eq(name, "kv_del")) avx1_kv_del(P(0), N(1));
    if (avx_eq(name, "kv_scan")) avx1_kv_scan(P(0), N(1), P(0), N(1), P(0), N(1));
    if (avx_eq(name, "kv_scan2")) avx1_kv_scan("", 0, "", 0, P(0), N(1));
    if (avx_eq(name, "conf")) avx1_conf(P(0), N(1), P(0), N(1));
    if (avx_eq(name, "conf2")) avx1_conf("greeting", 8, P(0), N(1));
    if (avx_eq(name, "log")) avx1_log(2, P(0), N(1));
    if (avx_eq(name, "rand")) avx1_rand(P(0), N(1));
}

static void statement(const avx_event *ev, avx_str s) {
    avx_str op, a = avx_slice("", 0), b = avx_slice("", 0), w;
    char value[1024];
    if (!next_word(&s, &op)) return;
    next_word(&s, &a);
    b = s;
    if (avx_eq(op, "emit")) say_status(avx_emit(a, ev->key, b));
    else if (avx_eq(op, "later")) { /* later MILLISECONDS TOPIC STATEMENT */
        next_word(&b, &w);
        say_status(avx_timer(avx_slice("", 0), avx1_now() + num(a) * 1000000, w, ev->key, b));
    }
    else if (avx_eq(op, "timer")) { /* timer NAME MILLISECONDS TOPIC STATEMENT */
        avx_str ms;
        next_word(&b, &ms); next_word(&b, &w);
        say_status(avx_timer(a, avx1_now() + num(ms) * 1000000, w, ev->key, b));
    }
    else if (avx_eq(op, "cancel")) say_status(avx_cancel(a));
    else if (avx_eq(op, "kind")) { avx_puti(&out, ev->kind); avx_puts(&out, " "); }
    else if (avx_eq(op, "setkind")) avx_set_int(a, ev->kind);
    else if (avx_eq(op, "bigemit")) say_status(avx_emit(AVX_STR("out.big"), ev->key, avx_slice(big, (uint32_t)num(a))));
    else if (avx_eq(op, "emits")) { int64_t n = num(a); int32_t st = 0; while (n-- && st == 0) st = avx_emit(AVX_STR("out.many"), ev->key, b); say_status(st); }
    else if (avx_eq(op, "rawemit")) say_status(avx1_emit(a.p, (int32_t)a.n));
    else if (avx_eq(op, "set")) say_status(avx_set(a, b));
    else if (avx_eq(op, "bigset")) say_status(avx_set(a, avx_slice(big, (uint32_t)num(b))));
    else if (avx_eq(op, "longkey")) say_status(avx_set(avx_slice(big, (uint32_t)num(a)), a));
    else if (avx_eq(op, "del")) say_status(avx_del(a));
    else if (avx_eq(op, "get")) say_value(avx_get(a, value, sizeof value), value);
    else if (avx_eq(op, "size")) say_status(avx_get(a, value, 0));
    else if (avx_eq(op, "add")) { avx_set_int(a, avx_get_int(a, 0) + num(b)); }
    else if (avx_eq(op, "scan")) {
        static char page[256]; char last[64]; uint32_t last_n = 0; int32_t n;
        while ((n = avx1_kv_scan(a.p, (int32_t)a.n, last, (int32_t)last_n, page, sizeof page)) > 0 && n <= (int32_t)sizeof page) {
            uint32_t at = 0;
            while (at < (uint32_t)n) {
                uint32_t k = (uint32_t)avx_load((unsigned char *)page + at, 4), v = (uint32_t)avx_load((unsigned char *)page + at + 4, 4);
                avx_put(&out, page + at + 8, k); avx_puts(&out, "="); avx_put(&out, page + at + 8 + k, v); avx_puts(&out, ",");
                avx_copy(last, page + at + 8, k); last_n = k;
                at += 8 + k + v;
            }
        }
        say_status(n);
    }
    else if (avx_eq(op, "conf")) say_value(avx1_conf(a.p, (int32_t)a.n, value, sizeof value), value);
    else if (avx_eq(op, "now")) { avx_puti(&out, avx1_now()); avx_puts(&out, " "); }
    else if (avx_eq(op, "rand")) { uint64_t r; avx1_rand(&r, 8); avx_puti(&out, (int64_t)r); avx_puts(&out, " "); }
    else if (avx_eq(op, "attempt")) { avx_puti(&out, ev->attempt); avx_puts(&out, " "); }
    else if (avx_eq(op, "version")) { avx_puts(&out, VERSION " "); }
    else if (avx_eq(op, "mark")) say_status(avx_emit(AVX_STR("mark.v" VERSION), ev->key, avx_slice("", 0)));
    else if (avx_eq(op, "log")) { int64_t n = num(a); while (n--) avx1_log(2, b.p, (int32_t)b.n); }
    else if (avx_eq(op, "fail")) avx1_fail((int32_t)num(a), b.p, (int32_t)b.n);
    else if (avx_eq(op, "failonce")) { if (ev->attempt == 1) avx1_fail(1, "later", 5); }
    else if (avx_eq(op, "traponce")) { if (ev->attempt == 1) __builtin_trap(); }
    else if (avx_eq(op, "trap")) __builtin_trap();
    else if (avx_eq(op, "loop")) for (;;) __asm__ volatile("");
    else if (avx_eq(op, "grow")) say_status((int32_t)__builtin_wasm_memory_grow(0, (size_t)num(a)));
    else if (avx_eq(op, "return")) leave = (int32_t)num(a);
    else if (avx_eq(op, "call")) { int64_t v[2] = {0, 0}; int i = 0; while (i < 2 && next_word(&b, &w)) v[i++] = num(w); call(a, v); }
}

static void handle(const avx_event *ev) {
    avx_str rest = ev->data;
    if (ev->kind == AVX_KIND_CONTROL) { /* only what it says is kept */
        int64_t fails = avx_conf_int("control_fails", 0);
        if (fails) { avx_fail((int32_t)fails, "no word from the host, please"); return; }
        avx_set_int(AVX_STR("controls"), avx_get_int(AVX_STR("controls"), 0) + 1);
        avx_set(AVX_STR("control"), ev->data);
        return;
    }
    out = avx_buffer(reply_space, sizeof reply_space);
    while (rest.n) {
        uint32_t n = 0;
        while (n < rest.n && rest.p[n] != ';') n++;
        statement(ev, avx_slice(rest.p, n));
        if (n < rest.n) n++;
        rest = avx_slice(rest.p + n, rest.n - n);
    }
    if (out.n) avx1_reply(out.p, (int32_t)out.n);
}

AVX_EXPORT("avx_abi_1") void avx_abi_1(void) {}
AVX_EXPORT("avx_run") int32_t avx_run(void) {
    int32_t n;
    leave = 0;
    while (!leave && (n = avx1_next(avx_in, (int32_t)avx_in_cap)) > 0) {
        avx_event ev;
        if ((uint32_t)n > avx_in_cap) { avx_in = avx_grow((uint32_t)n, &avx_in_cap); if (!avx_in) return 9; continue; }
        avx_decode(avx_in, &ev);
        handle(&ev);
    }
    return leave;
}
