/** The port for GitHub's events, over real HTTP. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { sign } from '@octokit/webhooks-methods';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import type { Hook } from '../../../../admission/github/deliveries.ts';
import { createReceiver } from '../../../../admission/jobs/events/receiver.ts';
import type { JobEvent } from '../../../../admission/jobs/events/rules/delivery.ts';
import { eventLimits } from '../../../../admission/jobs/events/rules/policy.ts';
import {
	readScopedSecrets,
	unscoped,
	type WebhookSecret,
} from '../../../../admission/jobs/events/rules/secrets.ts';
import type { JobFacts } from '../../../../admission/jobs/records/rules/facts.ts';
import { KubeError } from '../../../../admission/kube/client.ts';
import { type EventResult, type JobRecordResult, Metrics } from '../../../../admission/telemetry/metrics.ts';
import type { Clock } from '../../../../admission/time/clock.ts';
import { systemClock } from '../../../../admission/time/system-clock.ts';
import { eventually } from '../../../rig/eventually.ts';
import { suite } from '../../../support/suite.ts';
import { payload } from './payload.ts';

const test = suite('event receiver');

const { turns, requests: { burst = 0 } = {} } = eventLimits;

const soon = (what: string, check: () => boolean | Promise<boolean>) =>
	eventually(what, check, { everyMs: 5 });

const secret = 'It is a secret to everybody';

interface Answer {
	status: number;
	text: string;
	headers: Record<string, string | string[] | undefined>;
}

/** A receiver on a port of its own; `close` it. */
async function receiver(
	options: { secrets?: string[]; newest?: string[]; scoped?: readonly WebhookSecret[]; clock?: Clock } = {},
) {
	const { secrets = [secret], newest = secrets, scoped = [], clock = systemClock } = options;
	const lines: string[] = [];
	const log = pino({ level: 'debug' }, { write: (line) => void lines.push(line) });
	const metrics = new Metrics(systemClock);
	const received: JobEvent[] = [];
	const recorded: JobFacts[] = [];
	const hooks: Hook[] = [];
	const state: {
		writeOnPod: (event: JobEvent) => Promise<EventResult>;
		writeRecord: (facts: JobFacts) => Promise<JobRecordResult>;
	} = { writeOnPod: async () => 'written', writeRecord: async () => 'absent' };
	const { endpoint, handle } = createReceiver({
		secrets: {
			current: async () => [...unscoped(secrets), ...scoped],
			newest: async () => [...unscoped(newest), ...scoped],
		},
		writeOnPod: (event) => {
			received.push(event);
			return state.writeOnPod(event);
		},
		writeRecord: (facts) => {
			recorded.push(facts);
			return state.writeRecord(facts);
		},
		onDelivery: (hook) => void hooks.push(hook),
		clock,
		metrics,
		log,
	});
	endpoint.server.listen(0, '127.0.0.1');
	await once(endpoint.server, 'listening');
	const { port } = endpoint.server.address() as AddressInfo;

	const send = (
		method: string,
		headers: Record<string, string>,
		body?: string,
		path = '/',
	): Promise<Answer> =>
		new Promise((resolve, reject) => {
			const call = httpRequest(
				{ port, host: '127.0.0.1', method, headers, path, agent: false },
				(response) => {
					let text = '';
					response.setEncoding('utf8');
					response.on('data', (chunk: string) => {
						text += chunk;
					});
					response.on('end', () =>
						resolve({ status: response.statusCode ?? 0, text, headers: response.headers }),
					);
				},
			);
			call.on('error', reject);
			call.end(body);
		});
	/** As GitHub delivers it. */
	const deliver = async (
		body: unknown = payload(),
		{ event = 'workflow_job', by = secret, path = '/', delivery = '4d8ed510-a74e-11f1-8000-1' } = {},
	): Promise<Answer> => {
		const text = typeof body === 'string' ? body : JSON.stringify(body);
		const headers = {
			'content-type': 'application/json',
			'x-github-event': event,
			'x-github-delivery': delivery,
			'x-github-hook-id': '5',
			'x-github-hook-installation-target-type': 'organization',
			'x-hub-signature-256': await sign(by, text),
		};
		return send('POST', headers, text, path);
	};
	const counted = async (result: EventResult) => {
		const text = await metrics.registry.metrics();
		return Number(new RegExp(`runners_events_total\\{result="${result}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
	};
	const countedRecords = async (result: JobRecordResult) => {
		const text = await metrics.registry.metrics();
		return Number(
			new RegExp(`runners_job_records_total\\{result="${result}"\\} (\\d+)`).exec(text)?.[1] ?? 0,
		);
	};
	const close = () => {
		endpoint.server.close();
		endpoint.server.closeAllConnections();
	};
	return {
		server: endpoint.server,
		drained: () => endpoint.drained(),
		handle,
		port,
		send,
		deliver,
		received,
		recorded,
		hooks,
		state,
		lines,
		counted,
		countedRecords,
		close,
	};
}

test('an event is received, at any path, and answered when it is written', async () => {
	const { deliver, received, counted, close } = await receiver();
	for (const path of ['/', '/webhook', '/actions-runner-controller-github-webhook-server?x=1', '/..//%'])
		assert.is((await deliver(payload(), { path })).status, 200, path);
	assert.is(received.length, 4);
	assert.is(received[0]?.report.key, '7');
	assert.is(await counted('written'), 4);
	close();
});

test('the webhook of a signed delivery is passed on, that of a ping too, and no other', async () => {
	const { deliver, hooks, close } = await receiver();
	const hook = { id: 5, owner: { kind: 'organization', name: 'octo-org' } };
	await deliver();
	await deliver(payload(), { event: 'ping' });
	assert.equal(hooks, [hook, hook]);
	await deliver(payload(), { by: 'guessed' });
	await deliver('{');
	assert.is(hooks.length, 2);
	close();
});

test('the answer comes after the write, never before it', async () => {
	const { deliver, state, close } = await receiver();
	const order: string[] = [];
	state.writeOnPod = async () => {
		await systemClock.sleep(30);
		order.push('written');
		return 'written';
	};
	await deliver().then(({ status }) => order.push(String(status)));
	assert.equal(order, ['written', '200']);
	close();
});

test('what came of it is the answer: 200 where a pod was meant, 204 where none was', async () => {
	const { deliver, state, counted, close } = await receiver();
	for (const [result, status] of [
		['written', 200],
		['unchanged', 200],
		['no-pod', 204],
		['several-pods', 204],
	] as const) {
		state.writeOnPod = async () => result;
		const answer = await deliver();
		assert.is(answer.status, status, result);
		assert.is(answer.text, status === 200 ? `${result}\n` : '');
		assert.is(await counted(result), 1);
	}
	close();
});

test('events and actions that are not for us: 204, and nobody is asked', async () => {
	const { deliver, received, recorded, counted, close } = await receiver();
	for (const event of ['push', 'check_run', 'workflow_run', 'installation'])
		assert.is((await deliver({ zen: 'Design for failure.' }, { event })).status, 204, event);
	for (const action of ['paused', 'toString', ''])
		assert.is((await deliver(payload({ action }))).status, 204);
	assert.is(received.length, 0);
	assert.is(recorded.length, 0);
	assert.is(await counted('ignored'), 7);
	close();
});

test('a job that waits: its record is all that an event writes, and the answer says what became of it', async () => {
	const { deliver, state, received, recorded, counted, countedRecords, close } = await receiver();
	const waits = { runner_name: null };
	for (const [result, status, asEvent] of [
		['recorded', 200, 'recorded'],
		['unchanged', 200, 'unchanged'],
		['hosted', 204, 'hosted'],
		['absent', 204, 'ignored'],
	] as const) {
		state.writeRecord = async () => result;
		for (const change of [{ action: 'queued' }, { action: 'waiting' }, { action: 'in_progress' }]) {
			const answer = await deliver(payload({ ...change, job: waits }));
			assert.equal([answer.status, answer.text], [status, status === 200 ? `${result}\n` : ''], result);
		}
		assert.is(await counted(asEvent), 3);
		assert.is(await countedRecords(result), 3);
	}
	assert.is(received.length, 0);
	assert.equal(
		recorded.slice(0, 3).map((facts) => facts.state),
		['queued', 'waiting', 'in_progress'],
	);
	close();
});

test('no room for a job that waits: 503, so that GitHub lists it as failed; what runs or has ended is received', async () => {
	const { deliver, state, counted, countedRecords, close } = await receiver();
	state.writeRecord = async () => 'overflow';
	const waits = { runner_name: null };
	for (const action of ['queued', 'waiting']) {
		const answer = await deliver(payload({ action, job: waits }));
		assert.equal(
			[answer.status, answer.text],
			[503, "the limit of the owner's recorded jobs is reached\n"],
			action,
		);
		assert.is(answer.headers['retry-after'], '10');
	}
	assert.is(await counted('overflow'), 2);
	assert.is(await counted('overloaded'), 0);
	assert.is((await deliver(payload({ action: 'completed', job: waits }))).status, 204);
	assert.is((await deliver()).status, 200);
	assert.is(await countedRecords('overflow'), 4);
	close();
});

test('one that is read back long after: its job is recorded, and nothing is believed of a runner of now', async () => {
	const { handle, state, received, recorded, close } = await receiver();
	state.writeRecord = async () => 'recorded';
	assert.is(await handle('workflow_job', payload(), Date.now(), 'jobs'), 'recorded');
	assert.is(await handle('push', {}, Date.now(), 'jobs'), 'ignored');
	assert.equal([received.length, recorded[0]?.runnerName], [0, 'r1']);
	assert.is(await handle('workflow_job', payload(), Date.now()), 'written');
	assert.is(received.length, 1);
	close();
});

test('one that a runner has: both are written at a time, before the answer, which says what became of the pod', async () => {
	const { deliver, state, received, recorded, counted, countedRecords, close } = await receiver();
	const order: string[] = [];
	state.writeOnPod = async () => {
		order.push('pod');
		await systemClock.sleep(20);
		order.push('pod written');
		return 'no-pod';
	};
	state.writeRecord = async () => {
		order.push('record');
		await systemClock.sleep(40);
		order.push('record written');
		return 'recorded';
	};
	assert.is((await deliver()).status, 204);
	assert.equal(order, ['pod', 'record', 'pod written', 'record written']);
	assert.is(received.length, 1);
	assert.is(recorded[0]?.runnerName, 'r1');
	assert.is(await counted('no-pod'), 1);
	assert.is(await countedRecords('recorded'), 1);
	close();
});

test('the time of a delivery is that in its id', async () => {
	const { deliver, recorded, close } = await receiver();
	await deliver(payload(), { delivery: '4d8ed510-a74e-11f1-8000-0123456789ab' });
	assert.is(recorded[0]?.deliveredAt, '2026-09-03T04:16:57.569Z');
	await deliver(payload(), { delivery: 'x' });
	const arrivedMs = Date.parse(recorded[1]?.deliveredAt ?? '');
	assert.ok(Math.abs(Date.now() - arrivedMs) < 10_000);
	close();
});

test('one of the two cannot be written: 503, though the other is', async () => {
	for (const broken of ['writeOnPod', 'writeRecord'] as const) {
		const { deliver, state, counted, countedRecords, received, recorded, close } = await receiver();
		state.writeRecord = async () => 'recorded';
		state[broken] = async () => {
			throw new KubeError(500, 'InternalError', 'etcd is away');
		};
		assert.is((await deliver()).status, 503);
		assert.equal([received.length, recorded.length], [1, 1]);
		assert.is(await counted('failed'), 1);
		assert.is(await countedRecords(broken === 'writeRecord' ? 'failed' : 'recorded'), 1);
		close();
	}
});

test('a secret with scopes: what it signs outside them is 401, and nothing of it is taken', async () => {
	const { secrets: scoped } = readScopedSecrets('octo-org: theirs\nacme/app: app');
	const { deliver, received, hooks, recorded, counted, close } = await receiver({ scoped });
	const acme = (name: string) => ({ full_name: `acme/${name}`, html_url: `https://github.com/acme/${name}` });
	const of = (repository: object, login: string) =>
		payload({ repository, rest: { organization: { login } } });
	assert.is((await deliver(payload(), { by: 'theirs' })).status, 200);
	assert.is((await deliver(of(acme('app'), 'acme'), { by: 'app' })).status, 200);
	assert.is((await deliver(of(acme('web'), 'acme'))).status, 200, 'the plain one speaks for all');
	const [receivedBefore, hooksBefore] = [received.length, hooks.length];
	for (const [by, body, event] of [
		['theirs', of(acme('app'), 'acme')],
		['theirs', of(acme('app'), 'octo-org')],
		['app', of(acme('web'), 'acme')],
		['app', payload()],
		['theirs', { action: 'queued' }],
		['theirs', { repository: acme('app') }, 'push'],
		['theirs', { organization: { login: 'acme' } }, 'ping'],
	] as const) {
		const answer = await deliver(body, { by, event: event ?? 'workflow_job' });
		assert.is(answer.status, 401, `${by} ${JSON.stringify(body)}`);
		assert.match(answer.text, 'not valid for its repository or organization');
	}
	assert.is(received.length, receivedBefore);
	assert.is(recorded.length, receivedBefore);
	assert.is(await counted('out-of-scope'), 7);
	assert.is(await counted('bad-signature'), 0);
	// An App's ping, and what is no workflow_job event, may name nobody; of whose webhook that is nothing is known.
	assert.is((await deliver({ zen: 'Design for failure.' }, { by: 'theirs', event: 'ping' })).status, 200);
	assert.is((await deliver({ action: 'created' }, { by: 'theirs', event: 'installation' })).status, 204);
	assert.is(hooks.length, hooksBefore);
	close();
});

test('an enterprise counts only where the secret is for it; its secret does not speak for an owner who has one', async () => {
	const { secrets: scoped } = readScopedSecrets(
		'evil-org: evil\nacme, enterprises/octo: both\nenterprises/octo: ofAll\nocto-org: own',
	);
	const { deliver, received, recorded, close } = await receiver({ scoped });
	const of = (login: string, rest: object = { enterprise: { slug: 'octo' } }) =>
		payload({
			repository: { full_name: `${login}/app`, html_url: `https://github.com/${login}/app` },
			rest: { organization: { login }, ...rest },
		});
	const named = async (body: unknown, by: string) => {
		const { status } = await deliver(body, { by });
		return status === 200 ? [recorded.at(-1)?.enterprise, received.at(-1)?.enterprise] : status;
	};
	assert.equal(await named(of('evil-org'), 'evil'), ['?', '?'], 'it names another enterprise');
	assert.equal(await named(of('evil-org', {}), 'evil'), ['?', '?'], 'it names none: it may not be any');
	assert.equal(await named(of('acme'), 'both'), ['octo', 'octo']);
	assert.equal(await named(of('other-org'), 'ofAll'), ['octo', 'octo']);
	assert.equal(await named(of('octo-org'), 'own'), ['?', '?']);
	assert.equal(await named(of('octo-org'), secret), ['octo', 'octo'], 'that for everybody');
	assert.is(await named(of('octo-org'), 'ofAll'), 401, 'it has a secret of its own');
	close();
});

test('the webhook of a delivery counts only where its secret covers it', async () => {
	const { secrets: scoped } = readScopedSecrets('octo-org/app: app\nocto-org: org');
	const { deliver, hooks, close } = await receiver({ scoped });
	await deliver(payload(), { by: 'app' });
	assert.equal(hooks, [], "the secret of one repository is not that of the organization's webhook");
	await deliver(payload(), { by: 'org' });
	assert.is(hooks.length, 1);
	close();
});

test('ping: pong; any GET: 200, without a signature', async () => {
	const { deliver, send, received, close } = await receiver();
	assert.is((await deliver({ zen: 'Keep it logically awesome.' }, { event: 'ping' })).status, 200);
	for (const path of ['/', '/healthz', '/anything?x']) {
		const answer = await send('GET', {}, undefined, path);
		assert.equal([answer.status, answer.text], [200, 'webhook server is running\n']);
	}
	assert.is((await send('HEAD', {})).status, 200);
	assert.is(received.length, 0);
	close();
});

test('other methods: 405', async () => {
	const { send, close } = await receiver();
	for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
		const answer = await send(method, {});
		assert.is(answer.status, 405, method);
		assert.is(answer.headers.allow, 'GET, POST');
	}
	close();
});

test('a signature that is missing, malformed, or made with anything else: 401, and nothing is received', async () => {
	const { send, deliver, received, counted, lines, close } = await receiver();
	const text = JSON.stringify(payload());
	const right = await sign(secret, text);
	const wrong: (string | undefined)[] = [
		undefined,
		'',
		'sha256=',
		right.slice(0, -1),
		`${right}0`,
		right.toUpperCase(),
		right.replace('sha256=', 'sha1='),
		right.slice('sha256='.length),
		` ${'0'.repeat(64)}`,
		`sha256=${'0'.repeat(64)}`,
		await sign(`${secret} `, text),
		await sign(secret, `${text} `),
		await sign('', text).catch(() => 'none'),
	];
	for (const signature of wrong) {
		const headers = {
			'x-github-event': 'workflow_job',
			...(signature === undefined ? {} : { 'x-hub-signature-256': signature }),
		};
		assert.is((await send('POST', headers, text)).status, 401, String(signature));
	}
	// A signature of another body, a ping that nobody signed, an empty body.
	assert.is((await deliver(payload(), { by: 'guessed' })).status, 401);
	assert.is((await deliver({ zen: '' }, { event: 'ping', by: 'guessed' })).status, 401);
	assert.is((await send('POST', { 'x-hub-signature-256': right }, '')).status, 401);
	assert.is(received.length, 0);
	assert.is(await counted('bad-signature'), wrong.length + 3);
	assert.ok(lines.filter((line) => line.includes('event refused')).length < 5, 'one line a second');
	close();
});

test('a body that nobody signed is not even parsed', async () => {
	const { send, close } = await receiver();
	const answer = await send('POST', { 'x-hub-signature-256': `sha256=${'a'.repeat(64)}` }, '{broken');
	assert.is(answer.status, 401);
	close();
});

test('without a secret nothing can be believed', async () => {
	const { deliver, close } = await receiver({ secrets: [] });
	assert.is((await deliver()).status, 401);
	close();
});

test('during a rotation both secrets are right; one that was just put in place is looked for', async () => {
	const both = await receiver({ secrets: ['new', 'old'] });
	for (const by of ['new', 'old']) assert.is((await both.deliver(payload(), { by })).status, 200, by);
	assert.is((await both.deliver(payload(), { by: 'older' })).status, 401);
	both.close();
	const changed = await receiver({ secrets: ['old'], newest: ['new'] });
	assert.is((await changed.deliver(payload(), { by: 'new' })).status, 200);
	changed.close();
});

test('signed, but unreadable: 400, and the log has the id of the delivery and nothing of its body', async () => {
	for (const body of [
		'{"token": "ghp_leaked"',
		'payload=%7B%22token%22%3A%22ghp_leaked%22%7D',
		'\u0000',
		'[]',
	]) {
		const { deliver, lines, received, close } = await receiver();
		assert.is((await deliver(body)).status, 400, body);
		assert.is(received.length, 0);
		const log = lines.join('\n');
		assert.match(log, '4d8ed510-a74e-11f1-8000-1');
		assert.not.match(log, 'ghp_leaked');
		close();
	}
	const { deliver, lines, close } = await receiver();
	await deliver('{', { delivery: 'x"} {"level":"fatal' });
	assert.not.match(lines.join('\n'), 'fatal');
	close();
});

test('over 1 MiB: 413, whether it is announced or not; just below is read', async () => {
	const { send, deliver, counted, port, close } = await receiver();
	const signature = { 'x-hub-signature-256': `sha256=${'0'.repeat(64)}` };
	const announced = await send(
		'POST',
		{ ...signature, 'content-length': String(eventLimits.bodyBytes + 1) },
		'x',
	);
	assert.is(announced.status, 413);
	const chunked = connect(port, '127.0.0.1');
	chunked.write(
		`POST / HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: ${signature['x-hub-signature-256']}\r\ntransfer-encoding: chunked\r\n\r\n`,
	);
	const chunk = 'x'.repeat(0x10000);
	for (let sent = 0; sent < 17; sent++) chunked.write(`10000\r\n${chunk}\r\n`);
	const [first] = (await once(chunked, 'data')) as [Buffer];
	assert.match(first.toString(), /^HTTP\/1\.1 413 /);
	chunked.destroy();
	const padding = 'x'.repeat(eventLimits.bodyBytes - 5_000);
	assert.is((await deliver(payload({ rest: { padding } }))).status, 200);
	assert.is(await counted('too-large'), 2);
	close();
});

test('bodies whose signature is not verified yet fill 8 MiB at most: 503, and it is free again when they are gone', async () => {
	const { port, deliver, counted, close } = await receiver();
	const half = Buffer.alloc(eventLimits.bodyBytes - 1_000, 'x');
	const open = () => {
		const socket = connect(port, '127.0.0.1');
		socket.on('error', () => {});
		socket.write(
			`POST / HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\ncontent-length: ${eventLimits.bodyBytes}\r\n\r\n`,
		);
		socket.write(half);
		return socket;
	};
	const sockets = Array.from({ length: 12 }, open);
	const refused = 12 - eventLimits.allBodiesBytes / eventLimits.bodyBytes;
	await soon('the others are refused', async () => (await counted('overloaded')) >= refused);
	for (const socket of sockets) socket.destroy();
	await soon('it is known that they are gone', async () => (await counted('unreadable')) >= 8);
	assert.is((await deliver()).status, 200);
	close();
});

test('more connections than are accepted: those that are open are answered, and later ones again', async () => {
	const { port, deliver, close } = await receiver();
	const sockets = Array.from({ length: eventLimits.connections + 20 }, () => connect(port, '127.0.0.1'));
	for (const socket of sockets) socket.on('error', () => {}).resume();
	const closed = () => sockets.filter((socket) => socket.closed).length;
	await soon('those that are too many are closed', () => closed() >= 20);
	const [first] = sockets.filter((socket) => !socket.closed);
	first?.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
	const [answer] = (await once(first!, 'data')) as [Buffer];
	assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
	for (const socket of sockets) socket.destroy();
	const isTaken = () =>
		deliver().then(
			({ status }) => status === 200,
			() => false,
		);
	await soon('there is room again', isTaken);
	close();
});

test('what could not be written is answered 503: GitHub keeps it as failed', async () => {
	const { deliver, state, counted, lines, close } = await receiver();
	state.writeOnPod = async () => {
		throw new KubeError(500, 'InternalError', 'etcd is away');
	};
	const answer = await deliver();
	assert.equal([answer.status, answer.headers['retry-after']], [503, '10']);
	assert.not.match(answer.text, 'etcd');
	assert.is(await counted('failed'), 1);
	assert.match(lines.join('\n'), 'etcd is away');
	state.writeOnPod = async () => 'written';
	assert.is((await deliver()).status, 200);
	close();
});

test('a full queue: 503 at once, and those that wait are written in their turn', async () => {
	const { deliver, handle, state, received, counted, close } = await receiver();
	let open = () => {};
	const opened = new Promise<void>((resolve) => {
		open = resolve;
	});
	let atOnce = 0;
	let mostSeen = 0;
	state.writeOnPod = async () => {
		mostSeen = Math.max(mostSeen, ++atOnce);
		await opened;
		atOnce -= 1;
		return 'written';
	};
	const first = Array.from({ length: turns.atOnce }, () => deliver());
	while (received.length < turns.atOnce) await systemClock.sleep(1);
	// As lost deliveries come, because the server does not accept so many connections.
	const waiting = Array.from({ length: turns.waiting }, () => handle('workflow_job', payload(), 0));
	const late = await deliver();
	assert.equal([late.status, late.headers['retry-after']], [503, '10']);
	assert.is(await counted('overloaded'), 1);
	assert.is(received.length, turns.atOnce);
	open();
	for (const { status } of await Promise.all(first)) assert.is(status, 200);
	assert.is((await Promise.all(waiting)).filter((result) => result === 'written').length, turns.waiting);
	assert.is(mostSeen, turns.atOnce);
	close();
});

test('more than a burst at once: the rest waits for its turn, and those that break off meanwhile take none', async () => {
	let stoppedMs: number | undefined = systemClock.monotonic();
	const monotonic = () => stoppedMs ?? systemClock.monotonic();
	const { port, server, deliver, counted, drained, close } = await receiver({
		clock: { ...systemClock, monotonic },
	});
	const forged = `POST / HTTP/1.1\r\nhost: x\r\nx-hub-signature-256: sha256=${'0'.repeat(64)}\r\ncontent-length: 1\r\n\r\nx`;
	const sockets = Array.from({ length: burst + 100 }, () => connect(port, '127.0.0.1'));
	const answered = new Set<Socket>();
	for (const socket of sockets) {
		socket.on('error', () => {}).once('data', () => answered.add(socket));
		socket.write(forged);
	}
	await soon('a burst is answered', () => answered.size >= burst);
	await systemClock.sleep(50);
	assert.is(await counted('bad-signature'), burst, 'no more than these, as long as no time passes');
	const waiting = sockets.filter((socket) => !answered.has(socket));
	const [patient, gone] = [waiting.slice(0, 40), waiting.slice(40)];
	for (const socket of gone) socket.destroy();
	const open = promisify(server.getConnections.bind(server));
	await soon('it is known that they are gone', async () => (await open()) <= sockets.length - gone.length);
	stoppedMs = undefined;
	assert.is((await deliver()).status, 200);
	await soon('the patient ones are answered', () => answered.size >= burst + patient.length);
	for (const socket of sockets) socket.destroy();
	await drained();
	assert.is(await counted('bad-signature'), burst + patient.length);
	assert.is(await counted('unreadable'), gone.length);
	close();
});

test('whoever sends slowly is cut off, and others are not kept waiting', async () => {
	const { port, deliver, close } = await receiver();
	const slow = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
	for (const socket of slow) {
		socket.on('error', () => {});
		socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n');
	}
	const ended = Promise.all(slow.map((socket) => once(socket, 'close')));
	for (const socket of slow) socket.resume();
	assert.is((await deliver()).status, 200);
	const startedMs = performance.now();
	await ended;
	assert.ok(performance.now() - startedMs < 15_000);
	close();
});

test.run();
