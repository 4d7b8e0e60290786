// First contentful paint, first frame with the view's numbers, the finished view and bytes of a
// cold visit; called by page.py.
// playwright-core comes from tests/browser (npm ci there).
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../tests/browser/', import.meta.url))('playwright-core');
const url = process.env.BREAKEVEN_URL;
const browser = await chromium.launch({ executablePath: process.env.BREAKEVEN_CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const median = (v) => v.sort((a, b) => a - b)[Math.floor(v.length / 2)];

for (const view of ['breakeven', 'usage', 'usage?range=400d&grain=day&metric=tokens']) {
  const paint = [], numbers = [], done = [], bytes = [];
  for (let i = 0; i < 7; i++) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 } }); // a cache of its own
    const page = await context.newPage();
    await page.addInitScript(() => {
      const look = () => { // the frame after the view took the place of "Loading…" has been painted
        const main = document.getElementById('main');
        if (main?.querySelector('section, h2') && !main.querySelector('.loading')) requestAnimationFrame(() => performance.mark('numbers'));
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    });
    await page.goto(`${url}#/${view}`);
    await page.waitForFunction(() => document.getElementById('main').dataset.ready && !document.querySelector('main .loading'), null, { timeout: 60000 });
    const t = await page.evaluate(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN, numbers: performance.getEntriesByName('numbers')[0]?.startTime ?? NaN, done: performance.now(),
      bytes: [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')].filter((e) => !e.name.includes('/api/')).reduce((s, e) => s + e.encodedBodySize, 0) }));
    paint.push(t.paint);
    numbers.push(t.numbers);
    done.push(t.done);
    bytes.push(t.bytes);
    await context.close();
  }
  console.log(`${median(paint).toFixed(0)} ms first paint, ${median(numbers).toFixed(0)} ms first numbers, ${median(done).toFixed(0)} ms all of the view (best ${Math.min(...done).toFixed(0)}), ${median(bytes)} B of files  #/${view}`);
}
await browser.close();
