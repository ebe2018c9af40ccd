import { progress } from '../api/keys.ts';
import type { EphemeralRunner, Pod, RecordedOptions } from '../api/kinds.ts';
import { collectionPath, objectPath, podPath, resources } from '../api/paths.ts';
import { isConflict, isNotFound, type KubeClient, patchType } from '../kube/client.ts';
import {
	createObject,
	deleteObject,
	deleteUnlessChanged,
	getObject,
	listObjects,
	mergePatch,
	unlessChanged,
} from '../kube/objects.ts';
import { holdsNameOf } from '../runner/name-holder.ts';
import { nodeGoneAfterMs } from '../runner/policy.ts';
import type { Annotations } from '../runner/record.ts';
import {
	ephemeralRunnerOf,
	type Facts,
	isRunnerPod,
	type RunnerPod,
	readRunnerPod,
} from '../runner/runner-pod.ts';
import type { Proof } from './proof.ts';

export interface Metadata {
	labels?: Record<string, string | null>;
	annotations?: Annotations;
}

/** One call to the API server on the webhook's path, so that several fit into an admission. */
const callWithinMs = 2_500;

type PodAddress = Pick<RunnerPod, 'namespace' | 'name' | 'uid'>;

/** Reads and writes runner pods at the API server, with the UID as precondition of every write. */
export class RunnerPods {
	readonly #client: KubeClient;
	readonly #proof: Proof;
	readonly #now: () => number;
	/** The leader has the EphemeralRunners in a cache; the webhook asks the API server. */
	readonly #ephemeralRunner: (namespace: string, name: string) => Promise<EphemeralRunner | undefined>;

	constructor(
		client: KubeClient,
		proof: Proof,
		now: () => number,
		ephemeralRunner = (namespace: string, name: string) => getEphemeralRunner(client, namespace, name),
	) {
		this.#client = client;
		this.#proof = proof;
		this.#now = now;
		this.#ephemeralRunner = ephemeralRunner;
	}

	/** With the facts that are not in the pod itself; undefined: it is no runner pod. */
	async from(pod: Pod): Promise<RunnerPod | undefined> {
		if (!isRunnerPod(pod)) return undefined;
		const facts: Facts = { proven: this.#proof.holds(pod), nodeGone: await this.#nodeGone(pod) };
		const owner = ephemeralRunnerOf(pod);
		if (owner) {
			const found = await this.#ephemeralRunner(pod.metadata.namespace ?? '', owner.name);
			if (found?.metadata.uid === owner.uid) facts.ephemeralRunner = found;
		}
		return readRunnerPod(pod, facts);
	}

	/** From the API server itself, never a cache. */
	async get(namespace: string, name: string): Promise<Pod | undefined> {
		return getObject<Pod>(this.#client, podPath(namespace, name), { timeoutMs: callWithinMs });
	}

	/**
	 * Is another pod of the cluster the runner of this name? Looked for among the pods that are called like it, as ARC
	 * calls them: one call that the API server answers from its own cache.
	 */
	async nameTaken(pod: RunnerPod): Promise<boolean> {
		const name = pod.runnerName.toLowerCase();
		if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name)) return false; // no pod can be called so
		const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: '0' };
		const found = await listObjects<Pod>(this.#client, collectionPath(resources.pods), query, {
			timeoutMs: callWithinMs,
		});
		for (const object of found) {
			const other = object.metadata.uid === pod.uid ? undefined : await this.from(object);
			if (other && holdsNameOf(other, pod)) return true;
		}
		return false;
	}

	/** 'gone': no pod of this name and UID. 'conflict': `onlyIfVersion` is not the pod's resourceVersion any more. */
	async patch(pod: PodAddress, change: Metadata, onlyIfVersion?: string): Promise<Pod | 'conflict' | 'gone'> {
		const preconditions = {
			uid: pod.uid,
			...(onlyIfVersion ? { resourceVersion: onlyIfVersion } : {}),
		};
		try {
			return await mergePatch<Pod>(this.#client, pathOf(pod), { metadata: change }, preconditions, {
				timeoutMs: callWithinMs,
			});
		} catch (error) {
			if (isNotFound(error)) return 'gone';
			if (!isConflict(error)) throw error;
			return onlyIfVersion ? 'conflict' : 'gone'; // without a version only the UID can differ
		}
	}

	/** Sets one condition; the kubelet leaves conditions alone that are not its own. */
	async setCondition(
		pod: PodAddress,
		type: string,
		status: boolean,
		reason: string,
		message: string,
	): Promise<void> {
		const condition = {
			type,
			status: status ? 'True' : 'False',
			reason,
			message,
			lastTransitionTime: new Date(this.#now()).toISOString(),
		};
		const patch = this.#client.request('PATCH', pathOf(pod, 'status'), {
			body: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
			contentType: patchType.strategic,
		});
		await unlessChanged(patch);
	}

	/** Carries a recorded deletion out, the way it was asked for. @throws KubeError: 404 gone, 409 not this UID, 429 budget */
	async remove(pod: PodAddress, { via, ...options }: RecordedOptions): Promise<void> {
		const deleteOptions = { ...options, preconditions: { uid: pod.uid } };
		if (via === 'delete') return deleteObject(this.#client, pathOf(pod), deleteOptions);
		await createObject(this.#client, pathOf(pod, 'eviction'), {
			apiVersion: 'policy/v1',
			kind: 'Eviction',
			metadata: { name: pod.name, namespace: pod.namespace },
			deleteOptions,
		});
	}

	async removeEphemeralRunner(namespace: string, owner: { name: string; uid: string }): Promise<void> {
		const path = objectPath(resources.ephemeralRunners, { namespace, name: owner.name });
		const preconditions = { uid: owner.uid };
		await deleteUnlessChanged(this.#client, path, { preconditions }, { timeoutMs: callWithinMs });
	}

	/** Only asked for where the leader found the node missing long enough ago, since any editor could have said so. */
	async #nodeGone(pod: Pod): Promise<boolean> {
		const sinceMs = Date.parse(pod.metadata.annotations?.[progress.nodeGoneSince] ?? '');
		const node = pod.spec?.nodeName;
		if (!node || Number.isNaN(sinceMs) || this.#now() - sinceMs < nodeGoneAfterMs) return false;
		const path = objectPath(resources.nodes, { name: node });
		return (await getObject(this.#client, path, { timeoutMs: callWithinMs })) === undefined;
	}
}

export async function getEphemeralRunner(
	client: KubeClient,
	namespace: string,
	name: string,
): Promise<EphemeralRunner | undefined> {
	const path = objectPath(resources.ephemeralRunners, { namespace, name });
	return getObject<EphemeralRunner>(client, path, { timeoutMs: callWithinMs });
}

const pathOf = ({ namespace, name }: PodAddress, subresource?: string) =>
	podPath(namespace, name, subresource);
