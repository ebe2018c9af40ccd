import { busy } from '../../admission/api/keys.ts';
import { runnerSetPod } from '../sim/pods.ts';
import type { Scope } from '../sim/simulator.ts';
import { eventually } from './eventually.ts';
import type { History } from './history.ts';
import type { Rig } from './rig.ts';
import { runnerNamespace } from './spaces.ts';

/** Some 50 runners in a namespace and on a node of their own, of an organization of their own. */
export interface Fleet {
	namespace: string;
	/** One unless asked for more; then the runners are spread over them evenly. */
	nodes: string[];
	/** ARC's, then the scale set's. */
	names: string[];
	legacy: string[];
	/** GitHub's scopes that only this fleet uses. */
	scopes: Scope[];
}

const legacySize = 42;
const scaleSetSize = 10;

export async function startFleet(
	rig: Rig,
	namespace: string,
	options: { statefulSets?: boolean; fullNodes?: number } = {},
): Promise<Fleet> {
	const nodes = Array.from({ length: options.fullNodes ?? 1 }, (_, index) => `n-${namespace}-${index}`);
	const nodeOf = (index: number) => nodes[index % nodes.length] ?? '';
	const room = options.fullNodes ? { pods: (legacySize + scaleSetSize) / options.fullNodes } : {};
	await Promise.all([
		...nodes.map((node) => rig.cluster.addNode(node, room)),
		runnerNamespace(rig, namespace),
	]);
	const numbered = (size: number, kind: string) =>
		Array.from({ length: size }, (_, index) => `${namespace}-${kind}-${String(index).padStart(2, '0')}`);
	const sets = numbered(legacySize, 'arc');
	const legacy = sets.map((set) => `${set}-0`);
	const scaleSet = numbered(scaleSetSize, 'scs');
	const organization = `org-${namespace}`;
	const pods = sets.map((set, index) =>
		runnerSetPod({
			name: `${set}-0`,
			namespace,
			nodeName: nodeOf(index),
			organization,
			labels: { 'one-of': set },
		}),
	);
	await rig.apply(...pods);
	if (options.statefulSets) await rig.apply(...sets.map((set) => statefulSet(set, namespace)));
	const githubConfigUrl = `https://github.com/octo-org/${namespace}`;
	await rig.scaleSetRunners(
		scaleSet.map((name, index) => ({
			name,
			namespace,
			nodeName: nodeOf(legacySize + index),
			githubConfigUrl,
		})),
	);
	await rig.agents.waitRegistered(legacy, 60_000);
	if (options.statefulSets) await adopted(rig, namespace);
	return {
		namespace,
		nodes,
		names: [...legacy, ...scaleSet],
		legacy,
		scopes: [`orgs/${organization}`, `repos/octo-org/${namespace}`],
	};
}

/** One replica each, as ARC makes one per runner. The pod is there already: ARC's own webhook gives it what no StatefulSet can. */
function statefulSet(name: string, namespace: string): object {
	const labels = { 'one-of': name };
	return {
		apiVersion: 'apps/v1',
		kind: 'StatefulSet',
		metadata: { name, namespace },
		spec: {
			replicas: 1,
			serviceName: 'none',
			selector: { matchLabels: labels },
			updateStrategy: { type: 'OnDelete' },
			template: {
				metadata: { labels },
				spec: { containers: [{ name: 'runner', image: 'summerwind/actions-runner:latest' }] },
			},
		},
	};
}

function adopted(rig: Rig, namespace: string): Promise<boolean> {
	return eventually(
		'the StatefulSets own their pods',
		async () => {
			const pods = await rig.pods(namespace);
			return (
				pods.filter((pod) => pod.metadata.ownerReferences?.[0]?.kind === 'StatefulSet').length === legacySize
			);
		},
		{ everyMs: 500 },
	);
}

export async function startJobs(rig: Rig, { namespace, names }: Fleet): Promise<void> {
	for (const name of names) await rig.agents.runJob(namespace, name);
}

/** Every runner's job is known to the product: no deletion of it needs GitHub. */
export function allMarked(rig: Rig, { namespace, names }: Fleet): Promise<boolean> {
	return eventually(
		`all of ${namespace} are marked busy`,
		async () => {
			const pods = await rig.pods(namespace);
			return pods.filter((pod) => pod.metadata.labels?.[busy.label] === 'true').length === names.length;
		},
		{ everyMs: 300 },
	);
}

/** Every runner's deletion has been requested, refused and recorded. */
export function allRecorded(history: History, { namespace, names }: Fleet): Promise<boolean> {
	return eventually(`all deletions of ${namespace} are recorded`, () => {
		const recorded = new Set(history.recorded());
		return names.every((name) => recorded.has(`${namespace}/${name}`));
	});
}

/** Ends the jobs one after the other, and waits until those pods are gone. */
export async function endJobs(rig: Rig, { namespace }: Fleet, names: readonly string[]): Promise<void> {
	for (const name of names) await rig.agents.endJob(namespace, name);
	const gone = (pod: string) =>
		rig.agents.journal.some(
			(one) => one.namespace === namespace && one.pod === pod && one.what === 'pod-gone',
		);
	await eventually(`all ended runners of ${namespace} are gone`, () => names.every(gone), {
		withinMs: 120_000,
	});
}
