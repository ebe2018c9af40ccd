/** The list of a set is bounded, newest first, and believes nothing that others wrote into it. */
import * as assert from 'uvu/assert';
import {
	type EndedRunner,
	endedLimits,
	endReasons,
	readEnded,
} from '../../../admission/api/ended-runners.ts';
import { configMapName, mergedList, newIn } from '../../../admission/post-mortems/rules/list.ts';
import { causeInLog } from '../../../admission/post-mortems/rules/log-cause.ts';
import { suite } from '../../support/suite.ts';

const test = suite('the list of runners that ended');

const nowMs = Date.parse('2026-11-23T12:00:00Z');
const entry = (index: number, change: Partial<EndedRunner> = {}): EndedRunner => ({
	pod: `r${index}`,
	uid: `uid-${index}`,
	restarts: 0,
	runner: `r${index}`,
	reason: 'failed',
	endedAt: new Date(nowMs - index * 60_000).toISOString(),
	...change,
});
const many = (count: number, change: Partial<EndedRunner> = {}) =>
	Array.from({ length: count }, (_, index) => entry(index, change));

test('the newest 50 of a day stay, newest first', () => {
	const { kept, text } = mergedList(many(40), many(90).slice(40), nowMs);
	assert.is(kept.length, 50);
	assert.equal([kept[0]?.pod, kept[49]?.pod], ['r0', 'r49']);
	assert.equal(
		readEnded(text, nowMs).map(({ pod }) => pod),
		kept.map(({ pod }) => pod),
	);
	assert.is(readEnded(text, nowMs + endedLimits.keptMs - 30_000).length, 0 + 1);
});

test('the largest entries that can be: logs go first, oldest first, and it is well below 1 MiB', () => {
	const wide = '\u{1f600}'.repeat(150);
	const log = Array.from({ length: endedLimits.logLines }, () => '\u20ac'.repeat(81));
	const largest = { detail: wide, node: wide, by: wide, usage: wide, container: wide, log };
	const { kept, text } = mergedList([], many(50, largest), nowMs);
	assert.ok(Buffer.byteLength(text) <= endedLimits.bytes, `${Buffer.byteLength(text)}`);
	assert.is(kept.length, 50);
	assert.ok(kept[0]?.log && !kept[49]?.log);
});

test('one run is listed once', () => {
	assert.equal(newIn(many(3), [entry(1), entry(1, { restarts: 1 }), entry(7)]), [
		entry(1, { restarts: 1 }),
		entry(7),
	]);
});

test('what others wrote is left out, cut, and safe to print', () => {
	for (const text of [undefined, '', '{', '{}', '[1, null, {}]', `["${'x'.repeat(2 * endedLimits.bytes)}"]`])
		assert.equal(readEnded(text, nowMs), [], text?.slice(0, 20));
	const bad = {
		...entry(1),
		detail: `\u001b[2J${'x'.repeat(9_999)}`,
		job: { name: 'a\u202eb', url: 'javascript:1' },
	};
	const forged = [bad, { ...entry(2), reason: 'constructor' }, { ...entry(3), endedAt: 'x' }];
	const [first, ...others] = readEnded(JSON.stringify(forged), nowMs);
	assert.equal(others, []);
	assert.is(first?.detail?.length, endedLimits.text);
	assert.ok(first?.detail?.startsWith('?[2J'));
	assert.equal(first?.job, { name: 'a?b', url: undefined });
});

test('names of ConfigMaps: one for each set, and never too long', () => {
	assert.is(configMapName({ kind: 'RunnerSet', name: 'a' }), 'runnerset.a.ended-runners');
	assert.is.not(
		configMapName({ kind: 'RunnerSet', name: 'a' }),
		configMapName({ kind: 'RunnerDeployment', name: 'a' }),
	);
	const long = [1, 2].map((end) => configMapName({ kind: 'RunnerSet', name: `${'a.'.repeat(126)}${end}` }));
	assert.ok(long.every((name) => name.length <= 253 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name)));
	assert.is.not(long[0], long[1]);
});

test('the last telling line of a log counts; a job that is named like one is no reason', () => {
	const refused = 'A session for this runner already exists.';
	const listens = '2026-11-23 12:00:05Z: Listening for Jobs';
	const runs =
		'2026-11-23 12:00:06Z: Running job: Runner version v1 is deprecated and cannot receive messages.';
	assert.equal(causeInLog([refused, listens]), { says: 'nothing' });
	assert.equal(causeInLog([listens, refused]), { says: 'session-conflict', line: refused });
	assert.equal(causeInLog([listens, runs]), { says: 'job' });
	assert.equal(causeInLog([]), { says: 'nothing' });
});

test('each reason is said in a whole clause', () => {
	for (const [reason, text] of Object.entries(endReasons)) assert.match(text, /^[A-Za-z].{15,}[^.]$/, reason);
});

test.run();
