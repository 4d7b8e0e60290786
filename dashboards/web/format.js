// Numbers, money and dates as a budget meeting reads them. UTC throughout, as the store is.

const short = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const units = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'k']];

export const missing = '–';

function scaled(v) {
  const a = Math.abs(v);
  for (const [size, letter] of units) {
    // 999,950 rounds to 1,000k: that is 1M
    if (a >= size * 0.9995) return short.format(v / size) + letter;
  }
  return short.format(v);
}

export function count(v) {
  if (v === null || v === undefined || !isFinite(v)) return missing;
  return Math.abs(v) < 10000 ? (Number.isInteger(v) ? whole.format(v) : short.format(v)) : scaled(v);
}

export function exact(v) {
  return v === null || v === undefined ? missing : whole.format(v);
}

export function money(v) {
  if (v === null || v === undefined || !isFinite(v)) return missing;
  const sign = v < 0 ? '−' : '';
  const a = Math.abs(v);
  if (a === 0) return '$0';
  if (a < 0.01) return `${sign}$${a.toPrecision(2)}`;
  if (a < 10) return `${sign}$${a.toFixed(2)}`;
  if (a < 10000) return `${sign}$${whole.format(a)}`;
  return `${sign}$${scaled(a)}`;
}

export function percent(v, digits = 0) {
  if (v === null || v === undefined || !isFinite(v)) return missing;
  const p = v * 100;
  if (p === 0) return '0 %';
  if (p !== 0 && Math.abs(p) < 0.1) return p < 0 ? '> −0.1 %' : '< 0.1 %';
  return `${p.toFixed(Math.abs(p) < 1 && p !== 0 ? Math.max(1, digits) : digits)} %`;
}

// A probability is never shown as certain.
export function chance(p) {
  if (p === null || p === undefined) return missing;
  if (p >= 0.995) return 'over 99 %';
  if (p > 0 && p < 0.01) return 'under 1 %';
  return percent(p);
}

const utc = (o) => new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...o });
const monthYear = utc({ month: 'short', year: 'numeric' });
const longMonth = utc({ month: 'long', year: 'numeric' });
const dayMonth = utc({ day: 'numeric', month: 'short' });
const full = utc({ day: 'numeric', month: 'short', year: 'numeric' });
const minute = utc({ day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

export function when(text) { // "2026-11-02", "2026-11-02T10:00" (UTC) or an instant
  return new Date(text.length === 16 ? `${text}Z` : text);
}

export const asMonth = (t) => monthYear.format(when(t));
export const asLongMonth = (t) => longMonth.format(when(t));
export const asDay = (t) => full.format(when(t));
export const asMinute = (t) => `${minute.format(when(t))} UTC`;

export function label(t, grain) {
  if (grain === 'month') return monthYear.format(when(t));
  if (grain === 'hour') return `${dayMonth.format(when(t))} ${t.slice(11, 16)}`;
  return dayMonth.format(when(t));
}

export function ago(seconds) {
  const s = Math.max(0, seconds);
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  if (s < 129600) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86400)} days ago`;
}

export function bytes(v) {
  if (v === null || v === undefined) return missing;
  if (v < 1024) return `${v} B`;
  const names = ['KiB', 'MiB', 'GiB', 'TiB'];
  let i = -1;
  do { v /= 1024; i++; } while (v >= 1024 && i < 3);
  return `${short.format(v)} ${names[i]}`;
}

// "tokens_per_s" -> "tokens per s"
export const words = (s) => String(s).replaceAll('_', ' ');
export const capital = (s) => s.charAt(0).toUpperCase() + s.slice(1);
