/** The paths of our webhooks, as two replicas keep them at an API server in memory. */

import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { webhookRoutes } from '../../../admission/api/webhooks.ts';
import { CallerPaths } from '../../../admission/certificates/caller-paths.ts';
import {
	type WebhookConfiguration,
	WebhookConfigurations,
} from '../../../admission/certificates/webhook-configurations.ts';
import { epochSeal } from '../../../admission/cluster/epoch-seal.ts';
import { Signer } from '../../../admission/cluster/signer.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { Callers } from '../../../admission/webhook/callers.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';

const test = suite('paths of the webhooks');
const minute = 60_000;
const log = pino({ level: 'silent' });
const kinds = ['validating', 'mutating'] as const;
const address = (kind: string) => `/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations`;
const service = { name: 'runners-admission', namespace: 'runners-system' };

/** As the manifests are applied: without a path. */
const manifest = (kind: (typeof kinds)[number]) => ({
	metadata: { name: 'runners-admission' },
	webhooks: [
		...Object.keys(webhookRoutes[kind]).map((name) => ({ name, clientConfig: { service: { ...service } } })),
		{ name: 'somebody.else.svc', clientConfig: { service: { ...service, path: '/theirs' } } },
		{ name: 'updates.runners-admission.svc', clientConfig: { url: 'https://elsewhere/' } },
	],
});

function world() {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	const api = new ApiServer(clock);
	const stop = new AbortController();
	const key = randomBytes(32);
	async function replica({ itsKey = key, until = stop.signal } = {}) {
		const callers = new Callers(epochSeal(new Signer(itsKey)), clock.now);
		const configurations = new WebhookConfigurations({ client: api, clock, onRestart: () => {}, log });
		const paths = new CallerPaths({ callers, configurations, clock, metrics: new Metrics(systemClock), log });
		await paths.start();
		void configurations.run(until);
		void paths.run(until);
		return callers;
	}
	const found = (kind: string) => api.find(address(kind), 'runners-admission') as WebhookConfiguration;
	const pathsOf = (kind: (typeof kinds)[number]) =>
		Object.fromEntries(
			(found(kind)?.webhooks ?? []).map(({ name, clientConfig }) => [name, clientConfig?.service?.path]),
		);
	const path = () => pathsOf('validating')['pods.runners-admission.svc'] ?? '';
	let written = 0;
	api.onChange((type) => {
		if (type === 'MODIFIED') written += 1;
	});
	const writes = () => written;
	const install = async () => {
		for (const kind of kinds)
			await api.request('POST', address(kind), { body: { apiVersion: 'v1', ...manifest(kind) } });
	};
	return { clock, api, stop, replica, pathsOf, path, writes, install };
}

test('a fresh installation: every webhook of ours gets its path, others keep theirs, two replicas write once', async () => {
	const { clock, replica, pathsOf, path, writes, install, stop } = world();
	await install();
	const [one, other] = [await replica(), await replica()];
	await clock.pass(1_000);
	const segment = path().split('/')[1];
	for (const kind of kinds) {
		const expected = Object.entries(webhookRoutes[kind]).map(([name, route]) => [
			name,
			`/${segment}${route}`,
		]);
		assert.equal(pathsOf(kind), {
			...Object.fromEntries(expected),
			'somebody.else.svc': '/theirs',
			...(kind === 'validating' ? { 'updates.runners-admission.svc': undefined } : {}),
			...(kind === 'mutating' ? { 'updates.runners-admission.svc': undefined } : {}),
		});
	}
	assert.equal([one.at(path()), other.at(path())], ['known', 'known']);
	await clock.pass(50 * minute);
	assert.is(writes(), 2, 'one of each configuration');
	stop.abort();
});
test('hourly there is a new one, and a review by the old one is still known for 2 minutes by both', async () => {
	const { clock, replica, path, writes, install, stop } = world();
	await install();
	const replicas = [await replica(), await replica()];
	await clock.pass(1_000);
	const old = path();
	await clock.pass(60 * minute);
	assert.is.not(path(), old);
	assert.is(writes(), 4);
	for (const one of replicas) assert.equal([one.at(old), one.at(path())], ['known', 'known']);
	await clock.pass(2 * minute);
	for (const one of replicas) assert.is(one.at(old), 'unauthenticated');
	stop.abort();
});
test('manifests applied again without a path, or somebody’s path: put right at once', async () => {
	const { clock, api, replica, path, install, stop } = world();
	await install();
	await replica();
	await clock.pass(10_000);
	const before = path();
	for (const odd of [undefined, '/pods/delete', `/1800000000.${'0'.repeat(64)}/pods/delete`]) {
		const changed = structuredClone(
			api.find(address('validating'), 'runners-admission'),
		) as WebhookConfiguration;
		for (const { clientConfig } of changed.webhooks ?? []) {
			if (!clientConfig?.service) continue;
			if (odd === undefined) delete clientConfig.service.path;
			else clientConfig.service.path = odd;
		}
		await api.request('PUT', `${address('validating')}/runners-admission`, { body: changed });
		assert.is.not(path(), before);
		await clock.pass(100);
		assert.is(path(), before, `after ${odd}`);
		await clock.pass(10_000);
	}
	stop.abort();
});
test('a review that we answered too late: a new path, at most once a minute', async () => {
	const { clock, replica, path, writes, install, stop } = world();
	await install();
	const [one] = [await replica(), await replica()];
	await clock.pass(10 * minute);
	const before = path();
	const already = writes();
	for (let second = 0; second < 120; second++) {
		one?.spoil();
		await clock.pass(1_000);
	}
	assert.is.not(path(), before);
	assert.is(writes() - already, 2 * 2, 'at once, and after a minute');
	stop.abort();
});
test('a replica that starts where none has run for a day knows the path that is there, and replaces it', async () => {
	const { clock, replica, path, install, stop } = world();
	await install();
	const first = new AbortController();
	await replica({ until: first.signal });
	await clock.pass(1_000);
	first.abort();
	const old = path();
	await clock.pass(24 * 60 * minute);
	assert.is(path(), old);
	const started = await replica();
	assert.is(started.at(old), 'known');
	await clock.pass(1_000);
	assert.is.not(path(), old);
	assert.equal([started.at(old), started.at(path())], ['unauthenticated', 'known'], 'it is a day old');
	stop.abort();
});
test('the API server does not answer at first: the paths are written when it does', async () => {
	const { clock, api, replica, path, install, stop } = world();
	await install();
	const isBack = api.fail('GET', /webhookconfigurations/, new KubeError(503, '', 'down'));
	await replica();
	await clock.pass(10_000);
	assert.is(path(), '');
	isBack();
	await clock.pass(60_000);
	assert.ok(path().endsWith('/pods/delete'));
	stop.abort();
});
test('two keys: the replicas replace each other’s paths, but slowly', async () => {
	const { clock, replica, writes, install, stop } = world();
	await install();
	await replica();
	await replica({ itsKey: randomBytes(32) });
	await clock.pass(minute);
	assert.ok(writes() <= 4 * 31, `${writes()} writes`);
	stop.abort();
});

test.run();
