// The page: which view, when to ask again, what to say when something is wrong.
import { ApiError, ask, setToken, token } from './api.js';
import { destroyAll, isDark, mountAll } from './charts.js';
import { capital } from './format.js';
import * as state from './state.js';
import { el, empty } from './ui.js';
import * as agents from './view_agents.js';
import * as alerts from './view_alerts.js';
import * as breakeven from './view_breakeven.js';
import * as compare from './view_compare.js';
import * as decision from './view_decision.js';
import * as usage from './view_usage.js';

const views = { breakeven, usage, compare, decision, agents, alerts };
const refreshMs = 30000;
const main = document.getElementById('main');
const fresh = document.getElementById('fresh');
const live = document.getElementById('live');
let shown = { view: null, data: null, at: 0 };
let running = null; // AbortController of the questions at hand

/* --- the frame --------------------------------------------------------------------------- */

// Made once and changed in place: who stands there with the keyboard stays there.
const links = Object.fromEntries(Object.keys(views).map((v) => [v, el('a', { href: `#/${v}` }, capital(v))]));
document.getElementById('nav').append(...Object.values(links));

function drawNav(view) {
  for (const [v, a] of Object.entries(links)) {
    if (v === view) a.setAttribute('aria-current', 'page'); else a.removeAttribute('aria-current');
  }
}

function drawCount(firing) {
  const old = links.alerts.querySelector('.count');
  if (old) old.remove();
  if (firing) links.alerts.append(el('span.count', null, firing, el('span.sr', null, ' firing')));
}

async function drawFiring() {
  try {
    const list = await ask('alerts');
    drawCount(list.filter((a) => (a.phase || (a.result && a.result.phase)) === 'firing').length);
    const s = await ask('status');
    document.getElementById('version').textContent = `breakeven-collector ${s.version}${s.writes === 'ok' ? '' : ' · writes are failing, see its log'}`;
  } catch { /* the view itself says what is wrong */ }
}

// Where the focus stands, as a path of positions, so that a refresh can give it back.
function focusPath() {
  const path = [];
  for (let n = document.activeElement; n && n !== main; n = n.parentNode) {
    if (!n.parentNode) return null;
    path.unshift([...n.parentNode.childNodes].indexOf(n));
  }
  return main.contains(document.activeElement) && path.length ? path : null;
}

function giveFocus(path) {
  let n = main;
  for (const i of path || []) { n = n && n.childNodes[i]; }
  if (path && n && n.focus) n.focus({ preventScroll: true });
}

// `make` draws: charts of before are gone by then, its own wait until it stands.
function put(make) {
  destroyAll();
  main.style.minHeight = `${main.offsetHeight}px`; // who has scrolled down stays there until all stands
  main.replaceChildren(make());
  main.removeAttribute('aria-busy');
  return mountAll().finally(() => { main.style.minHeight = ''; });
}

/* --- errors in words ---------------------------------------------------------------------- */

function askForToken(why) {
  const input = el('input', { type: 'password', autocomplete: 'off', name: 'token', required: true, 'aria-describedby': 'token-help' });
  return el('section.empty', null, el('h1', null, 'A read token, please'),
    el('p', { id: 'token-help' }, why, ' It stays in this tab and is forgotten when you close it.'),
    el('form.login', { onsubmit: (e) => { e.preventDefault(); setToken(input.value); go(true); } },
      el('label', null, 'Token', input), el('button.main', { type: 'submit' }, 'Open the dashboard')),
    el('p', null, 'Make one on the collector\'s host: ', el('code', null, 'breakeven-collector token add --config collector.yaml --name dashboard --scopes read')));
}

function failed(e) {
  if (e instanceof ApiError && e.status === 401) {
    const why = token() ? 'The collector does not know this token, or it was revoked.' : 'This collector shows its numbers to those who have a token only.';
    setToken(null);
    return askForToken(why);
  }
  if (e instanceof ApiError && e.status === 403) return askForToken('This token may not read. Use one with the scope read.');
  const again = el('button', { type: 'button', onclick: () => go(true) }, 'Try again');
  if (e instanceof ApiError) {
    return el('section.error', { role: 'alert' }, el('h2', null, e.status ? 'The collector refused' : 'No connection'), el('p', null, e.message), again);
  }
  console.error(e);
  return el('section.error', { role: 'alert' }, el('h2', null, 'This page has a fault'), el('p', null, String(e.message || e)), again);
}

/* --- showing -------------------------------------------------------------------------------- */

async function go(anew) {
  const { view, q } = state.read();
  const module = views[view];
  if (running) running.abort();
  const mine = running = new AbortController();
  const same = shown.view === view;
  drawNav(view);
  document.title = `${capital(view)} · Breakeven`;
  if (!module) {
    put(() => empty('No such view', el('p', null, 'Choose one above.')));
    return;
  }
  if (!same) put(() => el('p.loading', { role: 'status' }, 'Loading…'));
  else main.setAttribute('aria-busy', 'true');
  main.classList.toggle('busy', same && anew);
  try {
    // A view may come in two parts (`rest`, a promise): what is above the fold first.
    const data = await module.load({ q, signal: mine.signal, whole: same });
    if (mine.signal.aborted) return;
    const old = shown;
    shown = { view, data, text: JSON.stringify(data), at: Date.now() };
    if (!same || anew || shown.text !== old.text) {
      await draw(module, data);
      if (data.rest) {
        await data.rest();
        if (mine.signal.aborted) return;
        await mountAll();
        shown.text = JSON.stringify(data);
      }
    }
    if (!same) document.getElementById('said').textContent = `${capital(view)}: here`;
  } catch (e) {
    if (e.name === 'AbortError' || mine.signal.aborted) return;
    put(() => failed(e));
    shown = { view: null, at: Date.now() };
  } finally {
    if (running === mine) {
      running = null;
      main.classList.remove('busy');
      main.removeAttribute('aria-busy');
      main.dataset.ready = view;
      say();
    }
  }
}

function draw(module, data) {
  const path = focusPath();
  const { q } = state.read();
  const drawn = put(() => module.render(data, { q, set: state.set, again: () => { go(true); drawFiring(); } }));
  giveFocus(path);
  return drawn.then(() => { if (document.activeElement === document.body) giveFocus(path); }); // it stood on a later piece
}

function say() { // no live region: it would be read out every half a minute
  const text = shown.view ? `As of ${new Date(shown.at).toISOString().slice(11, 16)} UTC` : '';
  if (fresh.textContent !== text) fresh.textContent = text;
}

const isLive = () => live.getAttribute('aria-pressed') === 'true';

function tick() {
  if (document.hidden || !isLive() || running || main.querySelector('form.login') || main.dataset.held) return;
  if (Date.now() - shown.at < refreshMs) return;
  go(false);
  drawFiring();
}

live.addEventListener('click', () => {
  live.setAttribute('aria-pressed', String(!isLive()));
  if (isLive()) go(false);
});

document.getElementById('theme').addEventListener('click', () => {
  const to = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = to;
  try { localStorage.setItem('breakeven-theme', to); } catch { /* for this time only */ }
  if (shown.data) draw(views[shown.view], shown.data);
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { if (shown.data) draw(views[shown.view], shown.data); });
document.getElementById('skip').addEventListener('click', (e) => { e.preventDefault(); main.focus(); });
window.addEventListener('hashchange', () => {
  delete main.dataset.ready;
  delete main.dataset.held;
  const moved = shown.view !== state.read().view;
  go(true);
  if (moved) { window.scrollTo(0, 0); }
});
document.addEventListener('visibilitychange', tick);
setInterval(() => { say(); tick(); }, 1000);
go(true);
drawFiring();
