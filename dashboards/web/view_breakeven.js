// Breakeven: the API's bill against hosting a model, when they cross, and what if.
import { ApiError, ask } from './api.js';
import { colour, dashes, destroyAll, figure, fill, later, marks, mountAll, options, rgba } from './charts.js';
import { asDay, asLongMonth, asMinute, asMonth, capital, chance, count, missing, money, percent, when, words } from './format.js';
import { badge, card, clean, code, debounce, el, empty, kpi, named, scroll, select, shorten, table, wholly } from './ui.js';

const filterNames = ['app', 'environment', 'provider', 'model', 'surface'];
const badges = { measured: 'good', declared: '', default: 'warn', 'what-if': 'bad' };

/* --- loading -------------------------------------------------------------------------------- */

const levers = [
  { name: 'volume_growth', label: 'Volume growth a year', min: -0.5, max: 3, step: 0.05, none: () => 0,
    show: (v) => `${v > 0 ? '+' : ''}${percent(v)}`, why: 'on top of the forecast' },
  { name: 'api_price', label: 'API price', min: 0.2, max: 2, step: 0.05, none: () => 1, show: (v) => `${v === 1 ? '' : v > 1 ? '+' : '−'}${percent(Math.abs(v - 1))}`, why: 'against today\'s price book' },
  { name: 'gpu_price', label: 'GPU price', min: 0.2, max: 2, step: 0.05, none: () => 1, show: (v) => `${v === 1 ? '' : v > 1 ? '+' : '−'}${percent(Math.abs(v - 1))}`,
    why: (r) => (r.scenario.gpu ? `of ${r.scenario.gpu}, ${money(r.scenario.gpu_hour.value)} an hour` : 'this scenario has no GPU line') },
  { name: 'coverage', label: 'Coverage', min: 0, max: 1, step: 0.01, none: (r) => r.scenario.coverage.value, show: (v) => percent(v), why: 'share of calls the own model takes' },
];

function changes(q) {
  const c = {};
  for (const l of levers) {
    const v = parseFloat(q.get(`if_${l.name}`));
    if (isFinite(v) && v >= l.min && v <= l.max) c[l.name] = v;
  }
  return c;
}

async function history(w, signal) {
  const now = new Date();
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 6, 1)).toISOString().slice(0, 10);
  const to = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0)).toISOString().slice(0, 10);
  const p = [['by', 'outcome'], ['grain', 'month'], ['from', from], ['to', to]];
  for (const f of filterNames) for (const v of w[f] || []) p.push([f, v]);
  const b = await ask('usage/breakdown', p, signal);
  return b.time.map((t, i) => ({ start: t.slice(0, 10), usd: b.line.reduce((s, l) => s + (l.cost_usd[i] || 0), 0) })).filter((m) => m.usd > 0);
}

export async function load({ q, signal }) {
  const workloads = await ask('workloads', null, signal);
  const w = workloads.find((x) => x.name === q.get('workload')) || workloads.find((x) => x.verdict && x.verdict !== 'refused') || workloads[0];
  if (!w) return { workloads, status: await ask('status', null, signal) };
  const change = changes(q);
  const [kept, past, moved] = await Promise.all([
    ask(`projections/${encodeURIComponent(w.name)}`, { newest: 1 }, signal), history(w, signal),
    Object.keys(change).length ? ask(`whatif/${encodeURIComponent(w.name)}`, change, signal) : null]);
  return { workloads, w, result: kept.length ? kept[0].result : null, past, moved, change };
}

/* --- words -------------------------------------------------------------------------------- */

const within = (r) => `${r.month.length - 1} months`;
// Within the horizon; where that is a year, counted from today to the day, as elsewhere.
const likely = (r, what) => (r.month.length === 13 ? r[what].p12 : null) ?? r.month[r.month.length - 1][what === 'crossing' ? 'p_crossed' : 'p_paid'];

// The setup is (not) earned back in time; null where there is none, or nothing to say of it.
const earned = (r) => (r.scenario.setup.value > 0 && r.verdict !== 'open' ? r.payback.q50 !== null : null);
const least = (r) => (r.unpriced_share > 0 ? '≥ ' : ''); // a bill from which something is missing

function headline(r) {
  const name = shorten(clean(r.workload), 50);
  if (r.verdict === 'refused') return `${name}: no projection yet`;
  if (r.verdict === 'open') return `${name}: not to be said yet`;
  const but = earned(r) === false ? `, but does not earn its setup back within ${within(r)}` : '';
  if (r.verdict === 'crossed') return `${name}: hosting is already cheaper at today's volume${but}`;
  if (r.crossing.q50) return `${name}: hosting gets cheaper in ${asLongMonth(r.crossing.q50)}${but}`;
  if (r.verdict === 'unlikely') return `${name}: stay with the API`;
  return `${name}: hosting may get cheaper within ${within(r)}`;
}

function lead(r) {
  if (r.verdict === 'refused') return r.reason ? capital(r.reason) + '.' : '';
  if (r.verdict === 'open') return `${capital(r.reason)}.`; // dates would be of the priced calls only
  const next = r.month[1] || r.month[0];
  const range = !r.crossing.q10 ? '' : r.crossing.q90 && asMonth(r.crossing.q10) === asMonth(r.crossing.q90) ? ' Eight of ten futures cross in that month.'
    : r.crossing.q90 ? ` Eight of ten futures cross between ${asMonth(r.crossing.q10)} and ${asMonth(r.crossing.q90)}.` : ` One in ten futures crosses by ${asMonth(r.crossing.q10)}.`;
  const cross = r.verdict === 'crossed' ? `In ${asLongMonth(next.start)} hosting is expected to cost ${money(next.hosted.median)}, the API ${least(r)}${money(next.api.median)}.`
    : `Probability of a crossing within ${within(r)}: ${chance(likely(r, 'crossing'))}.${range}`;
  const pay = !(r.scenario.setup.value > 0) ? '' : r.payback.q50 ? `The setup of ${money(r.scenario.setup.value)} is earned back by ${asDay(r.payback.q50)}.`
    : `The setup of ${money(r.scenario.setup.value)} is earned back within ${within(r)} with a probability of ${chance(likely(r, 'payback'))}.`;
  return `${cross} ${pay}`;
}

/* --- the picture -------------------------------------------------------------------------- */

function monthIndex(months, text) {
  const t = when(text), y = t.getUTCFullYear(), m = t.getUTCMonth();
  const i = months.findIndex((s) => { const d = when(s); return d.getUTCFullYear() === y && d.getUTCMonth() === m; });
  if (i < 0) return null;
  const days = new Date(Date.UTC(y, m + 1, 0)).getUTCDate();
  return i + (t.getUTCDate() - 1) / days;
}

function chart(r, past) {
  const months = [...past.map((p) => p.start), ...r.month.map((m) => m.start)];
  const lead0 = past.map(() => null);
  const serie = (pick) => [...lead0, ...r.month.map(pick)];
  const api = colour(1), own = colour(0);
  const points = [];
  if (r.crossing.q50) points.push({ at: monthIndex(months, r.crossing.q50), row: 0, colour: colour(2), text: `Crossing ${asMonth(r.crossing.q50)} · ${chance(likely(r, 'crossing'))}` });
  if (r.payback.q50) points.push({ at: monthIndex(months, r.payback.q50), row: 1, colour: colour(3), dash: [5, 3], text: `Payback ${asDay(r.payback.q50)} · ${chance(likely(r, 'payback'))}` });
  const invisible = { order: 1, pointRadius: 0, borderWidth: 0, pointHitRadius: 0, band: true };
  const bands = (key, c, group) => [
    { ...invisible, group, data: serie((m) => m[key].hi95), fill: false },
    { ...invisible, group, data: serie((m) => m[key].lo95), fill: '-1', backgroundColor: rgba(c, 0.11) },
    { ...invisible, group, data: serie((m) => m[key].hi80), fill: false },
    { ...invisible, group, data: serie((m) => m[key].lo80), fill: '-1', backgroundColor: rgba(c, 0.2) }];
  const joined = [...past.map((p) => p.usd), ...r.month.map(() => null)];
  if (past.length) joined[past.length] = r.month[0].api.median;
  // The 95 % band of a year ahead is wide: what matters stays legible, the band may leave the frame.
  const top80 = 1.12 * Math.max(...r.month.map((m) => Math.max(m.api.hi80, m.hosted.hi80)), ...past.map((p) => p.usd));
  const columns = [
    { title: 'Month', cell: (m) => asMonth(m.start), text: (m) => m.start.slice(0, 7) },
    { title: 'API', num: true, cell: (m) => money(m.api.median), text: (m) => m.api.median },
    { title: 'API, 80 %', num: true, cell: (m) => (m.past ? 'metered' : `${money(m.api.lo80)} to ${money(m.api.hi80)}`), text: (m) => (m.past ? '' : `${m.api.lo80} to ${m.api.hi80}`) },
    { title: 'Hosted', num: true, cell: (m) => money(m.past ? null : m.hosted.median), text: (m) => (m.past ? null : m.hosted.median) },
    { title: 'Hosted, 80 %', num: true, cell: (m) => (m.past ? missing : `${money(m.hosted.lo80)} to ${money(m.hosted.hi80)}`), text: (m) => (m.past ? '' : `${m.hosted.lo80} to ${m.hosted.hi80}`) },
    { title: 'P(hosted cheaper)', num: true, cell: (m) => (m.past ? missing : chance(m.p_cheaper)), text: (m) => (m.past ? null : m.p_cheaper) },
    { title: 'P(crossed by then)', num: true, cell: (m) => (m.past ? missing : chance(m.p_crossed)), text: (m) => (m.past ? null : m.p_crossed) },
    { title: 'P(paid back)', num: true, cell: (m) => (m.past ? missing : chance(m.p_paid)), text: (m) => (m.past ? null : m.p_paid) },
    { title: 'Calls', num: true, cell: (m) => count(m.past ? null : m.calls), text: (m) => (m.past ? null : m.calls) },
  ];
  return figure({
    title: 'Cost by month', key: 'breakeven', size: 'tall', file: `breakeven-${r.workload.replace(/[^\w-]+/g, '_')}`,
    sub: 'Medians of the sampled futures; bands hold 80 % and 95 % of them.',
    summary: `API ${money(r.month[0].api.median)} this month, ${money(r.month[r.month.length - 1].api.median)} in ${asMonth(r.month[r.month.length - 1].start)}; hosted ${money(r.month[r.month.length - 1].hosted.median)} then. ${lead(r)}`,
    config: () => ({
      type: 'line',
      data: { labels: months.map(asMonth), datasets: [
        ...bands('api', api, 'api'), ...bands('hosted', own, 'own'),
        { label: 'API, metered', group: 'past', data: joined, borderColor: api, backgroundColor: api, borderWidth: 3, pointRadius: 3, pointStyle: 'rect' },
        { label: 'API, forecast', group: 'api', data: serie((m) => m.api.median), borderColor: api, backgroundColor: api, borderWidth: 2.5, borderDash: dashes[1], pointRadius: 2.5, pointStyle: 'rect' },
        { label: 'Hosted', group: 'own', data: serie((m) => m.hosted.median), borderColor: own, backgroundColor: own, borderWidth: 2.5, pointRadius: 2.5 }] },
      plugins: [marks(points.filter((p) => p.at !== null))],
      options: options({ y: money, yMax: top80, tooltip: { filter: (t) => !t.dataset.band && t.raw !== null && !(t.dataset.group === 'past' && t.dataIndex >= past.length), callbacks: {
        label(t) {
          const m = r.month[t.dataIndex - past.length];
          const b = m && { api: m.api, own: m.hosted }[t.dataset.group];
          return ` ${t.dataset.label}: ${money(t.raw)}${b ? ` (${money(b.lo80)} to ${money(b.hi80)})` : ''}`;
        },
        footer(t) { const m = t.length && r.month[t[0].dataIndex - past.length]; return m ? `P(hosted cheaper) ${chance(m.p_cheaper)}` : ''; } } } }),
    }),
    legend: [...(past.length ? [{ label: 'API, metered', group: 'past', colour: api, line: true }] : []), { label: 'API, forecast', group: 'api', colour: api, line: true, dash: dashes[1] }, { label: 'Hosted', group: 'own', colour: own, line: true }],
    columns, rows: [...past.map((p) => ({ start: p.start, past: true, api: { median: p.usd } })), ...r.month],
  });
}

function gauge(r) {
  const ratio = r.threshold_ratio;
  const text = ratio === null ? 'At today\'s prices hosting is cheaper at no volume.'
    : `Today ${r.unpriced_share > 0 ? 'at least ' : ''}${percent(ratio)} of breakeven volume`;
  if (ratio === null) return card('Threshold', text, null, el('p', null, `Today: ${count(r.calls_per_day)} calls a day at ${least(r)}${money(r.usd_per_call * 1000)} per 1,000 on the API.`));
  const top = Math.max(1.5, Math.min(ratio * 1.15, 10));
  const x = (v) => 6 + 388 * Math.min(v, top) / top;
  const anchor = (at, reach) => (at > 400 - reach ? 'end' : at < reach ? 'start' : 'middle');
  const note = ratio >= 1 ? 'above it hosting is cheaper' : 'from there on hosting is cheaper';
  return figure({
    title: 'Threshold', sub: `${text}; ${note}, at today's mix and prices.`, file: 'threshold', summary: '',
    node: () => el('svg.gauge', { viewBox: '0 0 400 84', role: 'img', 'aria-label': `${text}: ${count(r.calls_per_day)} of ${count(r.threshold_calls_per_day)} calls a day` },
      el('rect.track', { x: 6, y: 28, width: 388, height: 22, rx: 11 }),
      el(`rect.fill${ratio >= 1 ? '.over' : ''}`, { x: 6, y: 28, width: Math.max(12, x(ratio) - 6), height: 22, rx: 11 }),
      el('line.mark', { x1: x(1), x2: x(1), y1: 20, y2: 58 }),
      el('text.strong', { x: x(1), y: 14, 'text-anchor': anchor(x(1), 120) }, `Breakeven: ${count(r.threshold_calls_per_day)} calls a day`),
      el('text.strong', { x: x(ratio), y: 75, 'text-anchor': anchor(x(ratio), 60) }, `Today: ${count(r.calls_per_day)}`)),
    columns: [{ title: 'What', cell: (x2) => x2[0] }, { title: 'Value', num: true, cell: (x2) => x2[1], text: (x2) => x2[2] }],
    rows: [['Calls a day today', count(r.calls_per_day), r.calls_per_day], ['Calls a day at breakeven', count(r.threshold_calls_per_day), r.threshold_calls_per_day], ['Share', percent(ratio), ratio]],
  });
}

function sensitivity(r) {
  const list = r.sensitivity;
  const base = r.saving12.median;
  const same = (a, b) => Math.abs(a - b) < 1e-9;
  return figure({
    title: 'What moves it most', sub: 'Saving after 12 months, each input moved alone by a fifth.', file: 'sensitivity',
    summary: list.slice(0, 3).map((s) => `${s.input}: ${money(s.saving_low)} to ${money(s.saving_high)}`).join('; '),
    config: () => {
      const o = options({ y: money });
      o.indexAxis = 'y';
      o.scales = { y: { grid: { display: false, drawBorder: false }, ticks: { color: getComputedStyle(document.body).color } },
        x: { grid: { color: o.scales.y.grid.color, drawBorder: false }, ticks: { callback: (v) => money(v), maxTicksLimit: innerWidth < 520 ? 3 : 6, maxRotation: 0 } } };
      o.interaction = { mode: 'nearest', axis: 'y', intersect: false };
      const part = (label, key, value, c) => ({ label, data: list.map((s) => [base, s[key]]), backgroundColor: c, grouped: false, barPercentage: 0.7, minBarLength: 2, value });
      o.plugins.tooltip.callbacks = { label: (t) => ` ${list[t.dataIndex].input} ${count(list[t.dataIndex][t.dataset.value])}: ${money(t.raw[1])}` };
      return { type: 'bar', data: { labels: list.map((s) => capital(s.input)), datasets: [part('lower', 'saving_low', 'low', fill(7)), part('higher', 'saving_high', 'high', colour(0))] }, options: o };
    },
    columns: [{ title: 'Input', cell: (s) => capital(s.input), text: (s) => s.input },
      { title: 'Lower', num: true, cell: (s) => count(s.low), text: (s) => s.low }, { title: 'Saving', num: true, cell: (s) => money(s.saving_low), text: (s) => s.saving_low },
      { title: 'Higher', num: true, cell: (s) => count(s.high), text: (s) => s.high }, { title: 'Saving', num: true, cell: (s) => money(s.saving_high), text: (s) => s.saving_high },
      { title: 'Payback, months', num: true, cell: (s) => `${s.payback_low === null ? missing : count(s.payback_low)} / ${s.payback_high === null ? missing : count(s.payback_high)}` }],
    rows: list.filter((s) => !same(s.saving_low, s.saving_high) || s.threshold_low !== s.threshold_high),
    extra: el('p.sub', null, `Hatched: the input lower. Solid: higher. They meet at ${money(base)}, the saving as it stands.`),
  });
}

const inputNames = { monthly_fixed: ['Fixed cost a month', money], setup: ['Setup, once', money], gpu_hour: ['GPU an hour', money], gpus_per_replica: ['GPUs a replica', count],
  output_tokens_per_s: ['Output tokens a second', count], input_tokens_per_s: ['Input tokens a second', count], requests_per_s: ['Requests a second', count],
  headroom: ['Headroom above the peak', percent], min_replicas: ['Replicas at least', count], coverage: ['Coverage', percent], escalation: ['Escalation', percent],
  retrain: ['Retraining', money], latency_target: ['Latency target', (v) => (v ? `${count(v)} s` : 'none')], retrain_months: ['Months between retrainings', (v) => (v ? count(v) : 'none')], api_price_change: ['API price a year', percent], gpu_price_change: ['GPU price a year', percent] };

function inputs(r) {
  const gpuOnly = new Set(['gpu_hour', 'gpus_per_replica', 'output_tokens_per_s', 'input_tokens_per_s', 'requests_per_s', 'headroom', 'min_replicas', 'gpu_price_change']);
  const rows = [
    ['Calls a day', count(r.calls_per_day), 'measured', r.calls_per_day], ['Tokens a day', count(r.tokens_per_day), 'measured', r.tokens_per_day],
    ['API cost a day', money(r.usd_per_day), 'measured', r.usd_per_day], ['API cost per 1,000 calls', money(r.usd_per_call * 1000), 'measured', r.usd_per_call * 1000],
    ...(r.scenario.gpu ? [['GPU', r.scenario.gpu, 'declared', r.scenario.gpu]] : []),
    ...Object.entries(r.scenario).filter(([k, v]) => v && v.origin && (r.scenario.gpu || !gpuOnly.has(k)))
      .map(([k, v]) => [(inputNames[k] || [capital(words(k))])[0], (inputNames[k] || [0, count])[1](v.value), v.origin, v.value]),
  ];
  return card('What it is computed from', 'Measured by the meter, declared by you, or a default nobody confirmed.', null, wholly('Inputs', table('Inputs', [
    { title: 'Input', cell: (x) => x[0] }, { title: 'Value', num: true, cell: (x) => x[1] }, { title: 'Origin', cell: (x) => badge(x[2], badges[x[2]]) }], rows)));
}

// Every number of the view in a sentence: where it is from, how sure.
function explained(r) {
  const s = r.scenario, shares = [['estimated', r.estimated_share], ['missing', r.missing_share], ['without a price', r.unpriced_share]].filter((x) => x[1] > 0);
  const parts = [
    ['API cost', `tokens as metered, by class, times the price of their day. ${shares.length ? `Of the calls: ${shares.map(([k, v]) => `${percent(v, 1)} ${k}`).join(', ')}.` : 'All calls have exact counts and a price.'}`],
    ['Forecast', `from ${count(r.days)} days of history to many sampled futures. The line is the middle one; of ten futures eight lie within the dark band, and 19 of 20 within the light one. ${r.backtest_origins ? `Tried on ${r.backtest_origins} earlier dates: off by ${percent(r.backtest_mape)} on average.` : ''}`],
    ['Hosted cost', `${s.gpu ? `replicas for the busiest minute with ${percent(s.headroom.value)} headroom, at ${money(s.gpu_hour.value)} a GPU hour, plus ` : ''}${money(s.monthly_fixed.value)} fixed a month${s.coverage.value < 1 || s.escalation.value > 0 ? `, plus the API for the ${percent(Math.min(1, 1 - s.coverage.value + s.coverage.value * s.escalation.value))} of calls it does not take` : ''}.`],
    ['Crossing', 'the first month in which hosting costs less than the API; its probability is the share of futures in which it comes in time.'],
    ['Payback', 'the day on which what was saved since the start has made up for the setup.'],
    ['Saving', 'what the API would have cost in these 12 months, less hosting, less the setup.'],
    ['Breakeven volume', 'the calls a day, of today\'s kind and at today\'s prices, at which both cost the same.'],
  ];
  return el('details.card.explain', { open: innerWidth > 760 }, el('summary', null, 'How each number is made, and how sure it is'), el('dl.kv', null, parts.map(([k, v]) => [el('dt', null, k), el('dd', null, capital(v))])));
}

// What forecasts of earlier days said about the 28 days after them, and what those became.
function backtest(r) {
  const list = [...r.backtest].reverse();
  const inside = (w) => w.actual >= w.lo80 && w.actual <= w.hi80;
  const band = { pointRadius: 0, borderWidth: 0, pointHitRadius: 0, band: true, group: 'point' };
  const serie = (label, group, key, c, dash, style) => ({ label, group, data: list.map((w) => w[key]), borderColor: c, backgroundColor: c, borderWidth: 2.5, borderDash: dash, pointRadius: 3, pointStyle: style });
  return figure({
    title: 'How earlier forecasts did', file: 'backtest', size: 'low',
    sub: `28 days each, forecast from what was known then: off by ${percent(r.backtest_mape)} on average, ${list.filter(inside).length} of ${list.length} inside the 80 % range.`,
    summary: `${list.filter(inside).length} of ${list.length} earlier forecasts held what came inside their 80 % range.`,
    config: () => ({
      type: 'line',
      data: { labels: list.map((w) => asDay(w.from)), datasets: [
        { ...band, data: list.map((w) => w.hi80), fill: false }, { ...band, data: list.map((w) => w.lo80), fill: '-1', backgroundColor: rgba(colour(1), 0.2) },
        serie('Forecast', 'point', 'point', colour(1), dashes[1], 'rect'), serie('Became', 'actual', 'actual', colour(0), [], 'circle')] },
      options: options({ y: money, tooltip: { filter: (t) => !t.dataset.band, callbacks: {
        label: (t) => ` ${t.dataset.label}: ${money(t.raw)}`,
        footer: (t) => (t.length ? `80 %: ${money(list[t[0].dataIndex].lo80)} to ${money(list[t[0].dataIndex].hi80)}` : '') } } }),
    }),
    legend: [{ label: 'Forecast, 80 % range', group: 'point', colour: colour(1), line: true, dash: dashes[1] }, { label: 'Became', group: 'actual', colour: colour(0), line: true }],
    columns: [{ title: '28 days from', cell: (w) => asDay(w.from), text: (w) => w.from },
      { title: 'Forecast', num: true, cell: (w) => money(w.point), text: (w) => w.point },
      { title: '80 % range', num: true, cell: (w) => `${money(w.lo80)} to ${money(w.hi80)}`, text: (w) => `${w.lo80} to ${w.hi80}` },
      { title: 'Became', num: true, cell: (w) => money(w.actual), text: (w) => w.actual },
      { title: 'Inside', cell: (w) => (inside(w) ? badge('inside', 'good') : badge(w.actual > w.hi80 ? 'above' : 'below', 'warn')), text: (w) => (inside(w) ? 'inside' : w.actual > w.hi80 ? 'above' : 'below') }],
    rows: list,
  });
}

// What the specialist's own hours say about a replica; null without a latency target.
function throughput(r) {
  const t = r.throughput;
  if (!t) return null;
  const rate = r.scenario.output_tokens_per_s;
  const rows = [
    [`Sustained within ${count(t.latency_target)} s (p95)`, t.sustained > 0 ? count(t.sustained) : t.hours ? 'never' : missing, 'measured'],
    ['Slowest rate that missed it', t.missed === null ? 'none' : count(t.missed), 'measured'],
    ...(r.scenario.gpu && rate ? [['Computed with', count(rate.value), rate.origin]] : []),
  ];
  return card('Throughput of a replica', t.hours ? `Output tokens a second over the ${count(t.hours)} busiest hours of the parallel test that have enough calls.` : 'No hour of the parallel test has enough calls to tell yet.', null,
    scroll('Throughput', table('Output tokens a second', [{ title: 'What', cell: (x) => x[0] }, { title: 'Tokens/s', num: true, cell: (x) => x[1] },
      { title: 'Origin', cell: (x) => badge(x[2], badges[x[2]]) }], rows)));
}

function alternatives(r) {
  const list = r.alternative || [];
  if (!list.length) {
    return card('Other prices for the same calls', 'Before a model of your own: would another API do?', null,
      el('p.dim', null, 'Name some under '), el('code', null, 'alternatives: [openai/gpt-4o-mini]'), el('p.dim', null, 'of the workload, and they are priced here.'));
  }
  return card('Other prices for the same calls', 'Before a model of your own: would another API do?', null, scroll('Alternatives', table('Alternatives', [
    { title: 'Instead', name: true, cell: (a) => named(a.name) }, { title: 'A day', num: true, cell: (a) => (a.usd_per_day === null ? badge('unpriced', 'warn') : money(a.usd_per_day)) },
    { title: 'Against today', num: true, cell: (a) => (a.usd_per_day === null ? missing : `${a.usd_per_day > r.usd_per_day ? '+' : '−'}${percent(Math.abs(a.usd_per_day / r.usd_per_day - 1))}`) },
    { title: 'Saving, 12 months', num: true, cell: (a) => money(a.saving12) }], list)));
}

function others(workloads, w) {
  if (workloads.length < 2) return null;
  return card('All workloads', null, null, scroll('Workloads', table('All workloads', [
    { title: 'Workload', name: true, cell: (x) => el('a', { href: `#/breakeven?workload=${encodeURIComponent(x.name)}`, 'aria-current': x === w ? 'true' : null }, named(x.name)) },
    { title: 'Verdict', cell: (x) => badge(x.verdict || 'not projected', { crossed: 'good', likely: x.saving12 < 0 ? 'warn' : 'good', possible: 'warn' }[x.verdict] || 'plain') },
    { title: 'API a day', num: true, cell: (x) => money(x.usd_per_day) }, { title: 'Of breakeven volume', num: true, cell: (x) => percent(x.threshold_ratio) },
    { title: 'Crossing', num: true, cell: (x) => (x.crossing_q50 ? asMonth(x.crossing_q50) : missing) }, { title: 'P within 12 months', num: true, cell: (x) => chance(x.crossing_p12) },
    { title: 'Saving, 12 months', num: true, cell: (x) => money(x.saving12) }], workloads)));
}

/* --- what if -------------------------------------------------------------------------------- */

function sliders(data, set, area, was) {
  const { w, result, change } = data;
  const values = { ...change };
  const state = el('span.sub', { role: 'status' });
  let mine = null;
  const askNow = debounce(async () => {
    if (mine) mine.abort();
    mine = new AbortController();
    state.textContent = 'Computing…';
    const asked = { ...values }; // a slider may move on before the answer is here
    try {
      const moved = Object.keys(asked).length ? await ask(`whatif/${encodeURIComponent(w.name)}`, asked, mine.signal) : null;
      data.moved = moved;
      data.change = asked;
      area(moved || result, moved ? was : null);
      state.textContent = moved ? 'What if: the stored scenario is unchanged.' : '';
      set(Object.fromEntries(levers.map((l) => [`if_${l.name}`, asked[l.name]])), true);
    } catch (e) {
      if (e.name !== 'AbortError') state.textContent = e instanceof ApiError ? e.message : String(e);
    }
  }, 120);
  const controls = levers.map((l) => {
    const off = l.name === 'gpu_price' && !result.scenario.gpu;
    const start = values[l.name] ?? l.none(result);
    const id = `if-${l.name}`;
    const out = el('output', { for: id }, l.show(start));
    const input = el('input', { type: 'range', id, min: l.min, max: l.max, step: l.step, disabled: off, 'aria-valuetext': l.show(start) });
    input.value = start;
    input.addEventListener('input', () => {
      const v = Number(input.value);
      out.textContent = l.show(v);
      input.setAttribute('aria-valuetext', l.show(v));
      if (Math.abs(v - l.none(result)) < l.step / 2) delete values[l.name]; else values[l.name] = v;
      askNow();
    });
    input.reset = () => { input.value = l.none(result); out.textContent = l.show(l.none(result)); input.setAttribute('aria-valuetext', out.textContent); delete values[l.name]; };
    return { input, node: el('div.slider', null, el('label', { for: id }, el('span', null, l.label, ' ', out)), input, el('div.why', null, typeof l.why === 'function' ? l.why(result) : l.why)) };
  });
  const reset = el('button.quiet', { type: 'button', onclick: () => { controls.forEach((c) => c.input.reset()); askNow(); } }, 'Reset');
  return card('What if', 'Computed by the collector over the same sampled futures. Nothing is stored.', [reset], el('div.sliders', null, controls.map((c) => c.node)), el('p', null, state));
}

/* --- the view ------------------------------------------------------------------------------- */

const changed = (now, before) => (before !== undefined && before !== now ? `was ${before}` : null);

function numbers(r, was) {
  const next = r.month[1] || r.month[0];
  const open = (x) => (x.verdict === 'open' ? 'not to be said' : null); // too much has no price
  const cross = (x) => open(x) || (x.verdict === 'crossed' ? 'now' : x.crossing.q50 ? asMonth(x.crossing.q50) : x.verdict === 'possible' ? 'uncertain' : 'not in sight');
  const pay = (x) => open(x) || (x.payback.q50 ? asDay(x.payback.q50) : x.scenario.setup.value > 0 ? 'not in sight' : 'no setup');
  const hosted = (x) => money((x.month[1] || x.month[0]).hosted.median);
  const api = (x) => least(x) + money((x.month[1] || x.month[0]).api.median);
  const saving = (x) => least(x) + money(x.saving12.median);
  const inTime = (p) => (r.verdict === 'open' ? 'some calls have no price' : `within a year: ${chance(p)}`);
  const old = (f) => (was ? changed(f(r), f(was)) : null);
  return el('div.kpis', null,
    kpi(`API in ${asMonth(next.start)}`, api(r), `80 %: ${money(next.api.lo80)} to ${money(next.api.hi80)}`, old(api)),
    kpi(`Hosted in ${asMonth(next.start)}`, hosted(r), `80 %: ${money(next.hosted.lo80)} to ${money(next.hosted.hi80)}`, old(hosted)),
    kpi('Crossing', cross(r), inTime(r.crossing.p12 ?? likely(r, 'crossing')), old(cross)),
    kpi('Payback of setup', pay(r), r.scenario.setup.value > 0 || r.verdict === 'open' ? inTime(r.payback.p12 ?? likely(r, 'payback')) : 'nothing to earn back', old(pay)),
    kpi('Saving after 12 months', saving(r), `80 %: ${money(r.saving12.lo80)} to ${money(r.saving12.hi80)}`, old(saving)));
}

function top(r, was) {
  const tone = r.verdict === 'refused' || r.verdict === 'open' || r.verdict === 'unlikely' ? '' : earned(r) === false || r.verdict === 'possible' ? '.warn' : '.good';
  return el(`section.card.verdict${tone}`, null, el('h1', null, headline(r), was ? [' ', badge('what if', 'warn')] : null), el('p', null, lead(r)));
}

function refusedBecause(r) {
  if (!r.days) return ['No metered call fits this workload. Compare its filter in ', el('code', null, 'collector.yaml'), ' with the names in the view ', el('a', { href: '#/usage?range=90d&by=app' }, 'Usage'), '; then ask again:'];
  if (r.days < 14) return `${14 - r.days} more days of calls are needed before a forecast says anything; it is made every night. Older logs may be read as well (start: beginning in agent.yaml). To ask again at once:`;
  return ['Nothing to forecast at the moment. If calls should be coming in, look at the view ', el('a', { href: '#/agents' }, 'Agents'), '; then ask again:'];
}

function runRate(r) {
  return el('div.kpis', null, kpi('Days of history', count(r.days), 'a projection needs 14'), kpi('Calls a day', count(r.calls_per_day), 'as metered'), kpi('API cost a day', least(r) + money(r.usd_per_day), 'run rate, not a forecast'));
}

export function render(data, { set }) {
  const { workloads, w, result } = data;
  const head = el('div.head', null, el('div', null, el('p.lead', null, 'When does hosting your own model become cheaper than the API?')),
    w ? el('div.controls', null, select('Workload', w.name, workloads.map((x) => [x.name, x.name]), (v) => set({ workload: v, ...Object.fromEntries(levers.map((l) => [`if_${l.name}`, null])) }))) : null);
  if (!w) {
    return el('div', null, el('h1', null, 'Breakeven'), head, empty('No workload is declared yet',
      el('p', null, 'A workload names the calls that one model of your own could take over, and what hosting it would cost. Write one into ', el('code', null, 'collector.yaml'), ' and restart the collector:'),
      code('workloads:\n  support-bot:\n    app: [support]          # which metered calls\n    hosted:\n      gpu: L40S             # or leave it out, for a fixed sum a month\n      monthly_fixed: 1500\n      setup: 12000\n      coverage: 0.9'),
      el('p', null, data.status.store.newest_hour ? 'Usage is coming in already: see the view Usage for the names of applications.' : 'No usage has come in either: start an agent first (view Agents).')));
  }
  if (!result) {
    return el('div', null, el('h1', null, 'Breakeven'), head, empty('Not projected yet', el('p', null, 'The collector projects every night and at its start. To have it now:'), code('breakeven-collector project --config collector.yaml')), others(workloads, w));
  }
  const warnings = (r) => (r.warning.length ? el('ul.notes', { 'aria-label': 'Warnings' }, r.warning.map((t) => el('li', null, capital(t), '.'))) : null);
  if (result.verdict === 'refused') {
    return el('div', null, head, top(result), warnings(result), runRate(result), el('section.empty', null, el('h2', null, 'What to do'), el('p', null, refusedBecause(result)),
      code('breakeven-collector project --config collector.yaml')), others(workloads, w));
  }
  // The sliders stay where they are while what they move is drawn anew around them.
  const slot = (width) => el(`div.slot${width ? `.${width}` : ''}`);
  const slots = { top: slot('w8'), gauge: slot('w4'), warnings: slot(), numbers: slot(), chart: slot(), inputs: slot('w5'), right: slot('w7') };
  slots.top.setAttribute('aria-live', 'polite');
  const fillIn = (r, was, first) => {
    const soon = (make) => (first ? later(make) : make()); // a moved slider changes all at once
    slots.top.replaceChildren(top(r, was));
    slots.gauge.replaceChildren(gauge(r));
    slots.warnings.replaceChildren(warnings(r) || '');
    slots.numbers.replaceChildren(numbers(r, was));
    slots.chart.replaceChildren(chart(r, data.past));
    slots.right.replaceChildren(...[soon(() => sensitivity(r)), r.backtest && r.backtest.length ? soon(() => backtest(r)) : null, soon(() => alternatives(r))].filter(Boolean));
    slots.inputs.replaceChildren(...[soon(() => inputs(r)), throughput(r), soon(() => explained(r))].filter(Boolean));
  };
  fillIn(data.moved || result, data.moved ? result : null, true);
  const area = (r, was) => { destroyAll(); fillIn(r, was); mountAll(); };
  const grid = el('div.grid', null, slots.chart, sliders(data, set, area, result),
    slots.inputs, slots.right, workloads.length > 1 ? later(() => others(workloads, w)) : null);
  return el('div', null, head, el('div.grid.lead', null, slots.top, slots.gauge), slots.warnings, slots.numbers, grid,
    el('p.dim', null, `Made ${asMinute(result.at)} from ${result.days} days of history (${asDay(result.first_day)} to ${asDay(result.last_day)}).`));
}
