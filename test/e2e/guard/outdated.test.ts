/**
 * A scale set's runners whose version GitHub refuses, on a real API server with only the guard: ARC's controller removes each
 * as soon as its container has ended, and nothing of ARC's says why. What people see of it.
 */
import { dirname } from 'node:path';
import * as assert from 'uvu/assert';
import type { EphemeralRunner, Pod } from '../../../admission/api/kinds.ts';
import { eventually } from '../../rig/eventually.ts';
import { stage } from '../../rig/stage.ts';
import { KubeError } from '../../sim/kube.ts';
import { ephemeralRunner, scaleSetPod } from '../../sim/scale-set-pods.ts';
import { installPlugin } from '../support/plugin-process.ts';
import { credentialsSecret, type Space } from '../support/space.ts';
import { spaceTests } from '../support/space-tests.ts';

const test = spaceTests('outdated runners of scale sets', { prepare: () => stage('guard') });

const image = 'refused-runner:2.320.0';
const group = 'actions.github.com/v1alpha1';
const ofGroup = ({ name }: Space, resource: string) => `/apis/${group}/namespaces/${name}/${resource}`;

async function scaleSet(space: Space, name: string): Promise<void> {
	const spec = { githubConfigUrl: `https://github.com/${space.name}`, githubConfigSecret: credentialsSecret };
	await space.rig.apply({
		apiVersion: group,
		kind: 'AutoscalingRunnerSet',
		metadata: { name, namespace: space.name },
		spec,
	});
}

/** Makes a runner of the scale set, as ARC's controller does; it is removed by `removedByArc`. */
async function make(space: Space, set: string, name: string): Promise<void> {
	const options = {
		name,
		namespace: space.name,
		scaleSet: set,
		githubConfigUrl: `https://github.com/${space.name}`,
		githubConfigSecret: credentialsSecret,
	};
	await space.rig.apply(ephemeralRunner(options));
	const path = `${ofGroup(space, 'ephemeralrunners')}/${name}`;
	const { metadata } = await space.rig.kube.get<EphemeralRunner>(path);
	const pod = scaleSetPod({ ...options, ownerUid: metadata.uid ?? '' });
	const [runner] = pod.spec.containers as { image: string }[];
	if (set === 'old' && runner) runner.image = image;
	await space.rig.apply(pod);
}

const hasEnded = (pod: Pod | undefined) =>
	pod?.status?.containerStatuses?.some(({ state }) => state?.terminated) ?? false;

/** What ARC's controller does within a second of the container's end: it asks GitHub about the runner, then deletes both. */
async function removedByArc(space: Space, name: string): Promise<void> {
	await eventually(`the runner of ${name} has ended`, async () => hasEnded(await space.pod(name)), {
		everyMs: 100,
	});
	for (const path of [
		`${ofGroup(space, 'ephemeralrunners')}/${name}`,
		`/api/v1/namespaces/${space.name}/pods/${name}`,
	])
		await space.rig.kube.delete(path).catch((error: unknown) => {
			if (!(error instanceof KubeError && error.status === 404)) throw error; // it has gone with its owner
		});
	await space.gone(name);
}

test("GitHub refuses a scale set's runners: within 60 s by an Event that describe shows, metrics, doctor, list --ended and why", async ({
	rig,
	space,
}) => {
	const plugin = await installPlugin();
	const env = { KUBECONFIG: rig.cluster.kubeconfig, PATH: plugin.path(dirname(rig.cluster.kubectlPath)) };
	const runners = (...args: string[]) => plugin.run([...args, '-n', space.name], env);
	try {
		const madeMs = Date.now();
		await Promise.all(['old', 'new'].map((set) => scaleSet(space, set)));
		await Promise.all([
			make(space, 'old', 'old-1'),
			make(space, 'old', 'old-2'),
			make(space, 'new', 'new-1'),
		]);
		await Promise.all(['old-1', 'old-2'].map((name) => removedByArc(space, name)));
		const describe = (set: string) => space.ok('describe', `autoscalingrunnersets.actions.github.com/${set}`);
		const refused =
			/RunnerOutdated .*GitHub refuses runner version 2\.320\.0 of image refused-runner:2\.320\.0/;
		await eventually('describe shows why', async () => refused.test(await describe('old')));
		const tookMs = Date.now() - madeMs;
		assert.ok(tookMs < 60_000, `${tookMs} ms`);
		assert.not.match(await describe('new'), /RunnerOutdated/);

		const metrics = (await Promise.all(rig.servers.map((server) => server.metrics()))).join('\n');
		const labels = `kind="AutoscalingRunnerSet",namespace="${space.name}",set="old",version="2.320.0"`;
		assert.ok(metrics.includes(`runners_runner_version_info{${labels},outdated="true"} 1`));
		assert.match(metrics, /runners_ended_total\{reason="runner-outdated"\} [1-9]/);

		const ended = await eventually('both are listed', async () => {
			const { stdout } = await runners('list', '--ended', '--no-headers');
			const lines = stdout.trim().split('\n');
			return lines.length === 2 && lines;
		});
		for (const line of ended || [])
			assert.match(line, /^old-\d +AutoscalingRunnerSet\/old +runner-outdated /);
		const { code, stdout } = await runners('why', 'old-1');
		assert.is(code, 0);
		assert.match(stdout, /^Ended: +runner-outdated: GitHub no longer accepts the runner's version/m);
		assert.match(stdout, /Runner version v2\.320\.0 is deprecated/);

		await eventually('doctor names set, image and version', async () => {
			const doctor = await plugin.run(['doctor'], env);
			return new RegExp(`AutoscalingRunnerSet ${space.name}/old: 2\\.320\\.0 of ${image}, refused`).test(
				doctor.stdout,
			);
		});
	} finally {
		await plugin.remove();
	}
});

test.run();
