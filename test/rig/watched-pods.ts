import { readKubeconfig } from '../sim/cluster-access.ts';
import { Kube } from '../sim/kube.ts';
import type { PodItem } from '../sim/runner-pod.ts';

/** The runner pods of one namespace and their history, as a watch shows it. */
export class WatchedPods {
	readonly #kube: Kube;
	/** Pods as the watch shows them, by name. */
	readonly #pods = new Map<string, PodItem>();
	/** Names of those that are neither terminating nor exited. */
	readonly #live = new Set<string>();
	/** UIDs that each pod name has had. */
	readonly uids = new Map<string, Set<string>>();
	/** When the watch first showed each pod with its runner's id, Unix ms, by name. */
	readonly knownAtMs = new Map<string, number>();
	/** Most pods at a time that were neither terminating nor exited. */
	most = 0;

	constructor(kubeconfig: string) {
		this.#kube = new Kube(readKubeconfig(kubeconfig));
	}

	/** Resolves when the pods that there are have been seen. */
	protected watch(namespace: string): Promise<void> {
		return this.#kube.watch<PodItem>(`/api/v1/namespaces/${namespace}/pods`, {
			seen: (pod) => this.#seen(pod),
			gone: ({ metadata: { name } }) => {
				this.#pods.delete(name);
				this.#live.delete(name);
			},
		});
	}

	#seen(pod: PodItem): void {
		const { name, uid } = pod.metadata;
		this.#pods.set(name, pod);
		this.uids.set(name, (this.uids.get(name) ?? new Set()).add(uid));
		if (pod.metadata.annotations?.['actions-runner/runner-id'] && !this.knownAtMs.has(name))
			this.knownAtMs.set(name, Date.now());
		if (isLive(pod)) this.#live.add(name);
		else this.#live.delete(name);
		this.most = Math.max(this.most, this.#live.size);
	}

	/** Names of pods that are neither terminating nor exited, oldest first. */
	live(): string[] {
		return [...this.#pods.keys()].filter((name) => this.#live.has(name));
	}

	/** Names of all pods that there are. */
	all(): string[] {
		return [...this.#pods.keys()];
	}

	/** Pods whose runner GitHub's list has shown. */
	known(): string[] {
		return this.live().filter(
			(name) => this.#pods.get(name)?.metadata.annotations?.['actions-runner/runner-id'],
		);
	}

	/** The pod as it was shown last; undefined: it is gone. */
	protected shown(name: string): PodItem | undefined {
		return this.#pods.get(name);
	}

	/** Pods of the newest and of older templates, live ones. */
	templates(): Map<string, string[]> {
		const byHash = new Map<string, string[]>();
		for (const name of this.live()) {
			const hash = this.#pods.get(name)?.metadata.labels?.['runner-template-hash'] ?? '';
			byHash.set(hash, [...(byHash.get(hash) ?? []), name]);
		}
		return byHash;
	}

	/** Pod names that more than one pod has had. */
	reused(): string[] {
		return [...this.uids].filter(([, uids]) => uids.size > 1).map(([name]) => name);
	}

	stop(): void {
		this.#kube.stop();
	}
}

function isLive({ metadata, status }: PodItem): boolean {
	const exited = status?.containerStatuses?.some(({ name, state }) => name === 'runner' && state?.terminated);
	return !metadata.deletionTimestamp && !exited;
}
