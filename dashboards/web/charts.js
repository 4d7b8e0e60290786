// Chart.js with our manners: colours that colour-blind people tell apart (after Okabe and Ito, the
// light ones darkened to 3:1 on white), dashes and hatches beside colour, a summary in words and a
// real table behind every picture.
/* global Chart */
import { csv, download, el, clean, shorten, scroll, table } from './ui.js';

const light = ['#0072b2', '#c47f00', '#009e73', '#c56a9b', '#3793cf', '#d55e00', '#8a6d00', '#6b7680'];
const dark = ['#4ba3d9', '#f0b341', '#2fc79b', '#dd93bb', '#8fd0f5', '#f0854a', '#d8c94e', '#93a1ad'];
export const dashes = [[], [7, 4], [2, 3], [10, 3, 2, 3]];

export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}

export const colour = (i) => (isDark() ? dark : light)[i % light.length];

export function rgba(hex, alpha) {
  const n = parseInt(hex.slice(1), 16);
  return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
}

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The n-th series: plain colours first, then the same hatched, then dotted.
export function fill(i, others) {
  const base = others ? colour(7) : colour(i % 7);
  const round = others ? 0 : Math.floor(i / 7);
  if (round === 0) return base;
  const c = document.createElement('canvas');
  c.width = c.height = 8;
  const g = c.getContext('2d');
  g.fillStyle = rgba(base, 0.35);
  g.fillRect(0, 0, 8, 8);
  g.strokeStyle = g.fillStyle = base;
  g.lineWidth = 2.5;
  if (round === 1) {
    for (const d of [-8, 0, 8]) { g.beginPath(); g.moveTo(d, 8); g.lineTo(d + 8, 0); g.stroke(); }
  } else {
    g.fillRect(1, 1, 3, 3);
    g.fillRect(5, 5, 3, 3);
  }
  return g.createPattern(c, 'repeat');
}

/* --- living charts ----------------------------------------------------------------------- */

let waiting = [];
let living = [];
let round = 0; // of drawing: who is not of this one stops
const asTable = new Set(); // titles whose table is shown

export function destroyAll() {
  for (const c of living) c.destroy();
  living = [];
  waiting = [];
  round++;
}

// Chart.js is half of the page: preloaded, but run when the numbers are on the screen. Its file is
// a classic script that makes globalThis.Chart wherever it runs.
const chartjs = () => (globalThis.Chart ? null : import('/web/chart.min.js'));

// A page in the background gets no frames.
const nextFrame = () => new Promise((done) => { requestAnimationFrame(() => setTimeout(done)); setTimeout(done, 100); });

// After the view stands in the document: canvases have a size only then. One piece a frame, so that
// numbers are on the screen before the first and each before the next.
export async function mountAll() {
  const mine = round;
  while (waiting.length) {
    const next = waiting.shift();
    await nextFrame();
    if (next.chart) await chartjs();
    if (mine !== round) return;
    const c = next.draw();
    if (next.chart) living.push(c);
  }
}

// A piece of the view that takes its place some frames later: what is below the fold, and long.
// `width`: its class in the grid.
export function later(make, width, place = el(`div.later${width ? `.${width}` : ''}`)) {
  waiting.push({ draw() {
    const piece = make();
    if (width) piece.classList.add(width);
    place.replaceWith(piece);
  } });
  return place;
}

function swatch(item) {
  const s = el('svg', { viewBox: '0 0 20 12', 'aria-hidden': 'true' });
  if (item.line) {
    s.append(el('line', { x1: 0, y1: 6, x2: 20, y2: 6, stroke: item.colour, 'stroke-width': 3, 'stroke-dasharray': (item.dash || []).join(' ') }));
    return s;
  }
  s.append(el('rect', { width: 20, height: 12, rx: 2, fill: item.colour, 'fill-opacity': item.round ? 0.35 : 1 }));
  for (let x = -8; item.round && x < 20; x += 6) {
    s.append(el('line', { x1: x, y1: 12, x2: x + 12, y2: 0, stroke: item.colour, 'stroke-width': 2, 'stroke-dasharray': item.round > 1 ? '2 3' : null }));
  }
  return s;
}

// Buttons that show and hide what belongs together.
function legend(items, chart) {
  return el('ul.legend', { 'aria-label': 'Series; press to hide or show' }, items.map((item) => {
    const b = el('button', { type: 'button', 'aria-pressed': 'true', title: clean(item.label).slice(0, 500) },
      swatch(item), el('span', null, shorten(item.label, 42)));
    b.addEventListener('click', () => {
      if (!chart()) return; // not drawn yet, for some frames
      const on = b.getAttribute('aria-pressed') !== 'true';
      b.setAttribute('aria-pressed', String(on));
      const c = chart();
      c.data.datasets.forEach((d, i) => { if (d.group === item.group) c.setDatasetVisibility(i, on); });
      c.update();
    });
    return el('li', null, b);
  }));
}

/*
 * A card with a picture and its table. o: title, sub, summary (words for who cannot see it),
 * config() for Chart.js or node() for a picture of our own, legend, columns, rows, foot, file,
 * size ('tall', 'low'), extra (more nodes).
 */
export function figure(o) {
  let chart = null;
  const key = o.key || o.title;
  const picture = el('div');
  const behind = el('div'); // its table is made when it is first looked at
  if (o.config) {
    const canvas = el('canvas', { role: 'img', 'aria-label': `${o.title}. ${o.summary}` });
    picture.append(el(`div.plot${o.size ? `.${o.size}` : ''}`, null, canvas));
    waiting.push({ chart: true, draw() { chart = new Chart(canvas, o.config()); return chart; } });
    if (o.legend) picture.append(legend(o.legend, () => chart));
  } else {
    picture.append(o.node());
  }
  const toggle = el('button.quiet', { type: 'button' }, 'Table'); // says what comes, so no state of its own
  const show = (yes) => {
    toggle.textContent = yes ? 'Chart' : 'Table';
    toggle.setAttribute('aria-label', `${yes ? 'Chart' : 'Table'}: ${o.title}`);
    if (yes && !behind.firstChild) behind.append(scroll(`${o.title}, as a table`, table(o.title, o.columns, o.rows, { foot: o.foot, rowClass: o.rowClass })));
    picture.hidden = yes;
    behind.hidden = !yes;
    if (yes) asTable.add(key); else asTable.delete(key);
    if (!yes && chart) chart.resize();
  };
  toggle.addEventListener('click', () => show(behind.hidden));
  show(asTable.has(key));
  const save = el('button.quiet', { type: 'button', 'aria-label': `CSV: ${o.title}`,
    onclick: () => download(`${o.file || 'breakeven'}.csv`, csv(o.columns, o.rows)) }, 'CSV');
  return el(`section.card${o.wide ? `.${o.wide}` : ''}`, { 'aria-label': o.title },
    el('header', null, el('div', null, el('h2', null, o.title), o.sub ? el('p.sub', null, o.sub) : null),
      el('div.acts', null, toggle, save)),
    picture, behind, o.extra || null);
}

/* --- common options ---------------------------------------------------------------------- */

export function options({ y, yMax, tooltip, stacked, x, labels }) {
  const grid = ink('--line'), soft = ink('--soft'), text = ink('--text');
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.color = soft;
  return {
    animation: false, responsive: true, maintainAspectRatio: false, normalized: true,
    interaction: { mode: 'index', intersect: false },
    layout: { padding: { top: 4, right: 6 } },
    scales: {
      x: { stacked, grid: { display: false, borderColor: grid },
        ticks: { maxRotation: 0, autoSkipPadding: 18, callback(v) { return labels ? labels[v] : this.getLabelForValue(v); } }, ...x },
      y: { stacked, beginAtZero: true, grid: { color: grid, drawBorder: false, drawTicks: false },
        max: yMax, ticks: { padding: 8, maxTicksLimit: 7, includeBounds: false, callback: (v) => y(v) } },
    },
    plugins: {
      legend: { display: false },
      tooltip: { backgroundColor: ink('--card'), titleColor: text, bodyColor: text, footerColor: soft, borderColor: grid,
        borderWidth: 1, padding: 10, boxPadding: 5, usePointStyle: true, cornerRadius: 8, ...tooltip },
    },
  };
}

// Vertical marks with words over a line chart: [{ at (index, may be fractional), text, colour, row }].
export function marks(list) {
  return {
    id: 'marks',
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: a, scales: { x } } = chart;
      const step = x.getPixelForValue(1) - x.getPixelForValue(0);
      ctx.save();
      ctx.font = `600 12px ${Chart.defaults.font.family}`;
      for (const m of list) {
        const px = x.getPixelForValue(0) + step * m.at;
        if (px < a.left - 1 || px > a.right + 1) continue;
        const top = a.top + 4 + m.row * 21;
        ctx.strokeStyle = m.colour;
        ctx.lineWidth = 1.5;
        ctx.setLineDash(m.dash || []);
        ctx.beginPath();
        ctx.moveTo(px, top);
        ctx.lineTo(px, a.bottom);
        ctx.stroke();
        ctx.setLineDash([]);
        const wide = ctx.measureText(m.text).width + 14;
        const left = Math.min(Math.max(px - wide / 2, a.left), a.right - wide);
        ctx.fillStyle = ink('--card');
        ctx.beginPath();
        ctx.rect(left, top - 2, wide, 18);
        ctx.fill();
        ctx.stroke();
        ctx.fillStyle = ink('--text');
        ctx.textBaseline = 'middle';
        ctx.fillText(m.text, left + 7, top + 7.5);
      }
      ctx.restore();
    },
  };
}
