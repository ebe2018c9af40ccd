/**
 * The mass promise: over 50 busy runners, and one command or controller after the other that would kill them all. Nobody's
 * DELETE ends a job, and all go when their jobs end.
 */
import * as assert from 'uvu/assert';
import { evict, remove } from '../../rig/api-call.ts';
import { eventually } from '../../rig/eventually.ts';
import { allMarked, allRecorded, endJobs, type Fleet, startFleet, startJobs } from '../../rig/fleet.ts';
import type { Rig } from '../../rig/rig.ts';
import { plainPod, urgentPriority } from '../../rig/spaces.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { type HistoryContext, historyTests } from '../support/space-tests.ts';

interface Context extends HistoryContext {
	/** What people do comes to these, of StatefulSets and EphemeralRunners. */
	people: Fleet;
	/** What controllers do comes to these, on nodes without room for more. */
	controllers: Fleet;
}

const scheduler = 'system:kube-scheduler';
const karpenter = 'system:serviceaccount:kube-system:karpenter';
const garbageCollector = 'system:serviceaccount:kube-system:generic-garbage-collector';
const namespaceController = 'system:serviceaccount:kube-system:namespace-controller';
/** 13 busy runners on each. */
const fullNodes = 4;

const test = historyTests<Context>('fifty busy runners', { prepare: () => stage('replicas') });

test.before(async (context) => {
	const { rig } = context;
	await rig.apply(urgentPriority);
	context.controllers = await startFleet(rig, 'controllers', { fullNodes });
	await startJobs(rig, context.controllers);
	context.people = await startFleet(rig, 'people', { statefulSets: true });
});
test.after(({ rig }) => {
	if (rig) console.log(`\nmedian time from a job's end to its pod's: ${rig.agents.medianReleaseMs()} ms`);
});
test.after.each(({ history }) => {
	assert.equal(history.violations({ settled: false }), []);
});

/** DELETEs to GitHub about a fleet's runners. */
const deletesOf = (rig: Rig, { scopes }: Fleet) =>
	scopes.reduce((sum, scope) => sum + rig.github.count({ endpoint: 'delete', scope }), 0);

/** GitHub is not asked to remove a runner that works: its log says so before any list does. */
function notAsked(rig: Rig, fleet: Fleet): void {
	assert.is(deletesOf(rig, fleet), 0, 'DELETE calls');
}

/** Those of a fleet whose deletion the guard has denied this user. */
function deniedTo(rig: Rig, { namespace }: Fleet, user: string): Set<string> {
	const lines = rig.logs((line) => line.msg === 'deletion denied' && line.user === user);
	return new Set(lines.flatMap(({ pod }) => (String(pod).startsWith(`${namespace}/`) ? [String(pod)] : [])));
}

async function noneTerminates(rig: Rig, { namespace, names }: Fleet): Promise<void> {
	const pods = await rig.pods(namespace);
	const alive = pods.filter(({ metadata }) => names.includes(metadata.name) && !metadata.deletionTimestamp);
	assert.is(alive.length, names.length);
}

test('kubectl delete pod --all right after 52 jobs began: no job dies, GitHub is asked about none, all are recorded', async ({
	rig,
	history,
	people,
}) => {
	await startJobs(rig, people);
	const deleted = await rig.kubectl(['-n', people.namespace, 'delete', 'pod', '--all', '--wait=false']);
	assert.is(deleted.code, 1);
	// None of these jobs is in a list yet. Where much is asked at once a log may be read too late: then it is said so.
	const denials = deleted.stderr.match(/denied the request: .*/g) ?? [];
	assert.is(denials.length, people.names.length, deleted.stderr);
	const others = denials.filter((denial) => !/runner \S+ is busy/.test(denial));
	if (others.length > 0) console.log(`${others.length} others: ${others[0]}`);
	for (const denial of denials) assert.match(denial, 'Recorded: ');
	await allRecorded(history, people);
	await noneTerminates(rig, people);
	notAsked(rig, people);
});

test('kubectl drain of a node with 52 busy runners: each is refused, GitHub is not asked', async ({
	rig,
	people,
}) => {
	const args = ['drain', ...people.nodes, '--force', '--ignore-daemonsets', '--timeout=4s'];
	const drained = await rig.kubectl(args);
	assert.is(drained.code, 1);
	for (const name of people.names) assert.match(drained.stderr, `error when evicting pods/"${name}"`);
	await noneTerminates(rig, people);
	notAsked(rig, people);
});

test('the 42 StatefulSets and 10 EphemeralRunners that own busy runners are deleted: the garbage collector kills no job', async ({
	rig,
	people,
}) => {
	const { namespace, names } = people;
	for (const path of ['apis/apps/v1', 'apis/actions.github.com/v1alpha1']) {
		const kind = path.includes('apps') ? 'statefulsets' : 'ephemeralrunners';
		await rig.kube.delete(`/${path}/namespaces/${namespace}/${kind}`, {});
	}
	// It looks for new kinds every 30 s.
	const denied = () => deniedTo(rig, people, garbageCollector).size;
	await eventually('it has been refused all of them', () => denied() === names.length, { withinMs: 120_000 });
	await noneTerminates(rig, people);
	notAsked(rig, people);
});

test('kubectl delete namespace with 52 busy runners: no job dies; all go when their job ends, then the namespace', async ({
	rig,
	people,
}) => {
	const { namespace, names } = people;
	await rig.ok(['delete', 'namespace', namespace, '--wait=false']);
	await eventually('its controller is refused', () => deniedTo(rig, people, namespaceController).size > 0);
	await noneTerminates(rig, people);
	await endJobs(rig, people, names);
	notAsked(rig, people);
	await eventually(
		'the namespace is gone',
		() =>
			rig.kube.get(`/api/v1/namespaces/${namespace}`).then(
				() => false,
				(error: unknown) => error instanceof KubeError && error.status === 404,
			),
		{ withinMs: 120_000, everyMs: 500 },
	);
});

test('NoExecute taint on nodes with 52 busy runners: no job dies, all are recorded', async ({
	rig,
	history,
	controllers,
}) => {
	await allMarked(rig, controllers);
	await rig.ok(['taint', 'node', ...controllers.nodes, 'maintenance=now:NoExecute']);
	await allRecorded(history, controllers);
	await noneTerminates(rig, controllers);
	await rig.ok(['taint', 'node', ...controllers.nodes, 'maintenance-']);
});

test('Karpenter past its terminationGracePeriod: evictions, then DELETEs with less and less grace: no job dies', async ({
	rig,
	call,
	controllers,
}) => {
	const { namespace, names } = controllers;
	const uids = new Map((await rig.pods(namespace)).map((pod) => [pod.metadata.name, pod.metadata.uid]));
	const options = (name: string) => ({ preconditions: { uid: uids.get(name) } });
	const evicted = await Promise.all(
		names.map((name) => evict(call, namespace, name, options(name), karpenter)),
	);
	assert.equal(new Set(evicted.map((answer) => answer.status)), new Set([429]));
	for (const gracePeriodSeconds of [29, 5, 1]) {
		const answers = await Promise.all(
			names.map((name) => remove(call, namespace, name, { ...options(name), gracePeriodSeconds }, karpenter)),
		);
		assert.equal(new Set(answers.map((answer) => answer.status)), new Set([409]));
	}
	await noneTerminates(rig, controllers);
});

test('an urgent pod for each of 4 nodes full of busy runners: a victim each, which are refused; they start as jobs end, and all runners go', async ({
	rig,
	controllers,
}) => {
	const { namespace, names, nodes } = controllers;
	const urgent = nodes.map((node) => `urgent-${node}`);
	await rig.apply(
		...nodes.map((node) =>
			plainPod(`urgent-${node}`, namespace, {
				priorityClassName: 'urgent',
				nodeSelector: { 'kubernetes.io/hostname': node },
			}),
		),
	);
	const denied = () => deniedTo(rig, controllers, scheduler);
	await eventually('each has asked for a victim', () => denied().size === fullNodes);
	await noneTerminates(rig, controllers);
	const victims = [...denied()].map((pod) => pod.slice(namespace.length + 1));
	await endJobs(rig, controllers, victims);
	await endJobs(
		rig,
		controllers,
		names.filter((name) => !victims.includes(name)),
	);
	await eventually('the urgent pods run', async () => {
		const pods = await rig.pods(namespace);
		const running = pods.filter(({ status }) => status?.phase === 'Running');
		return running.filter(({ metadata }) => urgent.includes(metadata.name)).length === urgent.length;
	});
	assert.is(deletesOf(rig, controllers), 0, 'every job was known: GitHub need not be asked');
});

test.run();
