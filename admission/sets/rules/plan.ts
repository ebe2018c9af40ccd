import { registrationTimeoutMs } from '../../runner/policy.ts';
import { releaseRetryMs, startBackoff } from './policy.ts';

/**
 * pending: its container has not started. starting: it runs, GitHub has not shown it yet. completed, failed: its
 * container has ended, after it was registered or before. stopping: its pod is on its way out, whoever deleted it.
 * leaving: the owner itself is being deleted.
 */
export type Phase =
	| 'pending'
	| 'starting'
	| 'idle'
	| 'busy'
	| 'completed'
	| 'failed'
	| 'stopping'
	| 'leaving';

/** One runner that a set owns: a StatefulSet with its pod, or a Runner with its pod. */
export interface Owner {
	name: string;
	uid: string;
	createdMs: number;
	templateHash: string;
	phase: Phase;
	onCordonedNode: boolean;
	/** It goes by itself when it can: its deletion is recorded. It takes a place until then, and nobody else goes for it. */
	departing: boolean;
	/** Its pod was made without the pod webhook: it goes as soon as it can, but not from a job (E7). */
	unfit?: boolean | undefined;
	/** starting: when its container started. completed: when it ended, as exactly as is known. */
	sinceMs?: number | undefined;
	/** It could not be unregistered, though not for a job: not asked about again before this. */
	notBeforeMs?: number | undefined;
}

/** What a set must not forget; kept in its status. */
export interface Accounting {
	/** Since when `replicas` is what is wanted. Never goes back. */
	effectiveMs: number;
	/** When runners completed since then, oldest first: each holds its place back. Empty for sets without a hold. */
	completionsMs: number[];
	/** How often in a row runners ended before they registered. */
	failedStarts: number;
	/** None is started before this. */
	nextStartMs: number;
}

export interface SetState {
	replicas: number;
	templateHash: string;
	/** Most runners above `replicas` during a rollout. */
	surge: number;
	deleting: boolean;
	/** Nothing is created and nothing is released. */
	credentialsMissing: boolean;
	/** Only for sets that an autoscaler drives: how long the place of a completed runner is held for its next word. */
	recreationDelayMs: number | undefined;
	accounting: Accounting;
}

export type Wait = 'busy' | 'registering' | 'hold' | 'starts-failing' | 'credentials-missing';

export interface Plan {
	create: number;
	/** To be unregistered and then deleted; most expendable first. Never a busy one. */
	release: Owner[];
	/** Over: delete the owner, all in one pass (E2). */
	remove: Owner[];
	hold: { replicas: number; untilMs: number } | undefined;
	/** When nothing changes before. */
	lookAgainMs: number | undefined;
	wait: Wait[];
	accounting: Accounting;
}

const isOver = ({ phase }: Owner) => phase === 'completed' || phase === 'failed' || phase === 'stopping';
/** Runs or will run, and may take a job. */
export const isActive = (owner: Owner) => !isOver(owner) && owner.phase !== 'leaving';

/** What to do so that the set has as many runners as wanted, of the newest template. Pure; changes nothing given. */
export function plan(owners: readonly Owner[], set: SetState, nowMs: number): Plan {
	const { accounting, hold } = account(owners, set, nowMs);
	const wanted = set.deleting ? 0 : set.replicas;
	const active = owners.filter(isActive);
	const outdated = active.filter((owner) => owner.templateHash !== set.templateHash);
	const rolling = wanted > 0 && outdated.length > 0;
	const most = rolling ? wanted + set.surge : wanted;
	const staying = active.filter(({ departing }) => !departing);
	const victims = set.credentialsMissing ? [] : [...choose(staying, wanted, most, set.templateHash, nowMs)];
	const release = victims.filter(({ notBeforeMs = 0 }) => notBeforeMs <= nowMs);

	// A runner above the wanted number may not be counted as one that is missing (invariant 7).
	const held = wanted - (hold?.replicas ?? 0);
	const missing = rolling
		? Math.min(held - (active.length - outdated.length), held + set.surge - active.length)
		: held - active.length;
	const paused = set.deleting || set.credentialsMissing || accounting.nextStartMs > nowMs;
	const create = paused ? 0 : Math.max(0, missing);

	const surplus = staying.length - wanted > victims.length;
	const busy = active.some(({ phase }) => phase === 'busy');
	const wait: Wait[] = [];
	if (busy && (surplus || outdated.some(({ phase }) => phase === 'busy'))) wait.push('busy');
	if (victims.length > release.length) wait.push('registering');
	if (hold) wait.push('hold');
	if (accounting.failedStarts > 0) wait.push('starts-failing');
	if (set.credentialsMissing) wait.push('credentials-missing');

	const moments = [
		hold?.untilMs,
		missing > 0 ? accounting.nextStartMs : undefined,
		...victims.map(({ notBeforeMs }) => notBeforeMs),
		...active.map(({ phase, sinceMs, notBeforeMs = 0 }) =>
			phase === 'starting' && sinceMs !== undefined
				? Math.max(sinceMs + registrationTimeoutMs, notBeforeMs)
				: undefined,
		),
	].filter((ms) => ms !== undefined && ms > nowMs) as number[];
	const lookAgainMs = moments.length > 0 ? Math.min(...moments) - nowMs : undefined;
	return { create, release, remove: owners.filter(isOver), hold, lookAgainMs, wait, accounting };
}

/** Who may go: never a busy one, the least useful first. */
function* choose(
	active: readonly Owner[],
	wanted: number,
	most: number,
	templateHash: string,
	nowMs: number,
): Generator<Owner> {
	const old = (owner: Owner) => owner.templateHash !== templateHash;
	const idleOrNot = active.filter(({ phase }) => phase !== 'busy').sort(expendableFirst(old));
	let excess = active.length - most;
	let available = active.filter(({ phase }) => phase === 'idle' || phase === 'busy').length;
	for (const owner of idleOrNot) {
		const useless = old(owner) && owner.phase !== 'idle'; // nobody waits for it, a new one is as near
		const spare = old(owner) && owner.phase === 'idle' && most > wanted && available > wanted;
		if (excess <= 0 && !useless && !spare && !owner.unfit && !isLost(owner, nowMs)) continue;
		excess -= 1;
		if (owner.phase === 'idle') available -= 1;
		yield owner;
	}
}

/** Its container runs and GitHub has not seen it: it will not come, and is replaced if GitHub confirms that (E5). */
function isLost({ phase, sinceMs, notBeforeMs = 0 }: Owner, nowMs: number): boolean {
	return (
		phase === 'starting' &&
		sinceMs !== undefined &&
		nowMs - sinceMs >= registrationTimeoutMs &&
		notBeforeMs <= nowMs
	);
}

/** Unfit or outdated, never started, idle on a cordoned node, idle, starting: by what is lost with it, then the oldest. */
function expendableFirst(old: (owner: Owner) => boolean): (a: Owner, b: Owner) => number {
	const rank = (owner: Owner) => {
		const phase = { pending: 0, idle: 2, starting: 3 }[owner.phase as 'pending' | 'idle' | 'starting'];
		return (
			(old(owner) || owner.unfit ? 0 : 10) + phase - (owner.phase === 'idle' && owner.onCordonedNode ? 1 : 0)
		);
	};
	// One that was tried and could not be unregistered yet comes first: its exchange may still succeed.
	const tried = (owner: Owner) => (owner.notBeforeMs === undefined ? 1 : 0);
	return (a, b) =>
		rank(a) - rank(b) || tried(a) - tried(b) || a.createdMs - b.createdMs || a.name.localeCompare(b.name);
}

/** Books what has ended since the last look. */
function account(
	owners: readonly Owner[],
	{ accounting: before, recreationDelayMs, replicas, deleting }: SetState,
	nowMs: number,
): { accounting: Accounting; hold: Plan['hold'] } {
	const delayMs = deleting ? undefined : recreationDelayMs;
	const ended = owners.filter(({ phase }) => phase === 'completed').map(({ sinceMs = nowMs }) => sinceMs);
	const completionsMs =
		delayMs === undefined
			? []
			: [...before.completionsMs, ...ended]
					.filter((atMs) => atMs >= before.effectiveMs && nowMs - atMs < delayMs)
					.sort((a, b) => a - b)
					.slice(-Math.max(1, replicas));

	let { failedStarts, nextStartMs } = before;
	// creationTimestamp is cut to the second; those of before are 10 s older at least.
	const sinceThen = ({ createdMs }: Owner) => createdMs > nextStartMs - 1_000;
	// Those that were started together fail together, and count once.
	if (owners.some((owner) => owner.phase === 'failed' && sinceThen(owner))) {
		failedStarts += 1;
		nextStartMs = nowMs + Math.min(startBackoff.mostMs, startBackoff.firstMs * 2 ** (failedStarts - 1));
	} else if (failedStarts > 0) {
		const registered = ({ phase }: Owner) => phase === 'idle' || phase === 'busy' || phase === 'completed';
		// One that was started after the failure has come through.
		if (owners.some((owner) => registered(owner) && sinceThen(owner))) failedStarts = 0;
	}

	const oldestMs = completionsMs[0];
	const hold =
		delayMs !== undefined && oldestMs !== undefined
			? { replicas: Math.min(completionsMs.length, replicas), untilMs: oldestMs + delayMs }
			: undefined;
	return { accounting: { effectiveMs: before.effectiveMs, completionsMs, failedStarts, nextStartMs }, hold };
}

/** How long one that could not be released is left alone. */
export function refusedForMs(reason: string): number {
	return reason === 'registering' ? 2_000 : releaseRetryMs;
}
