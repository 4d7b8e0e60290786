// The dashboard in a real browser: every view with the demo, with nothing, with much; every state of a
// projection; narrow. The pages of a world are one page, moved by its address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessible, body, inked, open, ready, shoot, showTables, views, visit } from './browser.mjs';

/* --- views ------------------------------------------------------------------------------------ */

const expected = {
  breakeven: [/hosting gets cheaper in|hosting may get cheaper/, /Today \d+ % of breakeven volume/, /measured/, /declared/, /default/, /What moves it most/, /batch tier/, /All workloads/, /How earlier forecasts did/],
  usage: [/Cost by day and model/, /gpt-4\.1/, /unpriced/, /Hours of the week/, /Quality of the numbers/, /Gaps/],
  compare: [/Specialist is/i, /Duration, median/, /better|worse|equal|not yet/, /No quality scores yet/],
  decision: [/Is fine-tuning right/, /Both paths/, /Missing for the next step/, /Prototype/i],
  agents: [/run-demo/, /reporting/, /4 of 4 files/],
  alerts: [/firing/, /Breakeven/, /What is watched[\s\S]*Budget forecast/, /Who is told[\s\S]*not taken[\s\S]*alert test 'nowhere'/],
};

for (const view of views) {
  test(`demo: ${view}`, async () => {
    const p = await visit('demo', view);
    const text = await body(p.page);
    for (const r of expected[view]) assert.ok(r.test(text), `${r} is not in the ${view} view`);
    const pixels = await inked(p.page);
    for (const n of pixels) assert.ok(n > 1000, `a canvas has ${n} pixels`);
    if (['breakeven', 'usage', 'decision'].includes(view)) assert.ok(pixels.length > 0);
    await accessible(p.page);
    await shoot(p.page, view, view === 'breakeven' ? 1090 : 900);
    await showTables(p.page);
    assert.equal(await p.page.locator('main canvas:visible').count(), 0);
    for (const s of await p.page.locator('main section', { has: p.page.locator('canvas') }).all()) assert.ok(await s.locator('table tbody tr').count() > 0);
    await accessible(p.page);
    await p.close();
  });

  test(`empty: ${view}`, async () => {
    const p = await visit('empty', view);
    assert.ok(await p.page.locator('.empty h2').first().innerText());
    assert.match(await body(p.page), /breakeven-|collector\.yaml|workloads:/); // says what to do
    await accessible(p.page);
    await p.close();
  });

  test(`big: ${view}`, async () => {
    const p = await visit('big', view === 'usage' ? 'usage?range=400d&grain=day&metric=tokens' : view);
    const text = await body(p.page);
    assert.ok(!/Loading|undefined|NaN|\[object/.test(text));
    if (view === 'usage') {
      for (const r of [/188 others/, /200 in this time/, /Show all 200/]) assert.ok(r.test(text), `${r} is not there`);
      await accessible(p.page);
    }
    for (const n of await inked(p.page)) assert.ok(n > 1000);
    await p.close();
  });
}

// What the first card says of a workload, and what must not stand beside it.
const states = {
  short: [/no projection yet[\s\S]*Less than 14 days of history[\s\S]*6 more days of calls/],
  nothing: [/no projection yet[\s\S]*No usage matches[\s\S]*Compare its filter/],
  over: [/no projection yet[\s\S]*No calls in the last 28 days[\s\S]*Nothing to forecast/],
  crossed: [/already cheaper[\s\S]*hosting is expected to cost \$5\.00, the API \$\d+[\s\S]*The setup of \$20 is earned back by/, /not earn/],
  unpaid: [/already cheaper at today's volume, but does not earn its setup back within 12 months/],
  'no setup': [/already cheaper[\s\S]*no setup|already cheaper[\s\S]*nothing to earn back/, /The setup of/],
  dearer: [/stay with the API[\s\S]*under 1 %[\s\S]*Breakeven: \d+k calls a day/],
  never: [/stay with the API[\s\S]*cheaper at no volume/],
  partly: [/not to be said yet[\s\S]*have no price[\s\S]*at least[\s\S]*≥ \$\d+[\s\S]*not to be said/, /not in sight|earned back/],
  growing: [/hosting (may get|gets) cheaper/],
};

test('breakeven: every state has words', async () => {
  for (const [workload, [said, unsaid]] of Object.entries(states)) {
    const p = await visit('states', `breakeven?workload=${encodeURIComponent(workload)}`);
    const text = await body(p.page);
    assert.match(text, said, workload);
    if (unsaid) assert.doesNotMatch(text, unsaid, workload);
    assert.doesNotMatch(text, /undefined|NaN|null|Infinity|\[object/);
    await accessible(p.page);
    await p.close();
  }
});

test('demo: usage by every dimension, and filters in the address', async () => {
  const p = await open('demo', 'usage?range=90d');
  for (const by of ['Application', 'Provider', 'Token class', 'Outcome', 'Model']) {
    await p.page.getByRole('group', { name: 'Stacked by' }).getByRole('button', { name: by }).click();
    await ready(p.page, 'usage');
    await p.page.waitForFunction((b) => document.querySelector('main h2').textContent.includes(b.toLowerCase()), by);
  }
  await p.page.locator('select[data-field=Application]').selectOption('demo-tutor');
  await p.page.waitForFunction(() => location.hash.includes('app=demo-tutor'));
  await ready(p.page, 'usage');
  assert.doesNotMatch(await p.page.locator('table', { has: p.page.getByText('Cache read') }).innerText(), /gpt-4\.1/);
  await p.page.goBack();
  await ready(p.page, 'usage');
  await p.page.waitForFunction(() => document.querySelector('main').innerText.includes('gpt-4.1'));
  await p.close();
});

test('narrow screens: nothing hangs over', async () => {
  for (const world of ['demo', 'hostile']) {
    const p = await open(world, 'agents', { viewport: { width: 360, height: 740 } });
    for (const view of views) {
      await p.page.evaluate((v) => { location.hash = `#/${v}`; }, view);
      await ready(p.page, view);
      const wide = await p.page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 360, `${world} ${view} is ${wide} wide`);
      assert.ok(await p.page.evaluate(() => [...document.querySelectorAll('nav a')].every((a) => { const b = a.getBoundingClientRect(); return b.left >= 0 && b.right <= innerWidth && b.height >= 32; })), 'a view is out of sight');
      if (world === 'demo' && view === 'breakeven') await shoot(p.page, 'breakeven-narrow');
    }
    await p.close();
  }
});
