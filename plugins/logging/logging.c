/* logging: a line of the node's log for each event, with what must not be seen taken out.
 * README.md says what a line holds and how it is configured. */
#include "avx.h"
#include "scrub.h"

#define MAX_CONF 4096

static char line_space[4096], levels_space[MAX_CONF], fields_space[MAX_CONF], names_space[MAX_CONF], values_space[MAX_CONF];

static const char *const level_names[] = {"trace", "debug", "info", "warn", "error", "off"};
enum { OFF = 5, UNKNOWN = 6 };

/* conf reads a value of the config; it says 0 where it is too long, and stops the subscriber. */
static int conf(const char *key, const char *absent, char *space, avx_str *out) {
    int32_t n = avx1_conf(key, (int32_t)avx_len(key), space, MAX_CONF);
    if (n > MAX_CONF) { avx_fail(AVX_STOP, "config: a value is over 4096 bytes"); return 0; }
    *out = n < 0 ? avx_slice(absent, avx_len(absent)) : avx_slice(space, (uint32_t)n);
    return 1;
}

static int level_of(avx_str name) {
    int i;
    for (i = 0; i <= OFF; i++)
        if (avx_eq(name, level_names[i])) return i;
    return UNKNOWN;
}

/* matches says whether a topic matches a pattern of the router: * is one segment, a ** at the
 * end is one or more. */
static int matches(avx_str pattern, avx_str topic) {
    avx_str p, t;
    while (next_word(&pattern, '.', &p)) {
        if (avx_eq(p, "**")) return topic.n > 0;
        if (!next_word(&topic, '.', &t)) return 0;
        if (!avx_eq(p, "*") && !same(p, t)) return 0;
    }
    return topic.n == 0;
}

/* choose finds the level of a topic: that of the first pattern in config levels that matches. */
static int choose(avx_str levels, avx_str topic) {
    avx_str rule, pattern;
    while (next_word(&levels, ',', &rule)) {
        rule = trim(rule);
        if (!next_word(&rule, '=', &pattern)) continue;
        if (level_of(rule) == UNKNOWN) return UNKNOWN;
        if (matches(pattern, topic)) return level_of(rule);
    }
    return AVX_INFO;
}

/* count adds to a number of the state that is shown on /metrics. */
static int count(const char *name, const char *level, int64_t n) {
    char k[80]; avx_buf b = avx_buffer(k, sizeof k);
    int64_t before;
    avx_puts(&b, "metric/"); avx_puts(&b, name);
    if (level) { avx_puts(&b, "{level=\""); avx_puts(&b, level); avx_puts(&b, "\"}"); }
    before = avx_get_int(avx_done(&b), 0);
    return !n || avx_set_int(avx_done(&b), before + n) == 0;
}

static void put2(avx_buf *b, int64_t v) {
    char d[2]; d[0] = (char)('0' + v / 10); d[1] = (char)('0' + v % 10);
    avx_put(b, d, 2);
}

/* put_time writes nanoseconds since 1970 as 2026-03-02T08:00:00Z. The calendar's year begins
 * in March here, so that the leap day is the last. */
static void put_time(avx_buf *b, int64_t ns) {
    int64_t s = ns / 1000000000 - (ns % 1000000000 < 0), days = s / 86400 - (s % 86400 < 0), of_day = s - days * 86400;
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153, m = mp < 10 ? mp + 3 : mp - 9, y = yoe + era * 400 + (m <= 2);
    put2(b, y / 100); put2(b, y % 100); avx_puts(b, "-"); put2(b, m); avx_puts(b, "-"); put2(b, doy - (153 * mp + 2) / 5 + 1);
    avx_puts(b, "T"); put2(b, of_day / 3600); avx_puts(b, ":"); put2(b, of_day / 60 % 60); avx_puts(b, ":"); put2(b, of_day % 60);
    avx_puts(b, "Z");
}

/* start writes what every line has. */
static void start(avx_buf *b, const avx_event *ev, rules *r) {
    avx_puts(b, "{\"topic\":"); avx_putj(b, ev->topic);
    avx_puts(b, ",\"time\":\""); put_time(b, ev->time);
    avx_puts(b, "\",\"key\":"); put_scrubbed(b, ev->key, r);
    avx_puts(b, ",\"bytes\":"); avx_puti(b, ev->data.n);
}

/* compose writes the line. Data that is no JSON cannot be searched for what must be taken
 * out, and data that does not fit would be no JSON when cut: both are left out, and the line
 * says so. */
static void compose(avx_buf *b, const avx_event *ev, rules *r, avx_str fields, uint32_t most) {
    avx_buf whole;
    uint32_t room = most > 64 ? most - 64 : 0;
    start(b, ev, r);
    if (b->full || b->n > room) { /* a key of a thousand bytes */
        b->n = 0; b->full = 0;
        avx_puts(b, "{\"topic\":\"(too long)\",\"bytes\":"); avx_puti(b, ev->data.n);
    }
    whole = *b;
    whole.cap = most - 2;
    avx_puts(&whole, ",\"data\":");
    if (!ev->data.n) avx_puts(b, ",\"data\":null");
    else if (!put_json(&whole, ev->data, r, fields)) avx_puts(b, ",\"data\":\"(not JSON)\"");
    else if (whole.full) avx_puts(b, ",\"data\":\"(too long)\"");
    else b->n = whole.n;
    avx_puts(b, "}");
}

static void handle(const avx_event *ev) {
    avx_buf b;
    avx_str levels, fields;
    rules r = {0};
    int level;
    int64_t most = avx_conf_int("max_line", 2048);
    if (!conf("levels", "**=info", levels_space, &levels) || !conf("fields", "", fields_space, &fields)) return;
    if (!conf("redact", "password,passwd,secret,token,authorization,cookie,api_key,card,cvc,ssn,iban", names_space, &r.names)) return;
    if (!conf("redact_values", "email,card", values_space, &r.values)) return;
    level = choose(levels, ev->topic);
    if (level == UNKNOWN) { avx_fail(AVX_STOP, "config levels: want PATTERN=LEVEL with commas between; a level is trace, debug, info, warn, error or off"); return; }
    if (most < 256 || most > (int64_t)sizeof line_space) { avx_fail(AVX_STOP, "config max_line: not 256 to 4096"); return; }
    if (level == OFF) { count("lines_total", "off", 1); return; }
    b = avx_buffer(line_space, (uint32_t)most);
    compose(&b, ev, &r, fields, (uint32_t)most);
    avx1_log(level, b.p, (int32_t)b.n);
    count("lines_total", level_names[level], 1);
    count("redactions_total", 0, r.found);
}

AVX_SUBSCRIBER(handle)
