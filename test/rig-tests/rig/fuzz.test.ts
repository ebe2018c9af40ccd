/** What is made by chance, and how the shortest sequence that does harm is found. */
import * as assert from 'uvu/assert';
import type { Pod } from '../../../admission/api/kinds.ts';
import type { Crowd } from '../../e2e/support/fuzz/crowd.ts';
import { editNumber } from '../../e2e/support/fuzz/edits.ts';
import { reviewNumber } from '../../e2e/support/fuzz/reviews.ts';
import { shortest } from '../../e2e/support/fuzz/shortest.ts';
import { suite } from '../../support/suite.ts';

const test = suite('made by chance');

const numbers = Array.from({ length: 2_000 }, (_, index) => index);
const podOf = (name: string): Pod => ({
	metadata: { name, namespace: 'octo', uid: `uid-of-${name}`, annotations: {}, labels: {} },
	spec: { containers: [{ name: 'runner', env: [{ name: 'RUNNER_ORG', value: 'octo' }] }] },
	status: { phase: 'Running', containerStatuses: [{ name: 'runner', state: { running: {} } }] },
});
const crowd: Crowd = {
	namespace: 'octo',
	busy: [podOf('busy-0'), podOf('busy-1')],
	idle: [podOf('idle-0')],
	bystanders: [podOf('bystander-0')],
	plain: [podOf('plain-0')],
};
const segment = `/1764150000.${'ab'.repeat(32)}`;

for (const knows of ['path', 'nothing'] as const)
	test(`a review of a number is always the same, and leaves the pods alone: by who knows ${knows}`, () => {
		const before = structuredClone(crowd);
		const made = () =>
			numbers.map((index) => {
				const review = reviewNumber({ seed: 1, index, knows }, crowd, segment);
				return { ...review, body: review.body.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'NOW') };
			});
		const [once, again] = [made(), made()];
		assert.equal(once, again);
		assert.equal(crowd, before);
		for (const { path, number } of once) {
			assert.is(path.startsWith(`${segment}/`), knows === 'path', `${number}: ${path}`);
			assert.ok(path.startsWith('/'), path);
		}
		assert.ok(once.filter(({ eviction }) => eviction).length > 400);
		assert.ok(once.filter(({ truthful }) => truthful).length > 50);
	});

test('no edit uses break-glass', () => {
	for (const index of numbers) {
		const edit = editNumber({ seed: 1, index }, crowd);
		assert.not.match(JSON.stringify(edit), /break-glass/);
		assert.is(edit.number, index);
	}
});

test('the shortest part that fails is found, in order, within a bound', async () => {
	const fails = async (part: readonly number[]) => part.includes(7) && part.includes(93);
	assert.equal(await shortest(numbers.slice(0, 100), fails, 1_000), [7, 93]);
	let tries = 0;
	const counted = (part: readonly number[]) => {
		tries++;
		return fails(part);
	};
	const bounded = await shortest(numbers, counted, 5);
	assert.is(tries, 5);
	assert.ok(await fails(bounded));
	assert.ok(bounded.length < numbers.length / 2);
});

test.run();
