/**
 * Checks the invariants 1 to 5 and 8 (docs/invariants.md) against what was recorded: the simulated runners' journal,
 * the calls that reached GitHub, GitHub's own journal, and a watch of all pods. It knows only the annotations of the
 * product's contract.
 */
import { breakGlass, progress, record } from '../../admission/api/keys.ts';
import { readKubeconfig } from '../sim/cluster-access.ts';
import { Kube } from '../sim/kube.ts';
import { containerState, factsOf, type PodItem } from '../sim/runner-pod.ts';
import { arcUserAgent } from './arc-controller.ts';
import { eventually } from './eventually.ts';
import { JobPodHistory } from './job-pod-history.ts';
import type { Rig } from './rig.ts';
import type { LogLine } from './server-process.ts';

export interface Expected {
	/**
	 * `namespace/name` of pods whose job may be lost: with their node. For pods with break-glass, their annotation says
	 * so.
	 */
	lost?: readonly string[];
	/** Pods whose recorded deletion was cancelled. */
	cancelled?: readonly string[];
	/** Servers were killed: a call to GitHub whose result was not recorded yet may be repeated, once per crash. */
	crashes?: number;
	/** Nothing is in progress any longer: no recorded deletion may be left over. Default true. */
	settled?: boolean;
}

export interface History {
	/** What contradicts the invariants, each with its number; empty when all is well. */
	violations(expected?: Expected): string[];
	/**
	 * The same, after all recorded deletions that can be carried out have been: some may have been requested a moment
	 * ago.
	 */
	violationsAtRest(expected?: Expected): Promise<string[]>;
	/** Pods that carried a record at some time, as `namespace/name`. */
	recorded(): string[];
	/**
	 * Runs `work` and returns what changed during it: pods written, GitHub called with anything but GET (invariant 8).
	 * With `namespace` only of its pods, and about the organization of that name.
	 */
	writesDuring(work: () => Promise<unknown>, namespace?: string): Promise<string[]>;
	/**
	 * DELETE calls to GitHub about a runner that had been at work for so long: such a call can make GitHub's wrong
	 * answer true, and if the runner's log can be read, or its hooks report, none is sent.
	 */
	deletesAtWork(sinceMs?: number): string[];
	/** Resolves when no recorded deletion is left over. */
	settled(withinMs?: number): Promise<void>;
	stop(): void;
}

/** One pod's life, by UID. */
interface Life {
	key: string;
	runnerName: string;
	ephemeral: boolean;
	last: PodItem;
	gone: boolean;
	/** Every different record it carried, in order; '' for none after one. */
	records: string[];
	/** As it was when its deletionTimestamp was first seen. */
	terminating?: { atMs: number; pod: PodItem };
	/** When it was first seen marked as unregistered, with a signature. */
	unregisteredMs?: number;
}

/** A watch may show a change this much later than it was. */
const watchLagMs = 2_000;
/** Invariant 5, static runners; a little less than the product's 30 s for clocks that tick apart. */
const staticRetryMs = 29_000;
/** A runner that has not registered this long after its start may be deleted (A7). */
const registrationTimeoutMs = 10 * 60_000;

/** `expected`: the test causes violations on purpose, so they are not printed. */
export async function startHistory(rig: Rig, { expected = false } = {}): Promise<History> {
	const kube = new Kube(readKubeconfig(rig.cluster.kubeconfig));
	const lives = new Map<string, Life>();
	const { github, agents } = rig;
	const jobPods = new JobPodHistory(() => agents.journal);

	/**
	 * Did GitHub have this pod's runner at this time? undefined: it never had. By GitHub's id, for a pod of the same
	 * name may have registered since.
	 */
	function registeredAt(uid: string, atMs: number): boolean | undefined {
		const id = agents.journal.findLast((entry) => entry.uid === uid && entry.runnerId)?.runnerId;
		const last = github.journal.findLast(
			({ runnerId, what, cause, atMs: whenMs }) =>
				runnerId === id &&
				(what === 'added' || (what === 'removed' && !(cause === 'ephemeral-done' && whenMs === atMs))) &&
				whenMs <= atMs,
		);
		return last && last.what === 'added';
	}

	/** The simulated runner may see before this watch does that its pod is terminating; then it is gone from GitHub. */
	function terminatingMs(uid: string, seenMs: number): number {
		const seen = agents.journal.find((entry) => entry.uid === uid && entry.what === 'pod-terminating');
		return Math.min(seenMs, seen?.atMs ?? Infinity);
	}

	/** The job that the runner's process ran when its pod became terminating, whatever GitHub said about it. */
	function jobAtStop(uid: string): string | undefined {
		let job: string | undefined;
		for (const entry of agents.journal) {
			if (entry.uid !== uid) continue;
			if (entry.what === 'pod-terminating') return job;
			if (entry.what === 'job-started') job = entry.job;
			else if (entry.job === job) job = undefined;
		}
		return undefined;
	}

	function seen(pod: PodItem): void {
		if (!rig.owns(pod.metadata.namespace ?? 'default') || jobPods.seen(pod)) return;
		const facts = factsOf(pod);
		if (!facts) return;
		const annotations = pod.metadata.annotations ?? {};
		const fresh = {
			key: keyOf(pod),
			runnerName: facts.name,
			ephemeral: facts.ephemeral,
			last: pod,
			gone: false,
			records: [],
		};
		const life: Life = lives.get(pod.metadata.uid) ?? fresh;
		lives.set(pod.metadata.uid, life);
		life.last = pod;
		const written = recordIn(annotations);
		if (written !== (life.records.at(-1) ?? '')) life.records.push(written);
		if (pod.metadata.deletionTimestamp) life.terminating ??= { atMs: Date.now(), pod };
		if (annotations[progress.completedAt] && annotations[progress.proof]) life.unregisteredMs ??= Date.now();
	}

	await kube.watch<PodItem>('/api/v1/pods', {
		seen,
		gone(pod) {
			const life = lives.get(pod.metadata.uid);
			if (life) life.gone = true;
			jobPods.gone(pod);
		},
	});

	/** The runner pods as they are now, by UID. They are listed: a watch may be late, before what is asked about and after. */
	async function versions(): Promise<Map<string, { key: string; version: string }>> {
		const { items } = await kube.get<{ items: PodItem[] }>('/api/v1/pods');
		const mine = items.filter((pod) => rig.owns(pod.metadata.namespace ?? 'default') && factsOf(pod));
		return new Map(
			mine.map((pod) => [pod.metadata.uid, { key: keyOf(pod), version: pod.metadata.resourceVersion ?? '' }]),
		);
	}

	function busy(uid: string): boolean {
		const started = agents.journal.findLast((entry) => entry.uid === uid && entry.what === 'job-started');
		return (
			started !== undefined &&
			!agents.journal.some((entry) => entry.job === started.job && entry.what !== 'job-started')
		);
	}

	const leftOver = () =>
		[...lives]
			.filter(
				([uid, { gone, last, records }]) =>
					!gone && !last.metadata.deletionTimestamp && records.at(-1) && !busy(uid),
			)
			.map(([, life]) => life);

	function* releases(lost: readonly string[]): Generator<string> {
		for (const [uid, life] of lives) {
			const { terminating, key } = life;
			if (!terminating || lost.includes(key)) continue;
			if (terminating.pod.metadata.annotations?.[breakGlass]) continue;
			const job = jobAtStop(uid);
			if (job) yield `1: ${key} is being stopped while its runner works at ${job}`;
			if (containerState(terminating.pod).state !== 'running') continue; // never started, or stopped: proof enough
			const registered = registeredAt(uid, terminatingMs(uid, terminating.atMs));
			if (registered)
				yield `1: ${key} is being stopped while it runs and GitHub has ${life.runnerName} registered`;
			const young = terminating.atMs - startedMs(terminating.pod) < registrationTimeoutMs - watchLagMs;
			if (registered === undefined && young) yield `2: ${key} is being stopped while it may be registering`;
		}
		for (const [uid, { key, unregisteredMs }] of lives) {
			if (unregisteredMs && registeredAt(uid, unregisteredMs))
				yield `2: ${key} is said to be unregistered at ${time(unregisteredMs)} while GitHub has it`;
		}
	}

	function* records(cancelled: readonly string[], settled: boolean): Generator<string> {
		for (const { key, records } of lives.values()) {
			if (records.length > 1 && !cancelled.includes(key))
				yield `4: ${key}: the record was changed: ${records.join(' -> ')}`;
		}
		if (!settled) return;
		for (const { key, last } of leftOver()) {
			yield `4: ${key}: the recorded deletion was never completed (${containerState(last).state}, ${JSON.stringify(last.metadata.annotations)})`;
		}
	}

	function* calls(crashes: number): Generator<string> {
		const ephemeral = new Map([...lives.values()].map((life) => [life.runnerName, life.ephemeral]));
		const names = new Map(github.journal.map((entry) => [entry.runnerId, entry.name]));
		const calls = github.calls.filter(({ userAgent }) => userAgent !== arcUserAgent);
		for (const [id, name] of names) {
			const deletes = calls
				.filter((call) => call.endpoint === 'delete' && call.runnerId === id)
				.sort((a, b) => a.atMs - b.atMs);
			const refused = deletes.filter((call) => call.status === 422);
			if (ephemeral.get(name) ?? true) {
				if (refused.length > 1 + crashes)
					yield `5: ephemeral runner ${name}: ${refused.length} DELETE calls answered 422`;
				const endedMs =
					github.journal.find((entry) => entry.runnerId === id && entry.what === 'removed')?.atMs ?? Infinity;
				const first = refused[crashes];
				const more = first && deletes.slice(deletes.indexOf(first) + 1).filter(({ atMs }) => atMs < endedMs);
				if (more && more.length > 0)
					yield `5: ephemeral runner ${name}: ${more.length} DELETE calls after its 422`;
				continue;
			}
			for (const [index, call] of refused.entries()) {
				const next = deletes[deletes.indexOf(call) + 1];
				if (!next || next.atMs - call.atMs >= staticRetryMs) continue;
				const idle = github.journal.some(
					(entry) =>
						entry.runnerId === id &&
						entry.what === 'idle' &&
						entry.atMs >= call.atMs &&
						entry.atMs <= next.atMs,
				);
				if (!idle)
					yield `5: static runner ${name}: DELETE ${index + 2} came ${next.atMs - call.atMs} ms after a 422 in the same job`;
			}
		}
		for (const [id, name] of names) {
			const removed = github.journal.find((entry) => entry.runnerId === id && entry.what === 'removed');
			if (!removed) continue;
			const late = calls.filter(
				(call) =>
					call.endpoint === 'delete' &&
					call.runnerId === id &&
					call.atMs > removed.atMs &&
					call.status !== 204,
			);
			if (late.length > 1 + crashes) yield `5: runner ${name}: ${late.length} DELETE calls after it was gone`;
		}
	}

	function violations({ lost = [], cancelled = [], crashes = 0, settled = true }: Expected = {}): string[] {
		const killed = agents.killedJobs().filter(({ namespace, pod, annotations }) => {
			return !annotations?.[breakGlass] && !lost.includes(`${namespace}/${pod}`);
		});
		const found = [
			...killed.map(
				(entry) => `1: job ${entry.job} of ${entry.namespace}/${entry.pod} was killed: ${entry.detail}`,
			),
			...releases(lost),
			...jobPods.violations(lost),
			...records(cancelled, settled),
			...calls(crashes),
		];
		if (found.length > 0 && !expected) console.error(`invariant violated:\n${found.join('\n')}`);
		return found;
	}

	function deletesAtWork(sinceMs = 3_000): string[] {
		return github.calls
			.filter((call) => call.endpoint === 'delete' && call.userAgent !== arcUserAgent)
			.flatMap(({ runnerId, atMs, status }) => {
				const about = agents.journal.filter((entry) => entry.runnerId === runnerId && entry.atMs <= atMs);
				const started = about.findLast(({ what }) => what === 'job-started');
				if (started === undefined || started.atMs > atMs - sinceMs) return [];
				const over = agents.journal.some(
					({ job, what, atMs: endedMs }) => job === started.job && what !== 'job-started' && endedMs <= atMs,
				);
				return over ? [] : [`DELETE of ${started.pod} at ${time(atMs)}, at ${started.job}: ${status}`];
			});
	}

	async function settled(withinMs = 30_000): Promise<void> {
		try {
			await eventually('', () => leftOver().length === 0, { withinMs });
		} catch {
			const left = leftOver().map((life) => life.key);
			throw new Error(
				`not within ${withinMs / 1000} s: recorded deletions are completed: ${left.join(', ')}`,
			);
		}
	}

	return {
		violations,
		async violationsAtRest(expected) {
			await settled().catch(() => undefined); // what is left over then is a violation
			return violations(expected);
		},
		recorded: () => [...lives.values()].filter((life) => life.records.length > 0).map((life) => life.key),
		async writesDuring(work, namespace) {
			const isAsked = (key: string) => !namespace || key.startsWith(`${namespace}/`);
			const isAbout = (scope?: string) => !namespace || scope?.toLowerCase() === `orgs/${namespace}`;
			const before = await versions();
			const fromCall = github.calls.length;
			await work();
			await new Promise((resolve) => setTimeout(resolve, 300)); // what a server writes after its answer is a write too
			const after = await versions();
			const written = [...new Map([...before, ...after])]
				.filter(([uid, { key }]) => isAsked(key) && before.get(uid)?.version !== after.get(uid)?.version)
				.map(([, { key }]) => `8: ${key} was written`);
			const called = github.calls
				.slice(fromCall)
				.filter(({ method, scope }) => method !== 'GET' && isAbout(scope));
			return [...written, ...called.map((call) => `8: GitHub was called: ${call.method} ${call.template}`)];
		},
		deletesAtWork,
		settled,
		stop: () => kube.stop(),
	};
}

/** Everything that must not exist after a test: violations of the invariants, and errors in a server's log. */
export async function failures(rig: Rig, history: History, expected?: Expected): Promise<unknown[]> {
	return [
		...(await history.violationsAtRest(expected)),
		...rig.logs((line) => (line.level === 'error' || line.level === 'fatal') && !isSlowMachine(line)),
	];
}

/** On an overloaded machine the API server answers late. Then the server denies and says so, as it should. */
const isSlowMachine = ({ error }: LogLine) =>
	/the API server did not answer us in time|: timed out$/.test(String(error));

const keyOf = (pod: PodItem) => `${pod.metadata.namespace}/${pod.metadata.name}`;

function recordIn(annotations: Record<string, string>): string {
	if (!annotations[record.requestedBy]) return '';
	return [record.requestedAt, record.requestedBy, record.options]
		.map((key) => annotations[key] ?? '')
		.join(' ');
}

function startedMs(pod: PodItem): number {
	const running = pod.status?.containerStatuses?.find((status) => status.name === 'runner')?.state?.running;
	return Date.parse((running as { startedAt?: string } | undefined)?.startedAt ?? '') || 0;
}

const time = (ms: number) => new Date(ms).toISOString();
