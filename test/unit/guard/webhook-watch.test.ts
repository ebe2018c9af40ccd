import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { guardWebhook } from '../../../admission/api/keys.ts';
import { guardState, WebhookWatch } from '../../../admission/guard/webhook-watch.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { eventually } from '../../rig/eventually.ts';
import { suite } from '../../support/suite.ts';
import { fakeClient } from '../kube/fake-client.ts';

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

/** Runs until stopped, against an API server whose validating configuration is as given. */
function watch(webhooks: object[] | 'none' | 'forbidden') {
	const metrics = new Metrics();
	const lines: string[] = [];
	const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line).msg) });
	const client = fakeClient({
		async request(_method, path, { query }) {
			assert.is(query?.fieldSelector, 'metadata.name=runners-admission');
			if (webhooks === 'forbidden') throw new Error('no right to list');
			const configuration = {
				metadata: { name: 'runners-admission', uid: 'u', resourceVersion: '1' },
				webhooks,
			};
			const items = path.includes('validating') && webhooks !== 'none' ? [configuration] : [];
			return { metadata: { resourceVersion: '10' }, items };
		},
		async stream(_path, { signal }) {
			await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
		},
	});
	const stop = new AbortController();
	const seen = new WebhookWatch(client, metrics, log);
	const running = seen.run(stop.signal);
	return {
		seen,
		lines,
		text: () => metrics.registry.metrics(),
		async stop() {
			stop.abort();
			await running;
		},
	};
}

test('guarded: no time is counted, the policies are in the metrics', async () => {
	const { seen, text, lines, stop } = watch([
		{ name: guardWebhook, failurePolicy: 'Fail', clientConfig: { caBundle: 'x' } },
		{ name: 'evictions.runners-admission.svc', failurePolicy: 'Ignore' },
	]);
	await eventually('it is seen', () => seen.sighting().state === 'guarded');
	const metrics = await text();
	assert.match(metrics, `{kind="validating",webhook="${guardWebhook}",policy="Fail"} 1`);
	assert.match(metrics, '{kind="validating",webhook="evictions.runners-admission.svc",policy="Ignore"} 1');
	assert.match(metrics, '\nrunners_unguarded_seconds_total 0\n');
	await stop();
	assert.equal([seen.unguardedMs, lines], [0, []]);
});

test('no configuration: the time is counted, and told once (H2)', async () => {
	const { seen, lines, text, stop } = watch('none');
	await eventually('two steps are counted', () => seen.unguardedMs > 1_500);
	assert.match(await text(), /\nrunners_unguarded_seconds_total [1-9]/);
	await stop();
	assert.is(lines.filter((line) => line.startsWith('runner pods are unguarded')).length, 1);
});

test('what may not be looked at is unknown, and is not counted', async () => {
	const { seen, stop } = watch('forbidden');
	await new Promise((resolve) => setTimeout(resolve, 1_200));
	assert.equal([seen.sighting().state, seen.unguardedMs], ['unknown', 0]);
	await stop();
});

test.run();
