import jsonpatch from 'jsonpatch';
import * as assert from 'uvu/assert';
import { setReplicas, stampOf } from '../../../admission/sets/stamp-replicas.ts';
import { suite } from '../../support/suite.ts';

const test = suite('effectiveTime');

const nowMs = Date.parse('2026-03-01T12:00:00.250Z');
const now = '2026-03-01T12:00:00.250Z';
const earlier = '2026-03-01T11:00:00.000Z';
const evenEarlier = '2026-03-01T10:00:00Z';
const future = '2026-03-01T13:00:00Z';

type Replicas = Parameters<typeof stampOf>[1];
const cases: [promise: string, before: Replicas | undefined, after: Replicas, becomes: string | undefined][] =
	[
		['a new set is stamped', undefined, { replicas: 3 }, now],
		[
			'a new set that brings its own time keeps it',
			undefined,
			{ replicas: 3, effectiveTime: earlier },
			undefined,
		],
		['a new set from the future is clamped (D8)', undefined, { replicas: 3, effectiveTime: future }, now],
		[
			'replicas changed by hand are stamped (D6)',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 4, effectiveTime: earlier },
			now,
		],
		[
			'so is the way down',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 1, effectiveTime: earlier },
			now,
		],
		[
			'replicas left out are one',
			{ effectiveTime: earlier },
			{ replicas: 1, effectiveTime: earlier },
			undefined,
		],
		[
			'a no-op does not move it (D7)',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 3, effectiveTime: earlier },
			undefined,
		],
		[
			'an autoscaler moves it without replicas',
			{ replicas: 3, effectiveTime: evenEarlier },
			{ replicas: 3, effectiveTime: earlier },
			undefined,
		],
		[
			'an autoscaler brings its own with replicas',
			{ replicas: 3, effectiveTime: evenEarlier },
			{ replicas: 4, effectiveTime: earlier },
			undefined,
		],
		[
			'an older one is not taken (D7)',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 3, effectiveTime: evenEarlier },
			earlier,
		],
		[
			'an older one with other replicas is no stamp of theirs',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 4, effectiveTime: evenEarlier },
			now,
		],
		[
			'the future is clamped on the way (D8)',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 3, effectiveTime: future },
			now,
		],
		[
			'kubectl replace without it keeps it (D14)',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 3 },
			earlier,
		],
		['null keeps it', { replicas: 3, effectiveTime: earlier }, { replicas: 3, effectiveTime: null }, earlier],
		['a set of before the webhook is left alone', { replicas: 3 }, { replicas: 3 }, undefined],
		[
			'a stored time from the future holds nobody up',
			{ replicas: 3, effectiveTime: future },
			{ replicas: 4, effectiveTime: future },
			now,
		],
		[
			'what cannot be read as a time is left to the schema',
			{ replicas: 3, effectiveTime: earlier },
			{ replicas: 4, effectiveTime: 'soon' },
			undefined,
		],
	];
for (const [promise, before, after, becomes] of cases) {
	test(promise, () => assert.is(stampOf(before, after, nowMs).effectiveTime, becomes));
}

test('the answer, applied as a JSON Patch, is the stamped set', () => {
	const spec: { replicas: number; template: object; effectiveTime?: string } = { replicas: 2, template: {} };
	const object = { kind: 'RunnerSet', metadata: { name: 'a' }, spec };
	const answer = setReplicas({ uid: 'u', operation: 'CREATE', userInfo: {}, object }, nowMs);
	assert.ok(answer.allowed);
	const operations = JSON.parse(Buffer.from(answer.patch ?? '', 'base64').toString());
	assert.is(jsonpatch.apply_patch(object, operations).spec.effectiveTime, now);
});

test('a field of another type, which the schema takes, is warned about when it is applied', () => {
	const env = [{ name: 'PORT', value: 8080 }];
	const template = { spec: { containers: [{ name: 'runner', env }] } };
	const object = { kind: 'RunnerSet', metadata: { name: 'a' }, spec: { replicas: 1, template } };
	const answer = setReplicas({ uid: 'u', operation: 'CREATE', userInfo: {}, object }, nowMs);
	assert.ok(answer.allowed);
	assert.equal(answer.warnings, [
		'spec.template.spec.containers[0].env[0].value must be a string: quote it ("8080"); no runner is created until then',
	]);
});

test('a set that is too large to be kept is not stamped here: its replicas are not known', () => {
	const object = { metadata: { name: 'a' }, spec: { replicas: null, template: {} } };
	const request = { uid: 'u', operation: 'CREATE', userInfo: {}, object, reduced: true } as const;
	assert.equal(setReplicas(request, nowMs), { uid: 'u', allowed: true });
});

test('what the schema will refuse is passed on to it, never a crash', () => {
	for (const object of [
		undefined,
		null,
		{},
		{ metadata: {} },
		{ metadata: {}, spec: 1 },
		{ metadata: {}, spec: { template: 'x' } },
		{ metadata: {}, spec: { template: { spec: null } } },
		{ kind: 'RunnerSet', metadata: {}, spec: { template: { spec: { containers: {} } } } },
	]) {
		assert.ok(setReplicas({ uid: 'u', operation: 'CREATE', userInfo: {}, object }, nowMs).allowed);
	}
});

test.run();
