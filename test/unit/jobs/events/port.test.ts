/** When the port for events is open. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { sign } from '@octokit/webhooks-methods';
import * as assert from 'uvu/assert';
import { autoscaleKinds } from '../../../../admission/api/autoscale.ts';
import { collectionPath } from '../../../../admission/api/paths.ts';
import { EventPort } from '../../../../admission/jobs/events/port.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { freePort } from '../../../cluster/free-port.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { World } from '../../support/world.ts';
import { payload } from './payload.ts';

const test = suite('the port for events');

const secret = 's3cret';
const stored = { github_webhook_secret_token: Buffer.from(secret).toString('base64') };

/** A port whose waits pass as the test says. */
function setUp(port: number, environment?: string, recordsJobs = true) {
	const world = new World();
	world.api.latencyMs = 0; // its clock stands still
	const clock = new SimulatedClock();
	const state: { data: Record<string, string> | undefined } = { data: undefined };
	const events = new EventPort({
		...world.parts,
		sign: world.signer.signStatement,
		clock,
		port,
		environment,
		recordsJobs,
		readSecret: async () => state.data,
		account: async () => ({ kind: 'credentials-missing', detail: 'none' }),
		namespace: 'runners-system',
	});
	const stop = new AbortController();
	return { world, clock, state, stop, running: events.run(stop.signal), get: () => get(port) };
}

async function get(port: number): Promise<number | 'closed'> {
	const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } }).catch(
		() => undefined,
	);
	return answer?.status ?? 'closed';
}

/** Real sockets take real time. */
async function until(check: () => Promise<boolean>): Promise<void> {
	for (let tries = 0; !(await check()); tries++) {
		if (tries > 500) throw new Error('not within 5 s');
		await systemClock.sleep(10);
	}
}

test('a secret in the environment: open at once; at the end what is under way is answered, and it closes', async () => {
	const port = await freePort();
	const { world, stop, running, get } = setUp(port, `other,${secret}`);
	world.runner('r1');
	assert.not.ok(world.metrics.sightings.report().receiving);
	await until(async () => (await get()) === 200);
	assert.ok(world.metrics.sightings.report().receiving);
	const body = JSON.stringify(payload());
	const headers = { 'x-github-event': 'workflow_job', 'x-hub-signature-256': await sign(secret, body) };
	const answering = fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers });
	const passing = setInterval(() => void world.clock.pass(100), 5);
	const answer = await answering;
	clearInterval(passing);
	assert.equal([answer.status, await answer.text()], [200, 'written\n']);
	stop.abort();
	await running;
	assert.is(await get(), 'closed');
	assert.not.ok(world.metrics.sightings.report().receiving);
});

test('no secret: closed, until one is there', async () => {
	const { world, clock, state, stop, running, get } = setUp(await freePort());
	await clock.pass(60_000);
	assert.is(await get(), 'closed');
	const lines = world.lines.filter((line) => line.startsWith("info GitHub's events are not received"));
	assert.is(lines.length, 1, 'it is logged, and once');
	state.data = stored;
	await clock.pass(30_000);
	await until(async () => (await get()) === 200);
	stop.abort();
	await running;
});

test('a port that is taken is logged, and tried again', async () => {
	const other = createServer().listen(0);
	await once(other, 'listening');
	const { port } = other.address() as AddressInfo;
	const { world, clock, stop, running, get } = setUp(port, secret);
	await until(async () => world.lines.includes('error cannot listen for events, retrying'));
	other.close();
	await once(other, 'close');
	await clock.pass(30_000);
	await until(async () => (await get()) === 200);
	stop.abort();
	await running;
});

test('an event of a job that waits is recorded, where records are installed', async () => {
	const port = await freePort();
	const { world, stop, running, get } = setUp(port, secret);
	const records = collectionPath(autoscaleKinds.workflowJob);
	world.api.serve(records);
	await until(async () => (await get()) === 200);
	const body = JSON.stringify(payload({ action: 'queued', job: { runner_name: null } }));
	const headers = { 'x-github-event': 'workflow_job', 'x-hub-signature-256': await sign(secret, body) };
	const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers });
	assert.equal([answer.status, await answer.text()], [200, 'recorded\n']);
	assert.equal(
		world.api.all(records).map(({ metadata, spec }) => [metadata.namespace, spec?.id, spec?.state]),
		[['runners-system', 7, 'queued']],
	);
	stop.abort();
	await running;
});

test('without the controller of autoscalers no job is recorded and no set watched, and events about runners are received as ever', async () => {
	const port = await freePort();
	const { world, stop, running, get } = setUp(port, secret, false);
	world.runner('r1');
	const records = collectionPath(autoscaleKinds.workflowJob);
	world.api.serve(records);
	await until(async () => (await get()) === 200);
	const deliver = async (action: string) => {
		const body = JSON.stringify(
			payload({ action, ...(action === 'queued' ? { job: { runner_name: null } } : {}) }),
		);
		const headers = { 'x-github-event': 'workflow_job', 'x-hub-signature-256': await sign(secret, body) };
		return fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body, headers });
	};
	assert.is((await deliver('queued')).status, 204);
	const passing = setInterval(() => void world.clock.pass(100), 5);
	assert.is(await (await deliver('in_progress')).text(), 'written\n');
	clearInterval(passing);
	assert.equal(world.api.all(records), []);
	assert.equal(world.api.callsTo('GET', /runnersets|runnerdeployments|actions\.summerwind|workflowjobs/), []);
	stop.abort();
	await running;
});

test('port 0: none', async () => {
	const { running } = setUp(0, secret);
	await running;
});

test.run();
