import * as assert from 'uvu/assert';
import {
	afterLog,
	afterWord,
	ended,
	openClaim,
	type Word,
	worksBy,
} from '../../../admission/jobs/rules/claims.ts';
import {
	type Claim,
	jobText,
	mostClaims,
	readClaims,
	writeClaims,
} from '../../../admission/runner/claims.ts';
import { suite } from '../../support/suite.ts';
import { signer } from '../runner/pods.ts';

const test = suite('claims');

const hook = (key: string, says: Word['says'] = 'started'): Word => ({
	by: 'hook',
	says,
	key,
	job: { name: 'build', repository: 'octo-org/app', runId: 42 },
});
const event = (key: string, says: Word['says'] = 'started'): Word => ({
	by: 'event',
	says,
	key,
	job: { name: 'build (amd64)' },
});
const after = (...words: Word[]): readonly Claim[] =>
	words.reduce((claims: readonly Claim[], word, index) => afterWord(claims, word, index), []);
const states = (claims: readonly Claim[]) => claims.map(({ by, key, state }) => `${by} ${key} ${state}`);
const idle = { says: 'idle', at: undefined } as const;

test('completed is finishing, still busy', () => {
	assert.is(worksBy(after(hook('a'))), 'working');
	assert.is(worksBy(after(hook('a'), hook('a', 'completed'))), 'finishing');
});

test('a hook and an event are never one claim: each ends only by its own end', () => {
	const claims = after(hook('a'), event('7'), event('7', 'completed'));
	assert.is(worksBy(claims), 'working');
	assert.equal(states(claims).toSorted(), ['event 7 finishing', 'hook a working']);
});

test('words that come twice, late or in another order change nothing', () => {
	const once = after(event('7'));
	assert.is(afterWord(once, event('7'), 9), once);
	const done = after(event('7', 'completed'));
	assert.is(afterWord(done, event('7'), 9), done);
	const over = ended(done, () => true, 9);
	assert.is(afterWord(over, event('7'), 10), over);
	assert.is(afterWord(over, event('7', 'completed'), 10), over);
});

test("a hook's new start ends what hooks said before, and no event's claim", () => {
	const claims = after(event('7'), hook('a'), hook('b'));
	assert.equal(states(claims).toSorted(), ['event 7 working', 'hook a over', 'hook b working']);
});

test("the log's claim ends by the log, and the log's idle ends what is finishing on a static runner", () => {
	const works = afterLog([], { says: 'works', at: 't', job: 'build' }, false, 1);
	assert.equal(states(works), ['log t build working']);
	assert.is(afterLog(works, { says: 'works', at: 't', job: 'build' }, false, 2), works);
	assert.is(afterLog(works, { says: 'unknown', why: '' }, false, 2), works);
	assert.is(works[0]?.sinceMs, 1, "a time that can't be read counts as none");
	assert.equal(afterLog(works, idle, false, 2), []);
	const finishing = after(hook('a'), hook('a', 'completed'));
	assert.equal(states(afterLog(finishing, idle, false, 9)), ['hook a over']);
	assert.is(afterLog(finishing, idle, true, 9), finishing);
});

test("a line that a job has printed ends nobody else's claim", () => {
	const claims = after(hook('a'), event('7'));
	assert.is(afterLog(claims, idle, false, 9), claims);
});

test('there are never many claims, and open ones stay', () => {
	const words = Array.from({ length: 9 }, (_, index) => event(`${index}`, index ? 'completed' : 'started'));
	const claims = words.reduce(
		(before: readonly Claim[], word) =>
			ended(afterWord(before, word, 1), ({ state }) => state === 'finishing', 1),
		[],
	);
	assert.is(claims.length, mostClaims);
	assert.is(openClaim(claims)?.key, '0');
});

test('the claim that tells most is shown', () => {
	assert.is(openClaim(after(hook('a'), event('7')))?.by, 'hook');
	assert.is(jobText(after(hook('a'))[0]!.job), 'build (octo-org/app, run 42)');
});

test('only what this server signed for this run of the container is read', () => {
	const run = { uid: 'u', restarts: 0 };
	const text = writeClaims(after(hook('a')), run, signer.signs)!;
	assert.equal(states(readClaims(text, run, signer.vouches)), ['hook a working']);
	assert.equal(readClaims(text, { uid: 'u', restarts: 1 }, signer.vouches), []);
	assert.equal(readClaims(text, { uid: 'v', restarts: 0 }, signer.vouches), []);
	assert.equal(readClaims(text.replace('build', 'other'), run, signer.vouches), []);
	assert.equal(readClaims('x', run, signer.vouches), []);
	assert.is(writeClaims([], run, signer.signs), null);
});

test('a name of any length fits', () => {
	const long = { ...hook('k'.repeat(5_000)), job: { name: 'n'.repeat(50_000), workflow: 'w'.repeat(9_000) } };
	const text = writeClaims(after(long), { uid: 'u', restarts: 0 }, signer.signs)!;
	assert.ok(text.length < 1_000, `${text.length}`);
});

test('a job that the log shows has run since its line, by a clock that is not ahead of ours', () => {
	const at = '2026-11-26 15:23:00Z';
	const startedMs = Date.parse('2026-11-26T15:23:00Z');
	const since = (nowMs: number) => afterLog([], { says: 'works', at, job: 'build' }, true, nowMs)[0]?.sinceMs;
	assert.is(since(startedMs + 4_000), startedMs);
	assert.is(since(startedMs - 60_000), startedMs - 60_000);
	const undated = afterLog([], { says: 'works', at: undefined, job: 'build' }, true, 7);
	assert.is(undated[0]?.sinceMs, 7);
});

test.run();
