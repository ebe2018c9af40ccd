/** The port for job hooks, over real HTTPS, before a simulated API server. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import * as assert from 'uvu/assert';
import { busy } from '../../../../admission/api/keys.ts';
import { issueAuthority, issueServing } from '../../../../admission/certificates/issue.ts';
import type { KeyPair } from '../../../../admission/certificates/x509.ts';
import { createHookEndpoint } from '../../../../admission/jobs/hooks/endpoint.ts';
import type { Caller } from '../../../../admission/jobs/hooks/rules/caller.ts';
import { hookLimits, mostOfOnePod } from '../../../../admission/jobs/hooks/rules/policy.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { suite } from '../../../support/suite.ts';
import { World } from '../../support/world.ts';

const test = suite('job hook endpoint');

const { turns, newConnections: { most: mostNewConnections = 0 } = {} } = hookLimits;

const day = 24 * 60 * 60_000;
const job = {
	RUNNER_TRACKING_ID: 'github_a',
	GITHUB_JOB: 'build',
	GITHUB_REPOSITORY: 'octo-org/app',
	GITHUB_RUN_ID: '42',
};
let tls: KeyPair;
const servers: Server[] = [];
let ca: string;

test.after(() => {
	for (const server of servers) {
		server.close();
		server.closeAllConnections();
	}
});

test.before(async () => {
	const authority = await issueAuthority(day, Date.now());
	ca = authority.cert;
	tls = await issueServing(authority, ['localhost'], day, Date.now());
});

interface Answer {
	status: number;
	text: string;
	headers: Record<string, string | string[] | undefined>;
}

async function endpoint() {
	const world = new World();
	world.api.latencyMs = 0;
	world.runner('r1');
	const owner: Caller = { namespace: 'ci', pod: 'r1', uid: 'uid-r1' };
	const state: { callerOf: (token: string) => Promise<Caller | { why: string }> } = {
		callerOf: async (token) =>
			token === 'good' ? owner : { why: 'the API server does not accept its token' },
	};
	const { server } = createHookEndpoint({
		...world.parts,
		sign: world.signer.signStatement,
		tokens: { callerOf: (token) => state.callerOf(token) },
		tls,
		githubUrl: 'https://github.com/',
	});
	server.listen(0, 'localhost');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const send = (
		body: string,
		{ path = '/hooks/started', method = 'POST', token = 'good' as string | null, headers = {} } = {},
	) =>
		new Promise<Answer>((resolve, reject) => {
			const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
			const call = httpsRequest(
				{
					host: 'localhost',
					port,
					ca,
					method,
					path,
					agent: false,
					headers: { ...authorization, ...headers },
				},
				(response) => {
					let text = '';
					response.setEncoding('utf8').on('data', (part: string) => {
						text += part;
					});
					response.on('end', () =>
						resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
					);
				},
			);
			call.on('error', reject);
			call.end(body);
		});
	const say = (options: Parameters<typeof send>[1] = {}, more: object = {}) =>
		send(JSON.stringify({ ...job, ...more }), options);
	const signals = () =>
		world.pods.read(world.pod('r1') as never)!.signals.map(({ by, key, state: is }) => `${by} ${key} ${is}`);
	servers.push(server);
	const refusals = () => world.lines.filter((line) => line.includes('job hook refused'));
	return { world, state, owner, port, send, say, signals, refusals };
}

test('what a hook says is on the pod when it is answered', async () => {
	const { world, say, signals } = await endpoint();
	const answer = await say();
	assert.equal([answer.status, answer.text], [200, 'written\n']);
	assert.equal(signals(), ['hook github_a working']);
	assert.is(world.pod('r1')?.metadata.labels?.[busy.label], 'true');
	assert.is(world.annotations('r1')[busy.job], 'build (octo-org/app, run 42)');
	assert.is((await say()).text, 'unchanged\n');
	assert.is((await say({ path: '/hooks/completed' })).text, 'written\n');
	assert.equal(signals(), ['hook github_a finishing']);
	assert.match(await world.metrics.registry.metrics(), /runners_job_hooks_total\{result="written"\} 2/);
});

test('without a token, or with one that is not accepted: 401, nothing written, one line a minute', async () => {
	const { world, say, refusals } = await endpoint();
	for (const token of [null, 'bad', 'bad', 'no token']) assert.is((await say({ token })).status, 401);
	assert.is(world.api.callsTo('PATCH', /pods/).length, 0);
	assert.is(refusals().length, 1);
	assert.not.match(refusals().join(), 'bad');
	await world.clock.pass(60_000);
	await say({ token: 'bad' });
	assert.is(refusals().length, 2);
});

test('the body names no pod: the token does, and its uid must be the present one', async () => {
	const { world, say, state, owner, refusals } = await endpoint();
	world.runner('r2');
	await say({}, { pod: 'r2', uid: 'uid-r2', namespace: 'ci' });
	assert.equal(world.annotations('r2'), {});
	state.callerOf = async () => ({ ...owner, uid: 'the one before' });
	const answer = await say({ path: '/hooks/completed' });
	assert.equal([answer.status, answer.text], [401, 'its pod is gone\n']);
	state.callerOf = async () => ({ namespace: 'ci', pod: 'r9', uid: 'u' });
	assert.is((await say()).status, 401);
	assert.is(refusals().length, 2, 'one line for each pod');
});

test('a hook of a runner that has ended: 410', async () => {
	const { world, say } = await endpoint();
	world.exit('r1');
	assert.is((await say()).status, 410);
});

test('not JSON, no job, too large, another path or method: 4xx, nothing written', async () => {
	const { world, send, say } = await endpoint();
	for (const body of [
		'',
		'{',
		'[]',
		'null',
		'"x"',
		'{}',
		'{"GITHUB_JOB":"build"}',
		'{"RUNNER_TRACKING_ID":7}',
	])
		assert.is((await send(body)).status, 400, body);
	assert.is((await say({}, { GITHUB_JOB: 'x'.repeat(17 * 1024) })).status, 413);
	assert.is(
		(await say({ headers: { 'transfer-encoding': 'chunked' } }, { GITHUB_JOB: 'x'.repeat(17 * 1024) }))
			.status,
		413,
	);
	assert.is((await say({ path: '/hooks/cancelled' })).status, 404);
	assert.is((await say({ path: '/' })).status, 404);
	assert.is((await say({ method: 'PUT' })).status, 405);
	assert.is(world.api.callsTo('PATCH', /pods/).length, 0);
});

test('an API server that fails is 503 with Retry-After, whatever it failed at', async () => {
	const { world, say, state } = await endpoint();
	const faults: (() => void)[] = [
		() => {
			state.callerOf = async () => {
				throw new KubeError(500, '', 'etcd');
			};
		},
		() => void world.api.fail('GET', /pods/, new KubeError(0, 'NoAnswer', 'away')),
	];
	for (const fault of faults) {
		const before = state.callerOf;
		fault();
		const { status, headers } = await say();
		assert.equal([status, headers['retry-after']], [503, '5']);
		state.callerOf = before;
	}
});

test('more than can be written wait, and more than may wait are sent away', async () => {
	const { say, state, owner } = await endpoint();
	const answers: (() => void)[] = [];
	let most = 0;
	state.callerOf = () =>
		new Promise((resolve) => {
			answers.push(() => resolve(owner));
			most = Math.max(most, answers.length);
		});
	const all = Array.from({ length: turns.atOnce + turns.waiting + 20 }, (_, index) =>
		say({ token: `of-${index}` }, { RUNNER_TRACKING_ID: `github_${index}` }),
	);
	const answered: Answer[] = [];
	for (const one of all) void one.then((answer) => answered.push(answer));
	while (answered.length < 20) await new Promise((resolve) => setTimeout(resolve, 10));
	assert.equal([...new Set(answered.map(({ status }) => status))], [503]);
	assert.is(most, turns.atOnce);
	state.callerOf = async () => owner;
	for (const answer of answers) answer();
	const statuses = (await Promise.all(all)).map(({ status }) => status);
	assert.is(statuses.filter((status) => status === 200 || status === 503).length, all.length);
	assert.ok(statuses.filter((status) => status === 200).length >= turns.atOnce);
});

test('one pod takes no turns of others', async () => {
	const { say, state, owner } = await endpoint();
	let release = () => {};
	const held = new Promise<Caller>((resolve) => {
		release = () => resolve(owner);
	});
	state.callerOf = async (token) => (token === 'flooder' ? held : owner);
	const flood = Array.from({ length: mostOfOnePod + 10 }, () => say({ token: 'flooder' }));
	const refused = await Promise.race(flood);
	assert.is(refused.status, 503);
	assert.is((await say()).status, 200);
	release();
	const statuses = (await Promise.all(flood)).map(({ status }) => status);
	assert.is(statuses.filter((status) => status === 503).length, 10);
});

test('a flood of connections is cut before its handshakes', async () => {
	const { port } = await endpoint();
	let open = 0;
	let closed = 0;
	const sockets = Array.from({ length: mostNewConnections + 50 }, () => connect(port, 'localhost'));
	for (const socket of sockets) {
		socket.on('connect', () => {
			open += 1;
		});
		socket.on('error', () => undefined);
		socket.on('close', () => {
			closed += 1;
		});
	}
	for (let waits = 0; closed < 50 && waits < 100; waits++)
		await new Promise((resolve) => setTimeout(resolve, 50));
	assert.ok(open >= mostNewConnections, `${open} were opened`);
	assert.is(closed, 50, `${closed} were closed`);
	for (const socket of sockets) socket.destroy();
});

test.run();
