import * as assert from 'uvu/assert';
import { busy, record } from '../../../admission/api/keys.ts';
import { usedCredential } from '../../../admission/github/credential-report.ts';
import type { AccountState } from '../../../admission/github/types.ts';
import { isDue, newsIn, type ReportFacts, reportOf } from '../../../admission/leader/report.ts';
import { suite } from '../../support/suite.ts';
import { noon, pod } from '../runner/pods.ts';

const test = suite('the report');

const guard: ReportFacts['guard'] = {
	state: 'guarded',
	webhooks: [{ kind: 'validating', name: 'pods.runners-admission.svc', failurePolicy: 'Fail' }],
};

function facts(more: Partial<ReportFacts> = {}): ReportFacts {
	return {
		version: '1.2.3',
		replica: 'host-1',
		leadingSinceMs: noon - 60_000,
		certificates: {},
		credentials: [],
		pods: [],
		waiting: new Map(),
		logs: { readable: 0, unreadable: 0, lastError: undefined },
		contradictions: {},
		largeObjects: [],
		versions: [],
		guard,
		unguardedMs: 0,
		...more,
	};
}

const healthy: AccountState = { healthy: true, forbidden: {}, backgroundSpent: false };

test('who leads since when, counts of pods and busy ones', () => {
	const onJob = { labels: { [busy.label]: 'true' } };
	const report = reportOf(facts({ pods: [pod(), pod({ metadata: onJob })], unguardedMs: 1_600 }), noon);
	assert.equal(
		[report.version, report.replica, report.leadingSince, report.updatedAt],
		['1.2.3', 'host-1', '2026-11-23T11:59:00.000Z', '2026-11-23T12:00:00.000Z'],
	);
	assert.equal(report.runners, { pods: 2, busy: 1 });
	assert.equal(report.guard, { ...guard, unguardedSeconds: 2 });
	assert.equal(report.recordedDeletions, { count: 0, byReason: {} });
});

test('objects that are too large for lists and watches: how many, and up to five that cannot be read', () => {
	assert.equal(reportOf(facts(), noon).largeObjects, { count: 0, unreadable: 0, unreadableObjects: [] });
	const unreadable = ['f', 'e', 'd', 'c', 'b', 'a'].map(
		(name) => [`ci/${name}`, 'unreadable'] as [string, string],
	);
	const report = reportOf(facts({ largeObjects: [['ci/x', 'left-out'], ...unreadable] }), noon);
	const unreadableObjects = ['ci/a', 'ci/b', 'ci/c', 'ci/d', 'ci/e'];
	assert.equal(report.largeObjects, { count: 7, unreadable: 6, unreadableObjects });
	assert.is.not(newsIn(report), newsIn(reportOf(facts(), noon)));
});

test('how logs were read, and how often GitHub was wrong; the first of each is news', () => {
	const quiet = facts({ logs: { readable: 9, unreadable: 0, lastError: undefined } });
	const lastError = { atMs: noon, pod: 'ci/r1', message: 'its log cannot be read: forbidden' };
	const failing = facts({ logs: { readable: 9, unreadable: 1, lastError } });
	const wrong = facts({ logs: quiet.logs, contradictions: { 'removed-while-busy': 1 } });
	assert.equal(reportOf(quiet, noon).logs, { readable: 9, unreadable: 0 });
	assert.equal(reportOf(failing, noon).logs, {
		readable: 9,
		unreadable: 1,
		lastError: { at: '2026-11-23T12:00:00.000Z', pod: 'ci/r1', message: lastError.message },
	});
	assert.equal(reportOf(wrong, noon).contradictions, { 'removed-while-busy': 1 });
	const news = [quiet, failing, wrong].map((one) => newsIn(reportOf(one, noon)));
	assert.is(new Set(news).size, 3);
	const more = facts({ logs: { readable: 99, unreadable: 5, lastError } });
	assert.is(newsIn(reportOf(more, noon)), news[1], 'counts wait for the heartbeat');
});

test('days that certificates have left; none where there is none', () => {
	const day = 24 * 60 * 60_000;
	const { certificates } = reportOf(facts({ certificates: { serving: noon + 64.9 * day } }), noon);
	assert.equal(certificates, [{ name: 'serving', notAfter: '2027-01-27T09:36:00.000Z', daysLeft: 64 }]);
});

test('the oldest recorded deletion, who asked, and what it waits for', () => {
	const asked = pod({ metadata: { name: 'r2', annotations: { [record.requestedBy]: 'alice' } } });
	const { recordedDeletions } = reportOf(
		facts({
			pods: [pod(), asked],
			waiting: new Map([
				['ci/r1', { reason: 'busy', askedAtMs: noon - 1_000 }],
				['ci/r2', { reason: 'forbidden', askedAtMs: noon - 5_000 }],
				['ci/r3', { reason: 'busy', askedAtMs: noon - 2_000 }],
			]),
		}),
		noon,
	);
	assert.equal(recordedDeletions, {
		count: 3,
		byReason: { busy: 2, forbidden: 1 },
		oldest: {
			pod: 'ci/r2',
			requestedAt: '2026-11-23T11:59:55.000Z',
			requestedBy: 'alice',
			reason: 'forbidden',
		},
	});
});

for (const [what, state, answered, expected] of [
	['not used yet', healthy, false, { state: 'not-used-yet' }],
	['works', healthy, true, { state: 'ok' }],
	[
		'401',
		{ ...healthy, healthy: false, failure: { kind: 'credentials-invalid', detail: 'GitHub answered 401' } },
		true,
		{ state: 'credentials-invalid', detail: 'GitHub answered 401' },
	],
	[
		'one scope forbidden',
		{ ...healthy, forbidden: { 'octo-org': { kind: 'forbidden', detail: 'needs admin:org' } } },
		true,
		{ state: 'forbidden', forbidden: [{ scope: 'octo-org', detail: 'needs admin:org' }] },
	],
	[
		'budget',
		{ ...healthy, limit: 5000, remaining: 12, resetAtMs: noon },
		true,
		{ state: 'ok', budget: { left: 12, limit: 5000, resetAt: '2026-11-23T12:00:00.000Z' } },
	],
	[
		'a server without limits tells none',
		{ ...healthy, remaining: 7, resetAtMs: noon },
		true,
		{ state: 'ok', budget: { left: 7, resetAt: '2026-11-23T12:00:00.000Z' } },
	],
] as [string, AccountState, boolean, object][])
	test(`a credential: ${what}`, () => {
		assert.equal(usedCredential('ci/github', state, answered), { account: 'ci/github', ...expected });
	});

test('news: states, the oldest deletion, policies. Counts, budgets and time wait for the heartbeat', () => {
	const credential = (left: number, kind?: 'credentials-invalid') =>
		usedCredential(
			'ci/github',
			{
				...healthy,
				limit: 5000,
				remaining: left,
				resetAtMs: noon,
				...(kind ? { failure: { kind, detail: '' } } : {}),
			},
			true,
		);
	const news = (more: Partial<ReportFacts>, atMs = noon) => newsIn(reportOf(facts(more), atMs));
	const quiet = news({ credentials: [credential(100)] });
	assert.is(news({ credentials: [credential(99)], pods: [pod()], unguardedMs: 5_000 }, noon + 60_000), quiet);
	for (const change of [
		{ credentials: [credential(100, 'credentials-invalid')] },
		{ credentials: [credential(100)], replica: 'host-2' },
		{ credentials: [credential(100)], waiting: new Map([['ci/r', { reason: 'busy', askedAtMs: noon }]]) },
		{ credentials: [credential(100)], guard: { state: 'unguarded', webhooks: [] } },
	] as Partial<ReportFacts>[])
		assert.is.not(news(change), quiet, JSON.stringify(change));
});

test('news are written at once but at most every 10 s, the rest each minute', () => {
	const written = { news: 'a', atMs: noon };
	assert.is(isDue({ news: '', atMs: Number.NEGATIVE_INFINITY }, 'a', noon), true);
	assert.equal([isDue(written, 'b', noon + 9_999), isDue(written, 'b', noon + 10_000)], [false, true]);
	assert.equal([isDue(written, 'a', noon + 59_999), isDue(written, 'a', noon + 60_000)], [false, true]);
});

test.run();
