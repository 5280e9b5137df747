/** Brokers in processes of their own on one folder: killed, stopped, standing still. */
import { adjacentPorts } from '../../../test/free-ports.ts';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { failoverContract } from './testing.ts';

const dir = temporaryFolder('brokers');
let folders = 0;

failoverContract('brokers on one folder, under load', {
  newPlace: async () => `${dir}/${++folders}`,
  newPorts: () => adjacentPorts(2),
  fences: true,
});
