/**
 * Twenty ways to die, in the statuses that a kubelet writes (unit/post-mortems/shapes.ts names the source of each), on a real API
 * server with only the guard: `kubectl runners why` names each of them right when the pod is gone. What only a log tells is
 * in unit/post-mortems, a day's passing as well.
 */
import * as assert from 'uvu/assert';
import { breakGlass } from '../../../admission/api/keys.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import type { Rig } from '../../rig/rig.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { suite } from '../../support/suite.ts';
import { type Shape, shapes } from '../../unit/post-mortems/shapes.ts';
import { type Installed, installPlugin } from '../support/plugin-process.ts';
import { end, Space } from '../support/space.ts';

const test = suite<{ rig: Rig; space: Space; plugin: Installed }>('post-mortems');

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
	[context.rig, context.plugin] = await Promise.all([stage('guard'), installPlugin()]);
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

async function die({ rig, space }: { rig: Rig; space: Space }, name: string, shape: Shape): Promise<void> {
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

test(`${tried.length} ways to die: why names each of them, and list --ended lists them`, async (context) => {
	const { rig, space, plugin } = context;
	assert.ok(tried.length >= 20);
	await Promise.all(tried.map((shape, index) => die(context, `r-${index}`, shape)));
	const env = { KUBECONFIG: rig.cluster.kubeconfig };
	const list = async () => {
		const { stdout } = await plugin.run(['list', '--ended', '-n', space.name, '--no-headers'], env);
		return stdout.trim().split('\n');
	};
	await eventually('all are listed', async () => (await list()).length === tried.length);
	const wrong: string[] = [];
	for (const [index, { name, reason, says, breakGlass: glass }] of tried.entries()) {
		const { code, stdout, stderr } = await plugin.run(['why', `r-${index}`, '-n', space.name], env);
		const right = code === 0 && stdout.includes(`${reason}: `) && (says?.test(stdout) ?? true);
		if (!right || (glass && !/^By: +\S/m.test(stdout))) wrong.push(`${name}: ${stdout}${stderr}`);
	}
	assert.equal(wrong, []);
	const { code, stderr } = await plugin.run(['why', 'r-none', '-n', space.name], env);
	assert.is(code, 1);
	assert.match(stderr, 'not found');
});

test.run();
