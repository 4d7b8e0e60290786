/* The single writer: groups, a batch that can never be stored, a full queue, a bad disk.
 */
#include "testing.h"

#include "collector/writer.h"

#include <pthread.h>
#include <stdatomic.h>

/* A store that counts transactions; `gate` holds the first one until it is opened. */
struct fake {
    struct store base;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool gate;
    atomic_int entered;
    int transactions, largest;
    enum status disk;
};

/* An agent named "bad" poisons its transaction. */
static enum status fake_put(struct store *s, const struct store_batch *batch, size_t n,
                            struct store_put *result)
{
    struct fake *f = (struct fake *)(void *)s;
    atomic_fetch_add(&f->entered, 1);
    pthread_mutex_lock(&f->lock);
    while (f->gate)
        pthread_cond_wait(&f->opened, &f->lock);
    f->transactions++;
    f->largest = (int)n > f->largest ? (int)n : f->largest;
    enum status st = f->disk;
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < n; i++) {
        result[i] = (struct store_put){ .rows = batch[i].agent.seq };
        if (slice_eq(batch[i].agent.name, SLICE("bad")))
            return ST_BAD;
    }
    return st;
}

static const struct store_engine fake_engine = { .name = "fake", .put = fake_put };

static void fake_init(struct fake *f, bool gate)
{
    *f = (struct fake){ .base = { &fake_engine }, .gate = gate };
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->opened, NULL);
}

static void open_gate(struct fake *f)
{
    pthread_mutex_lock(&f->lock);
    f->gate = false;
    pthread_cond_broadcast(&f->opened);
    pthread_mutex_unlock(&f->lock);
}

struct client {
    struct writer *w;
    struct store_batch batch;
    struct store_put put;
    enum status st;
    pthread_t thread;
};

static void *send(void *arg)
{
    struct client *c = arg;
    c->st = writer_put(c->w, &c->batch, &c->put);
    return NULL;
}

static void start(struct client *c, struct writer *w, const char *agent, uint64_t seq)
{
    *c =
        (struct client){ .w = w,
                         .batch = { .agent = { .name = slice_str(agent), .seq = seq } } };
    assert_int_equal(pthread_create(&c->thread, NULL, send, c), 0);
}

static void wait_until_entered(struct fake *f, int n)
{
    while (atomic_load(&f->entered) < n)
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

/* What gathers while a commit runs goes into the next one; the bad one alone fails. */
static void test_groups(void **state)
{
    (void)state;
    enum { N = 12, BAD = 5 };
    struct fake f;
    struct client c[N];
    fake_init(&f, true);
    struct writer *w = writer_new(&f.base, 64, NULL, NULL);
    start(&c[0], w, "a", 100);
    wait_until_entered(&f, 1);
    for (int i = 1; i < N; i++)
        start(&c[i], w, i == BAD ? "bad" : "a", 100 + (uint64_t)i);
    nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL); /* let them queue */
    open_gate(&f);
    for (int i = 0; i < N; i++) {
        pthread_join(c[i].thread, NULL);
        CHECK(c[i].st == (i == BAD ? ST_BAD : ST_OK), "client %d: %s", i,
              status_name(c[i].st));
        if (i != BAD)
            assert_int_equal(c[i].put.rows, 100 + i);
    }
    assert_true(f.largest > 1);
    assert_false(writer_stuck(w));
    writer_free(w);
}

static void test_full_queue(void **state)
{
    (void)state;
    struct fake f;
    struct client c[2];
    struct store_put put;
    struct store_batch batch = { .agent = { .name = SLICE("a") } };
    fake_init(&f, true);
    struct writer *w = writer_new(&f.base, 1, NULL, NULL);
    start(&c[0], w, "a", 1);
    wait_until_entered(&f, 1);
    assert_int_equal(writer_put(w, &batch, &put), ST_BUSY); /* one waits already */
    open_gate(&f);
    pthread_join(c[0].thread, NULL);
    assert_int_equal(c[0].st, ST_OK);
    assert_int_equal(writer_put(w, &batch, &put), ST_OK);
    writer_free(w);
}

static void test_bad_disk(void **state)
{
    (void)state;
    struct fake f;
    struct store_put put;
    struct store_batch batch = { .agent = { .name = SLICE("a") } };
    fake_init(&f, false);
    struct writer *w = writer_new(&f.base, 4, NULL, NULL);
    static const enum status disk[] = { ST_OK, ST_FULL, ST_IO, ST_OK };
    for (size_t i = 0; i < COUNT_OF(disk); i++) {
        pthread_mutex_lock(&f.lock);
        f.disk = disk[i];
        pthread_mutex_unlock(&f.lock);
        assert_int_equal(writer_put(w, &batch, &put), disk[i]);
        assert_int_equal(writer_stuck(w), disk[i] != ST_OK);
    }
    writer_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_full_queue),
        cmocka_unit_test(test_bad_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
