/** What install and uninstall decide from what is in the cluster. */
import * as assert from 'uvu/assert';
import { arc, busy, progress, record } from '../../../../admission/api/keys.ts';
import type { Pod } from '../../../../admission/api/kinds.ts';
import { drainFinalizer } from '../../../../admission/api/sets.ts';
import { outcomeOf } from '../../../../plugin/installation/apply.ts';
import type { Manifest } from '../../../../plugin/installation/manifest.ts';
import { obsolete } from '../../../../plugin/installation/obsolete.ts';
import { type ArcDeployment, obstacles, refusal } from '../../../../plugin/installation/obstacles.ts';
import { handedOver, isOurNamespace } from '../../../../plugin/installation/ownership.ts';
import {
	autoscalersWarning,
	recordedWarning,
	uninstallRefusal,
} from '../../../../plugin/installation/refusals.ts';
import {
	autoscalerLines,
	planLines,
	takeovers,
	webhookServerLines,
} from '../../../../plugin/installation/takeover.ts';
import { tracesOn } from '../../../../plugin/installation/traces.ts';
import type { RunnersSet } from '../../../../plugin/sets/api.ts';
import { suite } from '../../../support/suite.ts';
import { autoscaler } from '../autoscalers/autoscaler.ts';

const test = suite('install: plans');
const nowMs = Date.parse('2026-11-24T12:00:00Z');

const manifest = (kind: string, name: string, metadata: object = {}): Manifest => ({
	apiVersion: 'v1',
	kind,
	metadata: { name, ...metadata },
});

const arcController = (image: string, command: string[] = [], replicas?: number): ArcDeployment => ({
	metadata: { name: 'arc', namespace: 'arc-systems' },
	spec: { replicas, template: { spec: { containers: [{ image, command }] } } },
});

for (const [image, command, isObstacle] of [
	['summerwind/actions-runner-controller:v0.27.6', ['/manager'], true],
	['registry.example:5000/mirror/actions-runner-controller@sha256:0', [], true],
	['summerwind/actions-runner-controller:v0.27.6', ['/github-webhook-server'], false],
	['summerwind/actions-runner-controller:v0.27.6', ['/actions-metrics-server'], false],
	['ghcr.io/actions/gha-runner-scale-set-controller:0.12.1', ['/manager'], false],
	['example/my-actions-runner-controller-proxy:1', [], false],
] as const) {
	test(`${image} ${command}: ${isObstacle ? 'an obstacle' : 'no obstacle'}`, () => {
		assert.is(obstacles([arcController(image, [...command])], []).length, isObstacle ? 1 : 0);
	});
}

test("ARC's controller scaled to zero is no obstacle, its webhooks are, and ours are not", () => {
	const scaled = arcController('summerwind/actions-runner-controller:v0.27.6', [], 0);
	const webhooks = (name: string) => ({
		kind: 'MutatingWebhookConfiguration' as const,
		metadata: { name: 'w' },
		webhooks: [{ name }],
	});
	const found = obstacles(
		[scaled],
		[webhooks('mutate.runner.actions.summerwind.dev'), webhooks('pods.runners-admission.svc')],
	);
	assert.equal(
		found.map(({ remedy }) => remedy),
		['kubectl delete mutatingwebhookconfiguration w'],
	);
	assert.is(refusal(found).split('\n').length, 3);
});

test('obsolete objects: those not wanted any more, webhooks first, and never definitions or namespaces', () => {
	const crd = manifest('CustomResourceDefinition', 'runnersets.actions.summerwind.dev');
	const kept = manifest('Service', 's');
	const found = [
		crd,
		manifest('Namespace', 'n'),
		manifest('ClusterRole', 'r'),
		kept,
		manifest('MutatingWebhookConfiguration', 'w'),
	];
	assert.equal(
		obsolete(found, [kept], found).map(({ kind }) => kind),
		['MutatingWebhookConfiguration', 'ClusterRole'],
	);
	// The same kind in another version of its API is the same object.
	const [old, fresh] = ['apps/v1', 'apps/v2'].map((apiVersion) => ({ ...kept, apiVersion }));
	assert.equal(obsolete([old!], [fresh!], [old!]), []);
});

test('obsolete objects: what somebody added beside the overlays stays, what an older version applied goes', () => {
	const owned = (manager: string, operation: string) => ({ managedFields: [owner(manager, operation, {})] });
	const added = manifest('Service', 'metrics', owned('kubectl-client-side-apply', 'Update'));
	const touched = manifest('Service', 'touched', owned('kubectl-runners', 'Update'));
	const older = manifest('Service', 'of-an-older-version', owned('kubectl-runners', 'Apply'));
	assert.equal(obsolete([added, touched, older], [], []), [older]);
});

const label = { 'f:labels': { 'f:app.kubernetes.io/part-of': {} } };
const owner = (manager: string, operation: string, fields: object) => ({
	manager,
	operation,
	fieldsV1: { 'f:metadata': label, 'f:spec': fields },
});

test('what kubectl apply wrote of our manifests is handed over, whole; what others wrote stays theirs', () => {
	const others = owner('kube-controller-manager', 'Update', { 'f:x': {} });
	const object = manifest('Deployment', 'd', {
		managedFields: [
			owner('kubectl-client-side-apply', 'Update', { 'f:args': {}, 'f:a': { 'f:b': {} } }),
			owner('kubectl-runners', 'Apply', { 'f:a': { 'f:c': {} } }),
			others,
		],
	});
	assert.equal(handedOver(object), [
		others,
		owner('kubectl-runners', 'Apply', { 'f:args': {}, 'f:a': { 'f:b': {}, 'f:c': {} } }),
	]);
	const theirs = { ...owner('kubectl-client-side-apply', 'Update', {}), fieldsV1: {} };
	assert.is(handedOver(manifest('Namespace', 'n', { managedFields: [theirs] })), undefined);
	const scaled = { ...owner('kubectl', 'Apply', {}), subresource: 'scale' };
	assert.is(handedOver(manifest('Deployment', 'd', { managedFields: [scaled] })), undefined);
});

test('an object is unchanged if only metadata that the API server writes differs', () => {
	const before = { ...manifest('Service', 's', { resourceVersion: '1', generation: 1 }), spec: { a: 1 } };
	const after = {
		...manifest('Service', 's', { resourceVersion: '2', generation: 2 }),
		spec: { a: 1 },
		status: {},
	};
	assert.is(outcomeOf(before, after), 'unchanged');
	assert.is(outcomeOf(before, { ...after, spec: { a: 2 } }), 'configured');
	assert.is(outcomeOf(undefined, after), 'created');
});

test('a namespace is ours only if nobody else ever wrote to it', () => {
	const labels = { 'app.kubernetes.io/part-of': 'kubectl-runners' };
	const of = (...managedFields: object[]) =>
		isOurNamespace(manifest('Namespace', 'n', { labels, managedFields }));
	assert.ok(of(owner('kubectl-runners', 'Apply', {})));
	assert.ok(of(owner('kubectl-client-side-apply', 'Update', {})));
	assert.not.ok(
		of({ manager: 'kubectl-create', operation: 'Update' }, owner('kubectl-runners', 'Apply', {})),
	);
	assert.not.ok(of());
	assert.not.ok(
		isOurNamespace(manifest('Namespace', 'n', { managedFields: [owner('kubectl-runners', 'Apply', {})] })),
	);
});

const pod = (name: string, labels: object, annotations: object = {}, more: object = {}): Pod =>
	({
		metadata: { name, namespace: 'ci', labels, annotations, ...more },
		spec: { containers: [{ name: 'runner' }] },
	}) as Pod;
const set = (name: string, finalizers: string[] = [], more: object = {}) =>
	({
		kind: 'RunnerSet',
		metadata: { name, namespace: 'ci', finalizers, ...more },
		spec: {},
	}) as unknown as RunnersSet;
const busyPod = (name: string, ofSet: string): Pod => ({
	...pod(name, { 'runnerset-name': ofSet, [busy.label]: 'true' }),
	status: { phase: 'Running' },
});

test('the plan lists the sets that are not ours yet, each with its own runners (I4)', () => {
	const plan = takeovers(
		[set('a'), set('b', [drainFinalizer]), set('c')],
		[busyPod('a-0', 'a'), pod('a-1', { 'runnerset-name': 'a' }), busyPod('b-0', 'b')],
	);
	assert.equal(planLines(plan, nowMs), [
		'Plan: 2 sets are taken over; no job is stopped',
		'  runnerset/a -n ci: 2 runners: 1 busy (finish their jobs), 1 pending (are replaced, a surge at a time)',
		'  runnerset/c -n ci: 0 runners',
	]);
	assert.equal(planLines([], nowMs), []);
});

test("autoscalers that our server has not reconciled yet are named, and what ARC's webhook server adds to them", () => {
	const fresh = autoscaler({
		spec: { capacityReservations: [{ replicas: 1 }, { replicas: 1 }] },
		status: { observedGeneration: undefined },
	});
	assert.equal(autoscalerLines([autoscaler({ name: 'ours' }), fresh]), [
		"  horizontalrunnerautoscaler/example -n ci: is taken over, and counts jobs (min 1, max 10); 2 of ARC's capacityReservations add runners until they expire",
	]);
	const image = 'summerwind/actions-runner-controller:v0.27.6';
	const server = arcController(image, ['/github-webhook-server']);
	const lines = webhookServerLines([arcController(image, ['/manager']), server], [fresh]);
	assert.is(lines.length, 1);
	assert.match(lines[0] ?? '', /^ {2}deployment\/arc -n arc-systems: still writes capacityReservations/);
	assert.equal(webhookServerLines([server], []), [], 'nobody would read them');
	assert.equal(webhookServerLines([arcController(image, ['/github-webhook-server'], 0)], [fresh]), []);
	assert.match(
		autoscalersWarning([fresh]) ?? '',
		/^Warning: 1 autoscaler would be deleted .*: horizontalrunnerautoscaler\/example -n ci$/,
	);
	assert.is(autoscalersWarning([]), undefined);
});

test('uninstall is refused while sets, or what waits for a job, would take runners with them', () => {
	const refuse = (
		sets: RunnersSet[],
		finalized: RunnersSet[],
		keepCrds: boolean,
		pods = [busyPod('a-0', 'a')],
	) => uninstallRefusal(sets, finalized as unknown as Manifest[], pods, keepCrds, nowMs);
	assert.match(
		refuse([set('a'), set('b')], [], false) ?? '',
		/^error: 2 sets .*: runnerset\/a -n ci \(1 busy\), runnerset\/b -n ci\n/,
	);
	assert.is(refuse([set('a')], [set('a')], true), undefined);
	const leaving = set('a', [drainFinalizer], { deletionTimestamp: '2026-11-24T11:00:00Z' });
	assert.match(
		refuse([leaving], [leaving], true) ?? '',
		/^error: runnerset\/a -n ci is being deleted and waiting/,
	);
	assert.is(refuse([leaving], [leaving], true, []), undefined, 'no job left: nothing is lost');
	assert.is(recordedWarning([]), undefined);
	const many = ['a', 'b', 'c', 'd'].map((name) => pod(name, {}));
	assert.match(recordedWarning(many) ?? '', /^Warning: 4 recorded deletions .* pod\/c -n ci, 1 more$/);
});

test("everything that we wrote is removed from a pod, and nothing of ARC's or the user's", () => {
	const marked = pod(
		'p',
		{ [busy.label]: 'true', app: 'x' },
		{
			[busy.since]: 't',
			[busy.marks]: 'karpenter.sh/do-not-disrupt',
			'karpenter.sh/do-not-disrupt': 'true',
			'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
			[record.requestedAt]: 't',
			[record.requestedBy]: 'alice',
			[progress.runnerId]: '7',
			note: 'mine',
		},
	);
	marked.status = {
		conditions: [
			{ type: busy.condition, status: 'True' },
			{ type: 'Ready', status: 'True' },
		],
	};
	const traces = tracesOn(marked);
	assert.equal(traces.labels, [busy.label]);
	assert.equal(traces.conditions, [busy.condition]);
	assert.equal(
		traces.annotations.sort(),
		[
			busy.since,
			busy.marks,
			'karpenter.sh/do-not-disrupt',
			record.requestedAt,
			record.requestedBy,
			progress.runnerId,
		].sort(),
	);
});

test("ARC's own annotations, and a user's autoscaler marks, stay", () => {
	const arcs = pod(
		'p',
		{},
		{
			[arc.runnerId]: '7',
			[arc.requestedAt]: 't',
			'actions-runner/unregistration-complete-timestamp': 't',
			[arc.completionWait]: 't',
			'karpenter.sh/do-not-disrupt': 'true',
			[busy.marks]: 'app,../x',
		},
	);
	assert.equal(tracesOn(arcs), { annotations: [busy.marks], labels: [], conditions: [] });
});

test.run();
