/**
 * Twenty ways to die, in the statuses that a kubelet writes (unit/post-mortems/shapes.ts names the source of each), on a real API
 * server with only the guard: `kubectl runners why` names each of them right when the pod is gone, and a day later, when
 * the API server has dropped the Events and other replicas lead. What only a log tells is in unit/post-mortems.
 */
import { spawn } from 'node:child_process';
import { dirname } from 'node:path';
import * as assert from 'uvu/assert';
import { type EndedRunner, endedRunners } from '../../../admission/api/ended-runners.ts';
import { breakGlass } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Shape, shapes } from '../../unit/post-mortems/shapes.ts';
import { type Installed, installPlugin, Running } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';

interface Context {
	rig: Rig;
	space: Space;
	plugin: Installed;
}

const test = suite<Context>('post-mortems');

/** No kubelet works for it: this test writes what one would. */
const node = 'node-of-post-mortems';
const startedAt = new Date(Date.now() - 60_000).toISOString();
const running = {
	phase: 'Running',
	containerStatuses: [
		{
			name: 'runner',
			image: 'runner:1',
			imageID: '',
			ready: true,
			restartCount: 0,
			state: { running: { startedAt } },
		},
	],
};

/** The guard keeps a pod whose container is shown as running, and nobody has a log of these. */
const tried = shapes.filter(
	({ log, status, deleted }) =>
		!log && !(deleted && status.containerStatuses?.some(({ state }) => state?.running)),
);

test.before(async (context) => {
	[context.rig, context.plugin] = await Promise.all([stage('replicas'), installPlugin()]);
	await context.rig.cluster.addNode(node, { labels: { 'post-mortems/kubelet': 'none' } });
	await context.rig.cluster.stopKubelet(node);
	context.space = await Space.make(context.rig);
});
test.after(async ({ rig, space, plugin }) => {
	await space?.clear();
	await Promise.all([end(rig), plugin?.remove()]);
});

/** As the API server wants it: with what a kubelet writes in addition. */
function whole(status: Shape['status']): object {
	const complete = (one: object) => ({ image: 'runner:1', imageID: '', ready: false, ...one });
	const recent = JSON.parse(
		JSON.stringify(status).replaceAll(
			/2026-11-23T12:00:\d\dZ/g,
			new Date().toISOString().replace(/\.\d+Z/, 'Z'),
		),
	) as Shape['status'];
	return {
		conditions: [],
		...recent,
		containerStatuses: recent.containerStatuses?.map(complete),
		...(recent.initContainerStatuses
			? { initContainerStatuses: recent.initContainerStatuses.map(complete) }
			: {}),
	};
}

const isUnstarted = ({ status }: Shape) =>
	status.containerStatuses?.some(({ state }) => state?.waiting) ?? false;

async function die({ rig, space }: Context, name: string, shape: Shape): Promise<void> {
	const path = `/api/v1/namespaces/${space.name}/pods/${name}`;
	const shows = (status: object) => rig.kube.patch(`${path}/status`, { status });
	const { spec, ...rest } = runnerSetPod(space.options(name, { nodeName: node }));
	const { initContainerStatuses: inits } = shape.status;
	const initContainers = inits?.map((one) => ({ name: one.name, image: 'tools:1' }));
	await rig.apply({ ...rest, spec: { ...spec, ...(initContainers ? { initContainers } : {}) } });
	// One that cannot start would go when the guard has asked GitHub: break-glass is quicker, and not why it died.
	const glass = shape.breakGlass ?? (isUnstarted(shape) ? 'the test is over' : undefined);
	if (shape.breakGlass) await shows(running);
	if (glass) {
		await rig.kube.patch(path, { metadata: { annotations: { [breakGlass]: glass } } });
	}
	if (shape.breakGlass) await rig.ok(['delete', 'pod', name, '-n', space.name, '--wait=false']);
	await shows(whole(shape.status));
	await eventually(
		`${name} is gone`,
		async () => {
			try {
				const { metadata } = await rig.kube.get<Pod>(path);
				const isLeaving = metadata.deletionTimestamp !== undefined;
				await rig.kubectl([
					'delete',
					'pod',
					name,
					'-n',
					space.name,
					'--wait=false',
					...(isLeaving ? ['--force'] : []),
				]);
				return false;
			} catch (error) {
				if (error instanceof KubeError && error.status === 404) return true;
				throw error;
			}
		},
		{ everyMs: 1_000 },
	);
}

const hourMs = 3_600_000;

/** `kubectl runners ...` in the space's namespace. */
async function runners({ rig, space, plugin }: Context, verb: string, ...args: string[]) {
	const env = { KUBECONFIG: rig.cluster.kubeconfig, PATH: plugin.path(dirname(rig.cluster.kubectlPath)) };
	const kubectl = new Running(spawn('kubectl', ['runners', verb, '-n', space.name, ...args], { env }));
	return kubectl.end();
}

async function listed(context: Context): Promise<string[]> {
	const { code, stdout, stderr } = await runners(context, 'list', '--ended', '--no-headers');
	assert.is(code, 0, stderr);
	return stdout.split('\n').filter(Boolean);
}

/** Those of `tried` of which `kubectl runners why` does not say why, when and by whom. */
async function wrongOnes(context: Context, when: RegExp): Promise<string[]> {
	const wrong: string[] = [];
	for (const [index, { name, reason, says, breakGlass: glass }] of tried.entries()) {
		const { code, stdout, stderr } = await runners(context, 'why', `r-${index}`);
		const expected = [new RegExp(`^Ended: +${reason}: `, 'm'), when, says, glass && /^By: +\S/m];
		const right = code === 0 && expected.every((one) => !one || one.test(stdout));
		if (!right) wrong.push(`${name}: ${stdout}${stderr}`);
	}
	return wrong;
}

const listsOf = ({ name }: Space) => `/api/v1/namespaces/${name}/configmaps`;
const eventsOf = ({ name }: Space) => `/api/v1/namespaces/${name}/events`;

async function lists({ rig, space }: Context): Promise<{ path: string; ended: EndedRunner[] }[]> {
	type Stored = {
		metadata: { name: string; labels?: Record<string, string> };
		data?: Record<string, string>;
	};
	const { items } = await rig.kube.get<{ items: Stored[] }>(listsOf(space));
	return items
		.filter(({ metadata }) => metadata.labels?.[endedRunners.label] === 'true')
		.map(({ metadata, data }) => ({
			path: `${listsOf(space)}/${metadata.name}`,
			ended: JSON.parse(data?.[endedRunners.key] ?? '') as EndedRunner[],
		}));
}

/**
 * So many hours pass while no replica runs: every time in the lists is earlier by as much, and the API server keeps Events for
 * one hour. Then other replicas start.
 */
async function pass(context: Context, hours: number): Promise<void> {
	const { rig, space } = context;
	await Promise.all([...rig.servers].map((server) => rig.terminate(server)));
	const earlier = (time: string) => new Date(Date.parse(time) - hours * hourMs).toISOString();
	for (const { path, ended } of await lists(context)) {
		const moved = ended.map(({ endedAt, startedAt, ...rest }) => ({
			...rest,
			endedAt: earlier(endedAt),
			...(startedAt ? { startedAt: earlier(startedAt) } : {}),
		}));
		await rig.kube.patch(path, { data: { [endedRunners.key]: JSON.stringify(moved) } });
	}
	await rig.ok(['delete', 'events', '--all', '-n', space.name]);
	assert.equal((await rig.kube.get<{ items: object[] }>(eventsOf(space))).items, []);
	for (let replica = 0; replica < 2; replica++) await rig.addServer();
	await rig.guarded();
}

test(`${tried.length} ways to die: why names each of them, and list --ended lists them`, async (context) => {
	assert.ok(tried.length >= 20);
	await Promise.all(tried.map((shape, index) => die(context, `r-${index}`, shape)));
	await eventually('all are listed', async () => (await listed(context)).length === tried.length);
	assert.equal(await wrongOnes(context, /^When: +\d+[sm]/m), []);
	const { code, stderr } = await runners(context, 'why', 'r-none');
	assert.is(code, 1);
	assert.match(stderr, 'not found');
});

test('23.5 hours later, without Events and after a restart: the same, also when the next one has died', async (context) => {
	const { rig, space } = context;
	await pass(context, 23.5);
	assert.equal(await wrongOnes(context, /^When: +23h/m), []);
	const [first] = shapes;
	if (first) await die(context, 'r-next', first);
	await eventually('the next one is listed first', async () =>
		(await listed(context))[0]?.startsWith('r-next '),
	);
	assert.equal(await wrongOnes(context, /^When: +23h/m), [], 'the new leader has kept them');
	assert.is((await listed(context)).length, tried.length + 1);
	const { items } = await rig.kube.get<{ items: { involvedObject: { name?: string } }[] }>(eventsOf(space));
	const others = items.filter(({ involvedObject }) => involvedObject.name !== 'r-next');
	assert.equal(others, [], 'what was reported is not reported again');
});

test('after 25 hours they are gone: for why, for list --ended, and from the ConfigMap', async (context) => {
	await pass(context, 1.6);
	assert.equal(
		(await listed(context)).map((line) => line.split(' ')[0]),
		['r-next'],
	);
	const { code, stderr } = await runners(context, 'why', 'r-0');
	assert.is(code, 1);
	assert.match(stderr, 'not found');
	const [first] = shapes;
	if (first) await die(context, 'r-last', first);
	await eventually('the last one is listed first', async () =>
		(await listed(context))[0]?.startsWith('r-last '),
	);
	const kept = (await lists(context)).flatMap(({ ended }) => ended.map(({ pod }) => pod));
	assert.equal(kept, ['r-last', 'r-next']);
});

test.run();
