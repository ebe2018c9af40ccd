import { quietMs } from '../../../admission/guard/rules/policy.ts';
import type { Rig } from '../../rig/rig.ts';
import { kinds, SetUnderTest } from '../../rig/runner-sets.ts';
import { runnerSetPod } from '../../sim/pods.ts';
import { median } from '../figures.ts';
import { arc } from '../sets/arc-figures.ts';

const organization = 'bench-deletions';
const singles = 5;
const drained = 20;
const inSet = 50;

/** Seconds that deletions of idle runners take, including the quiet period, compared with unguarded pods. */
export async function deletions(rig: Rig): Promise<{ title: string; rows: string[][] }> {
	await rig.cluster.createNamespace(organization);
	rig.github.addScope(`orgs/${organization}`);
	rig.github.resetLimits();
	const rows = [['', 'ours, s', 'beside it, s', 'difference', 'beside what']];
	const add = (what: string, ours: number, beside: number, besideWhat: string) =>
		rows.push([what, ours.toFixed(1), beside.toFixed(1), (ours - beside).toFixed(1), besideWhat]);

	const [runners, others] = [names('one', singles), names('other', singles)];
	await make(rig, { runners, others, nodeName: 'node-1' });
	const [ours, beside]: [number[], number[]] = [[], []];
	for (const [index, name] of runners.entries()) {
		beside.push(await seconds(() => rig.ok(['delete', 'pod', others[index] ?? '', '-n', organization])));
		ours.push(await seconds(() => rig.ok(['delete', 'pod', name, '-n', organization])));
	}
	add(`kubectl delete pod, median of ${singles}`, median(ours), median(beside), 'a plain pod');

	for (const node of ['guarded', 'plain']) await rig.cluster.addNode(node);
	await make(rig, { runners: names('drained', drained), others: [], nodeName: 'guarded' });
	await make(rig, { runners: [], others: names('plain', drained), nodeName: 'plain' });
	const drain = (node: string) => rig.ok(['drain', node, '--force', '--ignore-daemonsets']);
	const plain = await seconds(() => drain('plain'));
	add(`kubectl drain, ${drained} idle`, await seconds(() => drain('guarded')), plain, 'plain pods');

	for (const kind of kinds) {
		const set = await SetUnderTest.make(rig, kind, { replicas: inSet, ownCredentials: true });
		const toNone = await seconds(async () => {
			await set.patch({ spec: { replicas: 0 } });
			while (set.all().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
		});
		add(
			`${kind} ${inSet} -> 0, idle`,
			toNone,
			arc[kind].idleGone[inSet] ?? Number.NaN,
			"ARC's own, recorded",
		);
		await set.end();
	}
	return { title: `Deletions of idle runners, ${quietMs / 1_000} s of quiet period in ours`, rows };
}

const names = (prefix: string, count: number) =>
	Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

/** Runners that are registered and known, and plain pods that run. */
async function make(
	rig: Rig,
	{ runners, others, nodeName }: { runners: string[]; others: string[]; nodeName: string },
): Promise<void> {
	const namespace = organization;
	await rig.apply(
		...runners.map((name) => runnerSetPod({ name, namespace, organization, nodeName })),
		...others.map((name) => ({
			apiVersion: 'v1',
			kind: 'Pod',
			metadata: { name, namespace },
			spec: { nodeName, containers: [{ name: 'main', image: 'plain' }] },
		})),
	);
	await rig.agents.waitRegistered(runners, 60_000);
	await rig.ok([...['wait', 'pods', '--all', '-n', namespace, '--for=condition=Ready', '--timeout=60s']]);
	const known = async () =>
		(await rig.pods(namespace)).filter(({ metadata }) => metadata.annotations?.['actions-runner/runner-id']);
	while ((await known()).length < runners.length) await new Promise((resolve) => setTimeout(resolve, 200));
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
	const fromMs = performance.now();
	await work();
	return (performance.now() - fromMs) / 1_000;
}
