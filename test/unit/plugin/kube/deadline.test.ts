import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { parseDurationMs } from '../../../../plugin/cli/go-duration.ts';
import { deadline } from '../../../../plugin/kube/deadline.ts';
import { suite } from '../../../support/suite.ts';

const test = suite('plugin: deadlines');

/** Whether a wait with this `--timeout` has ended 20 ms later. */
async function ends(timeout: string): Promise<boolean> {
	const signal = deadline(parseDurationMs(timeout));
	await sleep(20);
	return signal.aborted;
}

for (const timeout of ['1.5ms', '100us', '1ns', '2ms'])
	test(`--timeout=${timeout} ends, after whole ms`, async () => assert.ok(await ends(timeout)));
// 596h31m23.647s is the longest that Node's timers can wait.
for (const timeout of ['596h31m23.6465s', '596h31m23.648s', '720h', '9999h', '2000000h', '0', '-1s'])
	test(`--timeout=${timeout} does not end at once`, async () => assert.not(await ends(timeout)));

test.run();
