/** One scenario on one day, in a thread of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { rowsOf } from './rows.ts';
import { scenarios } from './settings.ts';

const { scenario, seed } = workerData as { scenario: string; seed: number };
const found = scenarios.find(({ name }) => name === scenario);
if (!found) throw new Error(`no scenario ${scenario}`);
parentPort?.postMessage(rowsOf(found, seed));
