/* The table of `alerts.channels`, and what each kind needs: see notify.h. */
#include "collector/notify.h"

static const char *const kinds[] = { "webhook",   "slack", "alertmanager",
                                     "pagerduty", "email", NULL };
const char *notify_kind_name(int kind)
{
    return kinds[kind];
}

static const char *const tls_names[] = { "required", "try", "none", NULL };

#define FIELD(member) offsetof(struct notify_channel, member)
#define TEXT(name, member, text)                                                         \
    {                                                                                    \
        .key = name, .type = YAML_STRING, .offset = FIELD(member), .fallback = "",       \
        .help = text                                                                     \
    }
const struct yaml_field notify_channel_fields[] = {
    { .key = "name",
      .type = YAML_STRING,
      .offset = FIELD(name),
      .required = true,
      .help = "name of the channel in messages and commands" },
    { .key = "type",
      .type = YAML_ENUM,
      .offset = FIELD(kind),
      .fallback = "webhook",
      .names = kinds,
      .help = "what the receiver understands" },
    TEXT("url", url,
         "where to send; pagerduty has a default, email takes "
         "smtp://host:port or smtps://host"),
    TEXT("url_file", url_file, "file with the url, where it is a secret (Slack)"),
    TEXT("url_env", url_env, "environment variable with the url"),
    TEXT("token_file", token_file,
         "file with the receiver's secret: bearer token, "
         "PagerDuty's routing key, password of the mail server"),
    TEXT("token_env", token_env, "environment variable with that secret"),
    TEXT("username", username, "name at the mail server; empty: no login"),
    TEXT("from", from, "sender of mails"),
    { .key = "to",
      .type = YAML_STRINGS,
      .offset = FIELD(to),
      .max = 50,
      .help = "recipients of mails" },
    { .key = "tls",
      .type = YAML_ENUM,
      .offset = FIELD(tls),
      .fallback = "required",
      .names = tls_names,
      .help = "STARTTLS on smtp://" },
    TEXT("ca_file", ca_file, "certificates to trust in place of the system's, PEM"),
    { .key = "timeout",
      .type = YAML_DURATION,
      .offset = FIELD(timeout_ms),
      .fallback = "10s",
      .min = 100,
      .max = 120000,
      .help = "longest wait for an answer" },
    { .key = "send_resolved",
      .type = YAML_BOOL,
      .offset = FIELD(send_resolved),
      .fallback = "true",
      .help = "also say when an alert is over" },
    { .type = YAML_LINE, .key = "", .offset = FIELD(line) },
    { 0 },
};

static bool given(const char *s)
{
    return s && *s;
}

/* One mail address for a header and for SMTP: no blanks, no controls, no brackets. */
static bool is_address(const char *s)
{
    size_t at = slice_chr(slice_str(s), '@');
    for (const char *p = s; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f || strchr("<>,;\"", *p))
            return false;
    return at != SIZE_MAX && at > 0 && s[at + 1];
}

static const char *check_mail(const struct notify_channel *c)
{
    if (!is_address(c->from ? c->from : ""))
        return "email needs from: an address like alerts@example.org";
    if (c->to.n == 0)
        return "email needs to: one or more addresses";
    for (size_t i = 0; i < c->to.n; i++)
        if (!is_address(c->to.at[i]))
            return "to: holds something that is no mail address";
    if (given(c->username) && !given(c->token_file) && !given(c->token_env))
        return "username needs token_file or token_env with the password";
    if (given(c->url) && !slice_istarts(slice_str(c->url), SLICE("smtp://")) &&
        !slice_istarts(slice_str(c->url), SLICE("smtps://")))
        return "the url of an email channel begins with smtp:// or smtps://";
    return NULL;
}

static const char *check_web(const struct notify_channel *c)
{
    if (given(c->url) && !slice_istarts(slice_str(c->url), SLICE("http://")) &&
        !slice_istarts(slice_str(c->url), SLICE("https://")))
        return "url must begin with http:// or https://";
    if (given(c->from) || given(c->username) || c->to.n)
        return "from, to and username belong to type: email";
    if (c->kind == NOTIFY_PAGERDUTY && !given(c->token_file) && !given(c->token_env))
        return "pagerduty needs token_file or token_env with the routing key";
    return NULL;
}

enum status notify_channel_check(const struct notify_channel *c, const char *file,
                                 struct buf *why)
{
    int urls = given(c->url) + given(c->url_file) + given(c->url_env);
    const char *wrong = NULL;
    if (!given(c->name) || strlen(c->name) > 100)
        wrong = "name must have 1 to 100 bytes";
    else if (urls > 1)
        wrong = "url, url_file and url_env exclude each other";
    else if (urls == 0 && c->kind != NOTIFY_PAGERDUTY)
        wrong = "one of url, url_file and url_env is needed";
    else if (given(c->token_file) && given(c->token_env))
        wrong = "token_file and token_env exclude each other";
    else
        wrong = c->kind == NOTIFY_EMAIL ? check_mail(c) : check_web(c);
    if (!wrong)
        return ST_OK;
    buf_addf(why, "%s:%d: alerts.channels: %s: %s", file, c->line, c->name ? c->name : "",
             wrong);
    return ST_CONFIG;
}
