/** A flood at the port for events by somebody without the secret: reviews go on, and so do the events of others. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { sign } from '@octokit/webhooks-methods';
import * as assert from 'uvu/assert';
import { autoscaleKinds, type WorkflowJob } from '../../../admission/api/autoscale.ts';
import { collectionPath } from '../../../admission/api/paths.ts';
import { freePort } from '../../cluster/free-port.ts';
import { type ApiCall, apiCalls, remove } from '../../rig/api-call.ts';
import { floodEvents } from '../../rig/event-flood.ts';
import { eventually } from '../../rig/eventually.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { suite } from '../../support/suite.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	call: ApiCall;
	stopCalls: () => void;
}

const test = suite<Context>('a flood of unsigned events');
const secret = 'the secret of the webhook';
const names = Array.from({ length: 10 }, (_, index) => `busy-${index}`);

test.before(async (context) => {
	context.rig = await startRig({ sets: true, server: { eventsSecret: secret } });
	context.space = await Space.make(context.rig);
	const { call, stop } = apiCalls(readKubeconfig(context.rig.cluster.kubeconfig));
	Object.assign(context, { call, stopCalls: stop });
	await context.space.runners(names);
	await Promise.all(names.map((name) => context.space.runJob(name, { known: true })));
});
test.after(async ({ rig, stopCalls }) => {
	stopCalls?.();
	await end(rig);
});

const bodyOf = (id: number, repository: string, padding = '') =>
	JSON.stringify({
		padding,
		action: 'queued',
		workflow_job: { id, labels: ['self-hosted'], created_at: new Date().toISOString() },
		repository: { full_name: repository, html_url: `https://github.com/${repository}` },
	});

/** A process of its own that does with an event what must be done before it can be refused, and nothing else. */
async function refuser(): Promise<{ port: number; process: ChildProcess }> {
	const port = await freePort();
	const script = `
		const { createHmac } = require('node:crypto');
		require('node:http').createServer((request, response) => {
			const chunks = [];
			request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
				createHmac('sha256', 'secret').update(Buffer.concat(chunks).toString()).digest('hex');
				response.writeHead(401).end();
			});
		}).listen(${port}, '127.0.0.1');`;
	const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
	await eventually('it listens', () => fetch(`http://127.0.0.1:${port}/`).then(Boolean, () => false));
	return { port, process: child };
}

/** How long refusals of deletions take, ms, until `until` has come to its end. */
async function reviews({ call, space }: Context, until: Promise<unknown>): Promise<number[]> {
	let over = false;
	const ended = until.then(() => {
		over = true;
	});
	const took: number[] = [];
	while (!over)
		for (const name of names) {
			const startedMs = performance.now();
			const { status, message } = await remove(call, space.name, name);
			assert.is(status, 409, message);
			took.push(performance.now() - startedMs);
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
	await ended;
	return took;
}

const quantile = (values: number[], part: number) =>
	Math.round(values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] ?? 0);

test('10,000 with bad signatures in 10 s: none is taken, reviews take as long as beside any other work, signed events are taken', async (context) => {
	const { rig, space } = context;
	const [server] = rig.servers;
	assert.ok(server);
	// Of a usual size.
	const body = bodyOf(1, `${space.name}/forged`, 'x'.repeat(20_000));
	const flood = { count: 10_000, perSecond: 1_000, body };

	// The machine has a few cores, of which a flood takes its part wherever it goes to.
	const other = await refuser();
	const beside = await reviews(context, floodEvents({ ...flood, port: other.port }));
	other.process.kill();

	const flooding = floodEvents({ ...flood, port: server.eventsPort });
	let over = false;
	const ended = flooding.then(() => {
		over = true;
	});
	const signed: number[] = [];
	const github = async () => {
		for (let id = 100; !over; id++) {
			const event = bodyOf(id, `${space.name}/app`);
			const headers = {
				'x-github-event': 'workflow_job',
				'x-github-delivery': randomUUID(),
				'x-hub-signature-256': await sign(secret, event),
			};
			const url = `http://127.0.0.1:${server.eventsPort}/`;
			signed.push((await fetch(url, { method: 'POST', body: event, headers })).status);
			await new Promise((resolve) => setTimeout(resolve, 100));
		}
	};
	const [during, answers] = await Promise.all([reviews(context, flooding), flooding, github(), ended]);

	console.log(
		`a refused DELETE during 10,000 forged events: p50 ${quantile(during, 0.5)} ms, p99 ${quantile(during, 0.99)} ms; ` +
			`while another process has the flood: ${quantile(beside, 0.5)} ms, ${quantile(beside, 0.99)} ms; ` +
			`${signed.length} signed events were taken`,
	);
	assert.equal([...answers], [[401, 10_000]]);
	assert.ok(signed.length > 10);
	for (const status of signed) assert.is(status, 200);
	const path = collectionPath(autoscaleKinds.workflowJob, 'runners-system');
	const { items } = await rig.kube.get<{ items: WorkflowJob[] }>(path);
	assert.equal([...new Set(items.map(({ spec }) => spec.repository))], [`${space.name}/app`]);
	assert.is(items.length, signed.length);
	// How it compares is printed: the two took turns on a machine that has other things to do. A review that took as long as this
	// would be near the API server's limit of 5 s.
	assert.ok(quantile(during, 0.99) < 2_500, `reviews wait for the flood: ${quantile(during, 0.99)} ms`);
	assert.equal(space.killedJobs(), []);
});

test.run();
