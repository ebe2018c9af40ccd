/** Reviews that did not come by the path in the webhook configurations: no effect, and no live runner goes. */

import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { readDenial } from '../../../admission/api/denial.ts';
import { arc, breakGlass, busy, probe } from '../../../admission/api/keys.ts';
import type { EnvVar, Pod } from '../../../admission/api/kinds.ts';
import { longestMessage } from '../../../admission/guard/rules/message.ts';
import {
	mostUnauthenticatedReads,
	mostUnauthenticatedReadsPerSecond,
} from '../../../admission/guard/rules/policy.ts';
import { byOutline } from '../../../admission/guard/subject.ts';
import { unauthenticated } from '../../../admission/guard/unauthenticated-callers.ts';
import { updatePods } from '../../../admission/guard/update-pods.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import type { AdmissionRequest, AdmissionResponse, BadReview } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, pod } from '../runner/pods.ts';
import { unauthenticatedCaller } from '../support/arrival.ts';
import { SimulatedClock } from '../support/clock.ts';
import { kindsByThemselves } from '../support/guard.ts';

const test = suite('unauthenticated callers');
const live = pod({});

/** The one thing that an unauthenticated caller may cause is that a pod is read: all else would not be there. */
function reviewing(stored: Pod | 'none' | Promise<Pod> = live, subjects = kindsByThemselves()) {
	const clock = new SimulatedClock();
	const read: string[] = [];
	const handlers = unauthenticated({
		subjects,
		pods: {
			get: async (namespace, name) => {
				read.push(`${namespace}/${name}`);
				return stored === 'none' ? undefined : stored;
			},
		},
		user: 'system:serviceaccount:runners-system:runners-admission',
		metrics: new Metrics(systemClock),
		clock,
		log: pino({ level: 'silent' }),
	});
	const ask = (route: keyof typeof handlers, change: Partial<AdmissionRequest>) =>
		handlers[route](
			{ uid: 'u', operation: 'DELETE', userInfo: { username: 'me' }, ...change },
			unauthenticatedCaller,
		) as Promise<AdmissionResponse>;
	return {
		read,
		clock,
		remove: async (oldObject: unknown, more: Partial<AdmissionRequest> = {}) =>
			ask('/pods/delete', { oldObject, ...more }),
		update: async (name = 'r1') =>
			ask('/pods/update', {
				operation: 'UPDATE',
				object: { metadata: {} },
				oldObject: { metadata: { name, namespace: 'ci' } },
				reduced: true,
			}),
		evict: async (name = 'r1', more: object = {}) =>
			ask('/pods/evict', { operation: 'CREATE', namespace: 'ci', name, object: { metadata: {} }, ...more }),
	};
}

const codeOf = ({ status }: AdmissionResponse) => status?.code;

test('a DELETE of a live runner is refused, whatever is written on it, and nothing is read', async () => {
	const { remove, read } = reviewing();
	const signals = [
		live,
		pod({
			metadata: {
				annotations: {
					'actions-runner/unregistration-complete-timestamp': '2026-11-23T12:00:00Z',
					'actions-runner/unregistration-proof': 'AAAA',
					'actions-runner/node-gone-since': '2020-01-01T00:00:00Z',
					'actions-runner/id': '999999',
					'actions-runner/github-api-creds-secret': 'does-it-exist',
				},
			},
		}),
	];
	for (const signal of signals)
		for (const dryRun of [false, true]) {
			const answer = await remove(signal, { dryRun });
			assert.is(answer.allowed, false);
			assert.is(codeOf(answer), 409);
			const denial = readDenial(answer.status?.details.causes ?? []);
			assert.is(denial?.reason, 'unknown-caller');
			assert.is(denial?.recorded, false);
			const message = answer.status?.message ?? '';
			assert.match(message, /does not recognise the caller.*Nothing is recorded.*kubectl runners doctor/);
			assert.ok(message.length <= longestMessage);
		}
	const long = await remove(pod({ metadata: { name: 'x'.repeat(200) } }));
	assert.match(long.status?.message ?? '', /^this runner may be busy/);
	assert.equal(read, []);
});
test('the scheduler is refused so that it does not ask 50 times a second', async () => {
	const { remove } = reviewing();
	const { status } = await remove(live, { userInfo: { username: 'system:kube-scheduler' } });
	assert.equal([status?.code, status?.details.retryAfterSeconds], [429, 3]);
});
test('an eviction of a live runner is refused with 429, also as a dry run', async () => {
	const { evict, read } = reviewing();
	for (const more of [{}, { dryRun: true }]) assert.is(codeOf(await evict('r1', more)), 429);
	assert.equal(read, ['ci/r1', 'ci/r1']);
});
test('everything else goes, as it does for the API server', async () => {
	const others: [string, Pod][] = [
		['no runner', pod({ spec: { containers: [{ name: 'main' }] } })],
		['terminating', pod({ metadata: { deletionTimestamp: '2026-11-23T12:00:00Z' } })],
		['break-glass', pod({ metadata: { annotations: { [breakGlass]: 'stuck' } } })],
		[
			'exited',
			pod({
				status: {
					phase: 'Succeeded',
					containerStatuses: [{ name: 'runner', restartCount: 0, state: { terminated: { exitCode: 0 } } }],
				},
			}),
		],
	];
	for (const [what, one] of others) {
		const { remove, evict } = reviewing(one);
		assert.equal(await remove(one), { uid: 'u', allowed: true }, what);
		assert.equal(await evict(), { uid: 'u', allowed: true }, what);
	}
	const unbound = pod({ unbound: true, status: { phase: 'Pending', containerStatuses: [] } });
	const { remove, evict } = reviewing(unbound);
	assert.ok((await remove(unbound)).allowed);
	assert.is(codeOf(await evict()), 429, 'an eviction may end a later version of it, which is on a node');
	assert.equal(await reviewing('none').evict(), { uid: 'u', allowed: true });
	const nameless = reviewing();
	assert.equal(await nameless.evict(''), { uid: 'u', allowed: true });
	assert.equal(nameless.read, []);
});
test('a pod that was too large to be kept is read: a live runner’s is neither deleted nor edited, any other is', async () => {
	const head = { metadata: { name: 'r1', namespace: 'ci' } };
	const busy = reviewing();
	assert.is(codeOf(await busy.remove(head, { reduced: true })), 409);
	assert.is(codeOf(await busy.update()), 403);
	assert.equal(busy.read, ['ci/r1', 'ci/r1']);
	const other = reviewing(pod({ spec: { containers: [{ name: 'main' }] } }));
	assert.ok((await other.remove(head, { reduced: true })).allowed);
	assert.ok((await other.update()).allowed);
});
test('the probe is not answered: only the API server’s path proves that it reaches the guard', async () => {
	assert.is((await reviewing('none').evict(probe.pod, { dryRun: true })).warnings, undefined);
});
test('a pod that cannot be read, or is of no sensible form, is not evicted', async () => {
	for (const failure of [new Error('timed out'), 'timed out']) {
		const answer = await reviewing(Promise.reject(failure)).evict();
		assert.is(codeOf(answer), 429);
		assert.match(answer.status?.message ?? '', '(timed out)');
	}
	const odd = { metadata: { name: 'r1' }, spec: { containers: [null] } } as unknown as Pod;
	assert.is(codeOf(await reviewing(odd).evict()), 429);
});
test('neither which runner a pod is nor a signature on it is read for such a caller', async () => {
	const forbidden = () => {
		throw new Error('it was read');
	};
	const kinds = kindsByThemselves().map((subject) => ({ ...subject, read: forbidden }));
	const unread = (name: string) =>
		Object.defineProperty({ name }, 'value', { get: forbidden, enumerable: true }) as EnvVar;
	const spec = { containers: [{ name: 'runner', env: ['RUNNER_ORG', 'RUNNER_NAME'].map(unread) }] };
	const shown = pod({ spec });
	const { remove, evict } = reviewing(shown, kinds);
	assert.is(codeOf(await remove(shown)), 409);
	assert.is(codeOf(await evict()), 429);
	const job = { ...shown, metadata: { ...shown.metadata, labels: { 'runner-pod': 'r1' } } };
	job.spec = { containers: [{ name: 'job' }] };
	assert.is(codeOf(await remove(job)), 409);
	const after = pod({ spec: { ...spec, activeDeadlineSeconds: 1 } });
	const request = { uid: 'u', operation: 'UPDATE', userInfo: {}, oldObject: shown, object: after } as const;
	assert.is(codeOf(updatePods(request, 'us', byOutline(kinds))), 403);
});
test('an edit of such a caller is refused as that of a known one, and more strictly where it may be a scale set’s', () => {
	const edit = (before: Pod, after: Pod) =>
		updatePods(
			{ uid: 'u', operation: 'UPDATE', userInfo: {}, oldObject: before, object: after },
			'us',
			byOutline(kindsByThemselves()),
		).allowed;
	const withSecret = (spec: Pod['spec']) =>
		pod({ spec, metadata: { annotations: { [arc.credentialsSecret]: 'other' } } });
	const jit = { containers: [jitContainer('r1')] };
	assert.ok(edit(live, withSecret(live.spec)));
	assert.not(edit(pod({ spec: jit }), withSecret(jit)));
	assert.not(edit(live, pod({ metadata: { labels: { 'actions-runner': '', [busy.label]: 'true' } } })));
});
test('only a number of pods a second is read', async () => {
	const { evict, read, clock } = reviewing();
	for (let asked = 0; asked < mostUnauthenticatedReadsPerSecond; asked++) await evict();
	const more = await evict().catch((error: BadReview) => error.status);
	assert.is(more, 503);
	assert.is(read.length, mostUnauthenticatedReadsPerSecond);
	await clock.pass(1_000);
	await evict();
	assert.is(read.length, mostUnauthenticatedReadsPerSecond + 1);
});
test('only a few pods are read at a time, and then the next ones: others have to ask again', async () => {
	let answer = (_pod: Pod): void => {};
	const { evict, read } = reviewing(new Promise<Pod>((resolve) => (answer = resolve)));
	const first = Array.from({ length: mostUnauthenticatedReads }, () => evict());
	const more = await Promise.allSettled([evict(), evict()]);
	const statuses = more.map((one) => one.status === 'rejected' && (one.reason as BadReview).status);
	assert.equal(statuses, [503, 503]);
	assert.is(read.length, mostUnauthenticatedReads);
	answer(live);
	await Promise.all(first);
	await evict();
	assert.is(read.length, mostUnauthenticatedReads + 1);
});

test.run();
