/** Records of GitHub's jobs, as replicas that do not lead write them from its events. Nobody else may. */
import { randomUUID } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import * as assert from 'uvu/assert';
import { autoscaleKinds, type WorkflowJob } from '../../../admission/api/autoscale.ts';
import { collectionPath } from '../../../admission/api/paths.ts';
import { freePort } from '../../cluster/free-port.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import type { ServerProcess } from '../../rig/server-process.ts';
import { stage } from '../../rig/stage.ts';
import { githubSecret, type Space, says, serverUser } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('records of jobs', { prepare: () => stage('sets') });

const secret = 'the secret of the webhook';
const scopedSecret = 'that of one organization';
const scopedCredentials = 'records-github';
const records = collectionPath(autoscaleKinds.workflowJob, 'runners-system');

interface Replica {
	server: ServerProcess;
	port: number;
}

const replicas: Replica[] = [];
let scoped: Replica;

async function replica(rig: Rig, env: Record<string, string>): Promise<Replica> {
	const port = await freePort();
	const server = await rig.startStandby({
		env: { GITHUB_TOKEN: 'test-token', EVENTS_PORT: `${port}`, ...env },
	});
	await eventually('it receives events', () => server.log.some(({ msg }) => msg === 'listens for events'));
	return { server, port };
}

test.before(async ({ rig }) => {
	const withSecret = { GITHUB_WEBHOOK_SECRET_TOKEN: secret };
	replicas.push(await replica(rig, withSecret), await replica(rig, withSecret));
	await rig.apply({
		...githubSecret(scopedCredentials, 'runners-system', 'test-token'),
		stringData: { github_webhook_secrets: `# ours\nocto-scoped: ${scopedSecret}\n` },
	});
	scoped = await replica(rig, { GITHUB_SECRET: scopedCredentials, GITHUB_WEBHOOK_SECRET_TOKEN: '' });
});
test.after(async ({ rig }) => {
	for (const { server } of [...replicas, scoped]) await server?.stop();
	await rig.ok(['-n', 'runners-system', 'delete', 'secret', scopedCredentials]);
});

interface Said {
	action: string;
	id: number;
	repository: string;
	labels?: string[];
	conclusion?: string;
}

let ids = 1_000;

/** As GitHub says it. */
function payloadOf({
	action,
	id,
	repository,
	labels = ['self-hosted'],
	conclusion = 'success',
}: Said): object {
	const html_url = `https://github.com/${repository}`;
	const waits = action === 'queued' || action === 'waiting';
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
			conclusion: action === 'completed' ? conclusion : null,
			created_at: new Date().toISOString().replace(/\.\d+/, ''),
			started_at: new Date().toISOString().replace(/\.\d+/, ''),
			completed_at: action === 'completed' ? '2026-11-23T12:05:00Z' : null,
			runner_id: waits ? null : 1,
			runner_name: waits ? null : `runner-of-${id}`,
			runner_group_name: waits ? null : 'Default',
			labels,
		},
		repository: { full_name: repository, html_url },
		organization: { login: repository.split('/')[0] },
	};
}

async function post(body: string, { to = replicas[0], by = secret, event = 'workflow_job' } = {}) {
	const answer = await fetch(`http://127.0.0.1:${to?.port}/webhook`, {
		method: 'POST',
		body,
		headers: {
			'content-type': 'application/json',
			'x-github-event': event,
			'x-github-delivery': randomUUID(),
			'x-hub-signature-256': await sign(by, body),
		},
	});
	return { status: answer.status, text: await answer.text() };
}

const deliver = (said: Said, options?: Parameters<typeof post>[1]) =>
	post(JSON.stringify(payloadOf(said)), options);

async function recordsOf(rig: Rig, space: Space): Promise<WorkflowJob[]> {
	const { items } = await rig.kube.get<{ items: WorkflowJob[] }>(records);
	return items.filter(({ spec }) => spec.repository.startsWith(`${space.name}/`));
}

test('queued: when it is answered its record is there, with what GitHub says', async ({ rig, space }) => {
	const id = ++ids;
	const repository = `${space.name}/app`;
	assert.equal(await deliver({ action: 'queued', id, repository, labels: ['self-hosted', 'GPU'] }), {
		status: 200,
		text: 'recorded\n',
	});
	const [record, ...others] = await recordsOf(rig, space);
	assert.is(others.length, 0);
	assert.match(record?.metadata.name ?? '', /^[0-9a-f]{32}$/);
	const { createdAt, deliveredAt, stateSince, openedAt, ...spec } = record!.spec;
	assert.equal(spec, {
		host: 'github.com',
		id,
		repository,
		runId: 42,
		runAttempt: 1,
		workflow: 'CI',
		name: 'build (20)',
		url: `https://github.com/${repository}/actions/runs/42/job/${id}`,
		labels: ['self-hosted', 'GPU'],
		state: 'queued',
	});
	for (const time of [createdAt, deliveredAt, stateSince, openedAt])
		assert.ok(Math.abs(Date.now() - Date.parse(time ?? '')) < 60_000, time);
	says(await rig.ok(['-n', 'runners-system', 'get', 'wj', record!.metadata.name]), /build \(20\) +queued/);
});

test('in any order, twice, at two replicas at a time: one record, the same in the end', async ({
	rig,
	space,
}) => {
	const repository = `${space.name}/app`;
	const [q, i, c] = ['queued', 'in_progress', 'completed'] as const;
	const orders = [
		[q, i, c],
		[q, c, i],
		[i, q, c],
		[i, c, q],
		[c, q, i],
		[c, i, q],
	];
	const ofOrder = orders.map((order) => ({ order, id: ++ids }));
	await Promise.all(
		ofOrder.map(async ({ order, id }) => {
			for (const action of order) {
				const answers = await Promise.all(replicas.map((to) => deliver({ action, id, repository }, { to })));
				// There is no pod to write on: the event was handled all the same.
				for (const { status } of answers) assert.ok(status === 200 || status === 204, `${status}`);
			}
		}),
	);
	// All of them again, at once.
	await Promise.all(
		ofOrder.flatMap(({ order, id }) =>
			order.map((action, index) => deliver({ action, id, repository }, { to: replicas[index % 2]! })),
		),
	);
	const found = await recordsOf(rig, space);
	assert.is(found.length, orders.length);
	for (const { order, id } of ofOrder) {
		const { state, conclusion, runnerName, openedAt } = found.find(({ spec }) => spec.id === id)!.spec;
		assert.equal(
			[state, conclusion, runnerName, openedAt !== undefined],
			['completed', 'success', `runner-of-${id}`, order[0] !== c],
			order.join(),
		);
	}
});

test('three events of a job at the same moment, at two replicas: none is lost', async ({ rig, space }) => {
	const repository = `${space.name}/app`;
	const jobs = Array.from({ length: 20 }, () => ++ids);
	await Promise.all(
		jobs.flatMap((id) =>
			['queued', 'in_progress', 'completed'].map((action, index) =>
				deliver({ action, id, repository }, { to: replicas[(id + index) % 2]! }),
			),
		),
	);
	const found = await recordsOf(rig, space);
	assert.equal(
		found.map(({ spec }) => [spec.id, spec.state, spec.runnerName]).toSorted(),
		jobs.map((id) => [id, 'completed', `runner-of-${id}`]).toSorted(),
	);
});

test('jobs of GitHub-hosted runners, and skipped ones: no record', async ({ rig, space }) => {
	const repository = `${space.name}/app`;
	for (const action of ['queued', 'in_progress', 'completed'])
		assert.is((await deliver({ action, id: ++ids, repository, labels: ['ubuntu-latest'] })).status, 204);
	assert.is(
		(await deliver({ action: 'completed', id: ++ids, repository, conclusion: 'skipped' })).status,
		204,
	);
	assert.equal(await recordsOf(rig, space), []);
	const metrics = (await replicas[0]?.server.metrics()) ?? '';
	const counted = Number(/^runners_job_records_total\{result="hosted"\} (\d+)$/m.exec(metrics)?.[1]);
	assert.ok(counted >= 3, metrics);
});

test('a label of a set makes its jobs ours, in whatever case, and without self-hosted', async ({
	rig,
	space,
}) => {
	const label = `label-of-${space.name}`;
	const repository = `${space.name}/app`;
	const said = { action: 'queued', repository, labels: [label.toUpperCase()] };
	assert.is((await deliver({ ...said, id: ++ids })).status, 204);
	await rig.apply({
		apiVersion: 'actions.summerwind.dev/v1alpha1',
		kind: 'RunnerDeployment',
		metadata: { name: 'labelled', namespace: space.name },
		spec: { replicas: 0, template: { spec: { organization: space.name, labels: [label] } } },
	});
	await eventually('it is recorded', async () => (await deliver({ ...said, id: ++ids })).status === 200);
	assert.is((await recordsOf(rig, space)).length, 1);
});

test('a person cannot make or change one, whatever rights they have; deleting is left to their rights', async ({
	rig,
	space,
}) => {
	const id = ++ids;
	await deliver({ action: 'queued', id, repository: `${space.name}/app` });
	const [record] = await recordsOf(rig, space);
	const { name } = record!.metadata;
	const refused = async (args: string[], input?: string) => {
		const { code, stderr } = await rig.kubectl(['-n', 'runners-system', ...args], input);
		assert.is(code, 1, args.join(' '));
		says(stderr, 'is written by the server runners-admission alone');
	};
	const mine = { ...record, metadata: { name: 'mine' }, spec: { ...record?.spec, id: id + 1 } };
	const body = { apiVersion: 'actions.summerwind.dev/v1alpha1', kind: 'WorkflowJob', ...mine };
	await refused(['create', '-f', '-'], JSON.stringify(body));
	await refused(['apply', '--server-side', '-f', '-'], JSON.stringify(body));
	await refused(['patch', 'workflowjob', name, '--type=merge', '-p', '{"spec":{"state":"completed"}}']);
	const status = '{"status":{"reason":"mine"}}';
	await refused(['patch', 'workflowjob', name, '--subresource=status', '--type=merge', '-p', status]);
	await refused(['annotate', 'workflowjob', name, 'mine=yes']);
	const { resourceVersion: _any, ...metadata } = record!.metadata; // the leader writes its status
	const whole = { ...body, metadata, spec: { ...record?.spec, state: 'completed' } };
	await refused(['replace', '-f', '-'], JSON.stringify(whole));
	// In any namespace.
	await refused(['-n', space.name, 'create', '-f', '-'], JSON.stringify(body));
	const [now] = await recordsOf(rig, space);
	assert.equal(now?.spec, record?.spec);

	// While it is being deleted its finalizers may go, as the garbage collector takes that of a foreground deletion away.
	const edit = (change: string) => ['patch', 'wj', name, '--type=merge', '-p', change];
	const held = edit('{"metadata":{"finalizers":["test.runners/held"]}}');
	await rig.ok(['-n', 'runners-system', `--as=${serverUser}`, ...held]);
	await rig.ok(['-n', 'runners-system', 'delete', 'wj', name, '--wait=false']);
	await refused(edit('{"spec":{"state":"completed"}}'));
	await rig.ok(['-n', 'runners-system', ...edit('{"metadata":{"finalizers":null}}')]);
	assert.equal(await recordsOf(rig, space), []);
});

test('what is no event of a job, or not signed, leaves nothing', async ({ rig, space }) => {
	const said = { action: 'queued', id: ++ids, repository: `${space.name}/app` };
	assert.is((await deliver(said, { by: 'guessed' })).status, 401);
	assert.is((await post('{"action":')).status, 400);
	assert.is((await post('\u0000junk\u0000')).status, 400);
	assert.is((await post(JSON.stringify({ action: 'queued' }))).status, 400);
	assert.is((await post(JSON.stringify(payloadOf({ ...said, repository: 'no repository' })))).status, 400);
	assert.is((await deliver(said, { event: 'check_run' })).status, 204);
	assert.is((await deliver({ ...said, action: 'reopened' })).status, 204);
	assert.is((await post(JSON.stringify({ zen: 'Design for failure.' }), { event: 'ping' })).text, 'pong\n');
	assert.equal(await recordsOf(rig, space), []);
});

test('30 MiB: 413, and the server goes on', async ({ rig, space }) => {
	const large = 'x'.repeat(30 * 1024 * 1024);
	// It may have closed the connection before all of it was sent.
	const answer = await post(large).catch(() => ({ status: 413 }));
	assert.is(answer.status, 413);
	const metrics = (await replicas[0]?.server.metrics()) ?? '';
	assert.match(metrics, /runners_events_total\{result="too-large"\} 1/);
	assert.is((await deliver({ action: 'queued', id: ++ids, repository: `${space.name}/app` })).status, 200);
	assert.is((await recordsOf(rig, space)).length, 1);
});

test('a secret for one organization: its events are taken, those of another are 401', async ({
	rig,
	space,
}) => {
	const options = { to: scoped, by: scopedSecret };
	const ours = await deliver({ action: 'queued', id: ++ids, repository: 'octo-scoped/app' }, options);
	assert.is(ours.status, 200);
	const others = await deliver({ action: 'queued', id: ++ids, repository: `${space.name}/app` }, options);
	assert.is(others.status, 401);
	says(others.text, 'not valid for its repository or organization');
	assert.equal(await recordsOf(rig, space), []);
});

test('100 deliveries, 20 a second: how long each takes; and how records are counted', async ({
	rig,
	space,
}) => {
	const tookMs: number[] = [];
	const sending: Promise<void>[] = [];
	for (let index = 0; index < 100; index++) {
		const startedMs = performance.now();
		const said = { action: 'queued', id: ++ids, repository: `${space.name}/app` };
		sending.push(
			deliver(said, { to: replicas[index % 2]! }).then(({ status }) => {
				assert.is(status, 200);
				tookMs.push(performance.now() - startedMs);
			}),
		);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	await Promise.all(sending);
	const [half = 0, most = 0] = [50, 95].map((part) => tookMs.toSorted((a, b) => a - b)[part]);
	console.log(`delivery to record: p50 ${Math.round(half)} ms, p95 ${Math.round(most)} ms`);
	assert.is((await recordsOf(rig, space)).length, 100);
	const page = await rig.kube.get<{ metadata: { remainingItemCount?: number } }>(`${records}?limit=1`);
	assert.ok((page.metadata.remainingItemCount ?? 0) >= 99, 'the bound on records counts by this');
});

test.run();
