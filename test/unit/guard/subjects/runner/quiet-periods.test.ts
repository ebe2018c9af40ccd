import * as assert from 'uvu/assert';
import { QuietPeriods } from '../../../../../admission/guard/subjects/runner/quiet-periods.ts';
import { suite } from '../../../../support/suite.ts';
import { SimulatedClock } from '../../../support/clock.ts';

const test = suite('quiet periods');

const at = '2026-11-23T12:00:00.000Z';
const run = { uid: 'u1', restarts: 0, unregistered: undefined };
const proven = { ...run, unregistered: { at } };

test('it begins with the 204 at the replica that has it, and where the proof is first seen at any other', async () => {
	const clock = new SimulatedClock();
	const [own, other] = [new QuietPeriods(clock), new QuietPeriods(clock)];
	own.removed(run, at);
	await clock.pass(500);
	assert.equal([own.leftMs(proven), other.leftMs(proven)], [1_500, 2_000]);
	await clock.pass(500);
	own.removed(run, at); // written once more
	assert.equal([own.leftMs(proven), other.leftMs(proven)], [1_000, 1_500]);
	await clock.pass(60_000);
	assert.equal([own.leftMs(proven), own.provenForMs(proven)], [0, 61_000]);
	assert.is(own.leftMs({ ...proven, restarts: 1 }), 2_000, 'a restart in place is another runner');
	assert.is(own.leftMs({ ...proven, unregistered: { at: `${at} ` } }), 2_000, 'so is another proof');
});
test('without a proof it is that of an absence, which is forgotten when the runner is listed, or after a while', async () => {
	const clock = new SimulatedClock();
	const quiet = new QuietPeriods(clock);
	assert.equal([quiet.leftMs(run), quiet.provenForMs(run)], [undefined, undefined]);
	quiet.absent(run);
	await clock.pass(1_500);
	quiet.absent(run);
	assert.equal([quiet.leftMs(run), quiet.leftMs({ ...run, uid: 'u2' })], [500, undefined]);
	assert.is(quiet.leftMs(proven), 2_000, 'a 204 counts by itself');
	await clock.pass(13_499);
	assert.is(quiet.leftMs(run), 0);
	await clock.pass(1);
	assert.is(quiet.leftMs(run), undefined);
	quiet.absent(run);
	quiet.listed(run);
	assert.is(quiet.leftMs(run), undefined);
});
test('the list by which a pod was let go serves for 5 s, that run only, and not once the runner is listed', async () => {
	const clock = new SimulatedClock();
	const quiet = new QuietPeriods(clock);
	quiet.letGo(run, 7);
	await clock.pass(4_999);
	assert.equal([quiet.letGoBy(run), quiet.letGoBy({ ...run, restarts: 1 })], [7, undefined]);
	await clock.pass(1);
	assert.is(quiet.letGoBy(run), undefined);
	quiet.letGo(run, 8);
	quiet.listed(run);
	assert.is(quiet.letGoBy(run), undefined);
});
test('whoever sets the clock of the machine takes nothing of it away', async () => {
	const clock = new SimulatedClock();
	const quiet = new QuietPeriods(clock);
	quiet.removed(run, at);
	quiet.absent(run);
	for (const byMs of [3_600_000, -7_200_000]) {
		clock.set(byMs);
		assert.equal([quiet.leftMs(proven), quiet.leftMs(run)], [2_000, 2_000]);
	}
});
test('what is remembered is bounded, and what has been forgotten begins anew', async () => {
	const clock = new SimulatedClock();
	const quiet = new QuietPeriods(clock);
	quiet.removed(run, at);
	await clock.pass(2_000);
	for (let other = 0; other < 10_000; other++) quiet.removed({ uid: `o${other}`, restarts: 0 }, at);
	assert.is(quiet.leftMs({ ...proven, uid: 'o1' }), 2_000);
	assert.is(quiet.leftMs(proven), 2_000, 'the oldest was forgotten');
});

test.run();
