/**
 * ARC scales idle runners down by itself, first with the guard, then without: how long both take, and the calls to
 * GitHub. Runners of a RunnerSet: the garbage collector needs up to 30 s to know a kind that has just been defined,
 * such as Runner.
 */
import { progress } from '../../admission/api/keys.ts';
import { installArcCrds, scaleAllDownByArc, statefulSetsOfArc } from './arc.ts';
import { arcKeys, arcUserAgent, startArc } from './arc-controller.ts';
import { eventually } from './eventually.ts';
import type { Rig } from './rig.ts';

interface IdleDown {
	/** From ARC's first request to the last pod's disappearance. */
	tookMs: number;
	/** Runners that GitHub has removed. */
	removed: number;
	/** Our calls to GitHub meanwhile. */
	lists: number;
	deletes: number;
}

const apiVersion = 'actions.summerwind.dev/v1alpha1';

/** The rig cannot be used afterwards: its server and its webhooks are gone. It must have only the guard. */
export async function idleDownByArc(rig: Rig, count: number): Promise<{ beside: IdleDown; alone: IdleDown }> {
	await installArcCrds(rig, { common: true });
	const arc = await startArc(rig);
	try {
		const beside = await idleDown(rig, { namespace: 'octo-beside', count, guarded: true });
		for (const kind of ['validating', 'mutating'])
			await rig.ok(['delete', `${kind}webhookconfiguration`, 'runners-admission', '--ignore-not-found']);
		for (const server of [...rig.servers]) await rig.terminate(server);
		return { beside, alone: await idleDown(rig, { namespace: 'octo-alone', count, guarded: false }) };
	} finally {
		arc.stop();
	}
}

async function idleDown(
	rig: Rig,
	{ namespace, count, guarded }: { namespace: string; count: number; guarded: boolean },
): Promise<IdleDown> {
	const metadata = { name: 'example', namespace };
	await rig.cluster.createNamespace(namespace);
	rig.github.addScope(`orgs/${namespace}`);
	const spec = { replicas: count, organization: namespace, template: {} };
	await rig.apply({ apiVersion, kind: 'RunnerSet', metadata, spec });
	const path = `/apis/${apiVersion}/namespaces/${namespace}/runnersets/example`;
	const { metadata: made } = await rig.kube.get<{ metadata: { uid: string } }>(path);
	const pods = await statefulSetsOfArc(rig, { ...metadata, uid: made.uid }, count);
	await rig.agents.waitRegistered(pods, 120_000);
	const known = [arcKeys.id, ...(guarded ? [progress.registered] : [])];
	await eventually(`the runners of ${namespace} are known to whoever lists them`, async () =>
		(await rig.pods(namespace)).every(({ metadata: { annotations = {} } }) =>
			known.every((key) => key in annotations),
		),
	);
	const before = rig.github.calls.length;
	const tookMs = await scaleAllDownByArc(rig, { namespace });
	const calls = rig.github.calls.slice(before);
	const ours = calls.filter(({ userAgent }) => userAgent !== arcUserAgent);
	const of = (endpoint: string) => ours.filter((call) => call.endpoint === endpoint).length;
	const removed = calls.filter(({ endpoint, status }) => endpoint === 'delete' && status === 204).length;
	return { tookMs, removed, lists: of('list'), deletes: of('delete') };
}
