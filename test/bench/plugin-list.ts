/**
 * `kubectl runners list` against `kubectl get pods`, and `version --client` against a Node process that does nothing: how
 * long a person waits, with 10 and with 5,000 runners.
 * Goals: `list` at most 1.1 x kubectl with 10 and 0.15 x with 5,000; `version --client` at most 2 x the empty Node process.
 */
import { execFileSync, spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { busy, progress } from '../../admission/api/keys.ts';
import { connect } from '../../plugin/kube/connect.ts';
import { listPods } from '../../plugin/kube/pods.ts';
import { buildPlugin } from '../../scripts/build.ts';
import { type Cluster, startCluster } from '../cluster/cluster.ts';
import { eventually } from '../rig/eventually.ts';
import { runnerSetPod } from '../sim/pods.ts';
import { median, shuffle, table } from './figures.ts';

const sizes = [
	{ pods: 10, rounds: 21 },
	{ pods: 5_000, rounds: 7 },
];
const writersAtOnce = 16;
const emptyNode = 'an empty Node process';

const dist = join(import.meta.dirname, '../../dist');
await buildPlugin(dist, () => {});
const cluster = await startCluster({ log: (line) => console.error(line) });
try {
	await cluster.addNode('node-1', { pods: 10_000 });
	for (const { pods, rounds } of sizes) {
		const namespace = `pods-${pods}`;
		await seed(cluster, namespace, pods);
		console.log(`\n${pods} runner pods, medians of ${rounds} shuffled rounds`);
		console.log(table(await compare(cluster, namespace, rounds)));
	}
} finally {
	await cluster.stop();
}

/** Runner pods as the server leaves them: ids on all, a job on every third; running. */
async function seed(to: Cluster, namespace: string, count: number): Promise<void> {
	await to.createNamespace(namespace);
	const client = await connect({ kubeconfig: to.kubeconfig });
	const indices = Array.from({ length: count }, (_, index) => index);
	let made = 0;
	await Promise.all(
		Array.from({ length: writersAtOnce }, async () => {
			for (let index = indices.shift(); index !== undefined; index = indices.shift()) {
				const name = `example-runner-${String(index).padStart(5, '0')}`;
				await client.call('POST', `/api/v1/namespaces/${namespace}/pods`, {
					body: runnerPod(namespace, name, index),
				});
				if (++made % 500 === 0) process.stderr.write(`\r${made} pods made`);
			}
		}),
	);
	await eventually(
		`${count} pods run`,
		async () => {
			const { pods } = await listPods(client, { namespace, fieldSelector: 'status.phase=Running' });
			return pods.length === count;
		},
		{ withinMs: 300_000, everyMs: 2_000 },
	);
	process.stderr.write('\n');
}

function runnerPod(namespace: string, name: string, index: number): object {
	const onJob = index % 3 === 0;
	return runnerSetPod({
		name,
		namespace,
		set: 'example',
		nodeName: 'node-1',
		dockerSidecar: true,
		labels: onJob ? { [busy.label]: 'true' } : {},
		annotations: {
			[progress.runnerId]: String(100 + index),
			...(onJob
				? { [busy.job]: `build (octo-org/app, run ${index})`, [busy.since]: new Date().toISOString() }
				: {}),
		},
	});
}

/** Rows of the table: each command's median, beside kubectl's of the same rounds. */
async function compare(on: Cluster, namespace: string, rounds: number): Promise<string[][]> {
	const plugin = join(dist, 'kubectl-runners');
	const commands: Record<string, string[]> = {
		'kubectl get pods (the embedded one)': [on.kubectlPath, 'get', 'pods', '-n', namespace],
		...systemKubectl(namespace),
		[`kubectl-runners list (Node ${nodeVersion('node')})`]: [plugin, 'list', '-n', namespace],
		[`kubectl-runners list (Node ${process.version})`]: [process.execPath, plugin, 'list', '-n', namespace],
		'kubectl runners list (through the embedded kubectl)': [
			on.kubectlPath,
			'runners',
			'list',
			'-n',
			namespace,
		],
		'kubectl-runners version --client': ['node', plugin, 'version', '--client'],
		[emptyNode]: ['node', '-e', '0'],
	};
	const times = new Map(Object.keys(commands).map((name): [string, number[]] => [name, []]));
	for (const argv of Object.values(commands)) await timeMs(on, argv); // caches warm: page cache, kubectl's discovery
	for (let round = 0; round < rounds; round++) {
		for (const [name, argv] of shuffle(Object.entries(commands), round + 1))
			times.get(name)?.push(await timeMs(on, argv));
	}
	const ratios = (name: string, base: string) => {
		const own = times.get(name) ?? [];
		return median(own.map((ms, round) => ms / (times.get(base)?.[round] ?? Number.NaN))).toFixed(2);
	};
	const bases = Object.keys(commands).filter((name) => name.includes('get pods') || name === emptyNode);
	return [
		['command', 'ms', ...bases.map((base) => `x ${base}`)],
		...[...times].map(([name, ms]) => [
			name,
			median(ms).toFixed(0),
			...bases.map((base) => ratios(name, base)),
		]),
	];
}

/** A released kubectl in PATH starts faster than the embedded one, which is the whole control plane as well. */
function systemKubectl(namespace: string): Record<string, string[]> {
	try {
		const path = execFileSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' }).trim();
		return { 'kubectl get pods (the one in PATH)': [path, 'get', 'pods', '-n', namespace] };
	} catch {
		return {}; // there is none
	}
}

function nodeVersion(node: string): string {
	return execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
}

/** Wall time of one run, ms. */
function timeMs(on: Cluster, [command = '', ...args]: string[]): Promise<number> {
	const path = `${dist}:${dirname(on.kubectlPath)}:${process.env.PATH}`;
	return new Promise((resolve, reject) => {
		const startedMs = performance.now();
		const child = spawn(command, args, {
			stdio: ['ignore', 'ignore', 'inherit'],
			// With NODE_EXTRA_CA_CERTS set, Node reads all of that file when it loads TLS, whatever the kubeconfig says.
			env: { ...process.env, KUBECONFIG: on.kubeconfig, PATH: path, NODE_EXTRA_CA_CERTS: undefined },
		});
		child.on('error', reject);
		child.on('close', (code) => {
			if (code === 0) resolve(performance.now() - startedMs);
			else reject(new Error(`${command} ${args.join(' ')} ended with ${code}`));
		});
	});
}
