/** Job hooks for pods of ARC and of scale sets: tried once in each namespace before any pod is changed. */
import jsonpatch from 'jsonpatch';
import * as assert from 'uvu/assert';
import { busy, jobHooks } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { hookOtherPods, markOtherPods } from '../../../../admission/jobs/hooks/hook-other-pods.ts';
import { type HookServer, injectHooks, isHooked } from '../../../../admission/jobs/hooks/rules/inject.ts';
import { refusedNamespaceForMs } from '../../../../admission/jobs/hooks/rules/policy.ts';
import { Trials } from '../../../../admission/jobs/hooks/trials.ts';
import { type KubeClient, KubeError, type RequestOptions } from '../../../../admission/kube/client.ts';
import { applied } from '../../../../admission/webhook/apply.ts';
import { scaleSetPod } from '../../../sim/scale-set-pods.ts';
import { suite } from '../../../support/suite.ts';
import { SimulatedClock } from '../../support/clock.ts';
import { recordingLog } from '../../support/log.ts';

const test = suite("job hooks of others' pods");

const server: HookServer = { url: 'https://hooks.example', authorities: 'PEM', address: undefined };
const unmarked = scaleSetPod({ name: 's-1', namespace: 'ci', ownerUid: 'u' }) as Pod;
/** With its mark, so that only hooks change it. */
const runnerPod = (annotations?: Record<string, string>): Pod => {
	const labels = { ...unmarked.metadata.labels, [busy.label]: 'unknown' };
	return { ...unmarked, metadata: { ...unmarked.metadata, labels, ...(annotations ? { annotations } : {}) } };
};

/** An API server that refuses what the test says. */
function setUp(refuses: (pod: Pod) => KubeError | undefined) {
	const clock = new SimulatedClock('2026-11-23T12:00:00Z');
	const tried: Pod[] = [];
	const client = {
		request: async (method: string, path: string, { body, query }: RequestOptions) => {
			assert.equal([method, path, query], ['POST', '/api/v1/namespaces/ci/pods', { dryRun: 'All' }]);
			tried.push(body as Pod);
			const error = refuses(body as Pod);
			if (error) throw error;
			return {};
		},
	} as unknown as KubeClient;
	const { log, lines } = recordingLog('debug');
	const trials = new Trials({ client, clock, log });
	const review = async (object: Pod = runnerPod()): Promise<Pod> => {
		const request = { uid: 'u', operation: 'CREATE', namespace: 'ci', userInfo: {}, object } as const;
		const answer = await hookOtherPods(request, server, trials);
		assert.ok(answer.allowed);
		if (!answer.patch) return object;
		const patch = JSON.parse(Buffer.from(answer.patch, 'base64').toString());
		return jsonpatch.apply_patch(structuredClone(object), patch) as Pod;
	};
	return { clock, tried, review, lines };
}
const forbidden = new KubeError(
	403,
	'Forbidden',
	'violates PodSecurity "custom": projected\u001b[2J volumes',
);

test('accepted: tried once, with a name of its own and without its owner, and then all get hooks', async () => {
	const { tried, review } = setUp(() => undefined);
	const made = await Promise.all([review(), review()]);
	assert.equal(made.map(isHooked), [true, true]);
	assert.ok(isHooked(await review()));
	assert.is(tried.length, 1);
	const [trial] = tried;
	assert.ok(isHooked(trial as Pod));
	assert.equal([trial?.metadata.name, trial?.metadata.ownerReferences], [undefined, undefined]);
});

test('refused because of the hooks: none, and the pod says why; tried again later', async () => {
	const { clock, tried, review, lines } = setUp((pod) => (isHooked(pod) ? forbidden : undefined));
	for (const made of [await review(), await review()]) {
		assert.not(isHooked(made));
		const why = made.metadata.annotations?.[jobHooks.absent] ?? '';
		assert.match(why, /^refused in this namespace: violates PodSecurity "custom"/);
		assert.not.match(why, '\u001b');
	}
	assert.is(tried.length, 2);
	assert.is(lines.filter((line) => line.includes('refuses pods with job hooks')).length, 1);
	await clock.pass(refusedNamespaceForMs);
	await review();
	assert.is(tried.length, 4);
});

test('refused with and without hooks, or no answer: nothing is changed, nothing remembered', async () => {
	for (const error of [
		forbidden,
		new KubeError(0, 'NoAnswer', 'away'),
		new KubeError(429, '', 'busy'),
		new KubeError(409, '', 'x'),
	]) {
		let refusing = true;
		const { review } = setUp(() => (refusing ? error : undefined));
		const object = runnerPod();
		assert.is(await review(object), object);
		refusing = false;
		assert.ok(isHooked(await review()));
	}
});

test('what can have no hooks is not tried; a second pass changes nothing', async () => {
	const { tried, review } = setUp(() => undefined);
	const off = await review(runnerPod({ [jobHooks.wanted]: 'off' }));
	assert.match(off.metadata.annotations?.[jobHooks.absent] ?? '', 'is off');
	assert.is(tried.length, 0);
	const made = await review();
	assert.is(await review(made), made);
	const app = { metadata: { name: 'app' }, spec: { containers: [{ name: 'app' }] } };
	assert.is(await review(app), app);
});

test('hooks or none: it is marked as unknown, and no other pod is', async () => {
	const marked = async (refuses: (pod: Pod) => KubeError | undefined, object: Pod) =>
		(await setUp(refuses).review(object)).metadata.labels?.[busy.label];
	const refusing = { always: () => forbidden, hooks: (pod: Pod) => (isHooked(pod) ? forbidden : undefined) };
	for (const refuses of [() => undefined, refusing.always, refusing.hooks])
		assert.is(await marked(refuses, unmarked), 'unknown');
	const off = { ...unmarked.metadata, annotations: { [jobHooks.wanted]: 'off' } };
	assert.is(await marked(() => undefined, { ...unmarked, metadata: off }), 'unknown');
	const busyAlready = { ...unmarked.metadata, labels: { ...unmarked.metadata.labels, [busy.label]: 'true' } };
	assert.is(await marked(() => undefined, { ...unmarked, metadata: busyAlready }), 'true');
	const app = { metadata: { name: 'app' }, spec: { containers: [{ name: 'app' }] } };
	assert.is(await marked(() => undefined, app), undefined);
});

test('a runner without any label is marked as well', () => {
	const { labels: _, ...metadata } = unmarked.metadata;
	const env = [{ name: 'RUNNER_ORG', value: 'octo-org' }];
	const object = { metadata, spec: { containers: [{ name: 'runner', env }] } };
	const { patch = '' } = markOtherPods({ uid: 'u', operation: 'CREATE', userInfo: {}, object });
	const operations = JSON.parse(Buffer.from(patch, 'base64').toString());
	const made = jsonpatch.apply_patch(structuredClone(object), operations) as Pod;
	assert.equal(made.metadata.labels, { [busy.label]: 'unknown' });
});

test('operations are applied as the API server applies them', () => {
	const before: (Record<string, string> | undefined)[] = [undefined, {}, { a: 'b', [jobHooks.absent]: 'x' }];
	for (const annotations of before) {
		const pod = runnerPod(annotations);
		const operations = injectHooks(pod, server);
		const sent = JSON.stringify(operations);
		assert.ok(isHooked(applied(pod, operations)));
		assert.is(JSON.stringify(operations), sent);
		assert.equal(applied(pod, operations), jsonpatch.apply_patch(structuredClone(pod), operations as never));
	}
});

test('what is not changed is not copied, and the pod stays as it was', () => {
	const pod = runnerPod({ a: 'b' });
	const before = structuredClone(pod);
	const changed = applied(pod, injectHooks(pod, server));
	assert.equal(pod, before);
	assert.is(changed.status, pod.status);
	assert.is.not(changed.metadata.annotations, pod.metadata.annotations);
	assert.is(changed.metadata.labels, pod.metadata.labels);
});

test('... also where a variable of the template is replaced', () => {
	const pod = runnerPod();
	const container = pod.spec?.containers?.find(({ name }) => name === 'runner');
	Object.assign(container ?? {}, {
		env: [{ name: 'ACTIONS_RUNNER_HOOK_JOB_STARTED', value: '/opt/own.sh' }],
	});
	const operations = injectHooks(pod, server);
	assert.ok(operations.some(({ op }) => op === 'replace'));
	assert.equal(applied(pod, operations), jsonpatch.apply_patch(structuredClone(pod), operations as never));
});

test.run();
