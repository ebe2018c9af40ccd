/** Invariant 1 for the pods in which runners run their jobs (containerMode kubernetes): a job dies with its pod. */
import { breakGlass } from '../../admission/api/keys.ts';
import type { JournalEntry } from '../sim/runner-agents.ts';
import type { PodItem } from '../sim/runner-pod.ts';

interface JobPodLife {
	key: string;
	/** The job that its runner ran when the pod was first seen; undefined: none. */
	job: string | undefined;
	/** Its last state before it was terminating. */
	last: PodItem;
	/** When it was first seen to be terminating, or gone. */
	stoppedMs?: number;
}

export class JobPodHistory {
	readonly #lives = new Map<string, JobPodLife>();
	readonly #journal: () => readonly JournalEntry[];

	constructor(journal: () => readonly JournalEntry[]) {
		this.#journal = journal;
	}

	/** False: it is no job pod. */
	seen(pod: PodItem): boolean {
		const runner = pod.metadata.labels?.['runner-pod'];
		const { uid, namespace } = pod.metadata;
		let life = this.#lives.get(uid);
		if (!life) {
			const isJobPod = pod.spec?.containers?.some(({ name }) => name === 'job');
			if (!runner || !isJobPod) return false;
			const key = `${namespace}/${pod.metadata.name}`;
			life = { key, job: this.#jobOf(namespace ?? 'default', runner), last: pod };
			this.#lives.set(uid, life);
		}
		if (pod.metadata.deletionTimestamp) life.stoppedMs ??= Date.now();
		life.last = pod;
		return true;
	}

	gone({ metadata }: PodItem): void {
		const life = this.#lives.get(metadata.uid);
		if (life) life.stoppedMs ??= Date.now();
	}

	/** @param lost `namespace/name` of those that their own runner has deleted, or that may be lost */
	*violations(lost: readonly string[]): Generator<string> {
		for (const { key, job, last, stoppedMs } of this.#lives.values()) {
			if (stoppedMs === undefined || job === undefined || lost.includes(key)) continue;
			if (last.metadata.annotations?.[breakGlass]) continue;
			const ended = this.#journal().find((entry) => entry.job === job && ends(entry));
			if (ended && ended.atMs <= stoppedMs) continue;
			yield `1: job pod ${key} is being stopped while its runner works at ${job}`;
		}
	}

	#jobOf(namespace: string, runner: string): string | undefined {
		const mine = this.#journal().filter((entry) => entry.namespace === namespace && entry.pod === runner);
		const started = mine.findLast(({ what }) => what === 'job-started');
		return started && !mine.some((entry) => entry.job === started.job && ends(entry))
			? started.job
			: undefined;
	}
}

const ends = ({ what }: JournalEntry): boolean => what === 'job-ended' || what === 'job-killed';
