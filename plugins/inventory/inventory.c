/* inventory: reserves stock for orders. README.md says what it does and what it keeps. */
#include "avx.h"

#define MAX_QTY 1000000
#define MAX_NAME 400 /* of an order id or SKU: both go into one state key of at most 1024 bytes */

/* scratch holds what is built for one event at a time. */
static char key_space[1024], low_space[512 << 10], out_space[600 << 10];

typedef struct { char text[MAX_NAME]; uint32_t n; } name_buf;

/* name unescapes a string that becomes part of a state key; control characters would make
 * keys ambiguous. */
static int name(avx_json_str s, name_buf *to) {
    avx_buf b = avx_buffer(to->text, sizeof to->text);
    uint32_t i;
    avx_json_text(s, &b);
    for (i = 0; i < b.n; i++)
        if ((unsigned char)b.p[i] < 0x20) return 0;
    to->n = b.n;
    return !b.full && b.n > 0;
}

static avx_str text(const name_buf *n) { return avx_slice(n->text, n->n); }

static avx_str key2(const char *space, avx_str a, avx_str b) {
    avx_buf k = avx_buffer(key_space, sizeof key_space);
    avx_puts(&k, space);
    avx_put(&k, a.p, a.n);
    if (b.n) avx_put(&k, "\t", 1);
    avx_put(&k, b.p, b.n);
    return avx_done(&k);
}

static avx_str stock_key(const name_buf *sku) { return key2("stock/", text(sku), avx_slice(0, 0)); }

static int64_t stock(const name_buf *sku) { return avx_get_int(stock_key(sku), avx_conf_int("opening_stock", 1000)); }

/* ---- an order ------------------------------------------------------------------------ */

typedef struct { name_buf order; avx_str lines, key; } order; /* key: of what is emitted */
typedef struct { name_buf sku; int64_t qty; } line;

/* read_order finds the parts of an order, whatever their order in the text, and checks that
 * the whole text is JSON. */
static const char *read_order(avx_str data, order *o) {
    avx_json j = avx_json_of(data);
    avx_json_str k, s;
    int order_ok = 0, seen = 0;
    o->lines.n = 0;
    avx_json_object(&j);
    while (avx_json_key(&j, &k)) {
        if (avx_json_is(k, "order")) { seen = 1; order_ok = avx_json_string(&j, &s) && name(s, &o->order); }
        else if (avx_json_is(k, "lines")) avx_json_raw(&j, &o->lines);
        else avx_json_skip(&j);
    }
    if (!avx_json_end(&j)) return seen ? "the data is not an order: malformed JSON" : "the data is not a JSON object";
    if (!order_ok) return "order: missing, empty, over 400 bytes or with control characters";
    if (!o->lines.n || o->lines.p[0] != '[') return "lines: missing or not a list";
    return 0;
}

/* read_line reads the next line; 0 at the end or on an error, which *why then names. */
static int read_line(avx_json *j, line *l, const char **why) {
    avx_json_str k, s;
    int sku = 0, qty = 0;
    if (!avx_json_item(j)) {
        if (j->err) *why = "lines: malformed";
        return 0;
    }
    avx_json_object(j);
    while (avx_json_key(j, &k)) {
        if (avx_json_is(k, "sku")) sku = avx_json_string(j, &s) && name(s, &l->sku);
        else if (avx_json_is(k, "qty")) qty = avx_json_int(j, &l->qty);
        else avx_json_skip(j);
    }
    if (!sku) { *why = "lines: a sku is missing, empty, too long or has control characters"; return 0; }
    if (!qty) { *why = "lines: a qty is missing or not an integer of 64 bits"; return 0; }
    if (l->qty > MAX_QTY || l->qty < -MAX_QTY) { *why = "lines: a qty is beyond 1,000,000"; return 0; }
    if (j->err) { *why = "lines: malformed"; return 0; }
    return 1;
}

/* add changes a number in the state and deletes it at zero. */
static void add(avx_str key, int64_t delta) {
    int64_t v = avx_get_int(key, 0) + delta;
    if (v) avx_set_int(key, v); else avx_del(key);
}

static void emit(const char *topic, const order *o, const avx_buf *data) {
    int32_t status = data->full ? AVX_TOO_LARGE : avx_emit(avx_slice(topic, avx_len(topic)), o->key, avx_done(data));
    if (status == AVX_DENIED) avx_fail(AVX_REJECT, "an emit was denied: grant inventory.** in the manifest's emits");
    else if (status < 0) avx_fail(AVX_REJECT, "an emit was refused: too large or over the quota");
}

static avx_buf start(const order *o) {
    avx_buf b = avx_buffer(out_space, sizeof out_space);
    avx_puts(&b, "{\"order\":");
    avx_putj(&b, text(&o->order));
    return b;
}

static avx_str want_key(const name_buf *sku) { return key2("want/", text(sku), avx_slice(0, 0)); }

/* forget drops the sums of the first n lines. */
static void forget(const order *o, uint32_t n) {
    avx_json j = avx_json_of(o->lines);
    const char *why = 0;
    line l;
    avx_json_array(&j);
    while (n-- && read_line(&j, &l, &why)) avx_del(want_key(&l.sku));
}

static void reject(const order *o, const line *l, int64_t want, int64_t have, uint32_t done) {
    avx_buf b;
    forget(o, done);
    b = start(o);
    avx_puts(&b, ",\"sku\":"); avx_putj(&b, text(&l->sku));
    avx_puts(&b, ",\"want\":"); avx_puti(&b, want);
    avx_puts(&b, ",\"have\":"); avx_puti(&b, have);
    avx_puts(&b, "}");
    emit("inventory.rejected", o, &b);
    add(AVX_STR("count/rejected"), 1);
}

/* note_low collects a SKU that just fell to the threshold. */
static void note_low(avx_buf *low, const name_buf *sku, int64_t left) {
    avx_puts(low, low->n ? ",{\"sku\":" : "{\"sku\":");
    avx_putj(low, text(sku));
    avx_puts(low, ",\"stock\":");
    avx_puti(low, left);
    avx_puts(low, "}");
}

static void accept(const order *o, uint32_t lines, int64_t units, const avx_buf *low) {
    avx_buf b = start(o);
    avx_puts(&b, ",\"lines\":"); avx_puti(&b, lines);
    avx_puts(&b, ",\"units\":"); avx_puti(&b, units);
    avx_puts(&b, "}");
    emit("inventory.reserved", o, &b);
    add(key2("order/", text(&o->order), avx_slice(0, 0)), units);
    add(AVX_STR("count/reserved"), 1);
    if (!low->n) return;
    b = start(o);
    avx_puts(&b, ",\"skus\":[");
    avx_put(&b, low->p, low->n);
    avx_puts(&b, "]}");
    emit("inventory.low", o, &b);
    add(AVX_STR("count/low"), 1);
}

/* take books the sums of an order that can be had whole. */
static int64_t take(const order *o, int64_t threshold, avx_buf *low) {
    avx_json j = avx_json_of(o->lines);
    const char *why = 0;
    int64_t units = 0;
    line l;
    avx_json_array(&j);
    while (read_line(&j, &l, &why)) {
        int64_t have, want = avx_get_int(want_key(&l.sku), 0);
        if (!want) continue; /* nothing of it, or a line before took the sum */
        avx_del(want_key(&l.sku));
        have = stock(&l.sku);
        avx_set_int(stock_key(&l.sku), have - want);
        add(key2("line/", text(&o->order), text(&l.sku)), want);
        if (have > threshold && have - want <= threshold) note_low(low, &l.sku, have - want);
        units += want;
    }
    return units;
}

/* reserve sums the order up by SKU, because a SKU may stand in several lines, and takes the
 * stock only when all of it is there. The sums live in the state for the length of the event:
 * that is memory that needs no allocator and no search. */
static void reserve(const order *o) {
    avx_json j = avx_json_of(o->lines);
    const char *why = 0;
    uint32_t n = 0, lines = 0;
    int64_t units;
    avx_buf low = avx_buffer(low_space, sizeof low_space);
    line l;
    avx_json_array(&j);
    for (; read_line(&j, &l, &why); n++) {
        int64_t have, want;
        if (l.qty <= 0) continue;
        want = avx_get_int(want_key(&l.sku), 0) + l.qty;
        have = stock(&l.sku);
        if (have < want) { reject(o, &l, want, have, n); return; }
        avx_set_int(want_key(&l.sku), want);
        lines++;
    }
    if (why) { avx_fail(AVX_REJECT, why); return; }
    units = take(o, avx_conf_int("low_stock", 5), &low);
    accept(o, lines, units, &low);
}

/* release returns what a cancellation names: at most what the order reserved if it is
 * known, all of it if not. */
static void release(const order *o) {
    avx_json j = avx_json_of(o->lines);
    const char *why = 0;
    avx_str order_key = key2("order/", text(&o->order), avx_slice(0, 0));
    int known = avx_get_int(order_key, 0) != 0;
    int64_t units = 0;
    avx_buf b;
    line l;
    avx_json_array(&j);
    while (read_line(&j, &l, &why)) {
        int64_t back = l.qty < 0 ? -l.qty : l.qty;
        if (known) {
            avx_str k = key2("line/", text(&o->order), text(&l.sku));
            int64_t reserved = avx_get_int(k, 0);
            if (back > reserved) back = reserved;
            if (back) add(k, -back);
        }
        if (back) avx_set_int(stock_key(&l.sku), stock(&l.sku) + back);
        units += back;
    }
    if (why) { avx_fail(AVX_REJECT, why); return; }
    if (known) add(key2("order/", text(&o->order), avx_slice(0, 0)), -units);
    b = start(o);
    avx_puts(&b, ",\"units\":"); avx_puti(&b, units);
    avx_puts(&b, "}");
    emit("inventory.released", o, &b);
    add(AVX_STR("count/released"), 1);
}

/* receive books a delivery: {"sku": "...", "qty": n}. */
static void receive(avx_str data) {
    avx_json j = avx_json_of(data);
    avx_json_str k, s;
    line l;
    int sku = 0, qty = 0;
    avx_json_object(&j);
    while (avx_json_key(&j, &k)) {
        if (avx_json_is(k, "sku")) sku = avx_json_string(&j, &s) && name(s, &l.sku);
        else if (avx_json_is(k, "qty")) qty = avx_json_int(&j, &l.qty);
        else avx_json_skip(&j);
    }
    if (!avx_json_end(&j) || !sku || !qty || l.qty < 1 || l.qty > MAX_QTY) {
        avx_fail(AVX_REJECT, "stock.received wants {\"sku\":\"…\",\"qty\":1…1000000}");
        return;
    }
    avx_set_int(stock_key(&l.sku), stock(&l.sku) + l.qty);
}

static void handle(const avx_event *ev) {
    static order o;
    const char *why;
    if (avx_eq(ev->topic, "stock.received")) { receive(ev->data); return; }
    why = read_order(ev->data, &o);
    if (why) { avx_fail(AVX_REJECT, why); return; }
    o.key = ev->key.n ? ev->key : text(&o.order);
    if (avx_eq(ev->topic, "orders.created")) reserve(&o);
    else if (avx_eq(ev->topic, "orders.cancelled")) release(&o);
    else avx_fail(AVX_SKIP, "a topic that inventory does not know");
}

AVX_SUBSCRIBER(handle)
