/** Who sent a token, what a hook reports, and which certificate it meets. */
import * as assert from 'uvu/assert';
import { HookCertificate } from '../../../../admission/jobs/hooks/certificate.ts';
import { callerOf } from '../../../../admission/jobs/hooks/rules/caller.ts';
import type { What } from '../../../../admission/jobs/hooks/rules/layout.ts';
import { readPayload } from '../../../../admission/jobs/hooks/rules/payload.ts';
import { newAuthorityAfterMs } from '../../../../admission/jobs/hooks/rules/policy.ts';
import { Tokens } from '../../../../admission/jobs/hooks/tokens.ts';
import { afterReport, ended, type JobReport, worksBy } from '../../../../admission/jobs/rules/job-signals.ts';
import { type KubeClient, KubeError } from '../../../../admission/kube/client.ts';
import type { JobSignal } from '../../../../admission/runner/job-signals.ts';
import { suite } from '../../../support/suite.ts';
import { authority, serving, startMs } from '../../certificates/authorities.ts';
import { SimulatedClock } from '../../support/clock.ts';

const test = suite('job hook rules');

const status = {
	authenticated: true,
	audiences: ['runners-admission'],
	user: {
		username: 'system:serviceaccount:ci:default',
		extra: {
			'authentication.kubernetes.io/pod-name': ['r1'],
			'authentication.kubernetes.io/pod-uid': ['u1'],
		},
	},
};
const github = 'https://github.com/';
const report = (payload: object, url = github) => readPayload('started', JSON.stringify(payload), url);

test('the token of a pod, for us, names its pod', () => {
	assert.equal(callerOf(status), { namespace: 'ci', pod: 'r1', uid: 'u1' });
});

test('any other token is nobody', () => {
	const { user } = status;
	const none = [
		undefined,
		{},
		{ ...status, authenticated: false },
		{ ...status, audiences: ['https://kubernetes.default.svc'] },
		{ ...status, audiences: [] },
		{ authenticated: true, user },
		{ ...status, user: { ...user, extra: {} } },
		{ ...status, user: { ...user, extra: { ...user.extra, 'authentication.kubernetes.io/pod-name': [] } } },
		{ ...status, user: { ...user, username: 'alice' } },
		{ ...status, user: { ...user, username: 'system:serviceaccount:ci' } },
		{ ...status, user: { ...user, extra: { ...user.extra, 'authentication.kubernetes.io/pod-uid': [] } } },
	];
	for (const one of none) assert.ok('why' in callerOf(one), JSON.stringify(one));
});

test('a job is named by its tracking id, else by run, attempt and key', () => {
	const run = { GITHUB_RUN_ID: '42', GITHUB_RUN_ATTEMPT: '2', GITHUB_JOB: 'build' };
	assert.is(report({ ...run, RUNNER_TRACKING_ID: 'github_a' })?.key, 'github_a');
	assert.is(report(run)?.key, '42/2/build');
	assert.is(report({ GITHUB_RUN_ID: '42' })?.key, '42/1/');
	for (const said of [
		{},
		{ GITHUB_JOB: 'build' },
		{ GITHUB_RUN_ID: '-1' },
		{ GITHUB_RUN_ID: 42 },
		{ RUNNER_TRACKING_ID: '' },
	])
		assert.is(report(said), undefined, JSON.stringify(said));
	for (const body of ['', '{', 'null', '7', '"x"', '[]'])
		assert.is(readPayload('started', body, github), undefined, body);
	assert.is(report({ ...run, GITHUB_JOB: 7 })?.job.name, 'a job');
});

test("only the runner's own tracking id is one job's; any other key may be the next job's as well", () => {
	const run = { GITHUB_RUN_ID: '42', GITHUB_RUN_ATTEMPT: '2', GITHUB_JOB: 'build' };
	const repeats = (id: string | undefined) => report({ ...run, RUNNER_TRACKING_ID: id })?.keyRepeats;
	assert.is(repeats('github_0e5ce7c8-1b5f-4b0e-8f3f-2b7f2f3d9a10'), false);
	for (const id of [undefined, '', '0', 'github_', 'keep_0e5ce7c8-1b5f-4b0e-8f3f-2b7f2f3d9a10'])
		assert.is(repeats(id), true, id);
});

test('the next job of a matrix whose RUNNER_TRACKING_ID is emptied counts at once', () => {
	const body = JSON.stringify({ GITHUB_RUN_ID: '42', GITHUB_JOB: 'build', RUNNER_TRACKING_ID: '' });
	const say = (signals: readonly JobSignal[], what: What, atMs: number) =>
		afterReport(signals, readPayload(what, body, github) as JobReport, atMs);
	const first = say(say([], 'started', 0), 'completed', 5_000);
	assert.is(worksBy(first), 'finishing');
	for (const signals of [first, ended(first, () => true, 6_000)]) {
		const next = say(signals, 'started', 8_000);
		assert.equal([worksBy(next), next.length, next[0]?.sinceMs], ['working', 1, 8_000]);
		assert.is(say(next, 'started', 8_001), next, 'the same report twice');
		assert.is(worksBy(say(next, 'completed', 9_000)), 'finishing');
	}
});

test('an address leads to our GitHub, or there is none', () => {
	const run = { GITHUB_RUN_ID: '42', GITHUB_REPOSITORY: 'octo-org/app' };
	assert.is(
		report({ ...run, GITHUB_SERVER_URL: 'https://github.com' })?.job.url,
		'https://github.com/octo-org/app/actions/runs/42',
	);
	for (const said of [
		{ GITHUB_SERVER_URL: 'https://evil.example' },
		{},
		{ GITHUB_SERVER_URL: 'https://github.com', GITHUB_REPOSITORY: '../../evil' },
		{ GITHUB_SERVER_URL: 'https://github.com', GITHUB_RUN_ID: '1e9', RUNNER_TRACKING_ID: 'x' },
	])
		assert.is(report({ ...run, ...said })?.job.url, undefined);
});

test('texts of a job are shown to people: nothing in them moves a cursor', () => {
	const said = report({
		RUNNER_TRACKING_ID: 'x',
		GITHUB_JOB: 'a\u001b[2Jb',
		GITHUB_WORKFLOW: 'c\nd',
		GITHUB_REPOSITORY: 'a b/c',
	});
	assert.equal([said?.job.name, said?.job.workflow, said?.job.repository], ['a?[2Jb', 'c d', undefined]);
});

test('a token is asked about once, and again after its time; not its owner', async () => {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	const asked: string[] = [];
	let answer: object | KubeError = status;
	const client = {
		request: async (_method: string, _path: string, { body }: { body: { spec: { token: string } } }) => {
			asked.push(body.spec.token);
			if (answer instanceof KubeError) throw answer;
			return { status: answer };
		},
	} as unknown as KubeClient;
	const tokens = new Tokens(client, clock);
	assert.equal(await tokens.callerOf('a'), { namespace: 'ci', pod: 'r1', uid: 'u1' });
	await tokens.callerOf('a');
	assert.equal(asked, ['a']);
	await clock.pass(60_000);
	answer = { authenticated: false };
	assert.ok('why' in (await tokens.callerOf('a')));
	assert.ok('why' in (await tokens.callerOf('a')));
	assert.equal(asked, ['a', 'a']);
	await clock.pass(5_000);
	answer = new KubeError(500, '', 'away');
	let failed: unknown;
	await tokens.callerOf('a').catch((error: unknown) => {
		failed = error;
	});
	assert.is(failed, answer);
	answer = status;
	assert.ok('pod' in (await tokens.callerOf('a')), 'an error is not remembered');
});

test('10,000 tokens are remembered, the newest', async () => {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	let asked = 0;
	const client = {
		request: async () => {
			asked += 1;
			return { status };
		},
	} as unknown as KubeClient;
	const tokens = new Tokens(client, clock);
	for (let index = 0; index <= 10_000; index++) await tokens.callerOf(`t${index}`);
	await tokens.callerOf('t10000');
	assert.is(asked, 10_001);
	await tokens.callerOf('t0');
	assert.is(asked, 10_002);
});

test("another CA's certificate waits until pods know it; a renewed one does not; an ended one does not hold it up", async () => {
	const clock = new SimulatedClock(new Date(startMs).toISOString());
	const [one, other] = [await authority(), await authority()];
	const first = await serving(one);
	const used: string[] = [];
	const certificate = new HookCertificate(first, clock, ({ cert }) => void used.push(cert));
	const renewed = await serving(one);
	certificate.use(renewed);
	assert.equal(used, [renewed.cert]);
	const [next, newest] = [await serving(other), await serving(other)];
	certificate.use(next);
	certificate.use(newest);
	await clock.pass(newAuthorityAfterMs - 1);
	assert.equal(used, [renewed.cert]);
	await clock.pass(1);
	assert.equal(used, [renewed.cert, newest.cert]);
	const short = await serving(other, startMs, 1 / 24 / 60);
	certificate.use(short);
	await clock.pass(5 * 60_000);
	certificate.use(first);
	assert.is(used.at(-1), first.cert);
	certificate.use(next);
	certificate.stop();
	assert.is(clock.waiting, 0);
});

test.run();
