import { progress } from '../api/keys.ts';
import type { EphemeralRunner, KubeObject, Pod, RecordedOptions } from '../api/kinds.ts';
import { collectionPath, objectPath, podPath, resources } from '../api/paths.ts';
import { printable } from '../api/printable.ts';
import { writtenMs } from '../api/written-time.ts';
import {
	isConflict,
	isNotFound,
	isTestFailure,
	isTooLarge,
	type KubeClient,
	patchType,
} from '../kube/client.ts';
import {
	createObject,
	deleteObject,
	deleteUnlessChanged,
	getObject,
	itemsOf,
	listObjects,
	mergePatch,
	metadataOnly,
	unlessChanged,
} from '../kube/objects.ts';
import { foldName } from '../runner/github-name.ts';
import { ownsNameOf } from '../runner/name-owner.ts';
import { nodeGoneAfterMs } from '../runner/policy.ts';
import type { Annotations } from '../runner/record.ts';
import {
	ephemeralRunnerOf,
	type Facts,
	isRunnerPod,
	type RunnerPod,
	readRunnerPod,
} from '../runner/runner-pod.ts';
import { nodeGone } from '../runner/statements.ts';
import { pointer } from '../webhook/review.ts';
import type { PodOwner } from './pod-owner.ts';
import type { Signer } from './signer.ts';

interface Metadata {
	labels?: Record<string, string | null>;
	annotations?: Annotations;
}

/** Time limit of one call to the API server during a review, so that several calls fit into one review. */
const callWithinMs = 2_500;

/** Of such a list of a namespace's pods, in bytes: some 500 pods, unless somebody has filled their annotations. */
const mostBytesOfNames = 2 * 1024 * 1024;

/** Clocks of two replicas differ by less than this, in ms. */
const clocksDifferMs = 5_000;

/** How often a patch is sent that the API server gives up because of other writers. */
const patchTries = 3;

type PodAddress = Pick<RunnerPod, 'namespace' | 'name' | 'uid'>;

/** Reads and writes runner pods at the API server. Every write has the pod's UID as a precondition. */
export class RunnerPods {
	readonly #client: KubeClient;
	readonly #signer: Signer;
	/** Host of the GitHub that this server talks to. */
	readonly #host: string;
	readonly #now: () => number;
	/** Reads an EphemeralRunner: the leader from its cache, the webhook from the API server. */
	readonly #ephemeralRunner: (namespace: string, name: string) => Promise<EphemeralRunner | undefined>;
	/** What was read from a pod object of a cache. Each change of the pod is another object, which several loops read. */
	readonly #read = new WeakMap<Pod, RunnerPod | undefined>();

	constructor(
		client: KubeClient,
		signer: Signer,
		host: string,
		now: () => number,
		ephemeralRunner = (namespace: string, name: string) => getEphemeralRunner(client, namespace, name),
	) {
		this.#client = client;
		this.#signer = signer;
		this.#host = host;
		this.#now = now;
		this.#ephemeralRunner = ephemeralRunner;
	}

	/** The pod with the facts that are not in the pod object itself; undefined if it is not a runner pod. */
	async from(pod: Pod): Promise<RunnerPod | undefined> {
		if (!isRunnerPod(pod)) return undefined;
		const owner = ephemeralRunnerOf(pod);
		return this.read(pod, {
			ephemeralRunner: owner ? await this.#ephemeralRunner(pod.metadata.namespace ?? '', owner) : undefined,
			nodeGone: await this.#nodeGone(pod),
		});
	}

	/** As `from`, without a call: what would need one is given by the caller. */
	read(pod: Pod, facts: Pick<Facts, 'ephemeralRunner' | 'nodeGone'> = {}): RunnerPod | undefined {
		const { ephemeralRunner, nodeGone } = facts;
		const known = { verify: this.#signer.verifyStatement, host: this.#host };
		if (ephemeralRunner || nodeGone) return readRunnerPod(pod, { ...known, ephemeralRunner, nodeGone });
		if (!this.#read.has(pod)) this.#read.set(pod, readRunnerPod(pod, known));
		return this.#read.get(pod);
	}

	/** The pod, read from the API server and never from a cache; undefined if there is none. */
	async get(namespace: string, name: string): Promise<Pod | undefined> {
		return getObject<Pod>(this.#client, podPath(namespace, name), { timeoutMs: callWithinMs });
	}

	/**
	 * Whether another pod in the cluster is the runner of this name (see ownsNameOf). Searched among the pods whose own
	 * name is the runner's name, as ARC names them: one call, which the API server answers from its cache.
	 */
	async nameTaken(pod: RunnerPod): Promise<boolean> {
		const found = await this.named(foldName(pod.runnerName));
		for (const object of found) {
			const other = object.metadata.uid === pod.uid ? undefined : await this.from(object);
			if (other && ownsNameOf(other, pod)) return true;
		}
		return false;
	}

	/** The pods of this name in all namespaces, as the API server has them in its cache: one call. */
	async named(name: string): Promise<Pod[]> {
		if (!/^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name)) return []; // no pod can have this name
		const query = { fieldSelector: `metadata.name=${name}`, resourceVersion: '0' };
		return listObjects<Pod>(this.#client, collectionPath(resources.pods), query, { timeoutMs: callWithinMs });
	}

	/**
	 * The runner pods of the namespace whose names begin so, as the API server has them in its cache. Only names are listed,
	 * and each of these pods is read then; 'too-many': there are more than `most` of them, or their namespace has more pods than
	 * are looked through.
	 */
	async beginningWith(namespace: string, prefix: string, most: number): Promise<Pod[] | 'too-many'> {
		const path = collectionPath(resources.pods, namespace);
		const limits = { timeoutMs: callWithinMs, mostBytes: mostBytesOfNames };
		const options = { query: { resourceVersion: '0' }, accept: metadataOnly, ...limits };
		const list = this.#client.request<{ items: KubeObject[] | null }>('GET', path, options);
		const items = await list.then(
			(answer) => itemsOf(answer),
			(error: unknown) => {
				if (isTooLarge(error)) return undefined;
				throw error;
			},
		);
		const found = items?.map(({ metadata }) => metadata.name).filter((name) => name.startsWith(prefix));
		if (!found || found.length > most) return 'too-many';
		const pods = await Promise.all(found.map((name) => this.get(namespace, name)));
		return pods.filter((pod) => pod !== undefined && isRunnerPod(pod)) as Pod[];
	}

	/**
	 * Changes labels and annotations. 'gone': no pod of this name and UID. 'conflict': `onlyIfVersion` is no longer the pod's
	 * resourceVersion. Without a version, the API server tries a patch several times and then answers 409 as well, if
	 * others write to the pod all the time: then the pod is there still, and the patch is sent again.
	 */
	async patch(pod: PodAddress, change: Metadata, onlyIfVersion?: string): Promise<Pod | 'conflict' | 'gone'> {
		const { uid } = pod;
		const preconditions = onlyIfVersion ? { uid, resourceVersion: onlyIfVersion } : { uid };
		for (let tries = 1; ; tries++) {
			try {
				return await mergePatch<Pod>(this.#client, pathOf(pod), { metadata: change }, preconditions, {
					timeoutMs: callWithinMs,
				});
			} catch (error) {
				if (isNotFound(error)) return 'gone';
				if (!isConflict(error)) throw error;
				if ((await this.get(pod.namespace, pod.name))?.metadata.uid !== uid) return 'gone';
				if (onlyIfVersion) return 'conflict';
				if (tries === patchTries) throw error;
			}
		}
	}

	/**
	 * Sets annotations whatever the pod's version, but only while its annotation `key` has this value (undefined: the pod has
	 * no such annotation). However often others write on the pod, this can be written, and yet never over what somebody else
	 * has written in `key`. 'conflict': it has another value, or the API server gave up because of other writers.
	 */
	async annotateWhile(
		pod: PodAddress,
		[key, value]: [key: string, value: string | undefined],
		annotations: Readonly<Record<string, string>>,
	): Promise<Pod | 'conflict' | 'gone'> {
		const all = '/metadata/annotations';
		const isThisPod = { op: 'test', path: '/metadata/uid', value: pod.uid };
		const hasValue = { op: 'test', path: `${all}/${pointer(key)}`, value: value ?? null };
		const set = Object.entries(annotations).map(([name, text]) => {
			return { op: 'add', path: `${all}/${pointer(name)}`, value: text };
		});
		const ways: object[][] = [[isThisPod, hasValue, ...set]];
		// What is absent passes the test for null, but not where the pod has no annotations at all (measured on Kubernetes 1.36).
		if (value === undefined) {
			const hasNone = { op: 'test', path: all, value: null };
			ways.push([isThisPod, hasNone, { op: 'add', path: all, value: annotations }]);
		}
		for (const body of ways) {
			try {
				return await this.#client.request<Pod>('PATCH', pathOf(pod), {
					body,
					contentType: patchType.json,
					timeoutMs: callWithinMs,
				});
			} catch (error) {
				if (isNotFound(error)) return 'gone';
				if (isConflict(error)) break;
				if (!isTestFailure(error)) throw error;
			}
		}
		return (await this.get(pod.namespace, pod.name))?.metadata.uid === pod.uid ? 'conflict' : 'gone';
	}

	/** Sets one condition of the pod, unless the pod is gone. The kubelet keeps conditions that are not its own. */
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
			message: printable(message),
			lastTransitionTime: new Date(this.#now()).toISOString(),
		};
		const patch = this.#client.request('PATCH', pathOf(pod, 'status'), {
			body: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
			contentType: patchType.strategic,
		});
		await unlessChanged(patch);
	}

	/** Deletes or evicts the pod with these options. Rejects with KubeError: 404 gone, 409 other UID or denied, 429 a PodDisruptionBudget. */
	async remove(pod: PodAddress, { via, ...options }: RecordedOptions & { dryRun?: ['All'] }): Promise<void> {
		const deleteOptions = { ...options, preconditions: { uid: pod.uid } };
		if (via === 'delete') return deleteObject(this.#client, pathOf(pod), deleteOptions);
		await createObject(this.#client, pathOf(pod, 'eviction'), {
			apiVersion: 'policy/v1',
			kind: 'Eviction',
			metadata: { name: pod.name, namespace: pod.namespace },
			deleteOptions,
		});
	}

	/**
	 * As `remove`, of a pod that this owner would make again: the owner is deleted first. Without it the garbage collector
	 * deletes the pod, whatever a PodDisruptionBudget says, so an eviction is tried as a dry-run before.
	 */
	async removeWithOwner(pod: PodAddress, { resource, name, uid }: PodOwner, options: RecordedOptions) {
		if (options.via === 'eviction') await this.remove(pod, { ...options, dryRun: ['All'] });
		const path = objectPath(resource, { namespace: pod.namespace, name });
		await deleteUnlessChanged(this.#client, path, {
			propagationPolicy: 'Background',
			preconditions: { uid },
		});
		await this.remove(pod, options);
	}

	/** Deletes the EphemeralRunner that owns a scale-set pod, unless it is gone. */
	async removeEphemeralRunner(namespace: string, owner: { name: string; uid: string }): Promise<void> {
		const path = objectPath(resources.ephemeralRunners, { namespace, name: owner.name });
		const preconditions = { uid: owner.uid };
		await deleteUnlessChanged(this.#client, path, { preconditions }, { timeoutMs: callWithinMs });
	}

	/**
	 * Since when this server has noted that the pod's Node is missing, ms since the epoch; undefined: it has not, or by a clock
	 * that was ahead.
	 */
	nodeGoneSinceMs(pod: Pod): number | undefined {
		const [since = '', given] = (pod.metadata.annotations?.[progress.nodeGoneSince] ?? '').split(' ');
		const noted = nodeGone(pod.metadata.uid ?? '', pod.spec?.nodeName ?? '', since);
		const sinceMs = this.#signer.verifyStatement(noted, given) ? writtenMs(since) : undefined;
		return sinceMs !== undefined && sinceMs <= this.#now() + clocksDifferMs ? sinceMs : undefined;
	}

	/** Whether the Node has been gone for long enough: it was missing then, and is now. */
	async #nodeGone(pod: Pod): Promise<boolean> {
		const sinceMs = this.nodeGoneSinceMs(pod);
		const name = pod.spec?.nodeName;
		if (!name || sinceMs === undefined || this.#now() - sinceMs < nodeGoneAfterMs) return false;
		const path = objectPath(resources.nodes, { name });
		return (await getObject(this.#client, path, { timeoutMs: callWithinMs })) === undefined;
	}
}

/** The EphemeralRunner, read from the API server; undefined if there is none. */
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
