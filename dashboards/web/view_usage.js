// Usage: what was really sent, by day, and what is not known about it.
import { ask, csvPages } from './api.js';
import { colour, fill, figure, later, options, rgba } from './charts.js';
import { asDay, asMinute, count, exact, label, missing, money, percent, words } from './format.js';
import { badge, card, clean, code, download, el, empty, kpi, named, scroll, segments, select, shorten, table } from './ui.js';

const ranges = [['7d', '7 days'], ['30d', '30 days'], ['90d', '90 days'], ['180d', '180 days'], ['400d', '400 days']];
const dims = [['model', 'Model'], ['app', 'Application'], ['provider', 'Provider'], ['class', 'Token class'], ['outcome', 'Outcome']];
const filters = [['app', 'Application'], ['provider', 'Provider'], ['model', 'Model'], ['environment', 'Environment']];
const measures = [['cost', 'Cost'], ['tokens', 'Tokens'], ['calls', 'Calls']];
const dayMs = 86400000;
const mostRows = 25; // of the table by model, at first
const nothing = { app: 'unattributed', model: 'unknown model', provider: 'unknown provider', environment: 'no environment' };

function choices(q) {
  const by = dims.some((d) => d[0] === q.get('by')) ? q.get('by') : 'model';
  const metric = by === 'class' ? 'tokens' : measures.some((m) => m[0] === q.get('metric')) ? q.get('metric') : 'cost';
  const from = /^\d{4}-\d\d-\d\d$/.test(q.get('from') || '') ? q.get('from') : null;
  const to = /^\d{4}-\d\d-\d\d$/.test(q.get('to') || '') ? q.get('to') : null;
  const range = ranges.some((r) => r[0] === q.get('range')) ? q.get('range') : from || to ? null : '30d';
  const today = new Date().toISOString().slice(0, 10);
  const days = range ? parseInt(range, 10) : 30;
  const last = range ? today : to || today;
  const first = range || !from ? new Date(new Date(last) - (days - 1) * dayMs).toISOString().slice(0, 10) : from;
  const span = (new Date(last) - new Date(first)) / dayMs + 1;
  const grain = ['day', 'week', 'month'].includes(q.get('grain')) ? q.get('grain') : span > 200 ? 'week' : 'day';
  return { by, metric, from: first, to: last, range, grain, span };
}

function filterParams(q) {
  const p = [];
  for (const [name] of filters) if (q.has(name)) p.push([name, q.get(name)]);
  return p;
}

// Days that nothing came of are gaps in the picture, not left out of it.
function everyTime(main, { grain, from, to }) {
  if (!main.time.length) return main;
  const first = new Date(main.time[0].slice(0, 10));
  const at = (i) => (grain === 'month' ? new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + i, 1))
    : new Date(first.getTime() + i * (grain === 'week' ? 7 : 1) * dayMs)).toISOString().slice(0, 10);
  const known = new Map(main.time.map((t, i) => [t.slice(0, 10), i]));
  let lo = 0, hi = 0;
  while (at(lo) > from && at(lo - 1) >= from) lo--;
  while (at(hi + 1) <= to) hi++;
  const time = Array.from({ length: hi - lo + 1 }, (_, i) => at(lo + i));
  const spread = (v) => v && time.map((t) => (known.has(t) ? v[known.get(t)] : null));
  return { ...main, time, line: main.line.map((l) => ({ ...l, calls: spread(l.calls), tokens: spread(l.tokens), cost_usd: spread(l.cost_usd) })) };
}

// In two parts: the chart and the totals, then the rest, unless asked for the whole.
export async function load({ q, signal, whole }) {
  const c = choices(q);
  const filtered = filterParams(q);
  const window = [['from', c.from], ['to', c.to], ...filtered];
  const week = new Date(new Date(c.to) - 27 * dayMs).toISOString().slice(0, 10);
  // What the first answer holds is not asked for again.
  const total = (by, more) => (by === c.by ? null : ask('usage/breakdown', [['by', by], ['grain', 'total'], ...more, ...window], signal));
  const [main, status] = await Promise.all([
    ask('usage/breakdown', [['by', c.by], ['order', c.metric], ['grain', c.grain], ...window], signal), ask('status', null, signal)]);
  const oldest = (status.store.oldest_day || '').slice(0, 10);
  const since = oldest > c.from ? oldest : c.from; // before it there was no meter
  c.days = (new Date(c.to) - new Date(since)) / dayMs + 1;
  const data = { c, main: everyTime(main, { ...c, from: since }), status, q: q.toString() };
  const others = Promise.all([
    total('app', []), total('model', [['order', 'calls']]),
    ask('usage/profile', [['from', c.from > week ? c.from : week], ['to', c.to], ...filtered], signal),
    ...filters.map(([name]) => ask(`dimensions/${name}`, null, signal)),
  ]).then(([apps, models, profile, ...values]) => Object.assign(data, { apps: apps || main, models: models || main, profile, values }));
  others.catch(() => {}); // who waits for it is told
  if (whole) await others; else data.rest = () => others;
  return data;
}

const roomy = matchMedia('(min-width: 761px)');
roomy.addEventListener('change', () => { for (const d of document.querySelectorAll('details.more')) d.open = roomy.matches; });

function controls(data, q, set, slot) {
  const { c } = data;
  return el('div.controls', { role: 'group', 'aria-label': 'What is shown' },
    segments('Time', c.range, ranges, (v) => set({ range: v, from: null, to: null })),
    el('details.more', { open: roomy.matches || !c.range || filterParams(q).length > 0 }, el('summary', null, 'Dates and filters'), el('div.controls', null,
    el('label', null, 'From', el('input', { type: 'date', value: c.from, max: c.to, onchange: (e) => set({ from: e.target.value, to: c.to, range: null }) })),
    el('label', null, 'To', el('input', { type: 'date', value: c.to, min: c.from, onchange: (e) => set({ from: c.from, to: e.target.value, range: null }) })),
    segments('Bars', c.grain, [['day', 'Day'], ['week', 'Week'], ['month', 'Month']], (v) => set({ grain: v })),
    slot)));
}

const filterSelects = (data, q, set) => filters.map(([name, title], i) => select(title, q.get(name) ?? '\u0000',
  [['\u0000', 'All'], ...data.values[i].map((v) => [v, v === '' ? nothing[name] : v])],
  (v) => set({ [name]: v === '\u0000' ? null : v }, v === '')));

const nameOf = (by, name) => (by === 'class' ? words(name) : name === '' ? nothing[by] || '(none)' : name);

function mainChart(data, set) {
  const { c, main } = data;
  const show = c.metric === 'cost' ? money : count;
  const field = c.metric === 'cost' ? 'cost_usd' : c.metric;
  const labels = main.time.map((t) => label(t, c.grain));
  const lines = main.line.filter((l) => l[field] && l[field].some((v) => v > 0));
  const title = `${{ cost: 'Cost', tokens: 'Tokens', calls: 'Calls' }[c.metric]} by ${c.grain} and ${dims.find((d) => d[0] === c.by)[1].toLowerCase()}`;
  const lineName = (l) => (l.name === null ? `${l.values} others` : nameOf(c.by, l.name));
  const top = lines.slice(0, 3).map((l) => `${clean(lineName(l)).slice(0, 80)} ${show(l[field].reduce((a, b) => a + (b || 0), 0))}`).join(', ');
  const columns = [{ title: c.grain === 'month' ? 'Month' : c.grain === 'week' ? 'Week from' : 'Day', cell: (i) => label(main.time[i], c.grain), text: (i) => main.time[i].slice(0, 10) },
    ...main.line.map((l) => ({ title: shorten(lineName(l), 40), num: true, cell: (i) => show(l[field] ? l[field][i] : null), text: (i) => (l[field] ? l[field][i] : null) }))];
  return figure({
    title, key: 'usage', size: 'tall', file: `usage-by-${c.by}`,
    sub: c.metric === 'cost' ? 'At the prices of each day. What has no price is not in it.' : 'As reported by the agents, days in UTC.',
    summary: `${asDay(c.from)} to ${asDay(c.to)}. Largest: ${top || 'nothing'}.`,
    config: () => ({
      type: 'bar',
      data: { labels, datasets: lines.map((l, i) => ({ label: shorten(lineName(l), 48), data: l[field], backgroundColor: fill(i, l.name === null),
        group: i, stack: 's', barPercentage: 0.94, categoryPercentage: 0.94, borderWidth: 0 })) },
      options: options({ y: show, stacked: true,
        tooltip: { itemSort: (a, b) => b.raw - a.raw, filter: (t) => t.raw > 0, callbacks: {
          title: (t) => (t.length ? `${c.grain === 'week' ? 'Week from ' : ''}${labels[t[0].dataIndex]}` : ''),
          label: (t) => ` ${t.dataset.label}: ${show(t.raw)}`,
          footer: (t) => `Total ${show(t.reduce((a, b) => a + b.raw, 0))}` } } }),
    }),
    legend: lines.map((l, i) => ({ label: lineName(l), group: i, colour: l.name === null ? colour(7) : colour(i % 7), round: l.name === null ? 0 : Math.floor(i / 7) })),
    columns, rows: main.time.map((_, i) => i),
    extra: el('div.controls', { role: 'group', 'aria-label': 'How it is stacked' },
      segments('Stacked by', c.by, dims, (v) => set({ by: v })),
      segments('Measure', c.metric, c.by === 'class' ? [['tokens', 'Tokens']] : measures, (v) => set({ metric: v }))),
  });
}

function rowsTable(data) {
  const { c, main } = data;
  const t = main.total;
  const title = `By ${dims.find((d) => d[0] === c.by)[1].toLowerCase()}`;
  const share = (r) => (c.metric === 'cost' ? (t.cost_usd && r.cost_usd !== null ? r.cost_usd / t.cost_usd : null) : t[c.metric] ? r[c.metric] / t[c.metric] : 0);
  if (c.by === 'class') {
    return figure({ title, file: 'usage-classes', summary: 'Tokens by class.',
      node: () => classBars(main), columns: [{ title: 'Class', cell: (r) => words(r.name) }, { title: 'Tokens', num: true, cell: (r) => exact(r.tokens), text: (r) => r.tokens }], rows: main.row });
  }
  const columns = [
    { title: dims.find((d) => d[0] === c.by)[1], name: true, cell: (r) => (r.folded ? `${r.folded} others` : c.by === 'outcome' ? words(r.name) : named(r.name, nothing[c.by])), text: (r) => (r.folded ? `${r.folded} others` : r.name) },
    { title: 'Calls', num: true, cell: (r) => count(r.calls), text: (r) => r.calls },
    { title: 'Input', num: true, cell: (r) => count(r.input), text: (r) => r.input },
    { title: 'Cache read', num: true, cell: (r) => count(r.cache_read), text: (r) => r.cache_read },
    { title: 'Output', num: true, cell: (r) => count(r.output), text: (r) => r.output },
    { title: 'Cost', num: true, cell: (r) => (r.cost_usd === null ? badge('unpriced', 'warn') : r.priced ? money(r.cost_usd) : el('span', { title: 'Some of it has no price: a lower bound' }, `≥ ${money(r.cost_usd)}`)), text: (r) => r.cost_usd },
    { title: 'Share', num: true, cell: (r) => percent(share(r)), text: (r) => (share(r) === null ? null : Number(share(r).toFixed(4))) },
  ];
  const rows = main.folded ? [...main.row, { ...main.folded, folded: main.folded.values }] : main.row;
  const held = el('div'); // a page of rows; all of them for who asks
  const show = (n) => {
    held.replaceChildren(scroll(title, table(title, columns, rows.slice(0, n), { rowClass: (r) => (r.cost_usd === null || r.name === '' ? 'rowwarn' : null),
      foot: [{ ...t, name: 'Total', total: true }] })), n < rows.length ? el('button.quiet', { type: 'button', onclick: () => { show(rows.length); held.firstChild.focus(); } }, `Show all ${rows.length}`) : '');
  };
  show(rows.length > mostRows ? mostRows - 5 : rows.length);
  return card(title, `${count(main.row.length + (main.folded ? main.folded.values : 0))} in this time, largest first`, [csvLink(data, c.by)], held);
}

// Rows of the API itself: everything, not what the chart shows.
function csvLink(data, by) {
  return el('button.quiet', { type: 'button', 'aria-label': 'CSV of every day', onclick: async () => {
    const { c } = data;
    const p = [['from', c.from], ['to', c.to], ['group_by', by], ...filterParams(new URLSearchParams(data.q))];
    download(`usage-${by}.csv`, await csvPages('usage/daily', p));
  } }, 'CSV');
}

function classBars(main) {
  const total = main.row.reduce((a, r) => a + r.tokens, 0) || 1;
  return el('div.bars', null, main.row.map((r, i) => bar(words(r.name), r.tokens / total, `${count(r.tokens)} · ${percent(r.tokens / total)}`, colour(i % 7))));
}

function bar(name, share, text, tint) {
  const i = el('i');
  i.style.width = `${Math.max(share * 100, share > 0 ? 0.8 : 0)}%`;
  i.style.background = tint;
  return el('div.bar', null, el('span', null, name), el('span.track', { 'aria-hidden': 'true' }, i), el('span.num', null, text));
}

function quality(data) {
  const t = data.main.total;
  const calls = t.calls || 1;
  const parts = [
    ['exact', calls - t.calls_estimated - t.calls_missing, 'counts as the provider reported them', 2],
    ['estimated', t.calls_estimated, 'token counts estimated from the size of the text', 1],
    ['missing', t.calls_missing, 'calls seen, token counts not', 5],
    ['failed', t.calls_failed, 'refused or broken; rarely billed', 3],
    ['unpriced', t.calls_unpriced, 'the price book has no price for the model: not free', 7],
  ];
  return figure({
    title: 'Quality of the numbers', file: 'quality', sub: 'Shares of all calls in this time.',
    summary: parts.map((p) => `${p[0]} ${percent(p[1] / calls, 1)}`).join(', '),
    node: () => el('div.bars', { role: 'img', 'aria-label': parts.map((p) => `${p[0]} ${percent(p[1] / calls, 1)}`).join(', ') },
      parts.map(([name, n, , i]) => bar(name, n / calls, percent(n / calls, 1), colour(i)))),
    columns: [{ title: 'Calls', cell: (p) => p[0] }, { title: 'Number', num: true, cell: (p) => exact(p[1]), text: (p) => p[1] },
      { title: 'Share', num: true, cell: (p) => percent(p[1] / calls, 1), text: (p) => p[1] / calls }, { title: 'Meaning', cell: (p) => p[2] }],
    rows: parts,
  });
}

function gaps(data) {
  const un = data.models.row.filter((r) => !r.priced);
  const lost = data.apps.row.find((r) => r.name === '');
  const rows = [
    ...un.slice(0, 8).map((r) => ({ what: named(r.name, 'unknown model'), text: r.name, kind: r.cost_usd === null ? 'unpriced' : 'partly unpriced', r,
      todo: 'add its price to price_overrides' })),
    ...(un.length > 8 ? [{ what: `${un.length - 8} more models`, text: 'more', kind: 'unpriced', todo: 'see /api/v1/unpriced',
      r: un.slice(8).reduce((a, r) => ({ calls: a.calls + r.calls, tokens: a.tokens + r.tokens }), { calls: 0, tokens: 0 }) }] : []),
    ...(lost ? [{ what: 'No application', text: '', kind: 'unattributed', r: lost, todo: 'set app: for its log in agent.yaml' }] : []),
  ];
  if (!rows.length) return card('Gaps', 'Everything in this time has a price and an application.', null, el('p', null, badge('nothing missing', 'good')));
  return card('Gaps', 'What the cost above does not hold, or cannot say whose it is.', null, scroll('Gaps', table('Gaps', [
    { title: 'What', name: true, cell: (g) => g.what }, { title: 'Gap', cell: (g) => badge(g.kind, 'warn') },
    { title: 'Calls', num: true, cell: (g) => count(g.r.calls) }, { title: 'Tokens', num: true, cell: (g) => count(g.r.tokens) },
    { title: 'What to do', cell: (g) => g.todo }], rows, { stack: true })));
}

function heat(data) {
  const p = data.profile;
  const days = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
  const mean = p.calls.map((v, i) => (p.hours[i] ? v / p.hours[i] : null));
  const most = Math.max(...mean.map((v) => v || 0));
  const tint = (v) => rgba(colour(0), 0.06 + 0.94 * Math.sqrt(v / most));
  const at = mean.indexOf(most);
  const busiest = most > 0 ? `${days[Math.floor(at / 24)]} ${String(at % 24).padStart(2, '0')}:00` : 'none';
  const cell = (d, h) => {
    const v = mean[d * 24 + h];
    const td = el('td', { title: `${days[d]} ${String(h).padStart(2, '0')}:00: ${v === null ? 'no data' : `${count(v)} calls an hour`}` },
      el('span.sr', null, v === null ? missing : count(v)));
    if (v !== null && most > 0) td.style.background = v > 0 ? tint(v) : '';
    return td;
  };
  return figure({
    title: 'Hours of the week', file: 'hours-of-week',
    sub: `Mean calls an hour, UTC, last four weeks. Busiest: ${busiest}${p.peak_to_mean ? `; busiest minute ${count(p.peak_to_mean)} × the mean` : ''}.`,
    summary: '', node: () => el('div', null, scroll('Hours of the week', el('table.heat', null, el('caption.sr', null, 'Mean calls by hour of the week'),
      el('thead', null, el('tr', null, el('th', { scope: 'col' }, el('span.sr', null, 'Day')), [...Array(24).keys()].map((h) => el('th', { scope: 'col' }, h % 3 ? el('span.sr', null, h) : h)))),
      el('tbody', null, days.map((d, i) => el('tr', null, el('th', { scope: 'row' }, d), [...Array(24).keys()].map((h) => cell(i, h))))))),
    el('div.scale', { 'aria-hidden': 'true' }, '0', [0.02, 0.15, 0.4, 0.7, 1].map((v) => { const i = el('i'); i.style.background = tint(v * most || 0); return i; }), count(most))),
    columns: [{ title: 'Hour', cell: (i) => `${days[Math.floor(i / 24)]} ${String(i % 24).padStart(2, '0')}:00` },
      { title: 'Calls an hour', num: true, cell: (i) => count(mean[i]), text: (i) => mean[i] }, { title: 'Calls', num: true, cell: (i) => exact(p.calls[i]), text: (i) => p.calls[i] },
      { title: 'Tokens', num: true, cell: (i) => count(p.tokens[i]), text: (i) => p.tokens[i] }],
    rows: p.calls.map((_, i) => i),
  });
}

export function render(data, { q, set }) {
  const { c, main, status } = data;
  const t = main.total;
  const slots = { filters: el('div.controls.filters'), heat: el('div.later.w7'), gaps: el('div.later') };
  const fillIn = () => {
    slots.filters.replaceChildren(...filterSelects(data, q, set));
    if (!t.calls) return;
    later(() => heat(data), 'w7', slots.heat);
    later(() => gaps(data), null, slots.gaps);
  };
  if (data.rest) {
    const asked = data.rest;
    data.rest = async () => { await asked(); fillIn(); };
  } else {
    fillIn();
  }
  const filtered = filterParams(q).length > 0;
  const head = el('div.head', null, el('div', null, el('h1', null, 'Usage'),
    el('p.lead', null, `${asDay(c.from)} to ${asDay(c.to)}${status.store.newest_hour ? `; newest data ${asMinute(status.store.newest_hour)}` : ''}`)), controls(data, q, set, slots.filters));
  if (!t.calls) {
    return el('div', null, head, !status.store.newest_hour
      ? empty('No usage yet', el('p', null, 'Nothing has been received. Start an agent on a host that calls LLM APIs; its first totals arrive within a minute.'),
        code('breakeven-collector token add --config collector.yaml --name web --agents \'web-*\'\nbreakeven-agent run --config agent.yaml'),
        el('p', null, 'To look at logs without a collector: ', el('code', null, 'breakeven-agent scan PATH'), '. The made-up demo: ', el('code', null, './run.sh'), '.'))
      : empty('Nothing in this selection', el('p', null, filtered ? 'No call fits the filters in this time.' : `No call in this time. The newest data are of ${asMinute(status.store.newest_hour)}.`),
        el('button', { type: 'button', onclick: () => set({ range: '400d', from: null, to: null, app: null, provider: null, model: null, environment: null }) }, 'Show all of the last 400 days')));
  }
  const perDay = t.cost_usd === null ? null : t.cost_usd / c.days;
  return el('div', null, head,
    el('div.kpis', null,
      kpi('Cost', t.cost_usd === null ? missing : `${t.priced ? '' : '≥ '}${money(t.cost_usd)}`, t.cost_usd === null ? 'nothing here has a price' : `${money(perDay)} a day${t.priced ? '' : `; ${percent(t.calls_unpriced / t.calls, 1)} of calls unpriced`}`),
      kpi('Calls', count(t.calls), `${count(t.calls / c.days)} a day; ${percent(t.calls_failed / t.calls, 1)} failed`),
      kpi('Tokens', count(t.tokens), `${count(t.input + t.cache_read + t.cache_write + t.cache_write_5m + t.cache_write_1h)} in, ${count(t.output)} out`),
      kpi('From cache', percent(t.cache_read / Math.max(1, t.tokens - t.output)), 'of the input tokens'),
      kpi('Exact', percent((t.calls - t.calls_estimated - t.calls_missing) / t.calls), 'of calls, counts as the provider said')),
    el('div.grid', null, mainChart(data, set), later(() => rowsTable(data)), slots.heat, later(() => quality(data), 'w5'), slots.gaps));
}
