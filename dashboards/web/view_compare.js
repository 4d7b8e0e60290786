// Compare: the parallel test, both arms side by side.
import { ask } from './api.js';
import { asDay, capital, count, missing, percent, words } from './format.js';
import { badge, card, code, el, empty, kpi, named, select, table, wholly } from './ui.js';

export async function load({ signal }) {
  const [reports, workloads] = await Promise.all([ask('compare', null, signal), ask('workloads', null, signal)]);
  return { reports, workloads };
}

const titles = { cost_per_call_canary: 'Cost per call, at the test\'s volume', cost_per_call_full: 'Cost per call, at full volume',
  duration_p50: 'Duration, median', duration_p95: 'Duration, 95th percentile', duration_p99: 'Duration, 99th percentile',
  ttft_p50: 'First token, median', ttft_p95: 'First token, 95th percentile', ttft_p99: 'First token, 99th percentile',
  error_rate: 'Error rate', abort_rate: 'Abort rate', output_per_call: 'Output tokens per call' };

const lastDay = (to) => new Date(new Date(to) - 1).toISOString(); // `to` is the first moment after it

function value(v, unit) {
  if (v === null || v === undefined) return missing;
  if (unit === 'share') return percent(v, 2);
  if (unit === 'USD') return `$${Math.abs(v) < 0.1 ? v.toPrecision(3) : v.toFixed(3)}`;
  if (unit === 's') return `${v.toFixed(2)} s`;
  return unit === 'tokens' ? count(v) : `${Number(v.toPrecision(3))}`;
}

function withInterval(v, unit, signed) {
  if (v.value === null) return missing;
  const plus = signed && v.value > 0 ? '+' : '';
  const text = signed ? `${plus}${value(v.value, unit)}`.replace('$-', '−$').replace('-', '−').replace('+$', '+$') : value(v.value, unit);
  const known = v.lo95 !== null && v.hi95 !== null && v.lo95 !== v.hi95;
  return el('span', null, el('strong', null, text), known ? el('div.dim', null, `${value(v.lo95, unit)} to ${value(v.hi95, unit)}`.replaceAll('$-', '−$').replaceAll('-', '−')) : null);
}

const marks = { better: ['✓ better', 'good'], equal: ['= equal', 'good'], worse: ['✗ worse', 'bad'], different: ['≠ different', 'warn'], 'not yet': ['… not yet', 'plain'] };

function verdict(l) {
  const [text, kind] = marks[l.verdict] || [l.verdict, 'plain'];
  const none = l.api.value === null || l.specialist.value === null;
  const why = l.verdict !== 'not yet' ? null : l.needed ? `about ${count(l.needed)} ${words(l.sample)} needed` : none ? 'not metered in both arms' : 'too few calls for an interval';
  return [badge(text, kind), why ? el('div.dim', null, why) : null];
}

// Both intervals on one scale: a dot and its whiskers each.
function whiskers(l) {
  const all = [l.api, l.specialist].flatMap((v) => [v.value, v.lo95, v.hi95]).filter((v) => v !== null && v !== undefined);
  if (!all.length) return '';
  const lo = Math.min(0, ...all), hi = Math.max(...all) || 1;
  const x = (v) => 6 + 198 * (v - lo) / (hi - lo || 1);
  const arm = (v, y, cls, square) => (v.value === null ? null : [
    el('line', { x1: x(v.lo95 ?? v.value), x2: x(v.hi95 ?? v.value), y1: y, y2: y, class: cls }),
    square ? el('rect', { x: x(v.value) - 4, y: y - 4, width: 8, height: 8, class: cls }) : el('circle', { cx: x(v.value), cy: y, r: 4.5, class: cls })]);
  return el('svg.whisker', { viewBox: '0 0 210 34', 'aria-hidden': 'true' }, arm(l.api, 10, 'api', true), arm(l.specialist, 24, 'own'));
}

function report(r) {
  const measured = r.line.filter((l) => l.source === 'metered');
  const scores = r.line.filter((l) => l.source !== 'metered');
  const columns = [
    { title: 'Quantity', cell: (l) => el('span', null, titles[l.name] || capital(words(l.name))) },
    { title: '■ API', num: true, cell: (l) => withInterval(l.api, l.unit) },
    { title: '● Specialist', num: true, cell: (l) => withInterval(l.specialist, l.unit) },
    { title: '95 % intervals, from 0', cell: whiskers },
    { title: 'Difference', num: true, cell: (l) => withInterval(l.difference, l.unit, true) },
    { title: 'Specialist is', cell: verdict },
  ];
  const part = (title, sub, list) => card(title, sub, null, wholly(title, table(title, columns, list, { stack: true })));
  return [
    el('div.kpis', null,
      kpi('Quality', (marks[r.quality] || [r.quality])[0], r.quality_metric ? `by the metric ${r.quality_metric}` : 'no quality metric is declared'),
      kpi('Examples', `${count(r.examples)} of ${count(r.examples_wanted)}`, `${words(r.examples_of || 'calls')} in the smaller arm`),
      kpi('API', count(r.api_calls_per_day), 'calls a day'),
      kpi('Specialist', count(r.specialist_calls_per_day), 'calls a day, in the test'),
      kpi('Margin', percent(r.margin, 0), `of the API's value counts as equal; of a rate ${Number((r.rate_margin * 100).toPrecision(3))} percentage points`)),
    el('div.grid', null,
      scores.length ? part('Quality scores', 'Judged elsewhere and posted to the collector.', scores)
        : empty('No quality scores yet', el('p', null, 'Cheaper and faster is not enough: post a score for each answer that was judged.'),
          code(`curl -X POST -H 'Authorization: Bearer …' --data \\\n  '{"workload":"${r.workload}","arm":"specialist","metric":"exact","value":1,"pass":true}' \\\n  ${location.origin}/api/v1/scores`)),
      part('Measured', `${asDay(r.from)} to ${asDay(lastDay(r.to))}, from metered traffic.`, measured)),
  ];
}

export function render({ reports, workloads }, { q, set }) {
  const chosen = reports.find((r) => r.workload === q.get('workload')) || reports[0];
  const head = el('div.head', null, el('div', null, el('h1', null, 'Compare'), el('p.lead', null, chosen ? [named(chosen.workload), ': is'] : 'The parallel test: is', ' the specialist as good as the API, and what does each cost?')),
    reports.length > 1 ? el('div.controls', null, select('Workload', chosen.workload, reports.map((r) => [r.workload, r.workload]), (v) => set({ workload: v }))) : null);
  if (!reports.length) {
    return el('div', null, head, empty('No parallel test is declared',
      el('p', null, 'Send a share of the calls to both the API and your own model, then tell the collector which is which, in ', el('code', null, 'collector.yaml'), ':'),
      code(`workloads:\n  ${workloads.length ? 'NAME' : 'support-bot'}:\n    compare:\n      api: { model: gpt-4o }\n      specialist: { provider: vllm }`)));
  }
  return el('div', null, head, report(chosen));
}
