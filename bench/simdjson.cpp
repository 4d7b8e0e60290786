// The peer for logs of which every line is a call: simdjson's on-demand parser, the file
// loaded in one piece as its documentation advises, a batch of lines at a time. Sums what
// gen_logs writes; no judging, no dedup, no prices. Built by bench/logs.sh when simdjson
// (libsimdjson-dev) is there.
#include <cstdio>
#include <simdjson.h>

using namespace simdjson;

static uint64_t count(ondemand::object &usage, const char *key)
{
    uint64_t v;
    return usage[key].get(v) == SUCCESS ? v : 0;
}

int main(int argc, char **argv)
{
    padded_string text;
    if (argc != 2 || padded_string::load(argv[1]).get(text) != SUCCESS) {
        std::fprintf(stderr, "usage: simdjson FILE\n");
        return 2;
    }
    ondemand::parser parser;
    ondemand::document_stream lines;
    if (parser.iterate_many(text, 1 << 20).get(lines) != SUCCESS)
        return 1;
    uint64_t calls = 0, input = 0, output = 0, cached = 0;
    for (auto line : lines) {
        ondemand::object usage;
        if (line["usage"].get_object().get(usage) != SUCCESS)
            continue;
        calls++;
        for (auto field : usage) {
            std::string_view key;
            uint64_t v;
            if (field.unescaped_key().get(key) != SUCCESS)
                return 1;
            if (key == "prompt_tokens_details") {
                ondemand::object details;
                if (field.value().get_object().get(details) == SUCCESS)
                    cached += count(details, "cached_tokens");
            } else if (field.value().get_uint64().get(v) != SUCCESS) {
                continue;
            } else if (key == "prompt_tokens" || key == "input_tokens" ||
                       key == "cache_creation_input_tokens") {
                input += v;
            } else if (key == "cache_read_input_tokens") {
                input += v;
                cached += v;
            } else if (key == "completion_tokens" || key == "output_tokens") {
                output += v;
            }
        }
    }
    std::printf("%llu calls, %llu in, %llu cached, %llu out\n", (unsigned long long)calls,
                (unsigned long long)input, (unsigned long long)cached,
                (unsigned long long)output);
}
