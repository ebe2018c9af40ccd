/** ARC scales idle runners down by itself: beside the guard it takes no longer than alone, except for the quiet period (I2). */
import * as assert from 'uvu/assert';
import { quietMs } from '../../../admission/guard/rules/policy.ts';
import { idleDownByArc } from '../../rig/arc-idle-down.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { suite } from '../../support/suite.ts';
import { end } from '../support/space.ts';

const test = suite<{ rig: Rig }>("ARC's scale-down");
const count = 20;
/**
 * A review costs CPU, and the garbage collector tries a refused pod again after a pause that doubles each time: on a machine
 * with too much to do these are some seconds.
 */
const slackMs = 5_000;

test.before(async (context) => {
	context.rig = await startRig();
});
test.after(({ rig }) => end(rig));

test(`${count} idle runners: not slower beside us by more than the quiet period, no DELETE of ours, few lists`, async ({
	rig,
}) => {
	const { beside, alone } = await idleDownByArc(rig, count);
	console.log(`ARC scales ${count} idle runners down: ${JSON.stringify({ beside, alone })}`);
	assert.equal([beside.removed, alone.removed], [count, count], 'by ARC');
	assert.is(beside.deletes, 0);
	// One look at each, at most, and what is polled meanwhile; runners that leave together share a list.
	assert.ok(beside.lists <= count + 1 + beside.tookMs / 10_000, `${beside.lists} lists`);
	assert.equal([alone.lists, alone.deletes], [0, 0], 'nobody of ours runs any more');
	assert.ok(beside.tookMs <= alone.tookMs + quietMs + slackMs, `${beside.tookMs} ms and ${alone.tookMs} ms`);
});

test.run();
