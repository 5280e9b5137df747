/** A page of the program in a real browser. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';
const PAGES = path.resolve(import.meta.dirname, '../../src/admin/dist');
/** Without the network that it would look for at each start. */
const OFFLINE = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Why a page cannot be tested; fits node:test's `skip`. */
export function pageMissing(file: 'index.html' | 'broker.html'): string | undefined {
  if (!existsSync(CHROMIUM)) return `needs ${CHROMIUM}`;
  return existsSync(path.join(PAGES, file)) ? undefined : 'needs the page: npx vite build src/admin';
}

export interface OpenPage {
  readonly browser: Browser;
  readonly page: Page;
  /** Errors in the browser's console, and those that nothing caught. */
  readonly problems: string[];
}

export async function openPage(url: string): Promise<OpenPage> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...OFFLINE, '--disable-dev-shm-usage'] });
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 } });
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(url);
  return { browser, page, problems };
}
