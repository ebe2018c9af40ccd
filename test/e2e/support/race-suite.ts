/** A suite whose tests make sets on a rig of their own, which they may disturb as they like. */
import { type History, startHistory } from '../../rig/history.ts';
import { type Rig, startRig } from '../../rig/rig.ts';
import { type SetOptions, SetUnderTest } from '../../rig/runner-sets.ts';
import { readKubeconfig } from '../../sim/cluster-access.ts';
import { Kube, type KubeItem } from '../../sim/kube.ts';
import { suite } from '../../support/suite.ts';
import { end } from './space.ts';

interface Context {
	rig: Rig;
	history: History;
	/** A set with credentials of its own. */
	make(replicas: number, options?: SetOptions): Promise<SetUnderTest>;
	/** Calls back for each object of a namespace when it is first seen. */
	added(set: SetUnderTest, resource: 'pods' | 'statefulsets', seen: (item: KubeItem) => void): Promise<void>;
}

type Body = (context: Context) => Promise<void>;

/** `sets`: all that were made. */
export function raceSuite(name: string) {
	const test = suite<Context>(name);
	const sets: SetUnderTest[] = [];
	let watches: Kube | undefined;

	test.before(async (context) => {
		const rig = await startRig({ sets: true });
		const kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
		watches = kube;
		context.rig = rig;
		context.history = await startHistory(rig);
		context.make = async (replicas, options = {}) => {
			const own = { ownCredentials: true, withoutHooks: true, until: 'online', ...options } as const;
			const set = await SetUnderTest.make(rig, 'RunnerSet', { replicas, ...own });
			sets.push(set);
			return set;
		};
		context.added = ({ namespace }, resource, seen) => {
			const known = new Set<string>();
			const api = resource === 'pods' ? '/api/v1' : '/apis/apps/v1';
			return kube.watch(`${api}/namespaces/${namespace}/${resource}`, {
				seen(item) {
					if (known.has(item.metadata.uid)) return;
					known.add(item.metadata.uid);
					seen(item);
				},
				gone: () => {},
			});
		};
	});
	test.after(async ({ rig, history }) => {
		for (const set of sets) set.stop();
		history?.stop();
		watches?.stop();
		await end(rig);
	});

	/** Tests that begin together, when all before them are done. */
	function together(bodies: Record<string, Body>): void {
		let outcomes: Map<string, Promise<{ error: unknown } | undefined>> | undefined;
		for (const title of Object.keys(bodies))
			test(title, async (context) => {
				outcomes ??= new Map(
					Object.entries(bodies).map(([name, body]) => [
						name,
						body(context).then(
							() => undefined,
							(error: unknown) => ({ error }),
						),
					]),
				);
				const failed = await outcomes.get(title);
				if (failed) throw failed.error;
			});
	}

	return { test, together, sets };
}
