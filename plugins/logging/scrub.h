/* scrub.h: copies JSON and takes out what must not be seen: the values of named fields, and
 * words in any text that look like an address, a card or a secret. */
#ifndef SCRUB_H
#define SCRUB_H
#include "avx.h"

#define REDACTED "[redacted]"
#define MAX_TEXT (8 << 10) /* a longer text does not fit into a line anyway */

/* rules are the config, and how often they were used. */
typedef struct {
    avx_str names;  /* of fields, with commas between, in small letters */
    avx_str values; /* email, card, ipv4, or words with * in them */
    int64_t found;
} rules;

static avx_str trim(avx_str s) {
    while (s.n && *s.p == ' ') { s.p++; s.n--; }
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    return s;
}

static int same(avx_str a, avx_str b) {
    uint32_t i;
    if (a.n != b.n) return 0;
    for (i = 0; i < a.n; i++)
        if (a.p[i] != b.p[i]) return 0;
    return 1;
}

/* next_word takes the part up to the next separator off the front of rest. */
static int next_word(avx_str *rest, char separator, avx_str *word) {
    uint32_t i = 0;
    if (!rest->n) return 0;
    while (i < rest->n && rest->p[i] != separator) i++;
    *word = avx_slice(rest->p, i);
    if (i < rest->n) i++;
    rest->p += i; rest->n -= i;
    return 1;
}

static char small(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_alnum(char c) { return is_digit(c) || (small(c) >= 'a' && small(c) <= 'z'); }

/* listed says whether a name is in a list with commas, whatever the size of its letters. */
static int listed(avx_str list, avx_str name) {
    avx_str w;
    uint32_t i;
    while (next_word(&list, ',', &w)) {
        w = trim(w);
        if (w.n != name.n || !w.n) continue;
        for (i = 0; i < w.n && small(w.p[i]) == small(name.p[i]); i++) {}
        if (i == w.n) return 1;
    }
    return 0;
}

/* glob compares a word with a pattern in which * is any text. It goes back to the last * only,
 * so it takes at most the product of the lengths. */
static int glob(avx_str p, avx_str s) {
    uint32_t i = 0, j = 0, star = p.n, mark = 0;
    while (j < s.n) {
        if (i < p.n && p.p[i] == '*') { star = i++; mark = j; }
        else if (i < p.n && p.p[i] == s.p[j]) { i++; j++; }
        else if (star < p.n) { i = star + 1; j = ++mark; }
        else return 0;
    }
    while (i < p.n && p.p[i] == '*') i++;
    return i == p.n;
}

static int is_email(avx_str s) {
    uint32_t at = 0, i;
    while (at < s.n && s.p[at] != '@') at++;
    if (!at || at + 3 >= s.n) return 0;
    for (i = at + 2; i + 1 < s.n; i++)
        if (s.p[i] == '.') return 1;
    return 0;
}

static int is_ipv4(avx_str s) {
    avx_str part; int64_t v; int n = 0;
    while (next_word(&s, '.', &part)) {
        if (n == 3) { avx_str number; next_word(&part, ':', &number); part = number; }
        if (part.n > 3 || !part.n || !is_digit(part.p[0]) || !avx_int(part, &v) || v > 255) return 0;
        n++;
    }
    return n == 4;
}

/* card returns the length of the card number that s begins with, 0 if there is none: 13 to 19
 * digits, which may have blanks or dashes between them, and the check digit of Luhn. */
static uint32_t card(avx_str s) {
    char d[19];
    uint32_t i = 0, n = 0, end = 0, sum = 0, k;
    for (; i < s.n; i++) {
        if (is_digit(s.p[i])) {
            if (n == sizeof d) return 0;
            d[n++] = s.p[i];
            end = i + 1;
        } else if (!(s.p[i] == ' ' || s.p[i] == '-') || end != i) break; /* one separator at most */
    }
    if (n < 13 || (end < s.n && is_alnum(s.p[end]))) return 0;
    for (k = 0; k < n; k++) {
        uint32_t v = (uint32_t)(d[n - 1 - k] - '0');
        if (k & 1) v = v > 4 ? 2 * v - 9 : 2 * v;
        sum += v;
    }
    return sum % 10 ? 0 : end;
}

static int secret(avx_str word, avx_str values) {
    avx_str v;
    while (next_word(&values, ',', &v)) {
        v = trim(v);
        if (avx_eq(v, "email") ? is_email(word) : avx_eq(v, "ipv4") ? is_ipv4(word) : !avx_eq(v, "card") && v.n && glob(v, word)) return 1;
    }
    return 0;
}

static int between_words(char c) {
    return c == ' ' || c == ',' || c == ';' || c == '<' || c == '>' || c == '(' || c == ')' || c == '"' || c == '\'' || c == '=' || (c >= 0 && c < 0x20);
}

/* put_scrubbed writes text as a JSON string, without the words that the rules take out. */
static void put_scrubbed(avx_buf *out, avx_str text, rules *r) {
    static char space[2 * MAX_TEXT];
    avx_buf b = avx_buffer(space, sizeof space);
    int cards = listed(r->values, AVX_STR("card"));
    uint32_t i = 0;
    if (text.n > MAX_TEXT) { out->full = 1; return; }
    while (i < text.n) {
        avx_str rest = avx_slice(text.p + i, text.n - i);
        uint32_t n = cards && is_digit(*rest.p) ? card(rest) : 0;
        if (!n) {
            while (n < rest.n && !between_words(rest.p[n])) n++;
            if (!n || !secret(avx_slice(rest.p, n), r->values)) {
                if (!n) n = 1;
                avx_put(&b, rest.p, n);
                i += n;
                continue;
            }
        }
        avx_puts(&b, REDACTED);
        r->found++;
        i += n;
    }
    if (b.full) out->full = 1;
    else avx_putj(out, avx_done(&b));
}

/* put_string decodes first, or an escape would hide an address. */
static void put_string(avx_buf *out, avx_json_str s, rules *r) {
    static char space[MAX_TEXT];
    avx_buf b = avx_buffer(space, sizeof space);
    avx_json_text(s, &b);
    if (b.full) { out->full = 1; return; }
    put_scrubbed(out, avx_done(&b), r);
}

/* put_number writes a number; a card without quotes is one as well. */
static void put_number(avx_buf *out, avx_str text, rules *r) {
    if (listed(r->values, AVX_STR("card")) && card(text) == text.n) { avx_puts(out, "\"" REDACTED "\""); r->found++; }
    else avx_put(out, text.p, text.n);
}

/* put_member writes the name of a field, and its value too if the name decides on it: then it says 1. */
static int put_member(avx_buf *out, avx_json *j, avx_json_str key, rules *r, avx_str fields) {
    char name[128]; avx_buf b = avx_buffer(name, sizeof name);
    avx_json_text(key, &b);
    if (fields.n && j->depth == 1 && (b.full || !listed(fields, avx_done(&b)))) { avx_json_skip(j); return 1; }
    if (out->n && out->p[out->n - 1] != '{') avx_puts(out, ",");
    put_string(out, key, r);
    avx_puts(out, ":");
    if (b.full || !listed(r->names, avx_done(&b))) return 0;
    avx_json_skip(j);
    avx_puts(out, "\"" REDACTED "\"");
    r->found++;
    return 1;
}

/* put_scalar writes a value that is neither object nor list. */
static int put_scalar(avx_buf *out, avx_json *j, rules *r) {
    avx_json_str s; avx_str text; int whole;
    char c = avx_json_peek(j);
    if (c == '"') { if (!avx_json_string(j, &s)) return 0; put_string(out, s, r); return 1; }
    if (c == 't' || c == 'f' || c == 'n') { if (!avx_json_raw(j, &text)) return 0; avx_put(out, text.p, text.n); return 1; }
    if (!avx_json_number(j, &text, &whole)) return 0;
    put_number(out, text, r);
    return 1;
}

/* put_json copies a whole text; 0 if it is no JSON. What does not fit sets full. */
static int put_json(avx_buf *out, avx_str text, rules *r, avx_str fields) {
    avx_json j = avx_json_of(text);
    avx_json_str key;
    int64_t before = r->found;
    uint64_t objects = 0; /* which open levels are objects */
    int value = 1;        /* whether a value is next, or what follows one */
    while (!j.err) {
        char c = avx_json_peek(&j);
        if (value && c == '{') { if (avx_json_object(&j)) { objects |= (uint64_t)1 << j.depth; avx_puts(out, "{"); } }
        else if (value && c == '[') { if (avx_json_array(&j)) { objects &= ~((uint64_t)1 << j.depth); avx_puts(out, "["); } }
        else if (value && !put_scalar(out, &j, r)) break;
        value = 0;
        if (j.err || !j.depth) break;
        if (objects >> j.depth & 1) {
            if (avx_json_key(&j, &key)) value = !put_member(out, &j, key, r, fields);
            else avx_puts(out, "}");
        } else if (avx_json_item(&j)) {
            if (out->n && out->p[out->n - 1] != '[') avx_puts(out, ",");
            value = 1;
        } else avx_puts(out, "]");
    }
    if (avx_json_end(&j)) return 1;
    r->found = before;
    return 0;
}

#endif
