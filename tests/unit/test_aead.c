/* agent/aead, tls_key: the vectors of RFC 8448 (3), RFC 5246's PRF and tampering. */
#include "testing.h"

#include "agent/tls_key.h"

static struct slice unhex(const char *hex, unsigned char *out)
{
    size_t n = strlen(hex) / 2;
    for (size_t i = 0; i < n; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return slice_of(out, n);
}

/* RFC 8448, 3: traffic secrets and what is derived of them. */
static const struct {
    const char *secret, *key, *iv;
} schedule[] = {
    { "b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21",
      "dbfaa693d1762c5b666af5d950258d01", "5bd3c71b836e0b76bb73265f" },
    { "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38",
      "3fce516009c21727d0f2e4e86ee403bc", "5d313eb2671276ee13000b30" },
    { "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
      "17422dda596ed5d9acd890e3c63f5051", "5b78923dee08579033e523d9" },
    { "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
      "9f02283b6c9c07efc26bb9f2ac92e356", "cf782b88dd83549aadf1e984" },
};

static void test_schedule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(schedule); i++) {
        unsigned char secret[32], want[32], got[32];
        struct slice s = unhex(schedule[i].secret, secret);
        struct slice key = unhex(schedule[i].key, want);
        assert_int_equal(aead_expand_label(AEAD_SHA256, s, SLICE("key"), got, 16), ST_OK);
        CHECK(slice_eq(key, slice_of(got, 16)), "row %zu: key", i);
        struct slice iv = unhex(schedule[i].iv, want);
        assert_int_equal(aead_expand_label(AEAD_SHA256, s, SLICE("iv"), got, 12), ST_OK);
        CHECK(slice_eq(iv, slice_of(got, 12)), "row %zu: iv", i);
    }
    unsigned char out[64];
    assert_int_equal(aead_expand_label(AEAD_SHA256, SLICE("x"), SLICE("key"), out, 33),
                     ST_BAD);
}

/* RFC 8448, 3: application data of the client, record 0; of the server, record 1. */
static const struct {
    const char *secret, *record;
    uint64_t seq;
} records[] = {
    { "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5",
      "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395"
      "bd54a9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4",
      0 },
    { "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643",
      "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dff"
      "c602dcb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d",
      1 },
};

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        unsigned char secret[32], record[80], out[TLS_RECORD_MOST];
        struct tls_key k = { 0 };
        size_t n = 0;
        struct slice r = unhex(records[i].record, record);
        assert_int_equal(tls_key_set13(&k, tls_suite_find(0x0304, 0x1301),
                                       unhex(records[i].secret, secret)),
                         ST_OK);
        struct slice body = slice_from(r, TLS_RECORD_HEAD);
        CHECK(tls_key_open(&k, records[i].seq, record, body, out, &n), "row %zu", i);
        assert_int_equal(n, 51);
        for (size_t b = 0; b < 50; b++)
            assert_int_equal(out[b], b);
        assert_int_equal(out[50], 23);
        assert_false(tls_key_open(&k, records[i].seq + 1, record, body, out, &n));
        for (size_t bit = 0; bit < 8 * r.n; bit++) { /* the head too: it is authentic */
            record[bit / 8] ^= (unsigned char)(1 << bit % 8);
            memset(out, 0xaa, sizeof out);
            assert_false(tls_key_open(&k, records[i].seq, record, body, out, &n));
            for (size_t b = 0; b < 51; b++)
                assert_int_equal(out[b], 0);
            record[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        for (size_t cut = 0; cut < body.n; cut++)
            assert_false(
                tls_key_open(&k, records[i].seq, record, slice_head(body, cut), out, &n));
        assert_int_equal(tls_key_set13(&k, tls_suite_find(0x0304, 0x1302),
                                       slice_of(secret, sizeof secret)),
                         ST_BAD); /* SHA-384 has longer ones */
        assert_null(k.suite);
        tls_key_release(&k);
    }
}

/* The vector for P_SHA256 that the IETF TLS list agreed on. */
static void test_prf(void **state)
{
    (void)state;
    unsigned char secret[16], seed[16], want[100], got[100];
    struct slice s = unhex("9bbe436ba940f017b17652849a71db35", secret);
    struct slice r = unhex("a0ba9f936cda311827a6f796ffd5198c", seed);
    struct slice w =
        unhex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
              "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
              "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
              "87347b66",
              want);
    assert_int_equal(aead_prf12(AEAD_SHA256, s, SLICE("test label"), r, got, 100), ST_OK);
    assert_true(slice_eq(w, slice_of(got, 100)));
    char big[200] = { 0 };
    assert_int_equal(aead_prf12(AEAD_SHA256, s, SLICE("l"), slice_of(big, 200), got, 9),
                     ST_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_prf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
