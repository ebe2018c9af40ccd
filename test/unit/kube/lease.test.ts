import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { KubeError } from '../../../admission/kube/client.ts';
import { runAsLeader } from '../../../admission/kube/lease.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from './fake-client.ts';

const test = suite('leader election');
const log = pino({ level: 'silent' });

/** One Lease, with the API server's optimistic locking. */
function leases() {
	let lease: { metadata: { resourceVersion: string }; spec: { holderIdentity: string } } | undefined;
	let version = 0;
	let down = false;
	const client = fakeClient({
		async request(method, _path, { body }) {
			if (down) throw new KubeError(0, '', 'down');
			if (method === 'GET') {
				if (!lease) throw new KubeError(404, '', '');
				return structuredClone(lease);
			}
			const sent = body as NonNullable<typeof lease>;
			if (method === 'POST' ? lease : sent.metadata.resourceVersion !== lease?.metadata.resourceVersion)
				throw new KubeError(409, '', '');
			lease = { ...structuredClone(sent), metadata: { resourceVersion: `${++version}` } };
			return lease;
		},
	});
	return { client, holder: () => lease?.spec.holderIdentity, setDown: (is: boolean) => (down = is) };
}

function candidate(
	client: ReturnType<typeof leases>['client'],
	identity: string,
	lead?: (signal: AbortSignal) => Promise<void>,
) {
	const stop = new AbortController();
	const state = { leading: false };
	const done = runAsLeader(
		{
			client,
			namespace: 'n',
			name: 'l',
			identity,
			log,
			lead:
				lead ??
				(async (signal) => {
					state.leading = true;
					await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
					state.leading = false;
				}),
		},
		stop.signal,
	);
	return {
		state,
		done,
		stop() {
			stop.abort();
			return done;
		},
	};
}

test('two candidates: one leads, and hands over when it stops', async () => {
	const { client, holder } = leases();
	const a = candidate(client, 'a');
	await eventually('a leads', () => a.state.leading);
	const b = candidate(client, 'b');
	await sleep(100);
	assert.equal([a.state.leading, b.state.leading, holder()], [true, false, 'a']);
	await a.stop();
	assert.not(a.state.leading);
	await eventually('b leads, without waiting for the lease to expire', () => b.state.leading, {
		withinMs: 6_000,
	});
	await b.stop();
	assert.is(holder(), '');
});
test('a leader whose loops fail gives the lease back and says so', async () => {
	const { client, holder } = leases();
	const failing = candidate(client, 'a', async () => {
		throw new Error('loops broke');
	});
	const error = await failing.done.then(
		() => undefined,
		(thrown: Error) => thrown.message,
	);
	assert.equal([error, holder()], ['loops broke', '']);
});
test('a leader that can not renew stops leading before another one may start', async () => {
	const { client, setDown } = leases();
	const a = candidate(client, 'a');
	await eventually('a leads', () => a.state.leading);
	const lostMs = Date.now();
	setDown(true);
	await eventually('a has stopped', () => !a.state.leading, { withinMs: 14_500 });
	assert.ok(Date.now() - lostMs < 15_000);
	await a.stop();
});

test.run();
