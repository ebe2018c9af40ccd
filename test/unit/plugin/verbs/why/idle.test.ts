/** What `why` says of an idle runner whose set is autoscaled: since when it is idle, and when it goes. */
import * as assert from 'uvu/assert';
import { arc, busy, progress } from '../../../../../admission/api/keys.ts';
import type { Pod } from '../../../../../admission/api/kinds.ts';
import { readPod } from '../../../../../plugin/runners/read.ts';
import { idleOf, idleText, readAutoscaler } from '../../../../../plugin/verbs/why/idle.ts';
import type { Shown } from '../../../../../plugin/verbs/why/look.ts';
import { asData, asText } from '../../../../../plugin/verbs/why/why.ts';
import { suite } from '../../../../support/suite.ts';
import { noon, pod, running } from '../../../runner/pods.ts';
import { type AutoscalerFields, autoscaler } from '../../autoscalers/autoscaler.ts';
import { fakeServer, sendJson } from '../../fake-server.ts';

const test = suite('plugin: why an idle runner stays');

const minute = 60_000;
const labels = { 'actions-runner': '', [arc.runnerSet]: 'example' };
const idlePod = (jobEndedAt?: string) => {
	const status: NonNullable<Pod['status']> = { ...running() };
	if (jobEndedAt) {
		status.conditions = [{ type: busy.condition, status: 'False', lastTransitionTime: jobEndedAt }];
	}
	return pod({ metadata: { labels, annotations: { [progress.runnerId]: '7' } }, status });
};

function said(fields: AutoscalerFields, nowMs: number, object = idlePod()): string {
	return idleText(idleOf(object, readPod(object)!, autoscaler(fields)), nowMs);
}

const surplus = { livingReplicas: 5, desiredReplicas: 3 };
const startedMs = (() => {
	const { process } = readPod(idlePod())!;
	return 'sinceMs' in process ? (process.sinceMs ?? noon) : noon;
})();
const by = '(horizontalrunnerautoscaler/example)';

for (const [name, fields, afterMs, expected] of [
	[
		'too many: when it goes',
		{ status: surplus },
		4 * minute,
		'for 4m; 2 runners are surplus: those idle for longest are removed first, after 10m, this one in 6m at the earliest',
	],
	[
		'another delay, which is over',
		{ status: { livingReplicas: 4, desiredReplicas: 3 }, spec: { scaleDownDelaySecondsAfterScaleOut: 120 } },
		4 * minute,
		'for 4m; 1 runner is surplus: those idle for longest are removed first, after 2m, this one from now on',
	],
	[
		'not too many',
		{ status: { livingReplicas: 3, desiredReplicas: 3 } },
		minute,
		'for 60s; it is needed: the set has no surplus runners',
	],
	[
		'the server has only just started',
		{ status: surplus, conditions: { Starting: '' } },
		minute,
		"for 60s; no runner is removed before GitHub's queued jobs are known",
	],
	[
		'an autoscaler that was never looked at',
		{},
		minute,
		'for 60s; it is needed: the set has no surplus runners',
	],
] as [string, AutoscalerFields, number, string][]) {
	test(name, () => assert.is(said(fields, startedMs + afterMs), `${expected} ${by}`));
}

test('a static runner is idle since its last job, not since its start', () => {
	const object = idlePod(new Date(startedMs + 60 * minute).toISOString());
	assert.match(
		said({ status: surplus }, startedMs + 63 * minute, object),
		/^for 3m; .* in 7m at the earliest/,
	);
});

test('why shows it for a runner that is idle, in text and as data, and for no other', () => {
	const nowMs = startedMs + 4 * minute;
	const shown = (object = idlePod(), scaler = autoscaler({ status: surplus })): Shown => ({
		pod: object,
		runner: readPod(object),
		verdict: { verdict: 'allowed', reason: 'idle', message: 'm', next: 'n' },
		log: { says: 'idle', at: '2026-11-23 12:00:01Z' },
		autoscaler: scaler,
		nowMs,
	});
	assert.match(asText(shown()), /^Idle: {8}for 4m; 2 runners are surplus: .*$/m);
	const { idle } = asData(shown()) as { idle: Record<string, unknown> };
	assert.equal([idle.autoscaler, idle.surplus], ['horizontalrunnerautoscaler/example', 2]);
	assert.is(Date.parse(String(idle.goesNotBefore)), startedMs + 10 * minute);
	const working = idlePod();
	working.metadata.labels = { ...labels, [busy.label]: 'true' };
	working.metadata.annotations = { [busy.since]: new Date(startedMs).toISOString(), [busy.job]: 'build' };
	assert.not.match(asText(shown(working)), /^Idle:/m);
	const { autoscaler: _, ...without } = shown();
	assert.not.match(asText(without), /^Idle:/m);
});

for (const [code, expected] of [
	[200, 'example'],
	[403, undefined],
	[404, undefined],
] as const) {
	test(`autoscalers are asked for, and answered with ${code}: ${expected ?? 'nothing is said'}`, async () => {
		const server = await fakeServer((_request, response) =>
			sendJson(
				response,
				code,
				code === 200 ? { items: [autoscaler()] } : { kind: 'Status', code, message: 'no' },
			),
		);
		const object = idlePod();
		object.metadata.namespace = 'ci';
		const found = await readAutoscaler(server.client(), object);
		const none = await readAutoscaler(
			server.client(),
			pod({ metadata: { labels: { 'actions-runner': '' } } }),
		);
		await server.stop();
		assert.equal(
			[found?.metadata.name, none?.metadata.name, server.requests.length],
			[expected, undefined, 1],
		);
	});
}

test.run();
