import * as assert from 'uvu/assert';
import { OneByOne } from '../../../admission/guard/one-by-one.ts';
import { oneByOne } from '../../../admission/guard/rules/policy.ts';
import { suite } from '../../support/suite.ts';

const test = suite('deletions one by one');
const quietMs = 2_000;
const runner = { namespace: 'ci', name: 'r1', uid: 'u1' };

/** Deletes pods, each in its own time; which of them were answered with a warning. */
function warned(
	pods: readonly { pod: string; arrivedMs: number; user?: string; caller?: typeof runner }[],
	memory = new OneByOne(),
): string[] {
	return pods
		.filter(({ pod, arrivedMs, user = 'alice', caller }) =>
			memory.warning({ user, caller, pod, arrivedMs }, arrivedMs + quietMs),
		)
		.map(({ pod }) => pod);
}
/** Each begins `gapMs` after the one before has been answered. */
const series = (gapMs: number, more = {}, count = 6) =>
	Array.from({ length: count }, (_, index) => ({
		pod: `p${index}`,
		arrivedMs: index * (quietMs + gapMs),
		...more,
	}));

test('one after the other: a warning at the third, once', () => {
	assert.equal(warned(series(10)), ['p2']);
	assert.equal(warned(series(2_900)), ['p2']);
});

test('minutes apart, or sent together: none', () => {
	assert.equal(warned(series(60_000)), []);
	assert.equal(
		warned(Array.from({ length: 20 }, (_, index) => ({ pod: `p${index}`, arrivedMs: index }))),
		[],
	);
	// As the plugin sends them: some at a time, the next as soon as one is answered.
	const workers = Array.from({ length: 50 }, (_, index) => ({
		pod: `p${index}`,
		arrivedMs: Math.floor(index / 10) * (quietMs + 5) + (index % 10),
	}));
	assert.equal(warned(workers), []);
});

test('several reviews of one DELETE count once, and get the same answer', () => {
	const twice = series(10, {}, 4).flatMap((one) => [one, { ...one, arrivedMs: one.arrivedMs + 1 }]);
	assert.equal(warned(twice), ['p2', 'p2']);
});

test('controllers, components, nodes and programs in pods get none; people and service accounts of theirs do', () => {
	for (const user of [
		'system:serviceaccount:kube-system:statefulset-controller',
		'system:kube-controller-manager',
		'system:node:node-1',
		'system:apiserver',
	])
		assert.equal(warned(series(10, { user })), [], user);
	assert.equal(warned(series(10, { user: 'system:serviceaccount:arc-system:arc', caller: runner })), []);
	assert.equal(warned(series(10, { user: 'system:serviceaccount:ci:deploy' })), ['p2']);
});

test('each user is counted alone, and only some are remembered', () => {
	const memory = new OneByOne();
	const [one, two, three] = series(10, {}, 3);
	assert.equal(warned([one!, { ...two!, user: 'bob' }, { ...three!, user: 'carol' }], memory), []);
	const others = Array.from({ length: oneByOne.mostUsers + 1 }, (_, index) => ({
		...three!,
		user: `user-${index}`,
	}));
	warned(others, memory);
	assert.equal(warned([{ ...one!, arrivedMs: three!.arrivedMs + quietMs }], memory), []);
});

test.run();
