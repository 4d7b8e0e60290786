// Small pieces of the page. Whatever comes from outside becomes text, never markup.

const svgNames = new Set(['svg', 'path', 'line', 'rect', 'circle', 'text', 'g']);

// el('a.name', { href: '#' }, child, 'text', …): strings become text nodes.
export function el(spec, props, ...children) {
  const [tag, ...classes] = spec.split('.');
  const svg = svgNames.has(tag);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  if (classes.length) e.setAttribute('class', classes.join(' '));
  for (const [k, v] of Object.entries(props || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'value' || k === 'checked') e[k] = v;
    else e.setAttribute(k, v === true ? '' : v);
  }
  for (const c of children.flat(3)) {
    if (c === null || c === undefined || c === false) continue;
    e.append(c instanceof Node ? c : String(c));
  }
  return e;
}

// Foreign names: bidirectional controls could turn the text around them; show where they are.
const controls = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

export function clean(name) {
  return String(name).replace(controls, '\ufffd');
}

export function shorten(name, most = 60) {
  const s = clean(name);
  return s.length > most ? `${s.slice(0, most - 1)}…` : s;
}

export function named(name, nothing = 'unattributed') {
  if (name === '' || name === null || name === undefined) return el('span.badge.warn', null, nothing);
  return el('span', { title: clean(name).slice(0, 2000) }, shorten(name));
}

export function badge(text, kind) {
  return el(`span.badge${kind ? `.${kind}` : ''}`, null, text);
}

export function card(title, sub, acts, ...body) {
  return el('section.card', { 'aria-label': title },
    el('header', null, el('div', null, el('h2', null, title), sub ? el('p.sub', null, sub) : null),
      acts && acts.length ? el('div.acts', null, acts) : null),
    body);
}

export function kpi(title, value, note, was) {
  return el('dl.kpi', null, el('dt', null, title),
    el('dd', null, value, was ? el('span.was', null, was) : null), note ? el('dd.note', null, note) : null);
}

export function empty(title, ...body) {
  return el('section.empty', null, el('h2', null, title), body);
}

export function code(text) {
  return el('pre', { tabindex: 0 }, el('code', null, text));
}

// columns: [{ title, cell(row) -> node or text, text(row) -> for CSV, num }]; options: rowClass, foot,
// showCaption, stack
export function table(caption, columns, rows, options = {}) {
  // On a narrow screen a stack is a list of its rows, each cell with its title (style.css); the
  // roles say that it is a table all the same.
  const role = (name) => (options.stack ? name : null);
  const line = (row) => el('tr', { role: role('row'), class: options.rowClass ? options.rowClass(row) : null },
    columns.map((c, i) => el(i === 0 ? 'th' : 'td',
      { role: role(i === 0 ? 'rowheader' : 'cell'), scope: i === 0 ? 'row' : null, class: c.num ? 'num' : c.name ? 'name' : null, 'data-title': role(c.title) }, options.stack ? el('div', null, c.cell(row)) : c.cell(row))));
  return el(options.stack ? 'table.stack' : 'table', { role: role('table') }, el('caption', { class: options.showCaption ? null : 'sr' }, caption),
    el('thead', { role: role('rowgroup') }, el('tr', { role: role('row') }, columns.map((c) => el('th', { scope: 'col', role: role('columnheader'), class: c.num ? 'num' : null }, c.title)))),
    el('tbody', { role: role('rowgroup') }, rows.map(line)),
    options.foot ? el('tfoot', null, options.foot.map(line)) : null);
}

export function scroll(label, ...body) {
  return el('div.scroll', { tabindex: 0, role: 'region', 'aria-label': label }, body);
}

// All rows at once: where the table is the view.
export function wholly(...a) {
  const s = scroll(...a);
  s.classList.add('whole');
  return s;
}

// A cell of a CSV file. A text that a spreadsheet would run as a formula gets a ' in front.
export function csvCell(v) {
  if (v === null || v === undefined) return '';
  if (typeof v === 'number') return String(v);
  let s = String(v);
  if (/^[=+\-@\t\r\n]/.test(s)) s = `'${s}`;
  return /[",\r\n']/.test(s) ? `"${s.replaceAll('"', '""')}"` : s;
}

export function csv(columns, rows) {
  const text = (c, r) => (c.text ? c.text(r) : c.cell(r));
  const lines = [columns.map((c) => csvCell(c.title)), ...rows.map((r) => columns.map((c) => csvCell(text(c, r))))];
  return `${lines.map((l) => l.join(',')).join('\r\n')}\r\n`;
}

export function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  const a = el('a', { href: url, download: name });
  document.body.append(a);
  a.click();
  a.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

export function select(label, value, choices, onchange) {
  const known = choices.some((c) => c[0] === value);
  return el('label', null, label, el('select', { onchange: (e) => onchange(e.target.value), 'data-field': label },
    (known ? choices : [...choices, [value, value]]).map(([v, text]) => {
      const o = el('option', { value: v }, shorten(text, 48));
      o.selected = v === value;
      return o;
    })));
}

export function segments(label, value, choices, onpick) {
  return el('fieldset.group', null, el('legend', null, label), el('div.seg', null,
    choices.map(([v, text]) => el('button', { type: 'button', 'aria-pressed': String(v === value), onclick: () => onpick(v) }, text))));
}

export function debounce(f, ms) {
  let t;
  return (...a) => { clearTimeout(t); t = setTimeout(() => f(...a), ms); };
}
