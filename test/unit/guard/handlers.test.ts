import { pino } from 'pino';
import * as assert from 'uvu/assert';
import { probe } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { setKeys } from '../../../admission/api/sets.ts';
import { deletePods } from '../../../admission/guard/delete-pods.ts';
import { evictPods } from '../../../admission/guard/evict-pods.ts';
import { OneByOne } from '../../../admission/guard/one-by-one.ts';
import type { ReviewDependencies } from '../../../admission/guard/review-deletion.ts';
import { subjects } from '../../../admission/guard/subjects/index.ts';
import { updatePods } from '../../../admission/guard/update-pods.ts';
import { hookOtherPods, markOtherPods } from '../../../admission/jobs/hooks/hook-other-pods.ts';
import { injectHooks } from '../../../admission/jobs/hooks/rules/inject.ts';
import { readRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { createPods } from '../../../admission/sets/inject-pods.ts';
import { Metrics } from '../../../admission/telemetry/metrics.ts';
import { systemClock } from '../../../admission/time/system-clock.ts';
import { type AdmissionRequest, BadReview, parseReview } from '../../../admission/webhook/review.ts';
import { suite } from '../../support/suite.ts';
import { jitContainer, noon, pod, signer, trusting } from '../runner/pods.ts';
import { known } from '../support/arrival.ts';
import { SimulatedClock } from '../support/clock.ts';
import { kindsByThemselves } from '../support/guard.ts';
import { jobPodObject } from './subjects/job-pod/pods.ts';

const test = suite('webhook handlers');
const busy = pod({ metadata: { labels: { 'actions-runner': '', 'actions-runner/busy': 'true' } } });

/** Only what a known-busy runner needs: nothing here may ask GitHub. */
function dependencies(stored: Pod | undefined | Error = busy) {
	const written: object[] = [];
	const events: string[] = [];
	const clock = new SimulatedClock(noon);
	const parts = {
		pods: {
			read: (object: Pod) => readRunnerPod(object, trusting),
			from: async (object: Pod) => readRunnerPod(object, trusting),
			get: async () => {
				if (stored instanceof Error) throw stored;
				return stored;
			},
			patch: async (_pod: unknown, { annotations }: { annotations: object }) => {
				written.push(annotations);
				return stored;
			},
		},
		ports: {
			self: 'me',
			now: clock.now,
			after: clock.after,
			sign: signer.signStatement,
			write: async (runner: unknown, { annotations }: { annotations: object }) => {
				written.push(annotations);
				return runner;
			},
		},
		events: {
			send: (_subject: unknown, type: string, reason: string) => void events.push(`${type} ${reason}`),
		},
		metrics: new Metrics(systemClock),
		log: pino({ level: 'silent' }),
		oneByOne: new OneByOne(),
		sign: signer.signStatement,
		verify: signer.verifyStatement,
		clock,
	};
	const asked = parts as unknown as Parameters<typeof subjects>[0] & Omit<ReviewDependencies, 'subjects'>;
	return { written, events, parts: { ...asked, subjects: subjects(asked) } };
}
const request = (change: Partial<AdmissionRequest>): AdmissionRequest => ({
	uid: 'u',
	namespace: 'ci',
	operation: 'DELETE',
	userInfo: { username: 'alice' },
	oldObject: busy,
	...change,
});

test('kubectl delete of a busy runner: 409 without retryAfterSeconds, one record, one Event (A1)', async () => {
	const { written, events, parts } = dependencies();
	const { status } = await deletePods(request({ options: { gracePeriodSeconds: 5 } }), known, parts);
	assert.equal(
		[status?.code, status?.reason, status?.details.retryAfterSeconds],
		[409, 'Conflict', undefined],
	);
	assert.equal(status?.details.causes[0]?.reason, 'busy');
	assert.match(status?.message ?? '', 'See: kubectl runners why r1 -n ci');
	assert.is(written.length, 1);
	assert.is(
		(written[0] as Record<string, string>)['actions-runner/deletion-options'],
		'{"via":"delete","gracePeriodSeconds":5}',
	);
	assert.equal(events, ['Normal DeletionRecorded']);
});
test("the scheduler's preemption: 429 with retryAfterSeconds, which alone slows it down (B8)", async () => {
	const { status } = await deletePods(
		request({ userInfo: { username: 'system:kube-scheduler' } }),
		known,
		dependencies().parts,
	);
	assert.equal([status?.code, status?.details.retryAfterSeconds], [429, 3]);
});
test('deletecollection sends no name: the pod is in oldObject (A14)', async () => {
	const { status } = await deletePods(request({ name: '' }), known, dependencies().parts);
	assert.match(status?.message ?? '', 'runner r1');
});
test('a dry run is refused in the same words and writes nothing (A15)', async () => {
	const { written, events, parts } = dependencies();
	const { allowed, status } = await deletePods(request({ dryRun: true }), known, parts);
	assert.equal([allowed, written, events], [false, [], []]);
	assert.match(status?.message ?? '', 'nothing is recorded');
});
test('break-glass: allowed, and reported (A12)', async () => {
	const { events, parts } = dependencies();
	const object = {
		...busy,
		metadata: { ...busy.metadata, annotations: { 'actions-runner/break-glass': 'INC-1' } },
	};
	parts.pods.get = async () => object;
	assert.ok((await deletePods(request({ oldObject: object }), known, parts)).allowed);
	assert.equal(events, ['Warning BreakGlass']);
});
test('what breaks inside denies, and is recorded all the same (invariant 3)', async () => {
	const { written, parts } = dependencies();
	parts.pods.from = async () => {
		throw new Error('no answer');
	};
	const { status } = await deletePods(request({}), known, parts);
	assert.is(status?.details.causes[0]?.reason, 'internal-error');
	assert.is(written.length, 1);
});
test('... but not over the record of somebody else that was written meanwhile (invariant 4)', async () => {
	const { written, parts } = dependencies();
	const annotations = { 'actions-runner/deletion-requested-by': 'bob', 'actions-runner/deletion-proof': 'x' };
	parts.pods.from = async () => {
		throw new Error('no answer');
	};
	parts.pods.patch = async (_pod, change, onlyIfVersion) => {
		parts.pods.get = async () => ({ ...busy, metadata: { ...busy.metadata, annotations } });
		if (onlyIfVersion) return 'conflict';
		written.push(change);
		return busy;
	};
	const { status } = await deletePods(request({}), known, parts);
	assert.equal([status?.details.causes[0]?.reason, written], ['internal-error', []]);
});

const eviction = (change: Partial<AdmissionRequest> = {}) =>
	request({ operation: 'CREATE', oldObject: null, object: { metadata: { name: 'r1' } }, ...change });

test('an eviction of a busy runner: 429 without retryAfterSeconds, whatever the Eviction lacks (B6)', async () => {
	for (const object of [{ metadata: { name: 'r1' } }, { metadata: {} }, {}]) {
		const { status } = await evictPods(eviction({ name: 'r1', object }), known, dependencies().parts);
		assert.equal(
			[status?.code, status?.reason, status?.details.retryAfterSeconds],
			[429, 'TooManyRequests', undefined],
		);
	}
});
test("an eviction's dry run may stand in its deleteOptions (A15)", async () => {
	const { written, parts } = dependencies();
	await evictPods(
		eviction({ object: { metadata: { name: 'r1' }, deleteOptions: { dryRun: ['All'] } } }),
		known,
		parts,
	);
	assert.equal(written, []);
});
test("an eviction of a pod that is gone, or of another UID, is the API server's to answer", async () => {
	const gone = dependencies();
	gone.parts.pods.get = async () => undefined;
	assert.ok((await evictPods(eviction(), known, gone.parts)).allowed);
	const other = eviction({
		object: { metadata: { name: 'r1' }, deleteOptions: { preconditions: { uid: 'other' } } },
	});
	assert.ok((await evictPods(other, known, dependencies().parts)).allowed);
});
const odd: unknown[] = [{ toString: 1, valueOf: null }, [{ toString: 1 }], ['r1'], [], {}, '', 5, true, null];
const whole = () => ({
	...eviction({ name: 'r1', subResource: 'eviction', dryRun: false, options: { gracePeriodSeconds: 5 } }),
	resource: { group: '', version: 'v1', resource: 'pods' },
	userInfo: {
		username: 'system:serviceaccount:ci:default',
		groups: ['system:authenticated'],
		extra: {
			'authentication.kubernetes.io/pod-name': ['r2'],
			'authentication.kubernetes.io/pod-uid': ['u2'],
		},
	},
	object: {
		metadata: { name: 'r1', namespace: 'ci' },
		deleteOptions: {
			gracePeriodSeconds: 5,
			propagationPolicy: 'Background',
			dryRun: [],
			preconditions: { uid: busy.metadata.uid },
		},
	},
});
/** Without these it is no AdmissionReview: 400. */
const needed = ['uid', 'operation', 'userInfo', 'object', 'object.metadata'];

for (const place of placesOf(whole()))
	test(`an eviction whose ${place} is nothing that an API server sends is answered: an error would let it go`, async () => {
		for (const value of odd) {
			const changed = JSON.stringify({
				apiVersion: 'admission.k8s.io/v1',
				kind: 'AdmissionReview',
				request: withValue(whole(), place.split('.'), value),
			});
			let asked: AdmissionRequest;
			try {
				asked = parseReview(Buffer.from(changed));
			} catch (error) {
				assert.instance(error, BadReview);
				assert.ok(needed.includes(place));
				continue;
			}
			const { written, parts } = dependencies();
			const { allowed, status } = await evictPods(asked, known, parts);
			// One of another UID means another pod.
			if (!place.includes('preconditions')) assert.equal([allowed, status?.code], [false, 429]);
			for (const record of written as Record<string, unknown>[])
				assert.type(record['actions-runner/deletion-requested-by'], 'string');
		}
	});

test('what else the API server says about a caller changes nothing: a runner cleans up its own job pods', () => {
	const own = {
		'authentication.kubernetes.io/pod-name': ['r2'],
		'authentication.kubernetes.io/pod-uid': ['u2'],
	};
	const asked = {
		...whole(),
		userInfo: { username: 'alice', extra: { scopes: null, more: 5, odd: [{}], ...own } },
	};
	const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asked };
	assert.equal(parseReview(Buffer.from(JSON.stringify(review))).userInfo.extra, own);
});

test('labels and annotations are texts, whoever has sent the review', () => {
	const metadata = {
		name: 'a',
		labels: { 'actions-runner': '', 'actions-runner/busy': true },
		annotations: { 'actions-runner/registered-as': 0, other: {}, long: null, kept: 'yes' },
	};
	const asked = {
		...whole(),
		object: { metadata },
		oldObject: { metadata: { labels: ['a'], annotations: 'b' } },
	};
	const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asked };
	const read = (reduced: boolean) => parseReview(Buffer.from(JSON.stringify(review)), reduced);
	const labels = { 'actions-runner': '' };
	assert.equal(read(false).object, { metadata: { name: 'a', labels, annotations: { kept: 'yes' } } });
	// Of a large review the long values have been left out.
	const annotations = { long: null, kept: 'yes' };
	assert.equal(read(true).object, { metadata: { name: 'a', labels, annotations } });
	assert.equal(read(true).oldObject, { metadata: {} });
});

/** Pods with every field that is read: a runner's that has to be filled in, a scale set's, and a job's. */
function wholePods(): Pod[] {
	const ownerReferences = [
		{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'r1', uid: 'owner', controller: true },
	];
	const times = { startedAt: '2026-11-23T12:00:00Z', finishedAt: '2026-11-23T12:00:05Z' };
	const state = {
		waiting: { reason: 'CrashLoopBackOff' },
		running: times,
		terminated: { exitCode: 7, ...times },
	};
	const statuses = ['runner', 'job'].map((name) => ({ name, restartCount: 1, state, lastState: state }));
	const env = [
		...(pod().spec?.containers?.[0]?.env ?? []),
		{ name: 'A', value: '$(B)' },
		{ name: 'B', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
		{ name: 'C', valueFrom: { secretKeyRef: { name: 'a', key: 'b' } } },
	];
	const container = {
		image: 'ghcr.io/actions/actions-runner:latest',
		command: ['sh'],
		args: ['-c'],
		env,
		envFrom: [{ prefix: 'X_' }],
		resources: { requests: { cpu: '1' }, limits: { cpu: '2' } },
		resizePolicy: [{ resourceName: 'cpu', restartPolicy: 'NotRequired' }],
		restartPolicyRules: [{ action: 'Restart' }],
		lifecycle: { postStart: {} },
		volumeMounts: [{ name: 'work', mountPath: '/work', subPath: 'a', readOnly: false }],
	};
	const spec = {
		nodeName: 'node-1',
		restartPolicy: 'Never',
		activeDeadlineSeconds: 5,
		resources: container.resources,
		containers: ['runner', 'docker'].map((name) => ({ name, ...container })),
		initContainers: [{ name: 'init', ...container, restartPolicy: 'Always' }],
		hostNetwork: false,
		dnsPolicy: 'ClusterFirst',
		os: { name: 'linux' },
		nodeSelector: { 'kubernetes.io/os': 'linux' },
		volumes: [{ name: 'work' }],
	};
	const status = {
		phase: 'Running',
		reason: 'Evicted',
		conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: times.startedAt }],
		containerStatuses: statuses,
		initContainerStatuses: statuses,
	};
	const labels = {
		'actions-runner': '',
		'actions-runner/busy': 'true',
		[setKeys.injectToken]: 'true',
	};
	const metadata = { labels, ownerReferences, creationTimestamp: times.startedAt };
	const { metadata: jobMetadata, spec: jobSpec } = jobPodObject({ metadata: { ownerReferences } });
	const scaleSetsOwner = {
		apiVersion: 'actions.github.com/v1alpha1',
		kind: 'EphemeralRunner',
		name: 'r1',
		uid: 'o',
	};
	return [
		pod({ metadata, spec, status }),
		pod({
			metadata: { ...metadata, ownerReferences: [scaleSetsOwner] },
			spec: { ...spec, containers: [{ ...container, ...jitContainer('r1') }] },
			status,
		}),
		{ metadata: jobMetadata, spec: { ...spec, ...jobSpec }, status },
	];
}

const hookServer = { url: 'https://hooks.example', authorities: 'PEM', address: undefined };
/** Every handler that reads pods of reviews. */
const readers: Record<string, (asked: AdmissionRequest, parts: ReviewDependencies) => unknown> = {
	DELETE: (asked, parts) => deletePods(asked, known, parts),
	UPDATE: (asked) => updatePods(asked, 'guard', kindsByThemselves()),
	'CREATE of our sets': (asked) => createPods(asked, (made) => injectHooks(made, hookServer)),
	'CREATE of others': (asked) =>
		hookOtherPods(asked, hookServer, { in: async () => ({ state: 'accepted' }) }),
	'CREATE with a mark': (asked) => markOtherPods(asked),
};

for (const [what, read] of Object.entries(readers))
	test(`a pod of which any field is nothing that an API server sends: its ${what} is answered`, async () => {
		const operation = what.split(' ')[0];
		const { parts } = dependencies();
		for (const object of wholePods()) {
			for (const place of placesOf(object)) {
				for (const value of odd) {
					const changed = withValue(object, place.split('.'), value);
					const body = JSON.stringify({
						apiVersion: 'admission.k8s.io/v1',
						kind: 'AdmissionReview',
						request: {
							...request({ operation: operation as 'DELETE' }),
							resource: { group: '', version: 'v1', resource: 'pods' },
							oldObject: operation === 'CREATE' ? null : changed,
							object: operation === 'DELETE' ? null : operation === 'CREATE' ? changed : object,
						},
					});
					let asked: AdmissionRequest;
					try {
						asked = parseReview(Buffer.from(body));
					} catch (error) {
						assert.instance(error, BadReview);
						assert.ok(['metadata', 'metadata.name'].includes(place));
						continue;
					}
					try {
						await read(asked, parts);
					} catch (error) {
						assert.unreachable(`${place} is ${JSON.stringify(value)}: ${error}`);
					}
				}
			}
		}
	});

test('a list of as many entries as a review can hold, one of them of another type', () => {
	const args = [5, ...Array.from({ length: 700_000 }, () => 'a')];
	const object = pod({ spec: { containers: [{ name: 'runner', args: args as string[] }] } });
	const asked = {
		...request({ oldObject: object }),
		resource: { group: '', version: 'v1', resource: 'pods' },
	};
	const review = { apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asked };
	const { oldObject } = parseReview(Buffer.from(JSON.stringify(review)));
	assert.is((oldObject as Pod).spec?.containers?.[0]?.args?.length, 700_000);
});

/** The path of every field of the object, with dots. */
function placesOf(value: unknown, path: string[] = []): string[] {
	const below =
		typeof value === 'object' && value !== null
			? Object.entries(value).flatMap(([key, child]) => placesOf(child, [...path, key]))
			: [];
	return path.length > 0 && !path.some((key) => key.includes('/')) ? [path.join('.'), ...below] : below;
}

function withValue(object: object, [key = '', ...rest]: string[], value: unknown): object {
	const child = (object as Record<string, unknown>)[key];
	const changed = rest.length === 0 ? value : withValue(child as object, rest, value);
	return Array.isArray(object) ? object.with(Number(key), changed) : { ...object, [key]: changed };
}

test('a record names somebody, also where the review names nobody: it would not be read', async () => {
	const userInfo = { username: '' };
	for (const review of [
		(parts: ReviewDependencies) => deletePods(request({ userInfo }), known, parts),
		(parts: ReviewDependencies) => evictPods(eviction({ userInfo }), known, parts),
	]) {
		const { written, parts } = dependencies();
		await review(parts);
		assert.is((written[0] as Record<string, string>)['actions-runner/deletion-requested-by'], 'unknown');
	}
});
test('the probe: a dry-run eviction of a pod that does not exist is answered with a warning, no other', async () => {
	const gone = dependencies();
	gone.parts.pods.get = async () => undefined;
	const ask = (name: string, dryRun: boolean) => evictPods(eviction({ name, dryRun }), known, gone.parts);
	assert.equal((await ask(probe.pod, true)).warnings, [probe.answer]);
	assert.is((await ask(probe.pod, false)).warnings, undefined);
	assert.is((await ask('another', true)).warnings, undefined);
});
test('an eviction whose pod cannot be looked up is refused: an error would let it go', async () => {
	const { status } = await evictPods(eviction(), known, dependencies(new Error('timed out')).parts);
	assert.equal([status?.code, status?.details.causes[0]?.reason], [429, 'internal-error']);
});

function update(after: (pod: Pod) => void, username = 'alice', before = busy) {
	const object = structuredClone(before);
	after(object);
	return updatePods(
		request({ operation: 'UPDATE', oldObject: before, object, userInfo: { username } }),
		'guard',
		kindsByThemselves(),
	);
}
test('a label by which a live runner is recognised stays (A13)', () => {
	const answer = update((changed) => delete changed.metadata.labels?.['actions-runner']);
	assert.is(answer.status?.code, 403);
	assert.match(answer.status?.message ?? '', 'actions-runner must not be changed');
});
test('the busy label is ours alone to take away', () => {
	const unlabel = (changed: Pod) => delete changed.metadata.labels?.['actions-runner/busy'];
	assert.not(update(unlabel).allowed);
	assert.ok(update(unlabel, 'guard').allowed);
});
test('a new image would restart the container and kill the job', () => {
	const answer = update((changed) => {
		for (const container of changed.spec?.containers ?? []) container.image = 'runner:2';
	});
	assert.match(answer.status?.message ?? '', 'new image');
});
test('other labels may change, and everything on a runner that has stopped', () => {
	assert.ok(update((changed) => Object.assign(changed.metadata.labels ?? {}, { team: 'a' })).allowed);
	const stopped = pod({ status: { phase: 'Succeeded' } });
	assert.ok(
		update((changed) => delete changed.metadata.labels?.['actions-runner'], 'alice', stopped).allowed,
	);
});

test.run();
