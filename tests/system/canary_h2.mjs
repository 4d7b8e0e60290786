// HTTP/2 for canary.py, server and client in one: in clear and over TLS, markers in
// prompts, answers, paths, and keys in header fields that enter the dynamic table.
//
//   node canary_h2.mjs DIR KEYLOG CALLS
//
// DIR holds the certificate c and its key k. Says its two ports as JSON, waits for a line,
// makes the calls, says their sums, and keeps both connections open until its input ends.
import fs from 'node:fs';
import http2 from 'node:http2';
import readline from 'node:readline';
import tls from 'node:tls';
import zlib from 'node:zlib';

const [dir, keylog, calls] = process.argv.slice(2);
const pack = { gzip: zlib.gzipSync, deflate: zlib.deflateSync, br: zlib.brotliCompressSync };
if (zlib.zstdCompressSync) pack.zstd = zlib.zstdCompressSync;
const codings = ['identity', ...Object.keys(pack)];
const coded = (coding, body) => (pack[coding] ? pack[coding](body) : Buffer.from(body));

function reply(ask) {
  const text = `CANARY-ANSWER-H2-${ask.n} `.repeat(1 + 9 * ask.n);
  const usage = { prompt_tokens: ask.in, completion_tokens: ask.out };
  const base = { id: ask.id, model: 'gpt-4o-mini' };
  if (!ask.stream)
    return JSON.stringify({
      ...base, object: 'chat.completion', usage, choices: [{ message: { content: text } }],
    });
  const chunk = { ...base, object: 'chat.completion.chunk' };
  return [
    ...Array(4).fill({ ...chunk, choices: [{ delta: { content: text } }] }),
    { ...chunk, choices: [], usage },
  ].map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
}

function serve(stream, headers) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => {
    let body = Buffer.concat(parts);
    if (headers['content-encoding'] === 'gzip') body = zlib.gunzipSync(body);
    const ask = JSON.parse(body), coding = codings[ask.n % codings.length];
    stream.respond({
      ':status': 200,
      'content-type': ask.stream ? 'text/event-stream' : 'application/json',
      'set-cookie': `s=CANARY-KEY-cookie-${ask.n}`,
      ...(coding === 'identity' ? {} : { 'content-encoding': coding }),
    });
    const all = coded(coding, reply(ask));
    for (let at = 0; at < all.length; at += 700) stream.write(all.subarray(at, at + 700));
    stream.end();
  });
}

async function listen(server) {
  server.on('stream', serve);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return server.address().port;
}

function call(session, sums) {
  const n = ++sums.calls, ask = {
    model: 'gpt-4o-mini', n, in: 70 + n, out: 4 + (n % 6), stream: n % 2 === 0,
    id: `chatcmpl-h2${String(process.pid).padStart(12, '0')}${String(n).padStart(12, '0')}`,
    messages: [{ role: 'user', content: `CANARY-PROMPT-H2-${n} `.repeat(13 * n) }],
  };
  sums.in += ask.in;
  sums.out += ask.out;
  const body = n % 3 ? JSON.stringify(ask) : zlib.gzipSync(JSON.stringify(ask));
  const stream = session.request({
    ':method': 'POST', ':path': '/v1/chat/completions?key=CANARY-KEY-in-the-query',
    ':authority': 'api.openai.com', 'content-type': 'application/json',
    ...(n % 3 ? {} : { 'content-encoding': 'gzip' }),
    authorization: 'Bearer CANARY-KEY-h2', 'api-key': 'canary_key_h2',
    'x-api-key': `CANARY-KEY-h2-${n >> 2}`, cookie: 'session=CANARY-KEY-of-a-long-session',
  });
  stream.end(body);
  stream.resume();
  return new Promise((done, fail) => stream.on('end', done).on('error', fail));
}

const cert = { key: fs.readFileSync(`${dir}/k`), cert: fs.readFileSync(`${dir}/c`) };
const ports = [await listen(http2.createServer()),
               await listen(http2.createSecureServer(cert))];
console.log(JSON.stringify(ports));
const input = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
await input.next();
const secure = () => {
  const options = { port: ports[1], host: '127.0.0.1', ALPNProtocols: ['h2'] };
  const socket = tls.connect({ ...options, rejectUnauthorized: false });
  socket.on('keylog', (line) => fs.appendFileSync(keylog, line));
  return socket;
};
const sessions = [http2.connect(`http://127.0.0.1:${ports[0]}`),
                  http2.connect(`https://127.0.0.1:${ports[1]}`, { createConnection: secure })];
const sums = { calls: 0, in: 0, out: 0 };
for (let round = 0; round < Number(calls); round++)
  for (const session of sessions) await call(session, sums);
console.log(JSON.stringify(sums));
await input.next();
process.exit(0);
