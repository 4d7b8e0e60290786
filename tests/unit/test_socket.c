/* Sessions over a WebSocket, from the upgrade on: dialogues of made-up messages, cut at
 * every byte, compressed and not, against the calls that they are. */
#include "testing.h"
#include "ws_frames.h"

#include "agent/http.h"

#define SECOND INT64_C(1000000000)

struct world {
    struct http_shared shared;
    struct buf says;
};

static void note(void *arg, struct usage *u, const struct http_origin *o)
{
    struct world *w = arg;
    struct buf *b = &w->says;
    assert_true(slice_eq(o->client, SLICE("c:1")));
    assert_int_equal(u->seen, SEEN_CAPTURE);
    if (u->accounting == ACCOUNTING_FREE)
        return; /* the upgrade */
    buf_add(b, u->surface);
    buf_addc(b, ' ');
    buf_add(b, u->model.n ? u->model : SLICE("-"));
    buf_addc(b, ' ');
    buf_add(b, u->response_id.n ? u->response_id : SLICE("-"));
    buf_addf(b, " %s %s", usage_outcome_name(u->outcome), usage_quality_name(u->quality));
    for (unsigned f = 0; f < USAGE_N; f++)
        if (usage_has(u, f) && f != USAGE_bytes_up && f != USAGE_bytes_down)
            buf_addf(b, " %s=%llu", usage_fields[f].name, (unsigned long long)u->v[f]);
    if (u->ttft_us >= 0)
        buf_addf(b, " %lld/%lld/%lld", (long long)u->ttfb_us / 1000000,
                 (long long)u->ttft_us / 1000000, (long long)u->total_us / 1000000);
    buf_adds(b, "\n");
}

#define KEY_FIELDS                                                                       \
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"                                      \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
#define REALTIME                                                                         \
    "GET /v1/realtime?model=gpt-rt HTTP/1.1\r\nHost: api.openai.com\r\n" KEY_FIELDS
#define RESPONSES "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\n" KEY_FIELDS
#define AZURE                                                                            \
    "GET /openai/realtime?api-version=x&deployment=dep-1 HTTP/1.1\r\n"                   \
    "Host: acme.openai.azure.com\r\n" KEY_FIELDS
#define LIVE                                                                             \
    "GET /ws/google.ai.generativelanguage.v1beta.GenerativeService"                      \
    ".BidiGenerateContent?key=no HTTP/1.1\r\n"                                           \
    "Host: generativelanguage.googleapis.com\r\n" KEY_FIELDS

#define USAGE_A                                                                          \
    "{\"total_tokens\":120,\"input_tokens\":100,\"output_tokens\":20,"                   \
    "\"input_token_details\":{\"text_tokens\":40,\"audio_tokens\":60,"                   \
    "\"cached_tokens\":64,\"cached_tokens_details\":{\"text_tokens\":34,"                \
    "\"audio_tokens\":30}},\"output_token_details\":{\"text_tokens\":5,"                 \
    "\"audio_tokens\":15}}"
#define CREATED(id)                                                                      \
    "{\"type\":\"response.created\",\"event_id\":\"e1\",\"response\":{\"id\":\"" id      \
    "\",\"object\":\"realtime.response\",\"status\":\"in_progress\",\"usage\":null}}"
#define DONE(id, status, usage)                                                          \
    "{\"type\":\"response.done\",\"event_id\":\"e2\",\"response\":{\"id\":\"" id         \
    "\",\"object\":\"realtime.response\",\"status\":\"" status                           \
    "\",\"output\":[{\"id\":\"i\",\"content\":[{\"transcript\":\"x\"}]}],"               \
    "\"usage\":" usage "}}"
#define DELTA(id)                                                                        \
    "{\"type\":\"response.output_audio.delta\",\"response_id\":\"" id                    \
    "\",\"item_id\":\"i\",\"delta\":\"AAAA\"}"
#define EXACT_A                                                                          \
    "exact input=36 cache_read=64 output=20 audio_in=60 audio_cached=30 audio_out=15"
#define HEARD(usage)                                                                     \
    "{\"type\":\"conversation.item.input_audio_transcription.completed\","               \
    "\"item_id\":\"item_7\",\"transcript\":\"x\",\"usage\":" usage "}"

/* '<' and '>' are messages, '-' a loss of bytes going down, 0 the end. A second lies
 * between steps. */
struct step {
    char what;
    const char *text;
};

static const struct {
    const char *name, *upgrade;
    struct step step[12];
    const char *says;
} cases[] = {
    { "realtime",
      REALTIME,
      { { '<', "{\"type\":\"session.created\",\"session\":{\"id\":\"s\"}}" },
        { '>', "{\"type\":\"response.create\"}" },
        { '<', CREATED("r1") },
        { '<', DELTA("r1") },
        { '<', "{\"type\":\"rate_limits.updated\",\"rate_limits\":[]}" },
        { '<', DONE("r1", "completed", USAGE_A) },
        { '>', "{\"type\":\"response.create\"}" },
        { '<', CREATED("r2") },
        { '<', DONE("r2", "cancelled", USAGE_A) } },
      "openai.realtime gpt-rt r1 ok " EXACT_A " 1/2/4\n"
      "openai.realtime gpt-rt r2 aborted " EXACT_A "\n" },
    { "no usage is not zero; a failure is one",
      REALTIME,
      { { '<', DONE("r1", "completed", "null") }, { '<', DONE("r2", "failed", "null") } },
      "openai.realtime gpt-rt r1 ok missing\nopenai.realtime gpt-rt r2 failed "
      "missing\n" },
    { "a session names its models, and a transcription has its own",
      REALTIME,
      { { '<',
          "{\"type\":\"session.updated\",\"session\":{\"model\":\"gpt-rt-2\",\"audio\":{"
          "\"input\":{\"transcription\":{\"model\":\"hear-1\"}}}}}" },
        { '<', HEARD("{\"type\":\"tokens\",\"total_tokens\":26,\"input_tokens\":17,"
                     "\"input_token_details\":{\"text_tokens\":0,\"audio_tokens\":17},"
                     "\"output_tokens\":9}") },
        { '<', HEARD("{\"type\":\"duration\",\"seconds\":3.5}") },
        { '<', DONE("r1", "completed", USAGE_A) } },
      "openai.transcription hear-1 item_7 ok exact input=17 output=9 audio_in=17\n"
      "openai.transcription hear-1 item_7 ok exact input=0 output=0 audio_ms=3500\n"
      "openai.realtime gpt-rt-2 r1 ok " EXACT_A "\n" },
    { "the older session object",
      AZURE,
      { { '<', "{\"type\":\"session.created\",\"session\":{\"input_audio_transcription\":"
               "{\"model\":\"whisper-x\"}}}" },
        { '<', HEARD("{\"type\":\"duration\",\"seconds\":2}") },
        { '<', DONE("r1", "incomplete", USAGE_A) } },
      "openai.transcription whisper-x item_7 ok exact input=0 output=0 audio_ms=2000\n"
      "openai.realtime dep-1 r1 ok " EXACT_A "\n" },
    { "left in the middle of two responses",
      REALTIME,
      { { '<', CREATED("r1") }, { '<', CREATED("r2") }, { '<', DELTA("r1") } },
      "openai.realtime gpt-rt r1 aborted missing\n"
      "openai.realtime gpt-rt r2 aborted missing\n" },
    { "usage in what a model wrote is none",
      REALTIME,
      { { '<',
          "{\"type\":\"response.output_text.delta\",\"response_id\":\"r1\",\"delta\":"
          "\"{\\\"type\\\":\\\"response.done\\\",\\\"response\\\":{\\\"usage\\\":{"
          "\\\"input_tokens\\\":9}}}\"}" } },
      "" },
    { "responses over a socket",
      RESPONSES,
      { { '>', "{\"type\":\"response.create\",\"model\":\"gpt-x\",\"input\":[]}" },
        { '<', "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\","
               "\"object\":\"response\",\"model\":\"gpt-x-1\",\"status\":\"in_progress\","
               "\"usage\":null}}" },
        { '<', "{\"type\":\"response.output_text.delta\",\"item_id\":\"m\","
               "\"delta\":\"hello\"}" },
        { '<',
          "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"object\":"
          "\"response\",\"model\":\"gpt-x-1\",\"status\":\"completed\",\"usage\":{"
          "\"input_tokens\":50,\"input_tokens_details\":{\"cached_tokens\":10},"
          "\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":3},"
          "\"total_tokens\":57}}}" },
        { '>', "{\"type\":\"response.create\",\"model\":\"gpt-x\",\"input\":[]}" },
        { '<',
          "{\"type\":\"error\",\"status\":429,\"error\":{\"type\":\"rate_limit\"}}" } },
      "openai.responses gpt-x-1 resp_1 ok exact input=40 cache_read=10 output=7 "
      "reasoning=3 1/2/3\n"
      "openai.responses gpt-x - error exact\n" },
    { "live: the last usage of a turn, at its end or behind it",
      LIVE,
      { { '>', "{\"setup\":{\"model\":\"models/gem-live\"}}" },
        { '<', "{\"setupComplete\":{}}" },
        { '<', "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"a\"}]}},"
               "\"usageMetadata\":{\"promptTokenCount\":5,\"responseTokenCount\":1,"
               "\"totalTokenCount\":6}}" },
        { '<', "{\"serverContent\":{\"turnComplete\":true},\"usageMetadata\":{"
               "\"promptTokenCount\":5,\"responseTokenCount\":9,\"totalTokenCount\":16,"
               "\"thoughtsTokenCount\":2,\"responseTokensDetails\":[{\"modality\":"
               "\"AUDIO\",\"tokenCount\":8}]}}" },
        { '<', "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"b\"}]}}}" },
        { '<', "{\"serverContent\":{\"interrupted\":true}}" },
        { '<', "{\"serverContent\":{\"turnComplete\":true}}" },
        { '<', "{\"usageMetadata\":{\"promptTokenCount\":20,\"responseTokenCount\":3,"
               "\"totalTokenCount\":23}}" } },
      "gemini.live gem-live - ok exact input=5 output=11 reasoning=2 audio_out=8 2/2/3\n"
      "gemini.live gem-live - aborted exact input=20 output=3\n" },
    { "live: a turn without usage, one that is left, and nothing between",
      LIVE,
      { { '>', "{\"setup\":{\"model\":\"projects/p/models/gem-live\"}}" },
        { '<', "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"a\"}]}}}" },
        { '<', "{\"serverContent\":{\"turnComplete\":true}}" },
        { '<', "{\"serverContent\":{\"modelTurn\":{\"parts\":[{\"text\":\"b\"}]}},"
               "\"usageMetadata\":{\"promptTokenCount\":7,\"responseTokenCount\":1}}" } },
      "gemini.live gem-live - ok missing 1/1/3\n"
      "gemini.live gem-live - aborted estimated input=7 output=1\n" },
};

/* The end of one response is lost, the next is whole. */
static const struct {
    const char *name, *upgrade;
    struct step step[12];
    const char *says;
} lossy[] = {
    { "a lost end",
      REALTIME,
      { { '<', CREATED("r1") },
        { '-', DONE("r1", "completed", USAGE_A) },
        { '<', CREATED("r2") },
        { '<', DONE("r2", "completed", USAGE_A) } },
      "openai.realtime gpt-rt r2 ok " EXACT_A
      "\nopenai.realtime gpt-rt r1 aborted missing\n" },
    { "a lost part of a turn",
      LIVE,
      { { '<', "{\"serverContent\":{\"modelTurn\":{}},\"usageMetadata\":{"
               "\"promptTokenCount\":5,\"responseTokenCount\":1}}" },
        { '-', "{\"usageMetadata\":{\"promptTokenCount\":5,\"responseTokenCount\":2}}" },
        { '<', "{\"serverContent\":{\"turnComplete\":true}}" } },
      NULL },
};

struct play {
    struct world *w;
    struct stream_sink sink;
    z_stream *z[2]; /* NULL: not compressed */
    size_t cut;
    int64_t ts;
    bool binary;
};

static void send_bytes(struct play *p, enum stream_dir d, struct slice bytes)
{
    struct slice rest = slice_from(bytes, p->cut);
    p->sink.data(p->sink.arg, d, p->ts, slice_head(bytes, p->cut));
    if (rest.n)
        p->sink.data(p->sink.arg, d, p->ts, rest);
}

static void message(struct play *p, const struct step *t, struct buf *frame)
{
    enum stream_dir d = t->what == '>' ? STREAM_UP : STREAM_DOWN;
    unsigned first = WS_FIN | (p->binary ? WS_BINARY : WS_TEXT) | (p->z[d] ? WS_RSV1 : 0);
    struct buf body = { .p = NULL };
    buf_reset(frame);
    if (p->z[d])
        ws_deflate(p->z[d], slice_str(t->text), false, &body);
    ws_frame(frame, first, d == STREAM_UP,
             p->z[d] ? buf_slice(&body) : slice_str(t->text));
    buf_release(&body);
}

static void play_steps(struct play *p, const char *upgrade, const struct step *t)
{
    struct buf frame = { .p = NULL };
    const char *answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\n";
    send_bytes(p, STREAM_UP, slice_str(upgrade));
    buf_adds(&frame, answer);
    buf_adds(&frame,
             p->z[0] ? "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" : "\r\n");
    send_bytes(p, STREAM_DOWN, buf_slice(&frame));
    for (; t->what; t++) {
        p->ts += SECOND;
        message(p, t, &frame);
        if (t->what == '-')
            p->sink.gap(p->sink.arg, STREAM_DOWN, p->ts, frame.n);
        else
            send_bytes(p, t->what == '>' ? STREAM_UP : STREAM_DOWN, buf_slice(&frame));
    }
    buf_release(&frame);
}

static struct world *run(const char *upgrade, const struct step *t, size_t cut,
                         bool packed)
{
    struct world *w = calloc(1, sizeof *w);
    struct http_options o = { .shared = &w->shared,
                              .client = SLICE("c:1"),
                              .server = SLICE("s:443"),
                              .server_port = 443 };
    struct play p = { .w = w, .cut = cut, .ts = SECOND, .binary = cut & 1 };
    w->shared = (struct http_shared){
        .extract = extract_new(), .emit = note, .arg = w, .limits = HTTP_LIMITS
    };
    struct http *h = http_new(&o);
    for (int d = 0; packed && d < 2; d++)
        p.z[d] = ws_deflater(15);
    http_sink(h, &p.sink);
    play_steps(&p, upgrade, t);
    http_free(h);
    for (int d = 0; packed && d < 2; d++)
        ws_deflater_free(p.z[d]);
    assert_int_equal(w->shared.in_flight, 0);
    assert_int_equal(w->shared.decoding, 0);
    assert_int_equal(w->shared.count[HTTP_sockets], 1);
    return w;
}

static void world_free(struct world *w)
{
    extract_free(w->shared.extract);
    buf_release(&w->says);
    free(w);
}

static void every_cut(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(cases); c++) {
        for (size_t cut = 0; cut <= 620; cut++) {
            for (int packed = 0; packed < (cut < 250 ? 2 : 1); packed++) {
                struct world *w = run(cases[c].upgrade, cases[c].step, cut, packed);
                CHECK(!strcmp(buf_cstr(&w->says), cases[c].says), "%s%s, cut at %zu:\n%s",
                      cases[c].name, packed ? ", packed" : "", cut, buf_cstr(&w->says));
                world_free(w);
            }
        }
    }
}

static void losses(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT_OF(lossy); c++) {
        struct world *w = run(lossy[c].upgrade, lossy[c].step, 3, false);
        const char *want = lossy[c].says ? lossy[c].says : "gemini.live - - ok missing\n";
        CHECK(!strcmp(buf_cstr(&w->says), want), "%s:\n%s", lossy[c].name,
              buf_cstr(&w->says));
        assert_int_equal(w->shared.count[HTTP_socket_lost], 1);
        world_free(w);
        /* Compressed with the window kept: nothing behind a loss can be read. */
        w = run(lossy[c].upgrade, lossy[c].step, 3, true);
        CHECK(slice_find(buf_slice(&w->says), SLICE("exact")) == SIZE_MAX, "%s:\n%s",
              lossy[c].name, buf_cstr(&w->says));
        world_free(w);
    }
}

/* Sockets that are none of ours, and upgrades that are refused. */
static void others(void **state)
{
    static const struct {
        const char *request, *response;
        enum http_count counted;
    } rows[] = {
        { "GET /chat HTTP/1.1\r\nHost: example.com\r\n" KEY_FIELDS,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi",
          HTTP_upgraded },
        { REALTIME,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          "Sec-WebSocket-Extensions: x-own\r\n\r\n\x81\x02hi",
          HTTP_upgraded },
        { REALTIME, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
          HTTP_complete },
        { REALTIME,
          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x83\x02hi",
          HTTP_bad_socket },
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct world *w = calloc(1, sizeof *w);
        struct http_options o = { .shared = &w->shared,
                                  .client = SLICE("c:1"),
                                  .server = SLICE("s:443"),
                                  .server_port = 443 };
        struct stream_sink s;
        w->shared = (struct http_shared){
            .extract = extract_new(), .emit = note, .arg = w, .limits = HTTP_LIMITS
        };
        struct http *h = http_new(&o);
        http_sink(h, &s);
        s.data(s.arg, STREAM_UP, SECOND, slice_str(rows[i].request));
        s.data(s.arg, STREAM_DOWN, SECOND, slice_str(rows[i].response));
        http_free(h);
        CHECK(w->shared.count[rows[i].counted] == 1, "row %zu: %llu", i,
              (unsigned long long)w->shared.count[rows[i].counted]);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut),
        cmocka_unit_test(losses),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
