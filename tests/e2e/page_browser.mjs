// The page in Chromium, as a person has it in front of them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { chromium } from 'playwright-core';

import { ROOT } from '../support/processes.mjs';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const WAIT_MS_MAX = 30_000;

export const DESKTOP = { viewport: { width: 1280, height: 860 } };
export const PHONE = {
  viewport: { width: 360, height: 760 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};

export class Browser {
  static async start() {
    const started = new Browser();
    started.chromium = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: FLAGS,
    });
    return started;
  }

  // A tab of its own profile. `page.problems`: what it logged as an error, and what the browser
  // refused it by the Content-Security-Policy.
  async open(url, options = DESKTOP) {
    const context = await this.chromium.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS_MAX);
    page.problems = [];
    page.on('pageerror', (error) => page.problems.push(String(error)));
    page.on('console', (message) => {
      if (/Content Security Policy|Warning:/.test(message.text())) page.problems.push(message.text());
    });
    await page.goto(url);
    return page;
  }

  close() {
    return this.chromium.close();
  }
}

export async function withBrowser(body) {
  const browser = await Browser.start();
  try {
    await body(browser);
  } finally {
    await browser.close();
  }
}

// Until an element of this selector has this text.
export const text = (page, selector, pattern) =>
  page.locator(selector, { hasText: pattern }).first().waitFor();

// As wide as the screen: nothing is cut off or has to be scrolled to sideways.
export async function fits(page) {
  const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= screen, `${content} px of content on ${screen} px`);
}

// The sequences in the timeline, the oldest first.
export const sequences = (page) =>
  page.locator('#events li').evaluateAll((rows) => rows.map((row) => Number(row.dataset.sequence)).reverse());

export const numbersTo = (last) => Array.from({ length: last }, (_, index) => index + 1);

// Into docs/images when SESSIONCAST_SCREENSHOTS is set, else beside the build.
const IMAGES = process.env.SESSIONCAST_SCREENSHOTS
  ? path.join(ROOT, 'docs/images')
  : path.join(process.env.SESSIONCAST_BIN ?? path.join(ROOT, 'build/dev/bin'), '../page_images');

// `isWhole`: all of the page, on a screen that is as long as it; what is off the screen is not drawn.
export async function screenshot(page, name, { isWhole = false } = {}) {
  const screen = page.viewportSize();
  if (isWhole) {
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ ...screen, height });
  }
  mkdirSync(IMAGES, { recursive: true });
  await page.screenshot({ path: path.join(IMAGES, `${name}.png`) });
  await page.setViewportSize(screen);
}
