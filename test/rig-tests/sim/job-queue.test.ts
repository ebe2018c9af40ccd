/** Jobs that wait at the simulated GitHub, without a cluster: who gets them, and what events report about them. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as assert from 'uvu/assert';
import type { Taker } from '../../sim/job-queue.ts';
import { type GitHub, type Scope, startGitHub, type WorkflowJob } from '../../sim/simulator.ts';
import { suite } from '../../support/suite.ts';
import { isEvent } from './description.ts';

interface World {
	github: GitHub;
	events: string[];
	idle(): Promise<void>;
	stop(): Promise<void>;
}

const test = suite<World>('jobs that wait at the simulated GitHub');
test.before.each(async (world) => {
	const github = await startGitHub();
	world.github = github;
	world.events = [];
	const receiver = createServer((request, response) => {
		let text = '';
		request.setEncoding('utf8').on('data', (piece: string) => (text += piece));
		request.on('end', () => {
			const body = JSON.parse(text);
			isEvent(body.action, body);
			const { name, conclusion, runner_name } = body.workflow_job;
			world.events.push([name, body.action, conclusion, runner_name].filter(Boolean).join(' '));
			response.end();
		});
	});
	await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
	const { port } = receiver.address() as AddressInfo;
	const hook = github.addWebhook({
		url: `http://127.0.0.1:${port}/`,
		secret: 'it is a secret',
		scope: 'orgs/octo-org',
	});
	world.idle = () => hook.idle();
	world.stop = async () => {
		await github.stop();
		receiver.closeAllConnections();
		receiver.close();
	};
});
test.after.each(({ stop }) => stop());

const anybody = new Set([undefined]);

/** A runner that is idle and online, and what it was given. */
function idleRunner(
	github: GitHub,
	name: string,
	scope: Scope,
	labels: string[] = [],
	{ arch = 'X64', group }: { arch?: string; group?: string } = {},
) {
	const started: number[] = [];
	const runner = {
		name,
		online: true,
		hangs: false,
		job: undefined as object | undefined,
		registration: { scope, group, labels, implicit: ['self-hosted', 'Linux', arch] },
		startJob({ made }: { made: WorkflowJob }) {
			started.push(made.id);
			this.job = {};
			github.jobs.start(made.id, { id: 7, name });
		},
		started,
	};
	return runner satisfies Taker;
}

test('a job is known as queued before any runner has it, then as in progress and completed there', async (world) => {
	const { github, events, idle } = world;
	const job = github.jobs.queue({ repository: 'octo-org/app', labels: ['self-hosted', 'gpu'] });
	await idle();
	assert.equal(events, ['build queued']);
	assert.equal([job.status, job.runnerName], ['queued', null]);
	const fits = idleRunner(github, 'r-1', 'orgs/octo-org', ['GPU']);
	github.jobQueue.dispatch([idleRunner(github, 'r-0', 'orgs/octo-org'), fits], anybody);
	await idle();
	github.jobs.complete(job.id, 'success');
	await idle();
	assert.equal(events, ['build queued', 'build in_progress r-1', 'build completed success r-1']);
	github.jobQueue.dispatch([idleRunner(github, 'r-2', 'orgs/octo-org', ['gpu'])], anybody);
	assert.is(github.jobs.list().length, 1);
});

test('labels of GitHub’s own count, whatever their case, and so do repository, organization and enterprise', ({
	github,
}) => {
	const take = (runner: ReturnType<typeof idleRunner>) => {
		github.jobQueue.dispatch([runner], anybody);
		return runner.started;
	};
	const arm = github.jobs.queue({ repository: 'octo-org/app', labels: ['self-hosted', 'linux', 'arm64'] });
	assert.equal(take(idleRunner(github, 'a', 'orgs/octo-org')), []);
	assert.equal(take(idleRunner(github, 'b', 'orgs/octo-org', [], { arch: 'ARM64' })), [arm.id]);
	const job = github.jobs.queue({ repository: 'Octo-Org/app', enterprise: 'octo' });
	for (const elsewhere of ['orgs/other', 'repos/octo-org/other', 'enterprises/other'] as const)
		assert.equal(take(idleRunner(github, 'c', elsewhere)), [], elsewhere);
	assert.equal(take(idleRunner(github, 'd', 'enterprises/octo')), [job.id]);
	const own = github.jobs.queue({ repository: 'octo-org/app', scope: 'repos/octo-org/app' });
	assert.equal(take(idleRunner(github, 'e', 'orgs/octo-org')), []);
	assert.equal(take(idleRunner(github, 'f', 'repos/Octo-Org/App')), [own.id]);
});

test('a runner that hangs takes no job, and the job stays queued for the next one', ({ github }) => {
	const job = github.jobs.queue({ repository: 'octo-org/app' });
	const hung = { ...idleRunner(github, 'h', 'orgs/octo-org'), hangs: true };
	github.jobQueue.dispatch([hung], anybody);
	assert.equal([hung.started, job.status], [[], 'queued']);
	const healthy = idleRunner(github, 'r', 'orgs/octo-org');
	github.jobQueue.dispatch([hung, healthy], anybody);
	assert.equal([hung.started, healthy.started], [[], [job.id]]);
});

test('the runners of a group are for the repositories that may use it', ({ github }) => {
	github.addRunnerGroup('orgs/octo-org', { name: 'few', selected: ['app'] });
	const runner = () => idleRunner(github, 'r', 'orgs/octo-org', [], { group: 'few' });
	const [denied, allowed] = [runner(), runner()];
	github.jobs.queue({ repository: 'octo-org/web' });
	github.jobQueue.dispatch([denied], anybody);
	const job = github.jobs.queue({ repository: 'octo-org/app' });
	github.jobQueue.dispatch([allowed], anybody);
	assert.equal([denied.started, allowed.started], [[], [job.id]]);
});

test('one that waits for an approval is queued when it is released; of a pending one no event tells before', async ({
	github,
	events,
	idle,
}) => {
	const gated = github.jobs.queue({ repository: 'octo-org/app', name: 'gated', status: 'waiting' });
	const pending = github.jobs.queue({ repository: 'octo-org/app', name: 'pending', status: 'pending' });
	await idle();
	const runner = idleRunner(github, 'r', 'orgs/octo-org');
	github.jobQueue.dispatch([runner], anybody);
	assert.equal([events, runner.started], [['gated waiting'], []]);
	let ready = 0;
	github.jobQueue.onReady(() => ready++);
	github.jobs.release(pending.id);
	await idle();
	assert.equal([events, ready], [['gated waiting', 'pending queued'], 1]);
	github.jobQueue.dispatch([runner], anybody);
	assert.equal(runner.started, [pending.id]);
	assert.throws(() => github.jobs.release(pending.id), /is in_progress/);
	assert.is(gated.status, 'waiting');
});

test('one that is cancelled in the queue completes without a runner, and nobody gets it', async ({
	github,
	events,
	idle,
}) => {
	const job = github.jobs.queue({ repository: 'octo-org/app' });
	await idle();
	github.jobs.cancel(job.id);
	await idle();
	assert.equal(events, ['build queued', 'build completed cancelled']);
	const runner = idleRunner(github, 'r', 'orgs/octo-org');
	github.jobQueue.dispatch([runner], anybody);
	assert.equal(runner.started, []);
	assert.throws(() => github.jobs.cancel(job.id), /is completed/);
});

test('jobs of one user of a cluster are for his runners alone, and are cancelled with his queue', ({
	github,
}) => {
	const mine = {};
	github.jobQueue.addMany({ count: 2 }, mine);
	const outsider = idleRunner(github, 's', 'orgs/octo-org');
	github.jobQueue.dispatch([outsider], anybody);
	assert.equal([outsider.started, github.jobQueue.waiting(mine)], [[], 2]);
	const own = idleRunner(github, 'o', 'enterprises/octo');
	github.jobQueue.dispatch([own], new Set([mine]));
	assert.equal([own.started.length, github.jobQueue.waiting(mine)], [1, 1]);
	github.jobQueue.clear(mine);
	assert.is(github.jobQueue.waiting(mine), 0);
	assert.equal(
		github.jobs
			.list()
			.map(({ status }) => status)
			.sort(),
		['completed', 'in_progress'],
	);
});

test.run();
