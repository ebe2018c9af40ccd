import { objectKey } from '../api/object-key.ts';
import { objectPath, type Resource } from '../api/paths.ts';
import { type RunnersSet, setKinds } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import { getObject, mergePatch, unlessChanged } from '../kube/objects.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { Finding } from './rules/desired.ts';

/** For this long another writer of spec.replicas is reported: longer than GitOps tools take to write again. */
const contestedForMs = 10 * 60_000;

interface Written {
	/** What we wrote into spec.replicas of the target last; undefined: not yet in this term. */
	replicas: number | undefined;
	/** Somebody else wrote another number there: when, ms since the epoch, and who, as far as is known. */
	contested: { atMs: number; by: string | undefined; replicas: number } | undefined;
}

/** Shows in spec.replicas of the targets how many runners there are to be, for people and for who reads it as a scale. */
export class ReplicasWriter {
	readonly #dependencies: { client: KubeClient; clock: Clock; log: Log };
	/** By the autoscaler's UID. */
	readonly #written = new Map<string, Written>();

	constructor(dependencies: { client: KubeClient; clock: Clock; log: Log }) {
		this.#dependencies = dependencies;
	}

	/** @param replicas what an earlier leader has written, as far as the autoscaler's status says */
	remember(uid: string, replicas: number | undefined): void {
		if (!this.#written.has(uid)) this.#written.set(uid, { replicas, contested: undefined });
	}

	forget(uid: string): void {
		this.#written.delete(uid);
	}

	/** Its target is another one from now on, or is gone: what was written says nothing of the next one. */
	forgetTarget(uid: string): void {
		this.#written.set(uid, { replicas: undefined, contested: undefined });
	}

	/** Writes spec.replicas of a target, if it is another number. @throws KubeError */
	async write(uid: string, set: RunnersSet, replicas: number): Promise<void> {
		const { client, clock, log } = this.#dependencies;
		const written = this.#writtenFor(uid);
		const { namespace, name, uid: setUid } = set.metadata;
		const shown = set.spec.replicas ?? 1;
		if (shown === replicas) {
			written.replicas = replicas;
			return;
		}
		const path = objectPath(resourceOf(set), { namespace, name });
		if (written.replicas !== undefined && shown !== written.replicas) {
			const by = await lastWriterOf(client, path);
			// Our own write may be newer than what the cache shows.
			if (by !== 'us') written.contested = { atMs: clock.now(), by, replicas: shown };
		}
		const patched = await unlessChanged(mergePatch(client, path, { spec: { replicas } }, { uid: setUid }));
		if (!patched) return;
		written.replicas = replicas;
		log.debug(
			{ [set.kind ?? 'set']: objectKey(set.metadata), from: shown, to: replicas },
			'replicas written',
		);
	}

	/** Whether somebody else has written spec.replicas of the target lately, and for how long that is reported. */
	contested(uid: string, nowMs: number): { finding: Finding; forMs: number } | undefined {
		const written = this.#written.get(uid);
		const contested = written?.contested;
		if (!contested) return undefined;
		const forMs = contested.atMs + contestedForMs - nowMs;
		if (forMs <= 0) {
			written.contested = undefined;
			return undefined;
		}
		const by = contested.by ?? 'somebody else';
		const message = `${by} set spec.replicas of the target to ${contested.replicas}, which has no effect while this autoscaler acts: remove replicas from the set's manifest, and do not scale it with an HPA or KEDA`;
		return { finding: { type: 'ReplicasContested', reason: 'TwoWriters', message }, forMs };
	}

	#writtenFor(uid: string): Written {
		const known = this.#written.get(uid) ?? { replicas: undefined, contested: undefined };
		this.#written.set(uid, known);
		return known;
	}
}

const resourceOf = ({ kind }: RunnersSet): Resource =>
	kind === setKinds.runnerSet.kind ? setKinds.runnerSet : setKinds.runnerDeployment;

interface Managed {
	metadata: { managedFields?: { manager?: string; operation?: string; time?: string; fieldsV1?: object }[] };
}

/** Who wrote spec.replicas last, by the object's managedFields: ourselves, or a name; undefined: it does not say. */
async function lastWriterOf(client: KubeClient, path: string): Promise<'us' | string | undefined> {
	const object = await getObject<Managed>(client, path);
	const writers = (object?.metadata.managedFields ?? []).filter(({ fieldsV1 }) => {
		const spec = (fieldsV1 as { 'f:spec'?: object } | undefined)?.['f:spec'];
		return typeof spec === 'object' && spec !== null && 'f:replicas' in spec;
	});
	const last = writers.toSorted((one, other) => (other.time ?? '').localeCompare(one.time ?? ''))[0];
	if (last?.manager === undefined) return undefined;
	return last.manager.startsWith('runners-admission') ? 'us' : last.manager.slice(0, 100);
}
