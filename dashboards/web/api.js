// Asking the collector. The token, where one is needed, stays in this tab (sessionStorage) and
// goes out as a header, never as part of an address.

const key = 'breakeven-token';

export class ApiError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

export function token() {
  try { return sessionStorage.getItem(key); } catch { return null; }
}

export function setToken(t) {
  if (t) sessionStorage.setItem(key, t.trim()); else sessionStorage.removeItem(key);
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The Response of an address below /api/v1/.
async function get(path, params, signal) {
  const q = new URLSearchParams(params || {}).toString();
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  for (let attempt = 0; ; attempt++) {
    let r;
    try {
      r = await fetch(`/api/v1/${path}${q ? `?${q}` : ''}`, { headers, signal, cache: 'no-store' });
    } catch (e) {
      if (e.name === 'AbortError') throw e;
      throw new ApiError(0, 'The collector does not answer. Is it still running?');
    }
    if (r.status === 503 && attempt < 3) { // busy: it says so
      await pause(300 * (attempt + 1));
      continue;
    }
    if (r.ok) return r;
    let why = `HTTP ${r.status}`;
    try { why = (await r.json()).error || why; } catch { /* no JSON: the status must do */ }
    throw new ApiError(r.status, why);
  }
}

export async function ask(path, params, signal) {
  const r = await get(path, params, signal);
  try {
    return await r.json();
  } catch (e) {
    if (e.name === 'AbortError') throw e;
    throw new ApiError(0, 'The answer of the collector broke off.');
  }
}

// Something to change; `admin`: a token for it in place of the tab's.
export async function tell(path, body, admin) {
  const known = admin || token();
  let r;
  try {
    r = await fetch(`/api/v1/${path}`, { method: 'POST', body: JSON.stringify(body), cache: 'no-store',
      headers: { 'Content-Type': 'application/json', ...(known ? { Authorization: `Bearer ${known}` } : {}) } });
  } catch {
    throw new ApiError(0, 'The collector does not answer. Is it still running?');
  }
  const answer = await r.json().catch(() => ({}));
  if (!r.ok) throw new ApiError(r.status, answer.error || `HTTP ${r.status}`);
  return answer;
}

// Rows as CSV, page by page; the header once.
export async function csvPages(path, params) {
  let text = '';
  for (let next = [...params, ['format', 'csv'], ['limit', 10000]]; next;) {
    const r = await get(path, next);
    const page = await r.text();
    text += text ? page.slice(page.indexOf('\r\n') + 2) : page;
    const link = /^<[^?>]*\?([^>]*)>; rel="next"$/.exec(r.headers.get('Link') || '');
    next = link && new URLSearchParams(link[1]);
  }
  return text;
}
