import { lookupMaxAgeMs, sharedCallTimeoutMs } from './policy.ts';
import type { Registry } from './registry.ts';
import type { CallOptions, GitHubFailure, RemoveOutcome, RunnerInfo, Scope } from './types.ts';
import { isFailure, scopeKey } from './types.ts';
import type {
	RunnerToUnregister,
	UnregisterLimits,
	UnregisterOutcome,
	Unregistrations,
} from './unregistrations.ts';

/** The part of an account that unregistering uses. */
export interface UnregisteringAccount {
	readonly registry: Registry;
	readonly unregistrations: Unregistrations;
	now(): number;
	remove(scope: Scope, runnerId: number, options: CallOptions): Promise<RemoveOutcome>;
}

/** When the rate limit delays a DELETE, this much of the caller's time is kept for the call itself. */
const callItselfMs = 1_000;

/**
 * Has GitHub remove a runner's registration. Nothing else in this project does. Callers for the same runner share one
 * exchange. One that gives up (by signal or `timeoutMs`) gets 'github-slow'; the exchange goes on for the others.
 */
export async function unregister(
	account: UnregisteringAccount,
	runner: RunnerToUnregister,
	limits: UnregisterLimits = {},
): Promise<UnregisterOutcome> {
	const priority = limits.priority ?? 'request';
	const { timeoutMs = sharedCallTimeoutMs, rateLimitWaitMs = timeoutMs - callItselfMs } = limits;
	const maxWaitMs = Math.max(0, rateLimitWaitMs);
	return account.unregistrations.run(runner, limits, () =>
		exchange(account, runner, { priority, maxWaitMs, before: runner.stillIdle }),
	);
}

/** Finds the runner's id if need be, asks GitHub to remove it, and on 404 confirms that no runner of the name is left. */
async function exchange(
	account: UnregisteringAccount,
	runner: RunnerToUnregister,
	options: CallOptions,
): Promise<UnregisterOutcome> {
	const known = runner.id === undefined ? false : ((await runner.trusts?.(runner.id)) ?? true);
	if (typeof known !== 'boolean') return known;
	let id = known ? runner.id : undefined;
	if (id === undefined) {
		const begunMs = account.now();
		const found = await account.registry.find(runner.scope, runner.name, {
			maxAgeMs: lookupMaxAgeMs,
			priority: options.priority,
		});
		if (found === 'absent') return { kind: 'absent', begunMs };
		if (isFailure(found)) return found;
		id = found.present.id;
		await runner.found?.(id);
	}
	const first = await account.remove(runner.scope, id, options);
	if (first.kind !== 'not-found') return outcomeOf(first, id);

	// 404 for the id is only half of the proof: the runner may have registered again with another id.
	const again = await confirm(account, runner, options);
	if (!('present' in again)) return again;
	const newId = again.present.id;
	if (newId === id) return contradiction(runner, `it lists runner ${id} but answers 404 to its DELETE`);

	const second = await account.remove(runner.scope, newId, options);
	if (second.kind !== 'not-found') return outcomeOf(second, newId);
	const last = await confirm(account, runner, options);
	if (!('present' in last)) return last;
	return contradiction(runner, 'its id changes from call to call');
}

/** Whether GitHub has a runner of this name, by a list that is begun now. */
async function confirm(
	account: UnregisteringAccount,
	{ scope, name }: RunnerToUnregister,
	{ priority }: CallOptions,
): Promise<{ present: RunnerInfo } | { kind: 'absent'; begunMs: number } | GitHubFailure> {
	const begunMs = account.now();
	const found = await account.registry.confirmAbsent(scope, name, { notBeforeMs: begunMs, priority });
	return found === 'absent' ? { kind: 'absent', begunMs } : found;
}

function outcomeOf(
	answer: Exclude<RemoveOutcome, { kind: 'not-found' }>,
	runnerId: number,
): UnregisterOutcome {
	switch (answer.kind) {
		case 'removed':
			return { kind: 'unregistered', runnerId };
		case 'busy':
			return { kind: 'busy', message: answer.message, runnerId };
		default:
			return answer;
	}
}

function contradiction(runner: RunnerToUnregister, why: string): GitHubFailure {
	const detail = `GitHub contradicts itself about ${runner.name} of ${scopeKey(runner.scope)}: ${why}`;
	return { kind: 'github-unavailable', detail };
}
