// Decision: the checklist, both paths on six axes, and the next step.
import { ask } from './api.js';
import { colour, dashes, figure, options, rgba } from './charts.js';
import { asDay, asMinute, capital, percent } from './format.js';
import { badge, card, code, el, empty, select, table, wholly } from './ui.js';

export async function load({ signal }) {
  const [records, workloads] = await Promise.all([ask('decision', null, signal), ask('workloads', null, signal)]);
  return { records: records.map((r) => r.result), workloads };
}

const marks = { for: ['✓ for', 'good'], against: ['✗ against', 'bad'], neither: ['– neither', 'plain'], unknown: ['? unknown', 'warn'] };
const origins = { measured: 'good', declared: '', default: 'warn', unknown: 'plain' };
const stages = ['prototype', 'measure', 'test', 'migrate'];

function criteria(d) {
  const columns = [
    { title: 'Criterion', cell: (c) => capital(c.name), text: (c) => c.name },
    { title: 'Speaks', cell: (c) => badge(...(marks[c.mark] || [c.mark, 'plain'])) },
    { title: 'Weight', num: true, cell: (c) => c.weight },
    { title: 'Origin', cell: (c) => badge(c.origin, origins[c.origin]) },
    { title: 'Evidence', cell: (c) => c.evidence },
  ];
  return card('Is fine-tuning right for this workload?', d.score === null ? 'No score: nothing is known.' : `Score ${percent(d.score)}: ${d.arithmetic}.`, null,
    wholly('Criteria', table('Criteria', columns, d.criteria, { stack: true })));
}

function radar(d) {
  const axes = d.radar;
  const point = (p) => (p.value === null ? 'unknown' : p.value.toFixed(2));
  return figure({
    title: 'Both paths', sub: '0 poor, 1 good. Dashed: the API.', file: 'radar',
    summary: axes.map((a) => `${a.axis}: API ${point(a.api)}, specialist ${point(a.specialist)}`).join('; '),
    size: 'tall',
    config: () => {
      const o = options({ y: (v) => v });
      const line = o.scales.y.grid.color;
      const set = (label, key, c, dash, style) => ({ label, group: key, data: axes.map((a) => a[key].value), borderColor: c, backgroundColor: rgba(c, 0.12),
        borderWidth: 2.5, borderDash: dash, pointRadius: 4, pointStyle: style, pointBackgroundColor: c, spanGaps: true });
      o.scales = { r: { min: 0, max: 1, ticks: { stepSize: 0.25, display: false }, grid: { color: line }, angleLines: { color: line },
        pointLabels: { font: { size: 13 }, color: getComputedStyle(document.body).color } } };
      o.interaction = { mode: 'nearest', intersect: false };
      o.plugins.tooltip.callbacks = { label: (t) => ` ${t.dataset.label}: ${t.raw.toFixed(2)}` };
      return { type: 'radar', data: { labels: axes.map((a) => capital(a.axis)), datasets: [set('Specialist', 'specialist', colour(0), [], 'circle'), set('API', 'api', colour(1), dashes[1], 'rect')] }, options: o };
    },
    legend: [{ label: 'Specialist', group: 'specialist', colour: colour(0), line: true }, { label: 'API', group: 'api', colour: colour(1), line: true, dash: dashes[1] }],
    columns: [{ title: 'Axis', cell: (a) => capital(a.axis), text: (a) => a.axis },
      { title: 'API', num: true, cell: (a) => point(a.api), text: (a) => a.api.value }, { title: 'Specialist', num: true, cell: (a) => point(a.specialist), text: (a) => a.specialist.value },
      { title: 'From', cell: (a) => [badge(a.specialist.origin, origins[a.specialist.origin]), ' ', a.specialist.source], text: (a) => `${a.specialist.origin}: ${a.specialist.source}` }],
    rows: axes,
  });
}

function stepper(d) {
  const at = stages.indexOf(d.stage);
  return el('ol.steps', { 'aria-label': 'Steps' }, stages.map((s, i) => el('li', { class: i < at ? 'done' : null, 'aria-current': i === at ? 'step' : null }, s)));
}

function list(title, sub, items, none) {
  return card(title, sub, null, items && items.length ? el('ul.plain', null, items.map((i) => el('li', null, i))) : el('p.dim', null, none));
}

export function render({ records, workloads }, { q, set }) {
  const d = records.find((r) => r.workload === q.get('workload')) || records[0];
  const head = el('div.head', null, el('div', null, el('h1', null, 'Decision'), el('p.lead', null, 'What speaks for a model of your own, and what comes next.')),
    records.length > 1 ? el('div.controls', null, select('Workload', d.workload, records.map((r) => [r.workload, r.workload]), (v) => set({ workload: v }))) : null);
  if (!d) {
    return el('div', null, head, empty('No decision record yet',
      el('p', null, workloads.length ? 'It is made with the first projection. Ask for one now:' : 'Declare a workload in collector.yaml and restart:'),
      code(workloads.length ? 'breakeven-collector project --config collector.yaml' : 'workloads:\n  support-bot:\n    app: [support]\n    hosted: { monthly_fixed: 1500, setup: 12000 }\n    decision: { task: specific, privacy: high, mlops: some }')));
  }
  const good = /migrate|go ahead/.test(d.recommendation) ? 'good' : /stay|wait|no/.test(d.recommendation) ? '' : 'warn';
  const node = el('div', null, head,
    el(`section.card.verdict${good ? `.${good}` : ''}`, null, el('h2', null, `${capital(d.recommendation)}`), el('p', null, d.reason), stepper(d)),
    el('div.grid', null, criteria(d), radar(d),
      el('div', { class: 'w5' }, list('Missing for the next step', null, d.missing, 'Nothing.'), el('br'),
        list('Changed since the last record', `Made ${asMinute(d.at)}${d.price_book ? `, prices of ${asDay(d.price_book)}` : ''}.`, d.changes, d.changes ? 'Nothing.' : 'This is the first record.'))));
  node.querySelector('section[aria-label="Both paths"]').classList.add('w7');
  return node;
}
