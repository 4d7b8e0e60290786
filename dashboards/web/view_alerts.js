// Alerts: what fires, since when, and whether somebody knows.
import { ask } from './api.js';
import { ago, asMinute, capital, words } from './format.js';
import { badge, card, code, el, empty, kpi, named, scroll, table } from './ui.js';

// The rows of /api/v1/alerts; also their older shape {key, result}.
function row(a) {
  if (!a.result) return a;
  const cut = a.key.indexOf('/');
  return { rule: a.key.slice(0, cut), subject: a.key.slice(cut + 1), phase: a.result.phase === 'inactive' ? 'resolved' : a.result.phase,
    time: new Date(a.result.since_ms).toISOString(), fired: a.result.fired_ms ? new Date(a.result.fired_ms).toISOString() : null, summary: '' };
}

export async function load({ signal }) {
  const [list, workloads] = await Promise.all([ask('alerts', null, signal), ask('workloads', null, signal)]);
  return { list: list.map(row), workloads };
}

const tint = { firing: 'bad', pending: 'warn', resolved: 'good' };

function known(a) {
  if (a.acknowledged) return [badge('acknowledged', 'plain'), a.comment ? el('div.dim', null, a.comment) : null];
  if (a.silenced) return [badge('silenced', 'plain'), a.silenced_until ? el('div.dim', null, `until ${asMinute(a.silenced_until)}`) : null];
  return a.phase === 'firing' ? 'no' : '–';
}

const since = (t) => (t ? el('span.still', { title: asMinute(t) }, ago((Date.now() - new Date(t)) / 1000)) : '–');

const columns = [
  { title: 'Rule', cell: (a) => capital(words(a.rule)) },
  { title: 'About', name: true, cell: (a) => (a.workload && a.workload === a.subject ? el('a', { href: `#/breakeven?workload=${encodeURIComponent(a.subject)}` }, named(a.subject)) : named(a.subject, 'everything')) },
  { title: 'State', cell: (a) => badge(a.phase, tint[a.phase]) },
  { title: 'Severity', cell: (a) => a.severity || '–' },
  { title: 'Since', cell: (a) => since(a.time) },
  { title: 'Numbers', cell: (a) => a.summary || '–' },
  { title: 'Known', cell: known },
];

export function render({ list, workloads }) {
  const head = el('div.head', null, el('div', null, el('h1', null, 'Alerts'), el('p.lead', null, 'One message when something begins, one when it is over.')));
  const firing = list.filter((a) => a.phase === 'firing');
  if (!list.length) {
    return el('div', null, head, empty('No alert has fired',
      el('p', null, workloads.length ? 'The rules are evaluated; nothing is out of the ordinary.' : 'No workload is declared yet, so nothing can cross its breakeven. Declare one:'),
      workloads.length ? null : code('workloads:\n  support-bot:\n    app: [support]\n    hosted: { monthly_fixed: 1500, setup: 12000 }'),
      el('p', null, 'Where messages go (collector.yaml):'),
      code('alerts:\n  channels:\n    - { name: ops, type: webhook, url: https://example.org/hook }')));
  }
  return el('div', null, head,
    el('div.kpis', null, kpi('Firing', firing.length, firing.length ? `${firing.filter((a) => a.acknowledged || a.silenced).length} acknowledged or silenced` : 'nothing at the moment'),
      kpi('Pending', list.filter((a) => a.phase === 'pending').length, 'true, but not for long enough yet'),
      kpi('Over', list.filter((a) => a.phase === 'resolved').length, 'fired before, not any more')),
    card('State of the rules', null, null, scroll('Alerts', table('Alerts', columns, list))),
    el('p.dim', null, 'To hold messages back, on the collector\'s host: ', el('code', null, 'breakeven-collector alert silence …'), ' and ', el('code', null, 'alert ack …'), '.'));
}
