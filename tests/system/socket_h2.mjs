// A WebSocket over HTTP/2 (RFC 8441), both ends, for h2c_pcap.py: node socket_h2.mjs PORT TURNS
// Says the truth as JSON: [[response id, input, output], …].
import http2 from 'node:http2';

const [port, turns] = process.argv.slice(2).map(Number);

// One text frame; a client's is masked (RFC 6455, 5.2).
function frame(text, mask) {
  const body = Buffer.from(text), head = [0x81];
  const m = mask ? 0x80 : 0;
  if (body.length < 126) head.push(m | body.length);
  else head.push(m | 126, body.length >> 8, body.length & 255);
  if (!mask) return Buffer.concat([Buffer.from(head), body]);
  const key = [1, 2, 3, 4];
  return Buffer.concat([Buffer.from([...head, ...key]), body.map((c, i) => c ^ key[i % 4])]);
}

const truth = [];
const server = http2.createServer({ settings: { enableConnectProtocol: true } });
server.on('stream', (stream) => {
  stream.respond({ ':status': 200 });
  stream.write(frame(JSON.stringify({ type: 'session.created', session: { model: 'gpt-realtime-x' } })));
  stream.on('data', () => {
    const n = truth.length + 1, id = `resp_h2_${n}`, usage = {
      total_tokens: 30 * n, input_tokens: 20 * n, output_tokens: 10 * n };
    truth.push([id, 20 * n, 10 * n]);
    stream.write(frame(JSON.stringify({ type: 'response.output_text.delta', response_id: id,
                                        delta: 'CANARY-SPOKEN '.repeat(50 * n) })));
    stream.write(frame(JSON.stringify({ type: 'response.done', response: {
      id, status: 'completed', usage } })));
  });
  stream.on('end', () => stream.end());
});
await new Promise((done) => server.listen(port, '127.0.0.1', done));
const session = http2.connect(`http://127.0.0.1:${port}`);
await new Promise((done) => session.on('remoteSettings', done));
const stream = session.request({
  ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http',
  ':path': '/v1/realtime?model=gpt-realtime-x', ':authority': 'api.openai.com',
  'sec-websocket-version': '13', authorization: 'Bearer CANARY-KEY',
}, { endStream: false });
stream.resume();
await new Promise((done) => stream.on('response', done));
for (let turn = 0; turn < turns; turn++) {
  stream.write(frame(JSON.stringify({ type: 'response.create', instructions: 'CANARY' }), true));
  await new Promise((done) => setTimeout(done, 20));
}
stream.end();
await new Promise((done) => stream.on('close', done));
console.log(JSON.stringify(truth));
session.close();
server.close();
