import { type RunnerReason, runnerDenial } from '../../guard/rules/denials.ts';
import { registrationTimeoutMs } from '../../runner/policy.ts';
import type { Waiting } from '../../runner/waiting.ts';
import { type Outdated, outdatedAfter, type Refusal, triedAgainMs } from './outdated.ts';
import { briefEnd, longestRecreationDelayMs, provenMs, releaseRetryMs, startBackoff } from './policy.ts';
import { afterBriefEnd, afterFailedStart, noBackoff, type StartBackoff } from './start-backoff.ts';

/**
 * - unbound: its pod is on no node yet.
 * - starting: its pod is on a node, and GitHub has not listed the runner yet. Its container may run.
 * - idle, busy: it is registered, without or with a job.
 * - completed, failed: its container has ended, after or before the runner registered.
 * - stopping: its pod is being deleted, or GitHub has unregistered it.
 * - leaving: its owner (StatefulSet or Runner) is being deleted.
 */
export type Phase =
	| 'unbound'
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
	/** Its deletion is recorded: it counts until it is gone, and no other runner is removed instead. */
	departing: boolean;
	/** Its pod was made without the pod webhook: it is replaced as soon as it has no job (E7). */
	unfit?: boolean | undefined;
	/**
	 * ms since the epoch, as far as is known. In phase starting or idle: when its container was seen to have started. In phase busy: since when
	 * it has its job. In phase completed: when it ended.
	 */
	sinceMs?: number | undefined;
	/** In phase starting: from when on its container counts as one that cannot start, ms since the epoch. */
	vainFromMs?: number | undefined;
	/** Why its pod has not started it; undefined: nobody gives a reason. */
	waiting?: (Waiting & { pod: string }) | undefined;
	/** In phase completed: it ended within seconds, without having shown a job. */
	brief?: boolean | undefined;
	/** GitHub refuses its version, as the runner's log says. */
	refusal?: Refusal | undefined;
	/** GitHub could not unregister it, for another reason than a job: it is not tried again before this, ms since the epoch. */
	notBeforeMs?: number | undefined;
}

/** What must survive a change of leader; it is kept in the set's status. */
export interface Accounting extends StartBackoff {
	/** When `replicas` was last decided, ms since the epoch. Never goes back. */
	effectiveMs: number;
	/** When runners completed since then, oldest first: they are not replaced yet. Empty for sets without a recreation delay. */
	completionsMs: number[];
	/** GitHub refuses the version of the set's runners; undefined: it does not, as far as is known. */
	outdated?: Outdated | undefined;
}

/** What an autoscaler asks for, in place of `replicas`; see autoscale/rules/demand.ts. */
export interface Demanded {
	/** How many runners are wanted. */
	desired: number;
	/** UIDs of the runners that may go because they are too many, the first one first. */
	mayGo: readonly string[];
	/** UIDs of idle runners that are replaced though they are not too many. */
	replace: readonly string[];
}

export interface SetState {
	replicas: number;
	/** For the target of an autoscaler: its jobs decide how many runners there are, and nothing is replaced for `replicas`. */
	demanded?: Demanded | undefined;
	templateHash: string;
	/** How many runners above `replicas` a rollout may create. */
	surge: number;
	deleting: boolean;
	/** There are no GitHub credentials: no runner is created and none is released. */
	credentialsMissing: boolean;
	/** Only for sets that an autoscaler scales: how long a completed runner is not replaced unless the autoscaler decides again. */
	recreationDelayMs: number | undefined;
	accounting: Accounting;
}

type Wait = 'busy' | 'registering' | 'hold' | 'runner-outdated' | 'starts-failing' | 'credentials-missing';

export interface Plan {
	create: number;
	/** Runners to unregister and then delete, the most expendable first. Never a busy one. */
	release: Owner[];
	/** Runners that have ended: their owners are deleted, all in one reconcile (E2). */
	remove: Owner[];
	hold: { replicas: number; untilMs: number } | undefined;
	/** After how many ms to plan again if nothing changes before; undefined: there is no need. */
	requeueAfterMs: number | undefined;
	wait: Wait[];
	accounting: Accounting;
}

const isOver = ({ phase }: Owner) => phase === 'completed' || phase === 'failed' || phase === 'stopping';
/** Whether the runner runs or will run, and so may get a job. */
export const isActive = (owner: Owner) => !isOver(owner) && owner.phase !== 'leaving';

/** What to do so that the set has as many runners as wanted, made from the newest template. Pure; does not change its arguments. */
export function plan(owners: readonly Owner[], set: SetState, nowMs: number): Plan {
	const { accounting, hold } = account(owners, set, nowMs);
	const demanded = set.deleting ? undefined : set.demanded;
	const wanted = set.deleting ? 0 : (demanded?.desired ?? set.replicas);
	const active = owners.filter(isActive);
	// With an autoscaler, busy and departing runners are not replaced: the next job asks for a runner of its own.
	const outdated = active.filter(
		({ templateHash, phase, departing }) =>
			templateHash !== set.templateHash && !(demanded && (phase === 'busy' || departing)),
	);
	const rolling = wanted > 0 && outdated.length > 0;
	const most = rolling ? wanted + set.surge : wanted;
	const staying = active.filter(({ departing }) => !departing);
	// Departing runners are part of the number that an autoscaler asks for, but not of `replicas`.
	const counted = demanded ? active : staying;
	const chosen = choose(staying, counted, wanted, most, set.templateHash, nowMs, demanded);
	const victims = set.credentialsMissing ? [] : [...chosen];
	const release = victims.filter(({ notBeforeMs = 0 }) => notBeforeMs <= nowMs);

	// Never create more than wanted plus surge, however many of the present ones are outdated (invariant 7).
	const held = wanted - (hold?.replicas ?? 0);
	const upToDate = active.length - outdated.length;
	const missing = Math.min(held - upToDate, held + set.surge - active.length);
	const paused = set.credentialsMissing || accounting.nextStartMs > nowMs;
	// One runner at a time finds out whether GitHub still refuses them.
	const mostStarts = accounting.outdated ? (upToDate > 0 ? 0 : 1) : missing;
	const create = paused ? 0 : Math.max(0, Math.min(missing, mostStarts));

	const working = active.filter(({ phase }) => phase === 'busy').length;
	// Idle runners that an autoscaler keeps for a while do not wait for a job to end.
	const surplus = demanded ? working > wanted : staying.length - wanted > victims.length;
	const busy = working > 0;
	const wait: Wait[] = [];
	if (busy && (surplus || outdated.some(({ phase }) => phase === 'busy'))) wait.push('busy');
	if (victims.length > release.length) wait.push('registering');
	if (hold) wait.push('hold');
	const againMs = accounting.outdated && triedAgainMs(accounting.nextStartMs);
	if (againMs !== undefined && nowMs < againMs) wait.push('runner-outdated');
	if (accounting.failedStarts > 0) wait.push('starts-failing');
	if (set.credentialsMissing) wait.push('credentials-missing');

	const moments = [
		hold?.untilMs,
		againMs,
		missing > 0 ? accounting.nextStartMs : undefined,
		...victims.map(({ notBeforeMs }) => notBeforeMs),
		...active.map(({ vainFromMs }) => vainFromMs),
		...(accounting.outdated ? active : [])
			.filter(({ phase }) => phase === 'idle')
			.map(({ sinceMs = 0 }) => sinceMs + provenMs),
		...active
			.filter(({ phase }) => phase === 'starting')
			.map(({ sinceMs = nowMs, notBeforeMs = 0 }) => Math.max(sinceMs + registrationTimeoutMs, notBeforeMs)),
		...(accounting.briefEnds > 0 ? active : [])
			.filter(({ phase }) => phase === 'idle')
			.map(({ sinceMs = 0 }) => sinceMs + briefEnd.withinMs),
	].filter((ms): ms is number => (ms ?? 0) > nowMs);
	const requeueAfterMs = moments.length > 0 ? Math.min(...moments) - nowMs : undefined;
	return { create, release, remove: owners.filter(isOver), hold, requeueAfterMs, wait, accounting };
}

/**
 * The runners to release: never a busy one, the least useful first.
 *
 * @param counted the runners that `wanted` and `most` count
 * @param demanded which of the surplus runners may be released, in this order, and which idle ones are replaced; undefined: any
 * surplus runner may be released
 */
function* choose(
	staying: readonly Owner[],
	counted: readonly Owner[],
	wanted: number,
	most: number,
	templateHash: string,
	nowMs: number,
	demanded: Demanded | undefined,
): Generator<Owner> {
	const old = (owner: Owner) => owner.templateHash !== templateHash;
	const turns = demanded && new Map(demanded.mayGo.map((uid, turn) => [uid, turn]));
	const replace = new Set(demanded?.replace);
	const turn = ({ uid }: Owner) => turns?.get(uid) ?? -1;
	const order = expendableFirst(old);
	const idleOrNot = staying
		.filter(({ phase }) => phase !== 'busy')
		.sort((a, b) => turn(a) - turn(b) || order(a, b));
	let excess = counted.length - most;
	let available = counted.filter(({ phase }) => phase === 'idle' || phase === 'busy').length;
	for (const owner of idleOrNot) {
		// It is idle in a moment: until then nobody can tell whether a job has been given to it.
		if (owner.phase === 'starting' && !isVain(owner, nowMs) && !isLost(owner, nowMs)) continue;
		// A new runner is idle as soon as one that is not idle yet. An idle one is replaced when enough others can take a job.
		const outdated = old(owner) && (owner.phase !== 'idle' || available > wanted);
		const tooMany = excess > 0 && (turns?.has(owner.uid) ?? true);
		const replaced = owner.unfit || (owner.phase === 'idle' && replace.has(owner.uid));
		if (!tooMany && !outdated && !replaced && !isLost(owner, nowMs)) continue;
		excess -= 1;
		if (owner.phase === 'idle') available -= 1;
		yield owner;
	}
}

/** Whether its container cannot start, as far as is known. */
const isVain = ({ vainFromMs }: Owner, nowMs: number): boolean =>
	vainFromMs !== undefined && vainFromMs <= nowMs;

/** Whether GitHub has not listed the runner for so long that it will never register. It is replaced if GitHub confirms that (E5). */
function isLost({ phase, sinceMs, notBeforeMs = 0 }: Owner, nowMs: number): boolean {
	return phase === 'starting' && nowMs - (sinceMs ?? nowMs) >= registrationTimeoutMs && notBeforeMs <= nowMs;
}

/** Order of release: unfit or outdated ones first; then unbound, starting, idle on a cordoned node, idle; then the oldest. */
function expendableFirst(old: (owner: Owner) => boolean): (a: Owner, b: Owner) => number {
	const rank = (owner: Owner) => {
		const phase = { unbound: 0, starting: 1, idle: 3 }[owner.phase as 'unbound' | 'starting' | 'idle'];
		return (
			(old(owner) || owner.unfit ? 0 : 10) + phase - (owner.phase === 'idle' && owner.onCordonedNode ? 1 : 0)
		);
	};
	// Among equals, a runner that was tried before comes first, since its exchange with GitHub may still succeed.
	const tried = (owner: Owner) => (owner.notBeforeMs === undefined ? 1 : 0);
	return (a, b) =>
		rank(a) - rank(b) || tried(a) - tried(b) || a.createdMs - b.createdMs || a.name.localeCompare(b.name);
}

/** Updates the accounting with the runners that have ended since the last plan. */
function account(
	owners: readonly Owner[],
	{ accounting, recreationDelayMs, demanded, replicas, deleting, templateHash }: SetState,
	nowMs: number,
): { accounting: Accounting; hold: Plan['hold'] } {
	const before = noLaterThan(nowMs, accounting);
	const givenMs = deleting || demanded ? undefined : recreationDelayMs;
	const delayMs = givenMs && Math.min(givenMs, longestRecreationDelayMs);
	const ended = owners.filter(({ phase }) => phase === 'completed').map(({ sinceMs = nowMs }) => sinceMs);
	const completionsMs =
		delayMs === undefined
			? []
			: [...before.completionsMs, ...ended]
					.filter((atMs) => atMs >= before.effectiveMs && nowMs - atMs < delayMs)
					.sort((a, b) => a - b)
					.slice(-Math.max(1, replicas));

	const { outdated, nextStartMs } = outdatedAfter(owners, { ...before, templateHash }, nowMs);
	const backoff = outdated
		? { failedStarts: before.failedStarts, briefEnds: before.briefEnds, nextStartMs }
		: backoffAfter(owners, { ...before, nextStartMs }, nowMs);

	const oldestMs = completionsMs[0];
	const hold =
		delayMs !== undefined && oldestMs !== undefined
			? { replicas: Math.min(completionsMs.length, replicas), untilMs: oldestMs + delayMs }
			: undefined;
	const after = { effectiveMs: before.effectiveMs, completionsMs, ...backoff };
	return { accounting: outdated ? { ...after, outdated } : after, hold };
}

/** The accounting after our clock may have been set back: nothing waits longer than it would have, had it just happened. */
const noLaterThan = (nowMs: number, { effectiveMs, completionsMs, ...backoff }: Accounting): Accounting => ({
	...backoff,
	effectiveMs: Math.min(effectiveMs, nowMs),
	completionsMs: completionsMs.map((atMs) => Math.min(atMs, nowMs)),
	nextStartMs: Math.min(backoff.nextStartMs, nowMs + startBackoff.mostMs),
});

/** The backoff of starts, updated with the outcome of the runners that were started last. */
function backoffAfter(
	owners: readonly Owner[],
	{ failedStarts, briefEnds, nextStartMs }: StartBackoff,
	nowMs: number,
): StartBackoff {
	const backoff = { failedStarts, briefEnds, nextStartMs };
	// creationTimestamp is cut to the second, hence the 1 s. Runners of the previous start are at least 10 s older.
	const latest = owners.filter(({ createdMs }) => createdMs > nextStartMs - 1_000);
	// Runners that were started together fail together, and count as one failed start.
	if (latest.some(({ phase }) => phase === 'failed')) return afterFailedStart(backoff, nowMs);
	const ends = latest.filter(({ phase, brief }) => phase === 'completed' && brief);
	// A set whose runners get jobs works, however quickly some of them end.
	const sinceMs = Math.max(nextStartMs, ...ends.map(({ createdMs }) => createdMs));
	if (owners.some((owner) => isUseful(owner, sinceMs, nowMs))) return { ...noBackoff, nextStartMs };
	if (ends.length > 0) return afterBriefEnd(backoff, nowMs);
	// A runner that was started after the failure has registered. After brief ends that proves nothing: those had registered too.
	return briefEnds === 0 && latest.some(({ phase }) => phase === 'idle')
		? { ...backoff, failedStarts: 0 }
		: backoff;
}

/** Whether the runner got its job since then, or was started since then and has lasted longer than a brief end. */
function isUseful({ phase, brief, sinceMs, createdMs }: Owner, thenMs: number, nowMs: number): boolean {
	if (phase === 'busy' && (sinceMs ?? 0) >= thenMs) return true;
	if (createdMs <= thenMs - 1_000) return false;
	if (phase === 'idle') return nowMs - (sinceMs ?? nowMs) >= briefEnd.withinMs;
	return phase === 'busy' || (phase === 'completed' && !brief);
}

/** How long to wait, in ms, before a runner that could not be released is tried again. */
export function refusedForMs(reason: RunnerReason): number {
	return runnerDenial(reason).brief ? 2_000 : releaseRetryMs;
}
