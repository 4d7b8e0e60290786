/*
 * The estimator against calls that did report, as if they had not: each exchange is
 * estimated from what was learned before it, then learned from.
 */
#include "agent/engine.h"
#include "agent/exchange.h"
#include "testing.h"
#include "tests/golden/verdict.h"

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { MOST = 4096 };

static void hidden_usage(void **state)
{
    struct corpus c;
    struct extract *x = extract_new();
    struct exchange_record e;
    struct verdicts got;
    double error[MOST], estimated = 0, truth = 0;
    size_t n = 0;
    (void)state;
    if (!corpus_open(&c)) {
        extract_free(x);
        skip();
    }
    while (corpus_next(&c, &e) && n < MOST) {
        struct estimate before = x->estimate;
        got.n = 0;
        extract_begin(x, e.scheme, e.host, e.port, e.method, e.path);
        extract_request_body(x, e.request);
        extract_response_head(x, e.status, e.response_header, e.response_headers);
        extract_response_body(x, e.response);
        extract_finish(x, EXTRACT_COMPLETE, 0, verdicts_keep, &got);
        struct usage u = got.u[0];
        if (u.accounting != ACCOUNTING_CALL || u.quality != QUALITY_EXACT ||
            e.truth.v[T_OUTPUT] <= 0 || !x->exchange->text_out)
            continue;
        struct estimate_sample s = exchange_sample(x->exchange);
        u.model = slice_str(got.name[0][1]);
        u.provider = slice_str(got.name[0][3]);
        double t = estimate_output(&before, &u, &s), want = (double)e.truth.v[T_OUTPUT];
        error[n++] = t > want ? (t - want) / want : (want - t) / want;
        estimated += t;
        truth += want;
    }
    corpus_close(&c);
    extract_free(x);
    qsort(error, n, sizeof *error, by_size);
    print_message(
        "%zu calls: sum of the estimates %.3f of the truth, median error %.3f\n", n,
        estimated / truth, error[n / 2]);
    assert_true(estimated / truth > 0.9 && estimated / truth < 1.1);
    assert_true(error[n / 2] < 0.2);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(hidden_usage) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
