/** Brokers in processes of their own on one folder: killed, stopped, standing still. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after } from 'node:test';
import { adjacentPorts } from '../../../test/free-ports.ts';
import { failoverContract } from './testing.ts';

const dir = mkdtempSync(`${tmpdir()}/brokers-`);
after(() => rmSync(dir, { recursive: true, maxRetries: 3 }));
let folders = 0;

failoverContract('brokers on one folder, under load', {
  newPlace: async () => `${dir}/${++folders}`,
  newPorts: () => adjacentPorts(2),
  fences: true,
});
