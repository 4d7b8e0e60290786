// Agents: who reports, how far behind, what was dropped.
import { ask } from './api.js';
import { ago, asMinute, bytes, count, missing, percent, words } from './format.js';
import { badge, card, code, el, empty, kpi, named, scroll, table } from './ui.js';

const silentAfter = 300; // heartbeats come every minute

const drops = (a) => Object.entries(a.health.drops || {}).filter(([, n]) => n > 0);
const dropped = (a) => drops(a).reduce((sum, [, n]) => sum + n, 0);

export async function load({ signal }) {
  return { list: await ask('agents', null, signal) };
}

function condition(a) {
  if (a.silent_s > silentAfter) return badge('silent', 'bad');
  if (a.refused > 0) return badge('rows refused', 'warn');
  if (dropped(a) > 0) return badge('drops', 'warn');
  return badge('reporting', 'good');
}

function coverage(a) {
  const h = a.health;
  if (h.files === undefined) return missing;
  const open = h.open_files ?? h.files;
  return `${count(open)} of ${count(h.files)} files`;
}

function detail(a) {
  const rest = Object.entries(a.health).filter(([k, v]) => typeof v === 'number' && !['lag_bytes'].includes(k));
  return el('details', null, el('summary', null, 'All it says'),
    el('dl.kv', null, rest.map(([k, v]) => [el('dt', null, words(k)), el('dd', null, /bytes/.test(k) ? bytes(v) : count(v))]),
      el('dt', null, 'batches'), el('dd', null, count(a.batches)), el('dt', null, 'rows'), el('dd', null, count(a.rows)),
      el('dt', null, 'first seen'), el('dd', null, asMinute(a.first_seen))));
}

const columns = [
  { title: 'Agent', name: true, cell: (a) => named(a.name) },
  { title: 'State', cell: condition },
  { title: 'Last seen', cell: (a) => el('span', { title: asMinute(a.last_seen) }, ago(a.silent_s)) },
  { title: 'Behind', num: true, cell: (a) => (a.health.lag_bytes === undefined ? missing : a.health.lag_bytes === 0 ? 'nothing' : bytes(a.health.lag_bytes)) },
  { title: 'Dropped', num: true, cell: (a) => (dropped(a) ? el('span', { title: drops(a).map(([k, n]) => `${words(k)}: ${n}`).join('\n') }, count(dropped(a)), el('br'), el('span.dim', null, drops(a).map(([k, n]) => `${words(k)} ${count(n)}`).join(', '))) : '0') },
  { title: 'Covers', cell: coverage },
  { title: 'Calls found', num: true, cell: (a) => count(a.health.calls ?? null) },
  { title: 'Version', cell: (a) => named(a.version, 'unknown') },
  { title: 'Clock', num: true, cell: (a) => (Math.abs(a.skew_ms) < 2000 ? 'right' : badge(`${(a.skew_ms / 1000).toFixed(0)} s off`, 'warn')) },
  { title: 'More', cell: detail },
];

export function render({ list }) {
  const head = el('div.head', null, el('div', null, el('h1', null, 'Agents'), el('p.lead', null, 'The programs on the application hosts that count the calls.')));
  if (!list.length) {
    return el('div', null, head, empty('No agent has reported yet',
      el('p', null, 'Make a token for one here, then start it on the application host:'),
      code('breakeven-collector token add --config collector.yaml --name web-1\nbreakeven-agent run --config agent.yaml'),
      el('p', null, 'It reports once a minute, also when nothing happened.')));
  }
  const silent = list.filter((a) => a.silent_s > silentAfter).length;
  const lost = list.reduce((s, a) => s + dropped(a), 0);
  const lines = list.reduce((s, a) => s + (a.health.lines || 0), 0);
  return el('div', null, head,
    el('div.kpis', null, kpi('Agents', count(list.length), silent ? `${silent} silent for over 5 minutes` : 'all reporting'),
      kpi('Behind', bytes(list.reduce((s, a) => s + (a.health.lag_bytes || 0), 0)), 'of logs not read yet'),
      kpi('Dropped', count(lost), lines ? `${percent(lost / lines, 1)} of ${count(lines)} lines` : 'since they started'),
      kpi('Refused rows', count(list.reduce((s, a) => s + a.refused, 0)), 'too old, in the future, or one series too many')),
    card('Who reports', 'What is dropped is counted, never guessed.', null,
      scroll('Agents', table('Agents', columns, list, { stack: true, rowClass: (a) => (a.silent_s > silentAfter ? 'rowwarn' : null) }))));
}
