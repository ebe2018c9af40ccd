/** What is read of every guarded pod, of whatever kind. */
import * as assert from 'uvu/assert';
import { breakGlass, busy, record } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { readGuardedPod } from '../../../admission/runner/guarded-pod.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod } from './pods.ts';

const test = suite('guarded pods');
const everythingVerifies = () => true;
const withAnnotations = (annotations: Record<string, string>) =>
	readGuardedPod(pod({ metadata: { annotations } }), everythingVerifies);
const recordedWith = (options: string) =>
	withAnnotations({
		[record.requestedAt]: '2026-11-23T12:00:00Z',
		[record.requestedBy]: 'alice',
		[record.options]: options,
	}).record;

test('the options of a record are read back; what has another form is left out', () => {
	const options = {
		via: 'eviction',
		gracePeriodSeconds: 7,
		propagationPolicy: 'Foreground',
		certified: true,
	};
	assert.equal(recordedWith(JSON.stringify(options))?.options, options);
	const odd = { via: 'later', gracePeriodSeconds: '7', propagationPolicy: 7, certified: 'yes' };
	assert.equal(recordedWith(JSON.stringify(odd))?.options, { via: 'delete' });
	assert.equal(recordedWith('{')?.options, { via: 'delete' });
});
test('a record without a name is none, nor is one that is not signed', () => {
	assert.is(withAnnotations({}).record, undefined);
	const annotations = { [record.requestedBy]: 'alice' };
	assert.is(readGuardedPod(pod({ metadata: { annotations } }), () => false).record, undefined);
});
test('break-glass needs a reason', () => {
	assert.is(withAnnotations({ [breakGlass]: '' }).breakGlass, undefined);
	assert.is(withAnnotations({ [breakGlass]: 'stuck' }).breakGlass, 'stuck');
});
test('whether it terminates, and carries the label of the back-stop budgets', () => {
	const read = (metadata: Partial<Pod['metadata']>) => {
		const { terminating, backstopped } = readGuardedPod(pod({ metadata }), everythingVerifies);
		return [terminating, backstopped];
	};
	assert.equal(read({}), [false, false]);
	const labels = { [busy.label]: 'unknown' };
	assert.equal(read({ deletionTimestamp: '2026-11-23T12:00:00Z', labels }), [true, true]);
});
test('when it was created; 0 where that cannot be read', () => {
	const at = (creationTimestamp: string) =>
		readGuardedPod(pod({ metadata: { creationTimestamp } }), everythingVerifies).createdMs;
	assert.equal([at('2026-11-23T12:00:00Z'), at('noon')], [noon, 0]);
});

test.run();
