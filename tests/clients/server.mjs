// Plays the providers for real clients (tests/system/live_clients.py): made-up bodies,
// counted by a truth log that knows nothing of the agent.
//
//   node server.mjs DIR ADDRESS
//
// DIR holds cert.pem and key.pem; DIR/truth.jsonl gets a line for each exchange when it is
// over, DIR/ready appears when all ports listen:
//   443   TLS 1.3, HTTP/1.1 or HTTP/2 by ALPN      8443  the same over TLS 1.2
//   9443  TLS 1.3 by ChaCha20 with a curve that makes clients say hello again
//   8000  HTTP/1.1 in clear   8001  HTTP/2 in clear   11434  Ollama, in clear
//
// A request header "x-fault: 429,500;KEY" makes the first requests of that KEY fail with
// these statuses, one after the other.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import zlib from 'node:zlib';

const [dir, address] = process.argv.slice(2);
const truth = fs.openSync(`${dir}/truth.jsonl`, 'w');
const MARK = 'CANARY-ANSWER'; // text that may be found nowhere but on the wire
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let count = 0;

// What is answered: as long as the question, and nothing that a coding makes short.
function answer(ask) {
  const long = ask.messages?.[0]?.content?.length ?? 0;
  return MARK + (long > 10000 ? crypto.randomBytes(long).toString('base64') : '');
}

// Token counts of exchange n: disjoint classes, output includes reasoning.
function tokens(n) {
  return {
    input: 1000 + 7 * n,
    cache_read: 64 * (n % 5),
    cache_write_5m: 11 * (n % 3),
    cache_write_1h: 13 * (n % 2),
    output: 100 + 3 * n,
    reasoning: 5 * (n % 4),
  };
}

const only = (t, ...names) =>
  Object.fromEntries(Object.keys(t).map((k) => [k, names.includes(k) ? t[k] : null]));

// --- bodies: what each dialect says for the counts t; reply {usage, json | events} ---

function chat(ask, t, n) {
  const id = `chatcmpl-${n}-${process.pid}`,
    usage = {
      prompt_tokens: t.input + t.cache_read,
      completion_tokens: t.output,
      total_tokens: t.input + t.cache_read + t.output,
      prompt_tokens_details: { cached_tokens: t.cache_read, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: t.reasoning, audio_tokens: 0 },
    };
  const says = only(t, 'input', 'cache_read', 'output', 'reasoning');
  const base = { id, created: 1790000000, model: ask.model };
  if (!ask.stream) {
    return {
      id,
      usage: says,
      json: {
        ...base,
        object: 'chat.completion',
        usage,
        choices: [
          { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: answer(ask) } },
        ],
      },
    };
  }
  const wanted = ask.stream_options?.include_usage;
  const chunk = (choices, more) =>
    `data: ${JSON.stringify({
      ...base,
      object: 'chat.completion.chunk',
      choices,
      ...(wanted ? { usage: null } : {}),
      ...more,
    })}\n\n`;
  const events = [chunk([{ index: 0, delta: { role: 'assistant', content: '' } }])];
  for (let i = 0; i < 12; i++) events.push(chunk([{ index: 0, delta: { content: answer(ask) } }]));
  events.push(chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]));
  if (wanted) events.push(chunk([], { usage }));
  return { id, usage: wanted ? says : null, events: [...events, 'data: [DONE]\n\n'] };
}

function responses(ask, t, n) {
  const id = `resp_${n}_${process.pid}`;
  const whole = {
    id,
    object: 'response',
    created_at: 1790000000,
    status: 'completed',
    model: ask.model,
    output: [
      {
        type: 'message',
        id: `msg_${n}`,
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: MARK, annotations: [] }],
      },
    ],
    usage: {
      input_tokens: t.input + t.cache_read,
      output_tokens: t.output,
      input_tokens_details: { cached_tokens: t.cache_read },
      output_tokens_details: { reasoning_tokens: t.reasoning },
      total_tokens: t.input + t.cache_read + t.output,
    },
  };
  const usage = only(t, 'input', 'cache_read', 'output', 'reasoning');
  if (!ask.stream) return { id, usage, json: whole };
  let at = 0;
  const event = (type, more) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: at++, ...more })}\n\n`;
  const events = [
    event('response.created', {
      response: { ...whole, status: 'in_progress', output: [], usage: null },
    }),
  ];
  for (let i = 0; i < 12; i++)
    events.push(event('response.output_text.delta', { item_id: `msg_${n}`, delta: MARK }));
  return { id, usage, events: [...events, event('response.completed', { response: whole })] };
}

function embeddings(ask, t) {
  return {
    id: null,
    usage: { ...only(t, 'input'), output: 0 },
    json: {
      object: 'list',
      model: ask.model,
      data: [
        {
          object: 'embedding',
          index: 0,
          embedding: Buffer.from(new Float32Array(256).buffer).toString('base64'),
        },
      ],
      usage: { prompt_tokens: t.input, total_tokens: t.input },
    },
  };
}

function messages(ask, t, n) {
  const id = `msg_${n}_${process.pid}`,
    usage = {
      input_tokens: t.input,
      cache_creation_input_tokens: t.cache_write_5m + t.cache_write_1h,
      cache_read_input_tokens: t.cache_read,
      cache_creation: {
        ephemeral_5m_input_tokens: t.cache_write_5m,
        ephemeral_1h_input_tokens: t.cache_write_1h,
      },
      output_tokens: t.output,
      service_tier: 'standard',
    };
  const says = only(t, 'input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output');
  const message = {
    id,
    type: 'message',
    role: 'assistant',
    model: ask.model,
    content: [{ type: 'text', text: MARK }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage,
  };
  if (!ask.stream) return { id, usage: says, json: message };
  const event = (type, more) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const events = [
    event('message_start', {
      message: {
        ...message,
        content: [],
        stop_reason: null,
        usage: { ...usage, output_tokens: 1 },
      },
    }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    event('ping'),
  ];
  for (let i = 0; i < 12; i++)
    events.push(
      event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: MARK } }),
    );
  return {
    id,
    usage: says,
    events: [
      ...events,
      event('content_block_stop', { index: 0 }),
      event('message_delta', {
        delta: { stop_reason: 'end_turn', stop_sequence: null },
        usage: { output_tokens: t.output },
      }),
      event('message_stop'),
    ],
  };
}

function gemini(ask, t, n, stream, model) {
  const id = `gem-${n}-${process.pid}`,
    thoughts = t.reasoning;
  const usage = (out) => ({
    promptTokenCount: t.input + t.cache_read,
    cachedContentTokenCount: t.cache_read,
    candidatesTokenCount: out - thoughts,
    thoughtsTokenCount: thoughts,
    totalTokenCount: t.input + t.cache_read + out,
  });
  const says = only(t, 'input', 'cache_read', 'output', 'reasoning');
  const part = (out, finishReason) => ({
    candidates: [{ index: 0, finishReason, content: { role: 'model', parts: [{ text: MARK }] } }],
    usageMetadata: usage(out),
    modelVersion: model,
    responseId: id,
  });
  if (!stream) return { id, usage: says, json: part(t.output, 'STOP') };
  const events = [];
  for (let i = 0; i < 12; i++) events.push(part(thoughts + i));
  events.push(part(t.output, 'STOP'));
  return { id, usage: says, events: events.map((e) => `data: ${JSON.stringify(e)}\r\n\r\n`) };
}

function ollama(ask, t, generate) {
  const base = { model: ask.model, created_at: '2026-11-20T10:00:00.000000Z' };
  const text = generate ? { response: MARK } : { message: { role: 'assistant', content: MARK } };
  const last = {
    ...base,
    ...text,
    done: true,
    done_reason: 'stop',
    total_duration: 5e9,
    load_duration: 1e6,
    prompt_eval_count: t.input,
    prompt_eval_duration: 1e8,
    eval_count: t.output,
    eval_duration: 4e9,
  };
  const usage = only(t, 'input', 'output');
  if (ask.stream === false) return { id: null, usage, json: last };
  const events = [];
  for (let i = 0; i < 12; i++) events.push({ ...base, ...text, done: false });
  return {
    id: null,
    usage,
    type: 'application/x-ndjson',
    events: [...events, last].map((e) => JSON.stringify(e) + '\n'),
  };
}

function route(path, ask, t, n) {
  const google = /\/models\/([^:/]+):(generateContent|streamGenerateContent)/.exec(path);
  if (google) {
    const stream = google[2] !== 'generateContent';
    return {
      surface: stream ? 'gemini.generate_stream' : 'gemini.generate',
      model: google[1],
      ...gemini(ask, t, n, stream, google[1]),
    };
  }
  const rows = [
    ['/chat/completions', 'openai.chat', chat],
    ['/responses', 'openai.responses', responses],
    ['/embeddings', 'openai.embeddings', embeddings],
    ['/v1/messages', 'anthropic.messages', messages],
    ['/api/chat', 'ollama.generate', (a, c) => ollama(a, c, false)],
    ['/api/generate', 'ollama.generate', (a, c) => ollama(a, c, true)],
    [
      '/api/embed',
      'ollama.embed',
      (a, c) => ({
        id: null,
        usage: { ...only(c, 'input'), output: 0 },
        json: {
          model: a.model,
          embeddings: [[0, 0]],
          total_duration: 1,
          prompt_eval_count: c.input,
        },
      }),
    ],
  ];
  const row = rows.find(([end]) => path.endsWith(end));
  return row && { surface: row[1], model: ask.model, ...row[2](ask, t, n) };
}

// --- serving ---

const faults = new Map();
const underWay = new Map(); // truth of exchanges that have no end yet
const tell = (line) => fs.writeSync(truth, JSON.stringify(line) + '\n');

function fault(header) {
  if (!header) return 0;
  const [list, key] = header.split(';');
  const at = faults.get(key) ?? 0;
  faults.set(key, at + 1);
  return Number(list.split(',')[at] ?? 0);
}

// The coding of reply n: each in turn of what the client takes.
function coder(n, accept) {
  const can = ['gzip', 'br', 'deflate'].filter((c) => accept.includes(c));
  const coding = [null, ...can][n % (can.length + 1)];
  const make = {
    gzip: zlib.createGzip,
    br: zlib.createBrotliCompress,
    deflate: zlib.createDeflate,
  }[coding];
  return { coding, z: make?.() };
}

async function write(res, gone, left, pieces, n, accept, head) {
  const { coding, z } = coder(n, accept);
  const flush =
    coding === 'br' ? zlib.constants.BROTLI_OPERATION_FLUSH : zlib.constants.Z_SYNC_FLUSH;
  if (coding) head['content-encoding'] = coding;
  if (pieces.length === 1 && !coding) head['content-length'] = Buffer.byteLength(pieces[0]);
  res.writeHead(
    head.status,
    Object.fromEntries(Object.entries(head).filter(([k]) => k !== 'status')),
  );
  z?.pipe(res);
  const out = z ?? res;
  for (const piece of pieces) {
    if (left()) return;
    const cut = pieces.length > 1 && n % 2 ? 1 + (n % (piece.length - 1)) : piece.length;
    for (const part of [piece.slice(0, cut), piece.slice(cut)]) {
      if (part) out.write(part);
      if (part && z)
        await Promise.race([
          gone,
          new Promise((done) => {
            z.flush(flush, done);
          }),
        ]);
    }
    if (pieces.length > 1) await pause(8);
  }
  if (pieces.length > 1 && n % 4 === 3) await pause(40); // clients may not wait for the end
  out.end();
}

async function serve(req, res) {
  const n = ++count,
    t = tokens(n),
    body = [];
  const socket = req.stream ? req.stream.session.socket : req.socket;
  let ended = false,
    over = false;
  socket.setMaxListeners(0);
  const gone = new Promise((done) => {
    for (const from of [res, req, socket]) {
      from.once(from === req ? 'aborted' : 'close', () => {
        over = true;
        done();
      });
    }
  });
  const note = {
    n,
    client_port: socket.remotePort,
    server_port: socket.localPort,
    tls: socket.getProtocol?.() ?? null,
    stream: req.stream?.id ?? null,
    proto: req.httpVersion,
    resumed: socket.isSessionReused?.() ?? false,
    agent: req.headers['user-agent'] ?? '',
  };
  req.on('error', () => {});
  res.on('error', () => {});
  for await (const piece of req) body.push(piece);
  let ask = {};
  try {
    ask = JSON.parse(Buffer.concat(body));
  } catch {
    /* a GET */
  }
  const host = req.headers[':authority'] ?? req.headers.host;
  const path = req.url.split('?')[0];
  const failure = fault(req.headers['x-fault']);
  const reply = route(path, ask, t, n);
  const status = reply ? failure || 200 : 404;
  const accept = String(req.headers['accept-encoding'] ?? '');
  res.on('finish', () => {
    ended = true;
  });
  underWay.set(n, {
    ...note,
    host,
    path,
    status,
    surface: reply?.surface ?? null,
    model: reply?.model ?? null,
    id: reply?.id ?? null,
    streaming: Boolean(reply?.events),
    aborted: true,
    usage: status === 200 ? reply.usage : null,
  });
  const send = (pieces, head) =>
    write(res, gone, () => over, pieces, n, accept, { status, ...head });
  if (status !== 200) {
    const type = status === 429 ? 'rate_limit_error' : 'server_error';
    await send([JSON.stringify({ error: { type, message: MARK, code: status } })], {
      'content-type': 'application/json',
      'retry-after-ms': '15',
    });
  } else if (reply.json) {
    await send([JSON.stringify(reply.json)], { 'content-type': 'application/json' });
  } else {
    await send(reply.events, {
      'cache-control': 'no-cache',
      'content-type': reply.type ?? 'text/event-stream; charset=utf-8',
    });
  }
  await gone;
  tell({ ...underWay.get(n), aborted: !ended || req.aborted || (res.stream?.rstCode ?? 0) !== 0 });
  underWay.delete(n);
}

const handler = (req, res) => serve(req, res).catch((e) => tell({ failure: String(e.stack) }));
const pem = {
  cert: fs.readFileSync(`${dir}/cert.pem`),
  key: fs.readFileSync(`${dir}/key.pem`),
  allowHTTP1: true,
};
const retried = {
  minVersion: 'TLSv1.3',
  ecdhCurve: 'secp384r1',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
};
const listeners = [
  [443, http2.createSecureServer({ ...pem, minVersion: 'TLSv1.3' }, handler)],
  [8443, http2.createSecureServer({ ...pem, maxVersion: 'TLSv1.2' }, handler)],
  [9443, http2.createSecureServer({ ...pem, ...retried }, handler)],
  [8000, http.createServer(handler)],
  [8001, http2.createServer(handler)],
  [11434, http.createServer(handler)],
];
await Promise.all(
  listeners.map(
    ([port, server]) =>
      new Promise((done) => {
        server.on('sessionError', () => {}).on('clientError', (e, s) => s.destroy());
        server.listen(port, address, done);
      }),
  ),
);
fs.writeFileSync(`${dir}/ready`, '');
process.on('SIGTERM', () => {
  [...underWay.values()].forEach(tell);
  process.exit(0);
});
