import * as assert from 'uvu/assert';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { Progress } from '../../../../../plugin/print/progress.ts';
import type { Outcome } from '../../../../../plugin/runners/ask.ts';
import { askAll, saidAfterMs } from '../../../../../plugin/verbs/delete/ask-all.ts';
import { suite } from '../../../../support/suite.ts';

const test = suite('kubectl runners delete: asking for many');

/** Asks for so many pods, whose answers the test gives, and what is printed to a pipe. */
function asking(count: number) {
	const pods = Array.from({ length: count }, (_, index): Pod => ({ metadata: { name: `r${index}` } }));
	const answers = new Map<string, (outcome: Outcome) => void>();
	const answered: string[] = [];
	let printed = '';
	let onTimer: (() => void) | undefined;
	const timers: number[] = [];
	const screen = {
		redraws: false,
		columns: () => 80,
		rows: () => 24,
		write: (text: string) => {
			printed += text;
		},
	};
	const done = askAll(
		pods,
		({ metadata }) => new Promise((resolve) => answers.set(metadata.name, resolve)),
		({ metadata }, { kind }) => void answered.push(`${metadata.name} ${kind}`),
		new Progress(screen),
		(ms, callback) => {
			timers.push(ms);
			onTimer = callback;
			return () => {
				onTimer = undefined;
			};
		},
	);
	return {
		done,
		answered,
		timers,
		answer: async (name: string, kind: 'accepted' | 'gone' = 'accepted') => {
			answers.get(name)?.({ kind });
			await new Promise<void>((resolve) => setImmediate(resolve));
		},
		timePasses: () => onTimer?.(),
		printed: () => printed,
	};
}

test('each answer counts when it comes, in the order of the pods', async () => {
	const { done, answered, answer } = asking(3);
	await answer('r1', 'gone');
	assert.equal(answered, []);
	await answer('r0');
	assert.equal(answered, ['r0 accepted', 'r1 gone']);
	await answer('r2');
	await done;
	assert.is(answered.length, 3);
});

test('after 3 s it says how many answers are missing, and why it takes time; in a pipe once', async () => {
	const { done, answer, timePasses, timers, printed } = asking(12);
	assert.equal(timers, [saidAfterMs]);
	await answer('r0');
	assert.is(printed(), '');
	timePasses();
	assert.is(
		printed(),
		'waiting for answers about 11 of 12 runners: GitHub unregisters idle ones first, as fast as its rate limit allows\n',
	);
	for (let index = 1; index < 12; index++) await answer(`r${index}`);
	await done;
	assert.is(printed().split('\n').length, 2);
});

test('all have answered by then: nothing is said', async () => {
	const { done, answer, timePasses, printed } = asking(1);
	await answer('r0');
	await done;
	timePasses();
	assert.is(printed(), '');
});

test.run();
