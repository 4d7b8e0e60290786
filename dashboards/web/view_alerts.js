// Alerts: what fires, since when, and whether somebody knows; telling the collector that you do.
import { ApiError, ask, tell } from './api.js';
import { ago, asMinute, capital, count, words } from './format.js';
import { badge, card, clean, code, el, empty, kpi, named, select, shorten, table, wholly } from './ui.js';

// The rows of /api/v1/alerts; also their older shape {key, result}.
function row(a) {
  if (!a.result) return a;
  const cut = a.key.indexOf('/');
  return { rule: a.key.slice(0, cut), subject: a.key.slice(cut + 1), phase: a.result.phase === 'inactive' ? 'resolved' : a.result.phase,
    time: new Date(a.result.since_ms).toISOString(), fired: a.result.fired_ms ? new Date(a.result.fired_ms).toISOString() : null, summary: '' };
}

export async function load({ signal }) {
  const [list, workloads, rules, channels] = await Promise.all(['alerts', 'workloads', 'alerts/rules', 'alerts/channels'].map((a) => ask(a, null, signal)));
  return { list: list.map(row), workloads, rules, channels };
}

const tint = { firing: 'bad', pending: 'warn', resolved: 'good' };

function known(a) {
  if (a.acknowledged) return [badge('acknowledged', 'plain'), a.comment ? el('div.dim', null, a.comment) : null];
  if (a.silenced) return [badge('silenced', 'plain'), a.silenced_until ? el('div.dim', null, `until ${asMinute(a.silenced_until)}`) : null];
  return a.phase === 'firing' ? 'no' : '–';
}

const since = (t) => (t ? el('span.still', { title: asMinute(t) }, ago((Date.now() - new Date(t)) / 1000)) : '–');

/* --- silence and acknowledge ---------------------------------------------------------------- */

let admin = null; // a token that may change things: as long as the page is open, nowhere else
const labels = ['workload', 'threshold', 'agent', 'app', 'provider', 'model'];
const lasting = [['1h', '1 hour'], ['4h', '4 hours'], ['1d', '1 day'], ['7d', '1 week'], ['30d', '30 days']];
const utf8 = new TextEncoder();

// A value as a matcher takes it: what has a meaning there, or is too long, becomes *.
function pattern(value) {
  let v = String(value).replace(/[\u0000-\u001f\u007f,*"]+|^\s+|\s+$/g, '*');
  const long = utf8.encode(v).length > 90;
  while (utf8.encode(v).length > 90) v = [...v].slice(0, -1).join('');
  return long ? `${v}*` : v;
}

const matcher = (a) => [`rule=${a.rule}`, ...labels.filter((l) => a[l]).map((l) => `${l}=${pattern(a[l])}`)].join(',');
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const about = (a) => `${words(a.rule)}${a.subject ? `, ${shorten(a.subject, 40)}` : ''}`;

// A form over the page, and the same as a command for who has no token.
function order(a, kind, again) {
  const silence = kind === 'silence';
  const match = matcher(a);
  const title = `${silence ? 'Silence' : 'Acknowledge'}: ${about(a)}`;
  const comment = el('input', { type: 'text', name: 'comment', maxlength: 120, autocomplete: 'off' });
  const secret = el('input', { type: 'password', name: 'admin', autocomplete: 'off' });
  const ask4 = el('label', { hidden: true }, 'Token with the scope admin', secret);
  const why = el('p.sub', { role: 'alert' });
  const shell = el('code');
  let lasts = '4h';
  const say = () => {
    const text = comment.value ? ` --comment ${quoted(clean(comment.value))}` : '';
    shell.textContent = `breakeven-collector alert ${silence ? 'silence' : 'ack'} ${quoted(match)}${silence ? ` --for ${lasts}` : ''}${text} --config collector.yaml`;
  };
  comment.addEventListener('input', say);
  const submit = async (e) => {
    e.preventDefault();
    why.textContent = '';
    try {
      await tell(`alerts/${silence ? 'silence' : 'ack'}`, { match, ...(silence ? { for: lasts } : {}), comment: comment.value }, secret.value.trim() || admin);
      admin = secret.value.trim() || admin;
      box.close();
      again();
    } catch (x) {
      if (!(x instanceof ApiError)) throw x;
      if (x.status === 401 || x.status === 403) { admin = null; ask4.hidden = false; secret.focus(); }
      why.textContent = x.status === 401 || x.status === 403 ? `${capital(x.message)}. Make one: breakeven-collector token add --config collector.yaml --name oncall --scopes read,admin` : `${capital(x.message)}.`;
    }
  };
  const box = el('dialog', { 'aria-label': title, onclose: () => { delete document.getElementById('main').dataset.held; box.remove(); } },
    el('form', { onsubmit: submit }, el('h2', null, title),
      el('p.sub', null, silence ? 'Holds messages back for this time; what is still so is told after it.' : 'Says that somebody knows: no more messages about this firing; its end is told.'),
      el('p', null, 'Applies to ', el('code', null, match)),
      silence ? select('For', lasts, lasting, (v) => { lasts = v; say(); }) : null,
      el('label', null, 'Comment', comment), ask4, why,
      el('div.acts', null, el('button.main', { type: 'submit' }, silence ? 'Silence' : 'Acknowledge'), el('button', { type: 'button', onclick: () => box.close() }, 'Cancel')),
      el('p.sub', null, 'Or on the collector\'s host:'), el('pre', { tabindex: 0 }, shell)));
  say();
  const main = document.getElementById('main');
  main.dataset.held = 'order'; // no refresh underneath
  main.append(box);
  box.showModal();
}

async function undo(a, again, button) {
  try {
    await tell('alerts/unsilence', { id: a.silence_id }, admin);
    again();
  } catch (x) {
    if (!(x instanceof ApiError)) throw x;
    button.replaceWith(el('span.dim', { role: 'alert' }, `${capital(x.message)}: `, el('code', null, `breakeven-collector alert unsilence ${a.silence_id}`)));
  }
}

function acts(a, again) {
  if (a.phase === 'resolved') return '–';
  const b = (text, f) => el('button.quiet', { type: 'button', 'aria-label': `${text}: ${about(a)}`, onclick: (e) => f(e.target) }, text);
  if (a.silenced || a.acknowledged) return b(a.silenced ? 'End silence' : 'Take back', (button) => undo(a, again, button));
  return [a.phase === 'firing' ? b('Acknowledge', () => order(a, 'ack', again)) : null, b('Silence', () => order(a, 'silence', again))];
}

const columns = (again) => [
  { title: 'Rule', cell: (a) => capital(words(a.rule)) },
  { title: 'About', name: true, cell: (a) => (a.workload && a.workload === a.subject ? el('a', { href: `#/breakeven?workload=${encodeURIComponent(a.subject)}` }, named(a.subject)) : named(a.subject, 'everything')) },
  { title: 'State', cell: (a) => badge(a.phase, tint[a.phase]) },
  { title: 'Severity', cell: (a) => a.severity || '–' },
  { title: 'Since', cell: (a) => since(a.time) },
  { title: 'Numbers', cell: (a) => a.summary || '–' },
  { title: 'Seen', cell: known },
  { title: 'Do', cell: (a) => acts(a, again) },
];

/* --- what is watched, and who is told ---------------------------------------------------------- */

const when = { breakeven_crossed: 'at today\'s volume hosting is cheaper than the API', breakeven_forecast: 'it is likely to become cheaper within some months',
  budget_forecast: 'this month or the next is forecast at or over a threshold of a budget', volume_anomaly: 'an application calls far more or less than on such days',
  agent_silent: 'an agent has sent nothing for a while', unpriced_model: 'calls since yesterday have no price', usage_quality: 'too many calls have estimated or no token counts',
  capture_drops: 'an agent lost what it should have counted' };
const lasts = (s) => (s === 0 ? 'at once' : s < 120 ? `${s} s` : s < 7200 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

function now(r) {
  if (!r.enabled) return badge('switched off', 'plain');
  if (r.firing) return badge(`${r.firing} firing`, 'bad');
  return r.pending ? badge(`${r.pending} pending`, 'warn') : badge('quiet', 'good');
}

const watched = (rules) => card('What is watched', 'Thresholds are set in collector.yaml under alerts.', null, wholly('Rules', table('Rules', [
  { title: 'Rule', cell: (r) => capital(words(r.rule)) }, { title: 'Fires when', cell: (r) => when[r.rule] || '–' }, { title: 'After', cell: (r) => lasts(r.for_s) },
  { title: 'Severity', cell: (r) => r.severity }, { title: 'Now', cell: now }], rules, { stack: true })));

function takes(c) {
  if (c.attempts) return [badge('not taken', 'bad'), el('div.dim', null, `since ${asMinute(c.failing_since)}; next try ${asMinute(c.next_try).slice(-9)}`)];
  return c.taken ? badge('takes them', 'good') : c.given_up ? badge('given up', 'bad') : badge('nothing sent yet', 'plain');
}

function told(channels) {
  if (!channels.length) {
    return empty('No channel is configured', el('p', null, 'Alerts are seen on this page only. Where messages go is said in ', el('code', null, 'collector.yaml'), ':'),
      code('alerts:\n  channels:\n    - { name: ops, type: webhook, url: https://example.org/hook }  # or slack, pagerduty, alertmanager, email'));
  }
  return card('Who is told', 'Messages since the collector was started. What fails waits and is tried again.', null, wholly('Channels', table('Channels', [
    { title: 'Channel', name: true, cell: (c) => named(c.name) }, { title: 'Type', cell: (c) => c.type }, { title: 'State', cell: takes },
    { title: 'Taken', num: true, cell: (c) => count(c.taken) }, { title: 'Failed tries', num: true, cell: (c) => count(c.failed) },
    { title: 'Given up', num: true, cell: (c) => (c.given_up ? badge(count(c.given_up), 'bad') : '0') },
    { title: 'To try it', cell: (c) => el('code', null, `breakeven-collector alert test ${quoted(clean(c.name))}`) }], channels, { stack: true })));
}

export function render({ list, workloads, rules, channels }, { again }) {
  const head = el('div.head', null, el('div', null, el('h1', null, 'Alerts'), el('p.lead', null, 'One message when something begins, one when it is over.')));
  const firing = list.filter((a) => a.phase === 'firing');
  if (!list.length) {
    return el('div', null, head, empty('No alert has fired',
      el('p', null, workloads.length ? 'The rules are evaluated; nothing is out of the ordinary.' : 'No workload is declared yet, so nothing can cross its breakeven. Declare one:'),
      workloads.length ? null : code('workloads:\n  support-bot:\n    app: [support]\n    hosted: { monthly_fixed: 1500, setup: 12000 }')),
    el('div.grid.below', null, watched(rules), told(channels)));
  }
  return el('div', null, head,
    el('div.kpis', null, kpi('Firing', firing.length, firing.length ? `${firing.filter((a) => a.acknowledged || a.silenced).length} acknowledged or silenced` : 'nothing at the moment'),
      kpi('Pending', list.filter((a) => a.phase === 'pending').length, 'true, but not for long enough yet'),
      kpi('Over', list.filter((a) => a.phase === 'resolved').length, 'fired before, not any more')),
    card('State of the rules', null, null, wholly('Alerts', table('Alerts', columns(again), list, { stack: true }))),
    el('div.grid.below', null, watched(rules), told(channels)));
}
