/** Jobs as GitHub reports them: by events, by the list of deliveries, and by REST; and what goes wrong with these. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import {
	type GitHub,
	type NewWorkflowJob,
	startGitHub,
	type Webhook,
	type WorkflowJob,
} from '../../sim/simulator.ts';
import { uuidV1 } from '../../sim/webhooks.ts';
import { suite } from '../../support/suite.ts';
import { ask, linkOf } from './caller.ts';
import { conforms, isEvent } from './description.ts';

interface Got {
	headers: IncomingHttpHeaders;
	text: string;
	body: { action: string; workflow_job: { id: number; runner_name: string | null } };
}

interface World {
	github: GitHub;
	receiver: Server;
	/** What the receiver answers. */
	status: number;
	got: Got[];
	hook: Webhook;
}

const secret = 'it is a secret';
const repository = 'octo-org/app';
const deliveriesPath = '/orgs/{org}/hooks/{hook_id}/deliveries';

const test = suite<World>('jobs and webhooks of the simulated GitHub');
test.before.each(async (world) => {
	world.github = await startGitHub();
	world.got = [];
	world.status = 204;
	world.receiver = createServer((request, response) => {
		let text = '';
		request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
		request.on('end', () => {
			world.got.push({ headers: request.headers, text, body: JSON.parse(text) });
			response.writeHead(world.status).end(world.status === 500 ? 'broken' : undefined);
		});
	});
	await new Promise<void>((listening) => world.receiver.listen(0, '127.0.0.1', listening));
	const { port } = world.receiver.address() as AddressInfo;
	const url = `http://127.0.0.1:${port}/anywhere`;
	world.hook = world.github.addWebhook({ url, secret, scope: 'orgs/octo-org' });
});
test.after.each(async ({ github, receiver }) => {
	await github.stop();
	receiver.closeAllConnections();
	receiver.close();
});

function newJob(github: GitHub, more: Partial<NewWorkflowJob> = {}): WorkflowJob {
	return github.jobs.add({ repository, runId: 77, runAttempt: 1, workflow: 'CI', name: 'build', ...more });
}

/** A whole life; each event is delivered before the next one is made, unless a fault holds it. */
async function live({ github, hook }: World, runnerName = 'r-1'): Promise<WorkflowJob> {
	const job = newJob(github);
	await hook.idle();
	github.jobs.start(job.id, { id: 101, name: runnerName });
	github.jobs.complete(job.id, 'success');
	await hook.idle();
	return job;
}

const actions = ({ got }: World) => got.map(({ body }) => body.action);

test('the events of a job are in GitHub’s shape, signed, each with an id that tells its time', async (world) => {
	const { github, hook, got } = world;
	const job = newJob(github);
	await hook.idle();
	github.jobs.start(job.id, { id: 101, name: 'r-1' });
	await hook.idle();
	github.jobs.complete(job.id, 'success');
	await hook.idle();
	assert.equal(actions(world), ['queued', 'in_progress', 'completed']);
	for (const { headers, text, body } of got) {
		isEvent(body.action, body);
		const digest = createHmac('sha256', secret).update(text).digest('hex');
		assert.is(headers['x-hub-signature-256'], `sha256=${digest}`);
		assert.is(headers['x-github-event'], 'workflow_job');
		assert.is(headers['x-github-hook-id'], String(hook.id));
		assert.is(headers['x-github-hook-installation-target-type'], 'organization');
		assert.match(headers['x-github-delivery'] as string, /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab]/);
	}
	assert.equal(
		got.map(({ body }) => [body.workflow_job.id, body.workflow_job.runner_name]),
		[
			[job.id, null],
			[job.id, 'r-1'],
			[job.id, 'r-1'],
		],
	);
	assert.throws(() => isEvent('completed', { ...got[2]!.body, workflow_job: {} }), /must have required/);
});

test('a delivery’s id is a version-1 UUID of its time', () => {
	const atMs = Date.parse('2026-09-03T04:16:57.569Z');
	const [low, middle, high] = uuidV1(atMs).split('-') as [string, string, string];
	const ticks = BigInt(`0x${high.slice(1)}${middle}${low}`);
	assert.is(Number(ticks / 10_000n - 12_219_292_800_000n), atMs);
});

test('a hook receives only events of its own organization or repository', async (world) => {
	const { github, hook } = world;
	newJob(github, { repository: 'other/app' });
	newJob(github, { repository: 'Octo-Org/app' });
	await hook.idle();
	assert.is(world.got.length, 1);
});

test('lost: nobody is reached, the list of deliveries says so, and it can be had again with the same id', async (world) => {
	const { github, hook } = world;
	hook.fault({ kind: 'lost', action: 'in_progress' });
	await live(world);
	assert.equal(actions(world), ['queued', 'completed']);

	const path = `/orgs/octo-org/hooks/${hook.id}/deliveries`;
	const list = await ask(github, `${path}?status=failure`);
	conforms(deliveriesPath, 'get', list);
	const [failed, ...more] = list.body as unknown as { id: number; guid: string; action: string }[];
	assert.equal([failed!.action, more], ['in_progress', []]);
	const one = await ask(github, `${path}/${failed!.id}`);
	conforms(`${deliveriesPath}/{delivery_id}`, 'get', one);
	const { request } = one.body as unknown as { request: { payload: unknown } };
	isEvent('in_progress', request.payload);

	const again = await ask(github, `${path}/${failed!.id}/attempts`, { method: 'POST' });
	assert.is(again.status, 202);
	conforms(`${deliveriesPath}/{delivery_id}/attempts`, 'post', again);
	await hook.idle();
	assert.equal(actions(world), ['queued', 'completed', 'in_progress']);
	assert.is(world.got[2]!.headers['x-github-delivery'], failed!.guid);
	const all = (await ask(github, path)).body as unknown as { guid: string; redelivery: boolean }[];
	assert.equal(
		all.filter(({ guid }) => guid === failed!.guid).map(({ redelivery }) => redelivery),
		[true, false],
	);
});

test('a receiver that answers 500, and one that is not there, are failed deliveries', async (world) => {
	const { github, hook, receiver } = world;
	world.status = 500;
	newJob(github);
	await hook.idle();
	receiver.closeAllConnections();
	await new Promise((closed) => receiver.close(closed));
	newJob(github);
	await hook.idle();
	assert.equal(
		hook.deliveries.map(({ statusCode, status, response }) => [statusCode, status, response.body]),
		[
			[500, 'Invalid HTTP Response: 500', 'broken'],
			[502, 'failed to connect', null],
		],
	);
});

test('doubled, late, never, and completed before in_progress', async (world) => {
	const { hook } = world;
	const doubled = hook.fault({ kind: 'doubled', action: 'in_progress' });
	await live(world);
	assert.equal(actions(world).sort(), ['completed', 'in_progress', 'in_progress', 'queued']);
	const guids = new Set(world.got.map(({ headers }) => headers['x-github-delivery']));
	assert.equal([guids.size, doubled.hits()], [3, 1]);
	doubled.clear();

	world.got.length = 0;
	const never = hook.fault({ kind: 'never', action: 'completed', times: 1 });
	await live(world);
	assert.equal(actions(world), ['queued', 'in_progress']);
	assert.is(never.hits(), 1);

	world.got.length = 0;
	const after = hook.fault({ kind: 'after-completed', runnerName: 'r-2' });
	await live(world, 'r-2');
	assert.equal(actions(world), ['queued', 'completed', 'in_progress']);
	after.clear();

	world.got.length = 0;
	hook.fault({ kind: 'late', action: 'in_progress', delayMs: 200 });
	await live(world);
	assert.equal(actions(world), ['queued', 'completed', 'in_progress']);
});

test('a job ends without an event, and REST knows', async (world) => {
	const { github, hook } = world;
	const job = newJob(github);
	github.jobs.start(job.id, { id: null, name: 'r-1' });
	github.jobs.complete(job.id, 'failure', true);
	await hook.idle();
	assert.equal(actions(world).sort(), ['in_progress', 'queued']);
	const path = '/repos/{owner}/{repo}/actions/jobs/{job_id}';
	const shown = await ask(github, `/repos/octo-org/app/actions/jobs/${job.id}`);
	conforms(path, 'get', shown);
	assert.equal(
		(({ status, conclusion, runner_name }) => [status, conclusion, runner_name])(
			shown.body as unknown as Record<string, unknown>,
		),
		['completed', 'failure', 'r-1'],
	);
	for (const elsewhere of ['/repos/octo-org/other/actions/jobs/', '/repos/octo-org/app/actions/jobs/9'])
		assert.is((await ask(github, elsewhere + job.id)).status, 404);
});

test('the jobs of a run’s attempt come in pages; of a run, those of its last attempt', async ({ github }) => {
	for (let count = 0; count < 3; count++) newJob(github, { name: `build (${count})` });
	const last = newJob(github, { runAttempt: 2 });
	github.jobs.start(last.id, { id: 7, name: 'r-1' });
	github.jobs.complete(last.id, 'cancelled');
	const run = '/repos/octo-org/app/actions/runs/77';
	const path = '/repos/{owner}/{repo}/actions/runs/{run_id}/attempts/{attempt_number}/jobs';
	const first = await ask(github, `${run}/attempts/1/jobs?per_page=2`);
	assert.equal([first.body.total_count, first.body.jobs.length], [3, 2]);
	const second = await ask(github, linkOf(first, 'next')!);
	assert.is(second.body.jobs.length, 1);
	const whole = await ask(github, `${run}/attempts/2/jobs`);
	conforms(path, 'get', whole);
	assert.equal(
		whole.body.jobs.map(({ runner_name, conclusion }) => [runner_name, conclusion]),
		[['r-1', 'cancelled']],
	);
	assert.is((await ask(github, `${run}/attempts/3/jobs`)).status, 404);
	const latest = await ask(github, `${run}/jobs?filter=latest`);
	conforms('/repos/{owner}/{repo}/actions/runs/{run_id}/jobs', 'get', latest);
	assert.equal(
		latest.body.jobs.map(({ id }) => id),
		[last.id],
	);
});

test('deliveries come in pages, newest first; a credential of the organization reads its repositories’ jobs', async (world) => {
	const { github, hook } = world;
	github.tokens.add('narrow', ['orgs/octo-org']);
	const jobs = [newJob(github), newJob(github), newJob(github)];
	await hook.idle();
	const path = `/orgs/octo-org/hooks/${hook.id}/deliveries?per_page=2`;
	const first = await ask(github, path, { token: 'narrow' });
	const second = await ask(github, linkOf(first, 'next')!, { token: 'narrow' });
	const ids = [first, second].flatMap(({ body }) =>
		(body as unknown as { id: number }[]).map(({ id }) => id),
	);
	assert.equal(ids, hook.deliveries.map(({ id }) => id).toReversed());
	assert.is(linkOf(second, 'next'), undefined);
	const job = await ask(github, `/repos/octo-org/app/actions/jobs/${jobs[0]!.id}`, { token: 'narrow' });
	assert.is(job.status, 200);
	github.tokens.add('foreign', ['orgs/other']);
	const hidden = await ask(github, `/repos/octo-org/app/actions/jobs/${jobs[0]!.id}`, { token: 'foreign' });
	assert.is(hidden.status, 404);
	assert.is((await ask(github, path, { token: 'foreign' })).status, 403);
	const foreign = `/repos/octo-org/app/hooks/${hook.id}/deliveries`;
	assert.is((await ask(github, foreign)).status, 404);
});

test.run();
