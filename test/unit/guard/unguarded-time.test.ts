import * as assert from 'uvu/assert';
import { guardWebhook } from '../../../admission/api/keys.ts';
import type { KubeObject } from '../../../admission/api/kinds.ts';
import { WebhookConfigurations } from '../../../admission/certificates/webhook-configurations.ts';
import { guardState, UnguardedTime } from '../../../admission/guard/unguarded-time.ts';
import { KubeError } from '../../../admission/kube/client.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { suite } from '../../support/suite.ts';
import { ApiServer } from '../support/api-server.ts';
import { SimulatedClock } from '../support/clock.ts';
import { recordingLog } from '../support/log.ts';

const test = suite('is the guard in the way');
const guard = (failurePolicy: string, kind: 'validating' | 'mutating' = 'validating') => ({
	kind,
	name: guardWebhook,
	failurePolicy,
});

for (const [what, webhooks, state] of [
	['fails closed', [guard('Fail')], 'guarded'],
	['ignores failures', [guard('Ignore')], 'unguarded'],
	['is missing', [], 'unguarded'],
	["only the sets' webhook of that name is there", [guard('Fail', 'mutating')], 'unguarded'],
] as const)
	test(`its webhook ${what}: ${state}`, () => assert.is(guardState(webhooks), state));

const validating = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations';
const name = 'runners-admission';

interface Started {
	api: ApiServer;
	clock: SimulatedClock;
	configurations: WebhookConfigurations;
}

/** The measurement, running against an API server whose validating configuration is as given. */
async function measure(webhooks: object[] | 'none' | 'forbidden', beforeWatch = async (_: Started) => {}) {
	const clock = new SimulatedClock();
	const api = new ApiServer(clock);
	const metrics = new Metrics(systemClock);
	const { log, lines } = recordingLog();
	if (webhooks === 'forbidden')
		api.fail('GET', /configurations$/, new KubeError(403, 'Forbidden', 'no right to list'));
	else if (webhooks !== 'none') api.put(validating, { metadata: { name }, webhooks } as never);
	// Somebody else's fails closed as well, and guards nothing of ours.
	api.put(validating, {
		metadata: { name: 'another' },
		webhooks: [{ name: guardWebhook, failurePolicy: 'Fail' }],
	} as never);
	const stop = new AbortController();
	const configurations = new WebhookConfigurations({ client: api, clock, onRestart: () => {}, log });
	const time = new UnguardedTime({ configurations, metrics, clock, log });
	await beforeWatch({ api, clock, configurations });
	const running = Promise.all([configurations.run(stop.signal), time.run(stop.signal)]);
	await clock.pass(1);
	return {
		api,
		clock,
		time,
		lines,
		text: () => metrics.registry.metrics(),
		async stop() {
			stop.abort();
			await clock.pass(1);
			await running;
		},
	};
}

test('guarded: no time is counted, the policies are in the metrics', async () => {
	const { clock, time, text, lines, stop } = await measure([
		{ name: guardWebhook, failurePolicy: 'Fail', clientConfig: { caBundle: 'x' } },
		{ name: 'evictions.runners-admission.svc', failurePolicy: 'Ignore' },
	]);
	await clock.pass(60_000);
	assert.is(time.current().state, 'guarded');
	const metrics = await text();
	assert.match(metrics, `{kind="validating",webhook="${guardWebhook}",policy="Fail"} 1`);
	assert.match(metrics, '{kind="validating",webhook="evictions.runners-admission.svc",policy="Ignore"} 1');
	assert.match(metrics, '\nrunners_unguarded_seconds_total 0\n');
	assert.equal([time.unguardedMs, lines], [0, []]);
	await stop();
});

test('a webhook without a failurePolicy fails closed: that is the default', async () => {
	const { time, stop } = await measure([{ name: guardWebhook }]);
	assert.is(time.current().state, 'guarded');
	await stop();
});

test('no configuration: every second is counted, and logged once (H2)', async () => {
	const { clock, time, lines, text, stop } = await measure('none');
	await clock.pass(60_000);
	assert.is(time.unguardedMs, 60_000);
	assert.match(await text(), '\nrunners_unguarded_seconds_total 60\n');
	assert.is(lines.filter((line) => line.startsWith('warn runner pods are unguarded')).length, 1);
	await stop();
});

test('a configuration that is deleted between the first read and the first list: unguarded (H2)', async () => {
	const guarded = [{ name: guardWebhook, failurePolicy: 'Fail' }];
	const { clock, time, text, stop } = await measure(guarded, async ({ api, clock, configurations }) => {
		await configurations.read();
		assert.is(configurations.webhooks.length, 1);
		api.drop(validating, name);
		await clock.pass(1); // the deletion has passed: a watch that opens now does not report it
	});
	await clock.pass(10_000);
	assert.equal([time.current(), time.unguardedMs], [{ webhooks: [], state: 'unguarded' }, 10_000]);
	assert.not.match(await text(), 'policy="Fail"} 1');
	await stop();
});

test('its policy set to Ignore and back: the time between is counted, and both are logged (H2)', async () => {
	const { api, clock, time, lines, stop } = await measure([{ name: guardWebhook, failurePolicy: 'Fail' }]);
	const set = (failurePolicy: string) =>
		api.update<{ webhooks: object[] } & KubeObject>(validating, name, undefined, (configuration) => {
			configuration.webhooks = [{ name: guardWebhook, failurePolicy }];
		});
	await clock.pass(10_000);
	set('Ignore');
	await clock.pass(20_000);
	assert.is(time.current().state, 'unguarded');
	set('Fail');
	await clock.pass(30_000);
	assert.ok(Math.abs(time.unguardedMs - 20_000) <= 1_000, `${time.unguardedMs} ms`);
	assert.equal(
		lines.map((line) => line.split(':')[0]),
		['warn runner pods are unguarded', 'info runner pods are guarded again'],
	);
	await stop();
});

test('configurations that may not be read: the state is unknown, and no time is counted', async () => {
	const { clock, time, stop } = await measure('forbidden');
	await clock.pass(60_000);
	assert.equal([time.current().state, time.unguardedMs], ['unknown', 0]);
	await stop();
});

test.run();
