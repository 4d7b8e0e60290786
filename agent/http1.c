/* Heads are parsed whole, in place if one piece holds them; bodies by explicit states. */
#include "agent/http1.h"

enum {
    START, /* between messages: empty lines are passed over */
    HEAD,
    FIXED, /* body of known length */
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_DATA,
    CHUNK_CR,
    CHUNK_LF,
    TRAILER,
    UNTIL_CLOSE,
    SEEK,
};

enum { LINE_MAX_SOUGHT = 8192, PLAUSIBLE = 16 };

void http1_init(struct http1 *h, bool response, size_t header_bytes)
{
    *h = (struct http1){ .response = response, .header_bytes = header_bytes };
    h->text.limit =
        header_bytes > 4 * LINE_MAX_SOUGHT ? header_bytes : 4 * LINE_MAX_SOUGHT;
}

void http1_release(struct http1 *h)
{
    buf_release(&h->text);
}

bool http1_inside(const struct http1 *h)
{
    return h->state != START;
}

bool http1_seeking(const struct http1 *h)
{
    return h->state == SEEK;
}

void http1_seek(struct http1 *h)
{
    h->state = SEEK;
    buf_wipe(&h->text);
}

static enum http1_end bad(struct http1 *h, const char *why)
{
    h->why = why;
    http1_seek(h);
    return HTTP1_BAD;
}

/* --- fields ---------------------------------------------------------------------------
 */

bool http1_head_get(const struct http1_head *h, struct slice name, struct slice *value)
{
    for (size_t i = 0; i < h->fields; i++) {
        if (slice_ieq(h->field[i].name, name)) {
            *value = h->field[i].value;
            return true;
        }
    }
    return false;
}

bool http1_list_has(struct slice list, struct slice token)
{
    struct slice element;
    while (list.n) {
        slice_cut(list, ',', &element, &list);
        slice_cut(element, ';', &element, &(struct slice){ NULL, 0 });
        if (slice_ieq(slice_trim(element), token))
            return true;
    }
    return false;
}

static bool token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!token_char(s.p[i]))
            return false;
    return s.n > 0;
}

/* No control characters but tab. */
static bool is_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
            return false;
    return true;
}

/* --- start lines ----------------------------------------------------------------------
 */

static bool is_version(struct slice s)
{
    return s.n == 8 && slice_starts(s, SLICE("HTTP/1.")) && s.p[7] >= '0' &&
           s.p[7] <= '9';
}

static bool parse_request_line(struct slice line, struct http1_head *out)
{
    struct slice version;
    return slice_cut(line, ' ', &out->method, &line) &&
           slice_cut(line, ' ', &out->target, &version) && is_version(version) &&
           out->target.n && is_token(out->method) && is_text(out->target);
}

static bool parse_status_line(struct slice line, struct http1_head *out)
{
    struct slice version, code;
    uint64_t status;
    slice_cut(line, ' ', &version, &line);
    slice_cut(line, ' ', &code, &line);
    if (!is_version(version) || code.n != 3 || !slice_u64(code, &status) ||
        status < 100 || !is_text(line))
        return false;
    out->status = (uint16_t)status;
    return true;
}

/* Can these first bytes of a message become a start line? */
static bool plausible(const struct http1 *h, struct slice s)
{
    static const char version[] = "HTTP/1.";
    if (h->response)
        return slice_starts(SLICE(version), slice_head(s, sizeof version - 1));
    for (size_t i = 0; i < s.n && i < PLAUSIBLE; i++) {
        if (s.p[i] == ' ')
            return i > 0;
        if (!token_char(s.p[i]))
            return false;
    }
    return s.n < PLAUSIBLE;
}

/* --- search for the next message ------------------------------------------------------
 */

/* A reason phrase as servers send it; text in JSON would show its escapes here. */
static bool is_reason(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!token_char(s.p[i]) && s.p[i] != ' ')
            return false;
    return s.n <= 64;
}

/* Offset of a status line that ends `line`, or SIZE_MAX. */
static size_t status_line_in(struct slice line)
{
    struct slice rest = line;
    struct http1_head head;
    for (size_t at; (at = slice_find(rest, SLICE("HTTP/1."))) != SIZE_MAX;
         rest = slice_from(rest, at + 1)) {
        struct slice s = slice_from(rest, at);
        if (parse_status_line(s, &head) && is_reason(slice_from(s, 12)))
            return (size_t)(s.p - line.p);
    }
    return SIZE_MAX;
}

/* The same for a request line: a known method right before the target. */
static size_t request_line_in(struct slice line)
{
    static const char *const methods[] = { "POST",   "GET",  "PUT",     "PATCH",
                                           "DELETE", "HEAD", "OPTIONS", "CONNECT" };
    if (line.n < 9 || !is_version(slice_from(line, line.n - 8)) ||
        line.p[line.n - 9] != ' ')
        return SIZE_MAX;
    size_t to = line.n - 9, from = to;
    while (from && line.p[from - 1] != ' ')
        from--;
    if (from == to || from < 2 || !is_text(slice_of(line.p + from, to - from)))
        return SIZE_MAX;
    struct slice before = slice_head(line, from - 1);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (slice_ends(before, slice_str(methods[i])))
            return before.n - strlen(methods[i]);
    return SIZE_MAX;
}

static struct slice without_eol(struct slice line)
{
    if (line.n && line.p[line.n - 1] == '\n')
        line.n--;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* The end of the line at hand is kept in h->text, its beginning if it is short. */
static size_t seek(struct http1 *h, struct slice in)
{
    size_t lf = slice_chr(in, '\n');
    struct slice piece = slice_head(in, lf == SIZE_MAX ? in.n : lf + 1);
    size_t surplus = piece.n > LINE_MAX_SOUGHT ? piece.n - LINE_MAX_SOUGHT : 0;
    if (h->text.n > LINE_MAX_SOUGHT)
        buf_shift(&h->text, h->text.n - LINE_MAX_SOUGHT / 2);
    if (surplus)
        buf_wipe(&h->text);
    buf_add(&h->text, slice_from(piece, surplus));
    if (lf == SIZE_MAX)
        return piece.n;
    struct slice line = without_eol(buf_slice(&h->text));
    size_t at = h->response ? status_line_in(line) : request_line_in(line);
    if (at == SIZE_MAX) {
        buf_wipe(&h->text);
    } else {
        buf_shift(&h->text, at);
        h->state = HEAD;
        h->blank = 1;
    }
    return piece.n;
}

/* --- head -----------------------------------------------------------------------------
 */

/*
 * Offset behind the empty line that ends a head, or SIZE_MAX. *blank carries over cuts:
 * 0 inside a line, 1 behind a line feed, 2 behind CR after it.
 */
static size_t empty_line(struct slice in, unsigned char *blank)
{
    size_t i = 0;
    while (i < in.n) {
        if (*blank == 0) {
            size_t lf = slice_chr(slice_from(in, i), '\n');
            if (lf == SIZE_MAX)
                return SIZE_MAX;
            i += lf + 1;
            *blank = 1;
        } else if (in.p[i] == '\n') {
            return i + 1;
        } else if (in.p[i] == '\r' && *blank == 1) {
            *blank = 2;
            i++;
        } else {
            *blank = 0;
        }
    }
    return SIZE_MAX;
}

/* What the fields say about the body. */
struct framing {
    bool chunked, coded, length;
    uint64_t bytes;
};

static const char *read_length(struct slice value, struct framing *f)
{
    struct slice one;
    while (value.n) {
        uint64_t n;
        slice_cut(value, ',', &one, &value);
        if (!slice_u64(slice_trim(one), &n))
            return "Content-Length is not a number";
        if (f->length && n != f->bytes)
            return "two different Content-Lengths";
        f->length = true;
        f->bytes = n;
    }
    return f->length ? NULL : "Content-Length is empty";
}

static const char *read_framing(const struct extract_header *field, struct framing *f)
{
    if (slice_ieq(field->name, SLICE("content-length")))
        return read_length(field->value, f);
    if (!slice_ieq(field->name, SLICE("transfer-encoding")))
        return NULL;
    struct slice last = field->value, one;
    while (last.n) {
        slice_cut(last, ',', &one, &last);
        if (f->chunked)
            return "a transfer coding behind chunked";
        f->chunked = slice_ieq(slice_trim(one), SLICE("chunked"));
        f->coded = true;
    }
    return NULL;
}

/*
 * A field line; a line that begins with a space continues the value before it. White
 * space before the colon is what clients drop in responses and servers refuse in requests
 * (RFC 9112, 5.1).
 */
static const char *parse_field(struct slice line, bool response,
                               struct extract_header *field, size_t *n)
{
    struct slice name, value;
    if (line.p[0] == ' ' || line.p[0] == '\t') {
        if (!*n || !is_text(line))
            return "a continuation of nothing";
        struct slice *v = &field[*n - 1].value;
        *v = slice_trim(slice_of(v->p, (size_t)(line.p + line.n - v->p)));
        return NULL;
    }
    if (!slice_cut(line, ':', &name, &value))
        return "a header line without a colon";
    if (response)
        name = slice_trim(name);
    if (!is_token(name))
        return "a header name that is no token";
    if (*n == HTTP1_FIELDS)
        return "too many header lines";
    if (!is_text(value))
        return "a control character in a header";
    value = slice_trim(value);
    if (!value.n)
        value.p = line.p + line.n;
    field[(*n)++] = (struct extract_header){ name, value };
    return NULL;
}

/* From the head's fields to the state of the body. */
static enum http1_end begin_body(struct http1 *h, const struct http1_head *head,
                                 const struct framing *f, bool may_have)
{
    uint16_t s = head->status;
    h->state = START;
    if (h->response && (!may_have || s < 200 || s == 204 || s == 304))
        return HTTP1_DONE;
    h->left = f->bytes;
    h->digits = 0;
    if (f->chunked)
        h->state = CHUNK_SIZE;
    else if (f->coded && !h->response)
        return bad(h, "a request whose last transfer coding is not chunked");
    else if (f->coded || (h->response && !f->length))
        h->state = UNTIL_CLOSE;
    else if (f->bytes)
        h->state = FIXED;
    return h->state == START ? HTTP1_DONE : HTTP1_MORE;
}

static enum http1_end parse_head(struct http1 *h, struct slice text,
                                 const struct http1_events *on, void *arg)
{
    struct extract_header field[HTTP1_FIELDS];
    struct http1_head head = { .field = field };
    struct framing f = { .chunked = false };
    const char *why = NULL;
    struct slice line;
    slice_cut(text, '\n', &line, &text);
    line = without_eol(line);
    if (h->response ? !parse_status_line(line, &head) : !parse_request_line(line, &head))
        return bad(h, h->response ? "not a status line" : "not a request line");
    while (!why && slice_cut(text, '\n', &line, &text) && (line = without_eol(line)).n)
        why = parse_field(line, h->response, field, &head.fields);
    for (size_t i = 0; i < head.fields && !why; i++)
        why = read_framing(&field[i], &f);
    if (why)
        return bad(h, why);
    return begin_body(h, &head, &f, on->head(arg, &head));
}

static size_t feed_head(struct http1 *h, struct slice in, const struct http1_events *on,
                        void *arg, enum http1_end *end)
{
    if (h->text.n < PLAUSIBLE) {
        char first[PLAUSIBLE];
        size_t have = h->text.n, more = in.n < PLAUSIBLE - have ? in.n : PLAUSIBLE - have;
        if (have)
            memcpy(first, h->text.p, have);
        memcpy(first + have, in.p, more);
        if (!plausible(h, slice_of(first, have + more))) {
            h->why = "not the start of a message";
            h->state = SEEK; /* what was kept of it stays, it may hold the start */
            *end = HTTP1_BAD;
            return 0;
        }
    }
    size_t at = empty_line(in, &h->blank);
    size_t n = at == SIZE_MAX ? in.n : at;
    if (h->text.n + n > h->header_bytes) {
        *end = bad(h, "a message head over the limit");
        return n;
    }
    struct slice text = slice_head(in, n);
    if (h->text.n || at == SIZE_MAX) {
        buf_add(&h->text, text);
        text = buf_slice(&h->text);
    }
    if (h->text.st != ST_OK)
        *end = bad(h, "out of memory");
    else if (at != SIZE_MAX)
        *end = parse_head(h, text, on, arg);
    if (at != SIZE_MAX)
        buf_wipe(&h->text);
    return n;
}

/* --- bodies ---------------------------------------------------------------------------
 */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The line of a chunk's size is over. */
static enum http1_end size_over(struct http1 *h)
{
    h->overhead = 0;
    h->state = h->left ? CHUNK_DATA : TRAILER;
    h->blank = 1;
    return HTTP1_MORE;
}

static enum http1_end chunk_size(struct http1 *h, char c)
{
    int digit = hex(c);
    if (!h->digits)
        h->left = 0;
    if (digit >= 0) {
        if (h->left >> 60)
            return bad(h, "a chunk size over 64 bits");
        h->left = h->left << 4 | (unsigned)digit;
        h->digits = 1;
        return HTTP1_MORE;
    }
    if (!h->digits || !(c == ';' || c == '\r' || c == '\n' || c == ' ' || c == '\t'))
        return bad(h, "a chunk size that is no number");
    if (c == '\n')
        return size_over(h);
    h->overhead = c == '\r';
    h->state = CHUNK_EXTENSION;
    return HTTP1_MORE;
}

/* What stands behind a chunk's size is skipped to the line's end. */
static size_t extension(struct http1 *h, struct slice in, enum http1_end *end)
{
    size_t lf = slice_chr(in, '\n');
    size_t n = lf == SIZE_MAX ? in.n : lf + 1;
    h->overhead += n;
    if (h->overhead > h->header_bytes)
        *end = bad(h, "a chunk extension over the limit");
    else if (lf != SIZE_MAX)
        *end = size_over(h);
    return n;
}

static size_t trailer(struct http1 *h, struct slice in, enum http1_end *end)
{
    size_t at = empty_line(in, &h->blank);
    size_t n = at == SIZE_MAX ? in.n : at;
    h->overhead += n;
    if (h->overhead > h->header_bytes) {
        *end = bad(h, "a trailer over the limit");
    } else if (at != SIZE_MAX) {
        h->state = START;
        *end = HTTP1_DONE;
    }
    return n;
}

static size_t counted(struct http1 *h, struct slice in, const struct http1_events *on,
                      void *arg, enum http1_end *end)
{
    struct slice piece = slice_head(in, h->left < in.n ? (size_t)h->left : in.n);
    h->left -= piece.n;
    on->body(arg, piece);
    if (h->left)
        return piece.n;
    h->digits = 0;
    if (h->state == FIXED)
        *end = HTTP1_DONE;
    h->state = h->state == FIXED ? START : CHUNK_CR;
    return piece.n;
}

/* CR LF, or LF alone, behind a chunk. */
static enum http1_end chunk_end(struct http1 *h, char c)
{
    if (c == '\r' && h->state == CHUNK_CR)
        h->state = CHUNK_LF;
    else if (c == '\n')
        h->state = CHUNK_SIZE;
    else
        return bad(h, "a chunk longer than its size");
    return HTTP1_MORE;
}

static size_t step(struct http1 *h, struct slice in, const struct http1_events *on,
                   void *arg, enum http1_end *end)
{
    switch (h->state) {
    case START:
        if (in.p[0] == '\r' || in.p[0] == '\n')
            return 1;
        h->state = HEAD;
        h->blank = 0;
        return feed_head(h, in, on, arg, end);
    case HEAD:
        return feed_head(h, in, on, arg, end);
    case FIXED:
    case CHUNK_DATA:
        return counted(h, in, on, arg, end);
    case CHUNK_SIZE:
        *end = chunk_size(h, in.p[0]);
        return 1;
    case CHUNK_EXTENSION:
        return extension(h, in, end);
    case CHUNK_CR:
    case CHUNK_LF:
        *end = chunk_end(h, in.p[0]);
        return 1;
    case TRAILER:
        return trailer(h, in, end);
    case UNTIL_CLOSE:
        on->body(arg, in);
        return in.n;
    default:
        return seek(h, in);
    }
}

size_t http1_feed(struct http1 *h, struct slice in, const struct http1_events *on,
                  void *arg, enum http1_end *end)
{
    size_t at = 0;
    *end = HTTP1_MORE;
    while (at < in.n && *end == HTTP1_MORE)
        at += step(h, slice_from(in, at), on, arg, end);
    return at;
}

enum http1_end http1_gap(struct http1 *h, uint64_t bytes)
{
    if (h->state == UNTIL_CLOSE)
        return HTTP1_MORE;
    if (bytes && bytes <= h->left && (h->state == FIXED || h->state == CHUNK_DATA)) {
        h->left -= bytes;
        if (h->left)
            return HTTP1_MORE;
        h->digits = 0;
        h->state = h->state == FIXED ? START : CHUNK_CR;
        return h->state == START ? HTTP1_DONE : HTTP1_MORE;
    }
    http1_seek(h);
    return HTTP1_BAD;
}

enum http1_end http1_close(const struct http1 *h)
{
    if (h->state == UNTIL_CLOSE)
        return HTTP1_DONE;
    return h->state == START || h->state == SEEK ? HTTP1_MORE : HTTP1_BAD;
}
