/*
 * Log lines made up for the tests of the record door: line, provider|surface|model|id
 * (NULL: no call), accounting, { input, cache_read, write 5m, 1h, other, output,
 * reasoning }, -1 for not reported. The numbers of traps are those of usage-formats.
 */
#define NOTHING { -1, -1, -1, -1, -1, -1, -1 }
/* F1 OpenAI chat, details inside prompt and completion */
{ "{\"response\":{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"gpt-x\",\"usage\":{"
  "\"prompt_tokens\":120,\"completion_tokens\":30,\"total_tokens\":150,"
  "\"prompt_tokens_details\":{\"cached_tokens\":64,\"cache_write_tokens\":6},"
  "\"completion_tokens_details\":{\"reasoning_tokens\":12}}}}",
  "openai|openai.chat|gpt-x|c1", ACCOUNTING_CALL, { 50, 64, -1, -1, 6, 30, 12 } },
/* F2 Responses, usage before the names */
{ "{\"usage\":{\"input_tokens\":10,\"input_tokens_details\":{\"cached_tokens\":4},"
  "\"output_tokens\":5,\"output_tokens_details\":{\"reasoning_tokens\":2},"
  "\"total_tokens\":15},\"object\":\"response\",\"id\":\"resp_1\",\"model\":\"o4-x\"}",
  "openai|openai.responses|o4-x|resp_1", ACCOUNTING_CALL, { 6, 4, -1, -1, -1, 5, 2 } },
/* F3 embeddings */
{ "{\"object\":\"list\",\"model\":\"text-embedding-3-x\",\"data\":[{\"embedding\":[0.1]}],"
  "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}",
  "openai|openai.embeddings|text-embedding-3-x|", ACCOUNTING_CALL,
  { 9, -1, -1, -1, -1, 0, -1 } },
/* F4 Anthropic: nothing includes anything */
{ "{\"m\":{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"claude-x\",\"usage\":{"
  "\"input_tokens\":25,\"cache_read_input_tokens\":1800,\"cache_creation_input_tokens\":7,"
  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":3,\"ephemeral_1h_input_tokens\":4},"
  "\"output_tokens\":310}}}",
  "anthropic|anthropic.messages|claude-x|msg_1", ACCOUNTING_CALL,
  { 25, 1800, 3, 4, -1, 310, -1 } },
/* F5 Gemini, with tool prompt, and in snake case */
{ "{\"r\":{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]}}],\"usageMetadata\":{"
  "\"promptTokenCount\":100,\"cachedContentTokenCount\":40,\"toolUsePromptTokenCount\":5,"
  "\"candidatesTokenCount\":7,\"thoughtsTokenCount\":11,\"totalTokenCount\":123},"
  "\"modelVersion\":\"gemini-x\",\"responseId\":\"g1\"}}",
  "gemini|gemini.generate|gemini-x|g1", ACCOUNTING_CALL, { 65, 40, -1, -1, -1, 18, 11 } },
{ "{\"usage_metadata\":{\"prompt_token_count\":3,\"candidates_token_count\":4,"
  "\"total_token_count\":7}}",
  "|gemini.generate||", ACCOUNTING_CALL, { 3, -1, -1, -1, -1, 4, -1 } },
/* F6, trap 8: thinking only in the total */
{ "{\"provider\":\"gemini\",\"usage\":{\"prompt_tokens\":35,\"completion_tokens\":12,"
  "\"total_tokens\":109}}",
  "gemini|openai.chat||", ACCOUNTING_CALL, { 35, -1, -1, -1, -1, 74, 62 } },
/* F7 Interactions */
{ "{\"object\":\"interaction\",\"id\":\"v1_x\",\"usage\":{\"total_input_tokens\":53,"
  "\"total_cached_tokens\":3,\"total_output_tokens\":15,\"total_thought_tokens\":65,"
  "\"total_tool_use_tokens\":2,\"total_tokens\":135}}",
  "|gemini.interactions||v1_x", ACCOUNTING_CALL, { 52, 3, -1, -1, -1, 80, 65 } },
/* F8 and trap 14: both spellings of the cache fields, once */
{ "{\"usage\":{\"inputTokens\":3,\"outputTokens\":40,\"totalTokens\":9594,"
  "\"cacheReadInputTokens\":9511,\"cacheReadInputTokenCount\":9511,"
  "\"cacheWriteInputTokens\":40,\"cacheDetails\":[{\"ttl\":\"1h\",\"inputTokens\":40}]}}",
  "|bedrock.converse||", ACCOUNTING_CALL, { 3, 9511, 0, 40, -1, 40, -1 } },
/* F10, trap 9: xAI */
{ "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":35,"
  "\"completion_tokens_details\":{\"reasoning_tokens\":20}}}",
  "|openai.chat||", ACCOUNTING_CALL, { 10, -1, -1, -1, -1, 25, 20 } },
/* F11 DeepSeek */
{ "{\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":5,\"total_tokens\":105,"
  "\"prompt_cache_hit_tokens\":64,\"prompt_cache_miss_tokens\":36}}",
  "|openai.chat||", ACCOUNTING_CALL, { 36, 64, -1, -1, -1, 5, -1 } },
/* F12 Mistral, F15 Together */
{ "{\"usage\":{\"prompt_tokens\":20,\"completion_tokens\":5,\"total_tokens\":25,"
  "\"num_cached_tokens\":8}}",
  "|openai.chat||", ACCOUNTING_CALL, { 12, 8, -1, -1, -1, 5, -1 } },
/* F13, trap 20: Cohere */
{ "{\"id\":\"c\",\"meta\":{\"billed_units\":{\"input_tokens\":431.0,\"output_tokens\":5},"
  "\"tokens\":{\"input_tokens\":2190,\"output_tokens\":6}}}",
  "|cohere.chat_v2||c", ACCOUNTING_CALL, { 431, -1, -1, -1, -1, 5, -1 } },
/* F17 Ollama; a missing prompt count is missing */
{ "{\"model\":\"l:1\",\"done\":true,\"prompt_eval_count\":30,\"prompt_eval_cached_count\":10,"
  "\"eval_count\":7}",
  "|ollama.generate|l:1|", ACCOUNTING_CALL, { 20, 10, -1, -1, -1, 7, -1 } },
{ "{\"model\":\"l:1\",\"done\":true,\"eval_count\":7}", "|ollama.generate|l:1|",
  ACCOUNTING_CALL, { -1, -1, -1, -1, -1, 7, -1 } },
/* F18, trap 21: llama.cpp */
{ "{\"tokens_evaluated\":50,\"tokens_predicted\":9,\"tokens_cached\":58,"
  "\"timings\":{\"cache_n\":12}}",
  "|||", ACCOUNTING_CALL, { 38, 12, -1, -1, -1, 9, -1 } },
/* F21 LiteLLM: duplicates of the cache fields are not taken off twice */
{ "{\"usage\":{\"prompt_tokens\":900,\"completion_tokens\":40,\"total_tokens\":940,"
  "\"prompt_tokens_details\":{\"cached_tokens\":800},\"cache_read_input_tokens\":800,"
  "\"cache_creation_input_tokens\":20}}",
  "|openai.chat||", ACCOUNTING_CALL, { 80, 800, -1, -1, 20, 40, -1 } },
/* flat counters, as they come and folded */
{ "{\"time\":\"2026-11-02T10:00:02Z\",\"model\":\"m\",\"provider\":\"openai\","
  "\"prompt_tokens\":50,\"completion_tokens\":7,\"request_id\":\"r-1\"}",
  "openai||m|", ACCOUNTING_CALL, { 50, -1, -1, -1, -1, 7, -1 } },
{ "{\"Model\":\"m\",\"inputTokens\":50,\"Output-Tokens\":\"7\",\"cachedInputTokens\":8}",
  "||m|", ACCOUNTING_CALL, { 42, 8, -1, -1, -1, 7, -1 } },
{ "{\"provider\":\"anthropic\",\"model\":\"claude-x\",\"input_tokens\":5,\"output_tokens\":6,"
  "\"cache_read_input_tokens\":3}",
  "anthropic||claude-x|", ACCOUNTING_CALL, { 5, 3, -1, -1, -1, 6, -1 } },
/* 8.7 Claude Code */
{ "{\"type\":\"assistant\",\"timestamp\":\"2026-11-02T10:00:00.000Z\",\"sessionId\":\"s1\","
  "\"requestId\":\"req_1\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-x\",\"content\":["
  "{\"type\":\"text\",\"text\":\"usage\"}],\"usage\":{\"input_tokens\":4,"
  "\"cache_creation_input_tokens\":900,\"cache_read_input_tokens\":15000,\"output_tokens\":210}}}",
  "anthropic|anthropic.messages|claude-x|msg_1", ACCOUNTING_CALL,
  { 4, 15000, -1, -1, 900, 210, -1 } },
{ "{\"type\":\"assistant\",\"isApiErrorMessage\":true,\"message\":{\"model\":\"<synthetic>\","
  "\"usage\":{\"input_tokens\":0,\"output_tokens\":0}}}",
  NULL, ACCOUNTING_NONE, NOTHING },
/* trap 11: hardware cache counters of Groq are no usage */
{ "{\"x_groq\":{\"usage\":{\"dram_cached_tokens\":5,\"sram_cached_tokens\":5}},\"usage\":{"
  "\"prompt_tokens\":8,\"completion_tokens\":2,\"total_tokens\":10}}",
  "|openai.chat||", ACCOUNTING_CALL, { 8, -1, -1, -1, -1, 2, -1 } },
/* trap 15: counting is free */
{ "{\"response\":{\"object\":\"response.input_tokens\",\"input_tokens\":14}}",
  "|openai.count_tokens||", ACCOUNTING_FREE, NOTHING },
{ "{\"response\":{\"input_tokens\":14}}", NULL, ACCOUNTING_NONE, NOTHING },
{ "{\"method\":\"POST\",\"host\":\"api.anthropic.com\",\"path\":\"/v1/messages/count_tokens\","
  "\"response\":{\"input_tokens\":14}}",
  "anthropic|anthropic.count_tokens||", ACCOUNTING_FREE, NOTHING },
/* trap 24: a prompt or answer that looks like usage */
{ "{\"messages\":[{\"usage\":{\"prompt_tokens\":999999}}],\"content\":{\"usage\":{"
  "\"prompt_tokens\":999999}},\"prompt\":\"\\\"usage\\\":{\\\"prompt_tokens\\\":999999}\"}",
  NULL, ACCOUNTING_NONE, NOTHING },
{ "{\"prompt\":\"{\\\"usage\\\":{\\\"prompt_tokens\\\":999999,\\\"completion_tokens\\\":1}}\","
  "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}",
  "|openai.chat||", ACCOUNTING_CALL, { 1, -1, -1, -1, -1, 2, -1 } },
/* a failed call, a deferred one */
{ "{\"method\":\"POST\",\"host\":\"api.openai.com\",\"path\":\"/v1/chat/completions\","
  "\"status\":429,\"model\":\"m\",\"response\":{\"error\":{\"type\":\"rate_limit\"}}}",
  "openai|openai.chat|m|", ACCOUNTING_ERROR, NOTHING },
{ "{\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"queued\","
  "\"model\":\"m\",\"usage\":null}}",
  "|openai.responses|m|resp_1", ACCOUNTING_DEFERRED, NOTHING },
/* AI SDK: inclusive counts; the sum over steps is not another call */
{ "{\"model\":\"m\",\"usage\":{\"inputTokens\":50,\"outputTokens\":7,\"totalTokens\":57,"
  "\"cachedInputTokens\":10},\"totalUsage\":{\"inputTokens\":500,\"outputTokens\":70}}",
  "||m|", ACCOUNTING_CALL, { 40, 10, -1, -1, -1, 7, -1 } },
/* an answer that is logged beside the counters of its call is text, whatever it says */
{ "{\"model\":\"m\",\"prompt_tokens\":50,\"completion_tokens\":7,\"response\":\"{\\\"usage\\\""
  ":{\\\"prompt_tokens\\\":999999,\\\"completion_tokens\\\":9}}\"}",
  "||m|", ACCOUNTING_CALL, { 50, -1, -1, -1, -1, 7, -1 } },
/* words that other programs use, too */
{ "{\"event\":{\"type\":\"message\",\"id\":\"msg_1\",\"text\":\"hi\"}}", NULL, ACCOUNTING_NONE, NOTHING },
{ "{\"object\":\"file\",\"data\":[]}", NULL, ACCOUNTING_NONE, NOTHING },
/* no call at all */
{ "{\"level\":\"error\",\"error\":{\"message\":\"db\"},\"tokens\":5}", NULL, ACCOUNTING_NONE,
  NOTHING },
{ "{\"method\":\"GET\",\"path\":\"/health\",\"status\":200}", NULL, ACCOUNTING_NONE, NOTHING },
{ "{\"usage\":{\"cpu\":5,\"prompt_tokens\":-3}}", NULL, ACCOUNTING_NONE, NOTHING },
