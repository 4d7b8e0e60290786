// The dashboard in a real browser: by keyboard alone; dark; what-if; hostile names; token; failures; its files.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';
import { accessible, body, open, ready, shoot, showTables, worlds } from './browser.mjs';

/* --- people and their screens ------------------------------------------------------------------ */

test('keyboard only', async () => {
  const p = await open('demo', 'usage');
  const { page } = p;
  const focused = () => page.evaluate(() => { const e = document.activeElement; return e.id || e.getAttribute('aria-label') || e.innerText || e.tagName; });
  const tabTo = async (want, most = 60) => {
    for (let i = 0; i < most; i++) { await page.keyboard.press('Tab'); if (want.test(await focused())) return; }
    assert.fail(`Tab does not reach ${want}`);
  };
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await focused(), 'main');
  await tabTo(/^Table: Cost by day/);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.notEqual(outline, 'none');
  await page.keyboard.press('Space');
  assert.match(await focused(), /^Chart: Cost by day/);
  assert.ok(await page.locator('main table').first().isVisible());
  await page.evaluate(() => document.getElementById('skip').focus());
  await tabTo(/^Breakeven$/);
  await page.keyboard.press('Enter');
  await ready(page, 'breakeven');
  assert.match(await focused(), /^Breakeven$/); // the navigation is not made anew
  await page.waitForFunction(() => document.getElementById('said').textContent === 'Breakeven: here');
  await tabTo(/^if-coverage$/, 80);
  await page.keyboard.press('ArrowLeft');
  await page.getByText('What if: the stored scenario is unchanged.').waitFor();
  assert.equal(await focused(), 'if-coverage'); // the answer did not take the focus away
  await p.close();
});

test('dark by preference, light by choice, kept over a reload', async () => {
  const p = await open('demo', 'breakeven', { colorScheme: 'dark', reducedMotion: 'reduce' });
  const ground = () => p.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const contrast = () => p.page.evaluate(() => {
    const lum = (c) => { const [r, g, b] = c.match(/\d+(\.\d+)?/g).map(Number).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    let worst = 99;
    for (const e of document.querySelectorAll('main h1, main h2, main p, main dt, main dd, main td, main th, main li, main label, main legend, main summary, main button, main .badge, nav a, .top button, .foot a')) {
      if (!e.innerText || !e.offsetParent) continue;
      let b = e, back = 'rgba(0, 0, 0, 0)';
      while (b && /, 0\)$/.test(back)) { back = getComputedStyle(b).backgroundColor; b = b.parentElement; }
      const x = lum(getComputedStyle(e).color), y = lum(back);
      worst = Math.min(worst, (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05));
    }
    return worst;
  });
  const dark = await ground();
  assert.ok(await contrast() >= 4.5, `contrast ${await contrast()}`);
  await shoot(p.page, 'breakeven-dark', 1090);
  await p.page.getByRole('button', { name: /light and dark/ }).click();
  const light = await ground();
  assert.notEqual(dark, light);
  assert.ok(await contrast() >= 4.5, `contrast ${await contrast()}`);
  // Lines and bars, and the frames of what can be pressed: 3:1 (WCAG 1.4.11).
  for (const theme of ['light', 'dark']) {
    const faint = await p.page.evaluate(async (t) => {
      document.documentElement.dataset.theme = t;
      const source = await (await fetch('/web/app.js')).text();
      const series = new RegExp(`const ${t} = \\[([^\\]]+)`).exec(source)[1].match(/#[0-9a-f]{6}/g);
      const rgb = (c) => (c[0] === '#' ? [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)) : c.match(/\d+/g).map(Number));
      const lum = (c) => { const [r, g, b] = rgb(c).map((v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ratio = (a, b) => { const x = lum(a), y = lum(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
      const card = getComputedStyle(document.querySelector('.card')).backgroundColor;
      const edge = getComputedStyle(document.querySelector('select')).borderTopColor;
      return [...series, edge].filter((c) => ratio(c, card) < 3);
    }, theme);
    assert.deepEqual(faint, []);
  }
  await p.page.evaluate(() => { document.documentElement.dataset.theme = 'light'; });
  await p.page.reload();
  await ready(p.page, 'breakeven');
  assert.equal(await ground(), light);
  await p.close();
});

test('what if: computed by the server, the stored scenario stays', async () => {
  const p = await open('demo', 'breakeven?workload=support-bot');
  const { page } = p;
  const stored = () => page.evaluate(() => fetch('/api/v1/projections/support-bot?newest=1').then((r) => r.text()));
  const before = await stored();
  const saving = () => page.locator('.kpi', { hasText: 'Saving after 12 months' }).locator('dd').first().innerText();
  const was = await saving();
  assert.ok(await page.locator('#if-gpu_price').isDisabled()); // no GPU in this scenario
  for (const lever of ['volume_growth', 'api_price', 'coverage']) {
    await page.locator(`#if-${lever}`).evaluate((e) => { e.value = String(Number(e.value) * 0.8 + (e.id === 'if-volume_growth' ? 1 : 0)); e.dispatchEvent(new Event('input')); });
  }
  await page.getByText('What if: the stored scenario is unchanged.').waitFor();
  await page.waitForFunction(() => ['volume_growth', 'api_price', 'coverage'].every((l) => location.hash.includes(`if_${l}`))
    && document.querySelector('.kpis').textContent.includes('was'));
  const now = await saving();
  assert.notEqual(now, was);
  assert.match(now, /was/);
  assert.match(page.url(), /if_volume_growth=1/);
  assert.ok(/what-if/.test(await body(page))); // the origin of the moved inputs
  assert.equal(await stored(), before);
  const ask = () => page.evaluate(() => fetch('/api/v1/whatif/support-bot?volume_growth=1').then((r) => r.json()).then((r) => JSON.stringify({ ...r, at: 0 })));
  assert.equal(await ask(), await ask());
  await page.reload();
  await ready(page, 'breakeven');
  assert.equal(await saving(), now); // the address holds it
  await page.getByRole('button', { name: 'Reset' }).click();
  await page.waitForFunction(() => !location.hash.includes('if_'));
  assert.equal(await saving(), was);
  await p.close();
});

test('what if: out of bounds is refused in words', async () => {
  const p = await open('demo', 'breakeven');
  for (const [q, status] of [['coverage=2', 400], ['coverage=x', 400], ['nonsense=1', 400], ['api_price=1e999', 400]]) {
    const r = await p.page.context().request.get(`${p.origin}/api/v1/whatif/support-bot?${q}`);
    assert.equal(r.status(), status, q);
    assert.ok((await r.json()).error);
  }
  assert.equal((await p.page.context().request.get(`${p.origin}/api/v1/whatif/none`)).status(), 404);
  await p.close();
});

/* --- foreign text ---------------------------------------------------------------------------------- */

test('hostile names stand there as text, in the page and in its CSV', async () => {
  const p = await open('hostile', 'usage?range=90d&by=app&metric=tokens');
  const { page } = p;
  for (const view of ['usage?range=90d&by=app&metric=tokens', 'usage?range=90d', 'breakeven', 'decision', 'agents', 'alerts', 'compare']) {
    await page.evaluate((v) => { location.hash = `#/${v}`; }, view);
    await ready(page, view.split('?')[0]);
    assert.equal(await page.evaluate(() => document.querySelectorAll('main img, main script, main b, main iframe').length), 0);
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    await showTables(page);
  }
  await page.evaluate(() => { location.hash = '#/breakeven'; });
  await ready(page, 'breakeven');
  assert.ok((await page.locator('h1').innerText()).includes('<b>bold</b>: not to be said yet')); // most calls have no price
  await page.evaluate(() => { location.hash = '#/usage?range=90d&by=app&metric=tokens'; });
  await ready(page, 'usage');
  const text = await body(page);
  assert.ok(text.includes('<img src=x onerror=alert(1)>'));
  assert.ok(text.includes("'; DROP TABLE usage_day; --"));
  assert.ok(!/[\u202a-\u202e]/.test(text));
  const bad = /^(?:"?)[=+\-@\t\r]/;
  for (const name of ['CSV of every day', /^CSV: Tokens by/]) {
    const [d] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name }).click()]);
    const csv = fs.readFileSync(await d.path(), 'utf8');
    assert.ok(csv.split('\r\n').length > 30);
    for (const line of csv.split('\r\n')) for (const cell of line.match(/"(?:[^"]|"")*"|[^,]+/g) || []) assert.doesNotMatch(cell, bad, line);
    assert.match(csv, /'=cmd/);
  }
  await page.locator('select[data-field=Application]').selectOption('=cmd|\' /C calc\'!A0');
  await page.waitForFunction(() => location.hash.includes('app='));
  await ready(page, 'usage');
  await page.waitForFunction(() => document.querySelector('main').innerText.includes('1 in this time'));
  await p.close();
});

/* --- token, liveness, failures ------------------------------------------------------------------------ */

test('a read token is asked for, kept in the tab, never in an address', async () => {
  const p = await open('locked', 'usage');
  const { page, wrong } = p;
  const field = page.locator('input[name=token]');
  await field.fill('wrong');
  await page.getByRole('button', { name: 'Open the dashboard' }).click();
  await page.getByText('does not know this token').waitFor();
  await field.fill(worlds.locked.token);
  await page.getByRole('button', { name: 'Open the dashboard' }).click();
  await page.getByText('No usage yet').waitFor();
  assert.ok(!page.url().includes(worlds.locked.token));
  await page.reload();
  await page.getByText('No usage yet').waitFor();
  const other = await page.context().newPage();
  await other.goto(`${p.origin}/#/usage`);
  await other.locator('input[name=token]').waitFor();
  wrong.splice(0, wrong.length, ...wrong.filter((w) => !/401/.test(w))); // asked for on purpose
  await p.close();
});

test('alerts: acknowledged and silenced in the page by who has a token, and as a command', async () => {
  const p = await open('demo', 'alerts');
  const { page, wrong } = p;
  await page.getByRole('button', { name: /^Acknowledge: / }).first().press('Enter');
  const dialog = page.getByRole('dialog');
  const command = async () => dialog.locator('pre').innerText();
  assert.match(await command(), /^breakeven-collector alert ack 'rule=\w+,workload=[\w-]+[^']*' --config collector\.yaml$/);
  await dialog.getByLabel('Comment').fill("it's known");
  assert.ok((await command()).includes("--comment 'it'\\''s known'"));
  assert.ok(!await dialog.getByLabel('Token with the scope admin').isVisible());
  await page.keyboard.press('Enter');
  await dialog.getByText('A token is needed').waitFor();
  await accessible(page);
  await dialog.getByLabel('Token with the scope admin').fill(worlds.demo.token);
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.locator('main').getByText("it's known").waitFor();
  await page.getByRole('button', { name: /^Take back: / }).click(); // the token is known by now
  await page.locator('main').getByText("it's known").waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /^Silence: / }).first().click();
  await dialog.locator('select[data-field=For]').selectOption('1d');
  assert.match(await command(), /alert silence '[^']+' --for 1d --config/);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: /^Silence: / }).first().click();
  await dialog.getByRole('button', { name: 'Silence', exact: true }).click();
  await page.getByRole('button', { name: /^End silence: / }).click();
  await page.getByRole('button', { name: /^End silence: / }).waitFor({ state: 'detached' });
  assert.ok(!page.url().includes(worlds.demo.token));
  assert.equal(await page.evaluate(() => sessionStorage.length + localStorage.length), 0);
  wrong.splice(0, wrong.length, ...wrong.filter((w) => !/401/.test(w))); // asked for on purpose
  await p.close();
});

test('live refresh: new usage shows without a reload, an error in words when the collector is gone', async () => {
  const p = await open('live', 'usage');
  const { page, wrong } = p;
  assert.match(await body(page), /No usage yet/);
  const hour = Math.floor(Date.now() / 3600000) * 3600;
  const batch = [{ schema: 1, agent: 'web-1', epoch: 1, seq: 1, now: Date.now(), version: '0.1.0' },
    { h: hour, ver: 1, ep: 1, app: 'fresh-app', prov: 'openai', model: 'gpt-4o', src: 'log', oc: 'ok', q: 'exact', ctx: 0, n: 7, in: 700, out: 70 }];
  const r = await page.context().request.post(`${p.origin}/api/v1/usage`, { headers: { 'Content-Type': 'application/x-ndjson', Authorization: `Bearer ${worlds.live.token}` },
    data: Buffer.from(batch.map((l) => JSON.stringify(l)).join('\n') + '\n') });
  assert.equal(r.status(), 200);
  const live = page.getByRole('button', { name: 'Live' });
  await live.click();
  await live.click(); // on again: asks at once
  await page.waitForFunction(() => document.querySelector('main').innerText.includes('gpt-4o'));
  await page.route('**/api/**', (route) => route.abort());
  await page.evaluate(() => { location.hash = '#/agents'; });
  await page.getByText('The collector does not answer').waitFor();
  await page.unroute('**/api/**');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByText('web-1').first().waitFor();
  wrong.splice(0, wrong.length, ...wrong.filter((w) => !/ERR_FAILED/.test(w)));
  await p.close();
});

/* --- the files ---------------------------------------------------------------------------------------- */

function get(url, headers = {}, method = 'GET') {
  return new Promise((done, fail) => {
    http.request(url, { headers, method }, (r) => {
      const parts = [];
      r.on('data', (d) => parts.push(d));
      r.on('end', () => done({ status: r.statusCode, headers: r.headers, body: Buffer.concat(parts) }));
    }).on('error', fail).end();
  });
}

test('files: packed or plain, strong ETags, no inline code, small', async () => {
  const root = worlds.empty.url;
  const names = ['', ...['app.js', 'theme.js', 'style.css', 'icon.svg', 'chart.min.js'].map((n) => `web/${n}`)];
  let weight = 0;
  for (const name of names) {
    const packed = await get(root + name, { 'Accept-Encoding': 'gzip' });
    const plain = await get(root + name);
    assert.equal(packed.status, 200, name);
    assert.equal(packed.headers['content-encoding'], 'gzip', name);
    assert.equal(plain.headers['content-encoding'], undefined);
    assert.match(packed.headers.etag, /^"[0-9a-f]{64}"$/);
    assert.notEqual(packed.headers.etag, plain.headers.etag);
    assert.match(packed.headers['content-security-policy'], /default-src 'self'.*frame-ancestors 'none'/);
    assert.equal(packed.headers['x-content-type-options'], 'nosniff');
    assert.equal(packed.headers['referrer-policy'], 'no-referrer');
    assert.match(packed.headers.vary, /Accept-Encoding/);
    const again = await get(root + name, { 'Accept-Encoding': 'gzip', 'If-None-Match': `"x", W/${packed.headers.etag}` });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    const head = await get(root + name, { 'Accept-Encoding': 'gzip' }, 'HEAD');
    assert.deepEqual([head.status, head.body.length], [200, 0]);
    weight += packed.body.length;
  }
  assert.ok(weight < 130000, `the page weighs ${weight} bytes`);
  console.log(`# page weight ${weight} bytes packed`);
  const html = (await get(root)).body.toString();
  assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=|<script>|https?:\/\//);
  assert.equal((await get(`${root}web/../../etc/passwd`)).status, 404);
  assert.equal((await get(`${root}web/none.js`)).status, 404);
});
