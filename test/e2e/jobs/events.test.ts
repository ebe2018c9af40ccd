/** GitHub's workflow_job events, delivered to a replica that does not lead, and what is on the pods then. */
import { sign } from '@octokit/webhooks-methods';
import * as assert from 'uvu/assert';
import { busy } from '../../../admission/api/keys.ts';
import type { JobSignal } from '../../../admission/runner/job-signals.ts';
import { freePort } from '../../cluster/free-port.ts';
import { eventually } from '../../rig/eventually.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { stage } from '../../rig/stage.ts';
import type { Space } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

// GitHub's list is late: what is on the pods comes from the events.
const test = spaceTests("GitHub's job events", { prepare: () => stage('guard'), hintDelayMs: 120_000 });

const [secret, older] = ['the secret of the webhook', 'the one before'];
let receiver: ServerProcess;
let port: number;

test.before(async ({ rig }) => {
	port = await freePort();
	receiver = await rig.startStandby({
		env: {
			GITHUB_TOKEN: 'test-token',
			GITHUB_WEBHOOK_SECRET_TOKEN: `${secret},${older}`,
			EVENTS_PORT: `${port}`,
		},
	});
});
test.after(() => receiver?.stop());

interface Said {
	action: 'queued' | 'in_progress' | 'completed';
	runner: string;
	id: number;
	repository: string;
	host?: string;
}

/** As GitHub says it, with the times that it gives. */
function payloadOf({ action, runner, id, repository, host = 'github.com' }: Said): object {
	const now = new Date().toISOString();
	const html_url = `https://${host}/${repository}`;
	return {
		action,
		workflow_job: {
			id,
			run_id: 42,
			run_attempt: 1,
			workflow_name: 'CI',
			name: 'build (20)',
			html_url: `${html_url}/actions/runs/42/job/${id}`,
			status: action,
			conclusion: action === 'completed' ? 'success' : null,
			started_at: now,
			completed_at: action === 'completed' ? now : null,
			runner_name: action === 'queued' ? null : runner,
			labels: ['self-hosted'],
		},
		repository: { full_name: repository, html_url },
	};
}

async function deliver(said: Said, by = secret): Promise<number> {
	const body = JSON.stringify(payloadOf(said));
	const answer = await fetch(`http://127.0.0.1:${port}/webhook`, {
		method: 'POST',
		body,
		headers: {
			'content-type': 'application/json',
			'x-github-event': 'workflow_job',
			'x-github-delivery': '4d8ed510-a74e-11f1-8000-000000000001',
			'x-hub-signature-256': await sign(by, body),
		},
	});
	return answer.status;
}

/** Its job signals from events, as they are on the pod: `event 7 working`. */
async function signals(space: Space, name: string): Promise<string[]> {
	const text = (await space.annotations(name))[busy.signals] ?? '- []';
	const read = JSON.parse(text.slice(text.indexOf(' ') + 1)) as JobSignal[];
	return read.filter(({ by }) => by === 'event').map(({ by, key, state }) => `${by} ${key} ${state}`);
}

test('in_progress: when it is answered the pod is busy, and names the job', async ({ space }) => {
	const names = ['a', 'b', 'c', 'd', 'e'];
	await space.runners(names);
	const tookMs: number[] = [];
	for (const [index, runner] of names.entries()) {
		const id = 100 + index;
		const startedMs = performance.now();
		const status = await deliver({ action: 'in_progress', runner, id, repository: `${space.name}/app` });
		tookMs.push(performance.now() - startedMs);
		assert.is(status, 200);
		const pod = await space.pod(runner);
		assert.is(pod?.metadata.labels?.[busy.label], 'true');
		assert.is(pod?.metadata.annotations?.[busy.job], `build (20) (${space.name}/app, run 42)`);
		assert.equal(await signals(space, runner), [`event ${id} working`]);
	}
	console.log(`delivery to busy: ${tookMs.map((ms) => Math.round(ms)).join(', ')} ms`);
	assert.ok(Math.min(...tookMs) < 300, `${tookMs} ms`);
});

test('fifty at once: all are on their pods when they are answered', async ({ space }) => {
	const names = Array.from({ length: 50 }, (_, index) => `many-${index}`);
	await space.runners(names);
	const startedMs = performance.now();
	const tookMs = await Promise.all(
		names.map(async (runner, index) => {
			const repository = `${space.name}/app`;
			assert.is(await deliver({ action: 'in_progress', runner, id: 1_000 + index, repository }), 200);
			return performance.now() - startedMs;
		}),
	);
	const [half, most] = [25, 47].map((index) => Math.round(tookMs.toSorted((a, b) => a - b)[index] ?? 0));
	console.log(`fifty deliveries at once: p50 ${half} ms, p95 ${most} ms`);
	const pods = await space.rig.pods(space.name);
	assert.is(pods.filter(({ metadata }) => metadata.labels?.[busy.label] === 'true').length, 50);
});

test('a scale set runner, by the scope of its EphemeralRunner', async ({ space }) => {
	await space.scaleSetRunners(['set-a']);
	const said = { action: 'in_progress', runner: 'set-a', id: 7, repository: `${space.name}/app` } as const;
	assert.is(await deliver(said), 200);
	assert.equal(await signals(space, 'set-a'), ['event 7 working']);
});

test('twice, late, in another order, with the secret from before: each job only goes forward', async ({
	space,
}) => {
	await space.runners(['once', 'swapped'], { ephemeral: false });
	// Their logs say that they work: otherwise the leader ends what has completed at once.
	for (const name of ['once', 'swapped']) await space.runJob(name);
	const once = { runner: 'once', id: 7, repository: `${space.name}/app` };
	assert.is(await deliver({ ...once, action: 'queued' }), 204);
	assert.equal(await signals(space, 'once'), []);
	await deliver({ ...once, action: 'in_progress' }, older);
	await deliver({ ...once, action: 'in_progress' });
	assert.equal(await signals(space, 'once'), ['event 7 working']);
	await deliver({ ...once, action: 'completed' });
	assert.equal(await signals(space, 'once'), ['event 7 finishing']);
	assert.is(await deliver({ ...once, action: 'completed' }), 200);
	assert.is(await deliver({ ...once, action: 'in_progress' }), 200);
	assert.equal(await signals(space, 'once'), ['event 7 finishing']);

	const swapped = { runner: 'swapped', id: 8, repository: `${space.name}/app` };
	await deliver({ ...swapped, action: 'completed' });
	await deliver({ ...swapped, action: 'in_progress' });
	assert.equal(await signals(space, 'swapped'), ['event 8 finishing']);
	// The next job of a static runner is another.
	await deliver({ ...swapped, id: 9, action: 'in_progress' });
	assert.equal((await signals(space, 'swapped')).toSorted(), ['event 8 finishing', 'event 9 working']);
});

test('forged, or about another runner of the same name: nothing is on the pod', async ({ rig, space }) => {
	await space.runners(['r1']);
	const ofRepository = { organization: '', repository: `${space.name}/app` };
	await rig.runners([space.options('of-repository', ofRepository)]);
	const said = { action: 'in_progress', runner: 'r1', id: 7, repository: `${space.name}/app` } as const;
	assert.is(await deliver(said, 'guessed'), 401);
	assert.is(await deliver({ ...said, repository: 'acme/app' }), 204);
	assert.is(await deliver({ ...said, host: 'ghes.example' }), 204);
	assert.is(await deliver({ ...said, runner: 'r2' }), 204);
	assert.is(await deliver({ ...said, runner: 'of-repository', repository: `${space.name}/web` }), 204);
	for (const name of ['r1', 'of-repository']) {
		assert.equal(await signals(space, name), []);
		assert.is.not((await space.pod(name))?.metadata.labels?.[busy.label], 'true');
	}
	assert.is(await deliver({ ...said, runner: 'of-repository' }), 200);
	assert.equal(await signals(space, 'of-repository'), ['event 7 working']);
});

test('a runner that GitHub lists as idle is refused as busy, by the name of its job', async ({ space }) => {
	await space.runners(['works']);
	await space.runJob('works');
	await deliver({ action: 'in_progress', runner: 'works', id: 7, repository: `${space.name}/app` });
	assert.match(await space.refused('works'), /build \(20\)/);
	assert.equal(space.removals(), []);
	assert.equal(space.killedJobs(), []);
});

test("a delivery that was lost is found in GitHub's list, and read once", async ({ rig, space }) => {
	const hook = rig.github.addWebhook({ url: `http://127.0.0.1:${port}/`, secret, scope: space.scope });
	await space.runners(['received', 'lost'], { ephemeral: false });
	const works = (name: string) =>
		eventually(
			`an event has reported that ${name} works`,
			async () => /^event \d+ working$/.test((await signals(space, name)).join()),
			{ withinMs: 180_000 },
		);
	await space.runJob('received');
	await works('received');
	const fault = hook.fault({ kind: 'lost', action: 'in_progress', runnerName: 'lost' });
	await space.runJob('lost');
	await works('lost');
	assert.is(fault.hits(), 1);
	assert.is(space.calls('delivery').length, 1);
	assert.is(hook.deliveries.filter(({ redelivery }) => redelivery).length, 0);
	hook.stop();
});

test.run();
