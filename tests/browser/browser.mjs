// A page that tells on itself, and what its tests look at. run.py starts the worlds.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';

export const worlds = JSON.parse(process.env.BREAKEVEN_WORLDS);
const shots = process.env.BREAKEVEN_SCREENSHOTS;
export const views = ['breakeven', 'usage', 'compare', 'decision', 'agents', 'alerts'];
let browser;

before(async () => {
  browser = await chromium.launch({ executablePath: process.env.BREAKEVEN_CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
});
after(async () => { for (const p of Object.values(shared)) await p.page.context().close(); await browser?.close(); });

/* --- a page that tells on itself ----------------------------------------------------------- */

export async function open(world, at, options = {}) {
  const origin = worlds[world].url.replace(/\/$/, '');
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(90000);
  const wrong = [];
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') wrong.push(`console: ${m.text()}`); });
  page.on('pageerror', (e) => wrong.push(`page: ${e.message}`));
  page.on('dialog', (d) => { wrong.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on('request', (r) => { if (!r.url().startsWith(`${origin}/`) && !r.url().startsWith('blob:')) wrong.push(`request to ${r.url()}`); });
  page.on('response', (r) => { if (r.status() >= 400) wrong.push(`${r.status()} ${r.url()}`); });
  await page.goto(`${origin}/#/${at}`);
  await ready(page, at.split('?')[0]);
  return { page, origin, wrong, async close() { await context.close(); assert.deepEqual(wrong, []); } };
}

// The page of a world that the tests of views share: made once, moved by its address.
const shared = {};
export async function visit(world, at) {
  if (!shared[world]) shared[world] = await open(world, at);
  const p = shared[world];
  await p.page.evaluate((h) => {
    if (location.hash === h) return;
    delete document.getElementById('main').dataset.ready;
    location.hash = h;
  }, `#/${at}`);
  await ready(p.page, at.split('?')[0]);
  return { ...p, async close() { assert.deepEqual(p.wrong, []); } };
}

export const ready = (page, view) => page.waitForFunction((v) => document.getElementById('main').dataset.ready === v && !document.getElementById('main').hasAttribute('aria-busy'), view, { timeout: 90000 });
export const body = (page) => page.locator('main').innerText();

// Pixels that are not transparent, for each canvas.
export const inked = (page) => page.evaluate(() => [...document.querySelectorAll('main canvas')].map((c) => {
  const copy = document.createElement('canvas');
  copy.width = c.width;
  copy.height = c.height;
  const g = copy.getContext('2d', { willReadFrequently: true });
  g.drawImage(c, 0, 0);
  const d = g.getImageData(0, 0, c.width, c.height).data;
  let n = 0;
  for (let i = 3; i < d.length; i += 4) n += d[i] > 0;
  return n;
}));

// What a screen reader needs.
export async function accessible(page) {
  const faults = await page.evaluate(() => {
    const out = [];
    const name = (e) => (e.getAttribute('aria-label') || e.innerText || e.title || '').trim();
    if (document.querySelectorAll('h1').length !== 1) out.push(`${document.querySelectorAll('h1').length} h1`);
    for (const l of ['header', 'nav[aria-label]', 'main', 'footer']) if (!document.querySelector(l)) out.push(`no ${l}`);
    for (const b of document.querySelectorAll('button, a')) if (!name(b) && b.offsetParent) out.push(`nameless ${b.outerHTML.slice(0, 80)}`);
    for (const c of document.querySelectorAll('canvas')) {
      if (c.getAttribute('role') !== 'img' || !c.getAttribute('aria-label')) out.push('canvas without words');
      if (![...c.closest('section').querySelectorAll('button')].some((b) => /^(Table|Chart): /.test(b.getAttribute('aria-label')))) out.push(`no table behind ${c.getAttribute('aria-label')}`);
    }
    for (const i of document.querySelectorAll('input, select')) if (!i.labels || !i.labels.length) out.push(`unlabelled ${i.outerHTML.slice(0, 80)}`);
    for (const t of document.querySelectorAll('table')) if (!t.caption) out.push('table without caption');
    for (const t of document.querySelectorAll('th')) if (!t.scope) out.push('th without scope');
    for (const e of document.querySelectorAll('[style]:not([style=""])')) if (!e.matches('canvas, .track i, .scale i, .heat td')) out.push(`style on ${e.outerHTML.slice(0, 80)}`);
    return out;
  });
  assert.deepEqual(faults, []);
}

// A button that was pressed goes by another name then.
export async function showTables(page) {
  const b = page.getByRole('button', { name: /^Table: / });
  while (await b.count()) await b.first().click();
}

export async function shoot(page, name, height) {
  if (!shots) return;
  const { width, height: before } = page.viewportSize();
  if (height) await page.setViewportSize({ width, height });
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
  await page.setViewportSize({ width, height: before });
}
