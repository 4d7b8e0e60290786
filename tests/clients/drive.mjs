// Drives the providers' own SDKs, unmodified, against server.mjs.
//
//   node --tls-keylog=FILE drive.mjs PORT h1|h2       providers' hosts, https on PORT
//   node drive.mjs 8000 plain                         a base URL of one's own, http
//
// Prints what each call returned to the application, one JSON line: {id, input, output} in
// the provider's own counting, or {aborted}. Exit 1 when a call failed.
import OpenAI, { AzureOpenAI } from 'openai';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { Ollama } from 'ollama';
import { Agent, setGlobalDispatcher } from 'undici';

const [port, mode] = process.argv.slice(2);
if (mode === 'h2') setGlobalDispatcher(new Agent({ allowH2: true }));
const own = mode === 'plain';
const base = (host) =>
  own ? `http://127.0.0.1:${port}` : `https://${host}${port === '443' ? '' : `:${port}`}`;
const apiKey = 'sk-CANARY-KEY',
  text = 'CANARY-PROMPT';
const long = [{ role: 'user', content: text.repeat(20000) }]; // and as long an answer
const user = [{ role: 'user', content: text }];
const run = process.pid;

const openai = new OpenAI({ apiKey, baseURL: `${base('api.openai.com')}/v1`, maxRetries: 4 });
const azure = own
  ? null
  : new AzureOpenAI({
      apiKey,
      apiVersion: '2024-10-21',
      deployment: 'gpt-4o',
      endpoint: base('shop.openai.azure.com'),
    });
const anthropic = new Anthropic({ apiKey, baseURL: base('api.anthropic.com'), maxRetries: 4 });
const google = new GoogleGenAI({
  apiKey,
  httpOptions: { baseUrl: base('generativelanguage.googleapis.com') },
});
const ollama = new Ollama({ host: 'http://127.0.0.1:11434' });

const say = (call) => process.stdout.write(JSON.stringify(call) + '\n');
const openaiSays = (r) =>
  say({
    id: r.id ?? null,
    input: r.usage?.prompt_tokens ?? r.usage?.input_tokens,
    output: r.usage?.completion_tokens ?? r.usage?.output_tokens,
  });
const anthropicSays = (m) =>
  say({ id: m.id, input: m.usage.input_tokens, output: m.usage.output_tokens });
const googleSays = (r) =>
  say({
    id: r.responseId,
    input: r.usageMetadata.promptTokenCount,
    output: r.usageMetadata.candidatesTokenCount + (r.usageMetadata.thoughtsTokenCount ?? 0),
  });
const ollamaSays = (r) => say({ id: null, input: r.prompt_eval_count, output: r.eval_count });

// Read a stream to its end, or leave it after two pieces.
async function drain(stream, leave) {
  let last,
    seen = 0;
  for await (const piece of stream) {
    last = piece;
    if (leave && ++seen === 2) {
      say({ aborted: true });
      leave();
      return null;
    }
  }
  return last;
}

const quietly = (call) =>
  call.catch((e) => {
    if (!/abort/i.test(`${e.name} ${e.message}`)) throw e;
  });

async function chatStream(client, model, include_usage, leave) {
  const s = await client.chat.completions.create({
    model,
    messages: user,
    stream: true,
    ...(include_usage ? { stream_options: { include_usage } } : {}),
  });
  const last = await quietly(drain(s, leave && (() => s.controller.abort())));
  if (last) openaiSays(last);
}

async function messageStream(leave) {
  const s = anthropic.messages.stream({
    model: 'claude-sonnet-5-5',
    max_tokens: 500,
    messages: user,
  });
  if (leave) return quietly(drain(s, () => s.abort()));
  return anthropicSays(await s.finalMessage());
}

async function googleStream(leave) {
  const stop = new AbortController();
  const s = await google.models.generateContentStream({
    model: 'gemini-2.5-flash',
    contents: text,
    config: { abortSignal: stop.signal },
  });
  const last = await quietly(drain(s, leave && (() => stop.abort())));
  if (last) googleSays(last);
}

async function responseStream() {
  const last = await drain(
    await openai.responses.create({ model: 'gpt-5-mini', input: text, stream: true }),
  );
  openaiSays(last.response);
}

const retried = (what) => ({ headers: { 'x-fault': `429,500;${run}-${mode}-${what}` } });
const calls = {
  chat: async () =>
    openaiSays(await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: user })),
  chatLong: async () =>
    openaiSays(await openai.chat.completions.create({ model: 'gpt-4o-mini', messages: long })),
  chatStream: () => chatStream(openai, 'gpt-4o-mini', true),
  chatStreamBare: () => chatStream(openai, 'gpt-4o-mini', false),
  responses: async () =>
    openaiSays(await openai.responses.create({ model: 'gpt-5-mini', input: text })),
  responseStream,
  embeddings: async () =>
    openaiSays(await openai.embeddings.create({ model: 'text-embedding-3-small', input: text })),
  messages: async () =>
    anthropicSays(
      await anthropic.messages.create({
        model: 'claude-sonnet-5-5',
        max_tokens: 500,
        messages: user,
      }),
    ),
  messageStream: () => messageStream(false),
  generate: async () =>
    googleSays(await google.models.generateContent({ model: 'gemini-2.5-flash', contents: text })),
  generateStream: () => googleStream(false),
};
if (azure) {
  calls.azure = async () =>
    openaiSays(await azure.chat.completions.create({ model: 'gpt-4o', messages: user }));
  calls.azureStream = () => chatStream(azure, 'gpt-4o', true);
}
const ollamaAsk = { model: 'llama3.2:3b', messages: user };
if (own) {
  calls.ollama = async () => ollamaSays(await ollama.chat({ ...ollamaAsk, stream: false }));
  calls.ollamaStream = async () =>
    ollamaSays(await drain(await ollama.chat({ ...ollamaAsk, stream: true })));
  calls.ollamaGenerate = async () =>
    ollamaSays(
      await drain(await ollama.generate({ model: 'llama3.2:3b', prompt: text, stream: true })),
    );
  calls.ollamaEmbed = async () =>
    ollamaSays(await ollama.embed({ model: 'all-minilm', input: text }));
}
const once = {
  chatRetried: async () =>
    openaiSays(
      await openai.chat.completions.create(
        { model: 'gpt-4o-mini', messages: user },
        retried('chat'),
      ),
    ),
  messagesRetried: async () =>
    anthropicSays(
      await anthropic.messages.create(
        { model: 'claude-sonnet-5-5', max_tokens: 500, messages: user },
        retried('messages'),
      ),
    ),
  chatLeft: () => chatStream(openai, 'gpt-4o-mini', true, true),
  messagesLeft: () => messageStream(true),
  generateLeft: () => googleStream(true),
};
if (own) {
  once.ollamaLeft = async () => {
    const s = await ollama.chat({ ...ollamaAsk, stream: true });
    return quietly(drain(s, () => s.abort()));
  };
}

let failed = 0;
async function attempt([name, call]) {
  try {
    await call();
  } catch (e) {
    failed++;
    console.error(`${mode} ${port} ${name}: ${e.stack}`);
  }
}
for (const entry of Object.entries(calls)) await attempt(entry); // one connection, kept alive
await Promise.all([...Object.entries(calls), ...Object.entries(calls)].map(attempt));
for (const entry of Object.entries(once)) await attempt(entry);
await Promise.all(Object.entries(calls).map(attempt)); // after connections were lost
process.exit(failed ? 1 : 0);
