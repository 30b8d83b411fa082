// The work of ordinary guests in C: what fuel costs is measured on it. Every function takes
// how often to do its work and returns a number that depends on all of it.
#include <stddef.h>
#include <stdint.h>
#define EXPORT(name) __attribute__((export_name(#name)))

static uint8_t buf[65536];
static uint32_t nums[4096];

// bytes is the worst case: one simple loop over 64 KiB.
EXPORT(bytes) uint32_t bytes(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++)
        for (uint32_t i = 0; i < sizeof buf; i++) sum = sum * 31 + ((volatile uint8_t *)buf)[i];
    return sum;
}

static const char order[] =
    "{\"order\":\"4711\",\"customer\":\"ada\",\"country\":\"Norway\",\"lines\":[{\"sku\":\"tea-01\",\"name\":\"Earl \\\"Grey\\\"\","
    "\"qty\":2,\"cents\":250},{\"sku\":\"cup-02\",\"name\":\"Cup\",\"qty\":6,\"cents\":1299},{\"sku\":\"pot-03\",\"name\":\"Pot, large\","
    "\"qty\":1,\"cents\":4999}],\"paid\":true,\"rebate\":12.5,\"note\":null}";

typedef struct { const char *p, *end; uint32_t hash, numbers, depth; } json;

static void skip(json *j) {
    while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\t')) j->p++;
}

static void string(json *j) {
    for (j->p++; j->p < j->end && *j->p != '"'; j->p++) {
        if (*j->p == '\\') j->p++;
        j->hash = (j->hash ^ (uint8_t)*j->p) * 16777619u;
    }
    j->p++;
}

static void value(json *j) {
    skip(j);
    if (j->p >= j->end) return;
    char c = *j->p;
    if (c == '{' || c == '[') {
        char close = c == '{' ? '}' : ']';
        j->p++;
        j->depth++;
        for (skip(j); j->p < j->end && *j->p != close; skip(j)) {
            if (c == '{') {
                string(j);
                skip(j);
                j->p++;
            }
            value(j);
            skip(j);
            if (j->p < j->end && *j->p == ',') j->p++;
        }
        j->p++;
    } else if (c == '"') {
        string(j);
    } else if ((c >= '0' && c <= '9') || c == '-') {
        uint32_t n = 0;
        for (; j->p < j->end && ((*j->p >= '0' && *j->p <= '9') || *j->p == '.' || *j->p == '-'); j->p++)
            if (*j->p >= '0') n = n * 10 + (uint32_t)(*j->p - '0');
        j->numbers += n;
    } else {
        while (j->p < j->end && *j->p >= 'a' && *j->p <= 'z') j->p++;
    }
}

EXPORT(parse) uint32_t parse(uint32_t rounds) {
    uint32_t sum = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        json j = {order, order + sizeof order - 1, 2166136261u, 0, 0};
        value(&j);
        sum += j.hash + j.numbers + j.depth;
    }
    return sum;
}

static void quick(uint32_t *a, int n) {
    while (n > 12) {
        uint32_t pivot = a[n / 2];
        int i = 0, k = n - 1;
        while (i <= k) {
            while (a[i] < pivot) i++;
            while (a[k] > pivot) k--;
            if (i <= k) {
                uint32_t t = a[i];
                a[i++] = a[k];
                a[k--] = t;
            }
        }
        quick(a, k + 1);
        a += i;
        n -= i;
    }
    for (int i = 1; i < n; i++) {
        uint32_t v = a[i];
        int k = i;
        for (; k > 0 && a[k - 1] > v; k--) a[k] = a[k - 1];
        a[k] = v;
    }
}

EXPORT(sort) uint32_t sort(uint32_t rounds) {
    uint32_t sum = 0, x = 1;
    for (uint32_t r = 0; r < rounds; r++) {
        for (int i = 0; i < 4096; i++) {
            x ^= x << 13, x ^= x >> 17, x ^= x << 5;
            nums[i] = x;
        }
        quick(nums, 4096);
        sum += nums[0] ^ nums[2048] ^ nums[4095];
    }
    return sum;
}

static size_t put(char *to, uint32_t n) {
    char t[10];
    size_t k = 0, len = 0;
    do t[k++] = (char)('0' + n % 10); while (n /= 10);
    while (k) to[len++] = t[--k];
    return len;
}

// text builds a page of lines and counts its words.
EXPORT(text) uint32_t text(uint32_t rounds) {
    uint32_t words = 0;
    for (uint32_t r = 0; r < rounds; r++) {
        char *to = (char *)buf, *end = to + sizeof buf - 64;
        for (uint32_t n = 0; to < end; n++) {
            __builtin_memcpy(to, "order number ", 13);
            to += 13;
            to += put(to, n * 7919 + r);
            *to++ = n % 3 ? ' ' : '\n';
        }
        int inside = 0;
        for (char *p = (char *)buf; p < to; p++) {
            int space = *p == ' ' || *p == '\n';
            words += inside && space;
            inside = !space;
        }
    }
    return words;
}

// number is floating point: 64 steps of an n-body problem.
EXPORT(number) uint32_t number(uint32_t rounds) {
    double x[5] = {0, 4.8, 8.3, 12.8, 15.3}, v[5] = {0, 0.6, -1.0, 1.0, 0.9}, m[5] = {39, 0.03, 0.01, 0.001, 0.002}, sum = 0;
    for (uint32_t r = 0; r < rounds; r++)
        for (int s = 0; s < 64; s++) {
            for (int i = 0; i < 5; i++)
                for (int k = i + 1; k < 5; k++) {
                    double d = x[i] - x[k], q = d * d + 0.01, f = 0.001 / (q * __builtin_sqrt(q));
                    v[i] -= d * m[k] * f;
                    v[k] += d * m[i] * f;
                }
            for (int i = 0; i < 5; i++) x[i] += 0.001 * v[i];
            sum += x[0];
        }
    return (uint32_t)(int32_t)(sum * 1e6);
}
