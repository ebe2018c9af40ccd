import type { CredentialsMissing, Priority, Trouble } from '../github/types.ts';
import type { UnregisterOutcome } from '../github/unregistrations.ts';
import type { Clock } from '../kube/clock.ts';
import {
	type Annotations,
	busyAnswerOf,
	claimOf,
	type DeletionRequest,
	idOf,
	recordOf,
	unclaimed,
	unregisteredOf,
} from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import { allow, decide, decideUnknownToGitHub, deny, type Verdict } from './rules/decide.ts';
import { admissionBudgetMs, backgroundBudgetMs } from './rules/policy.ts';

/** What GitHub's list says of a runner. A hint: only `UnregisterOutcome` proves that no job can arrive. */
export type LookupOutcome = { kind: 'present'; busy: boolean } | { kind: 'not-registered' } | Trouble;

/** The GitHub credentials that one runner pod uses. */
export interface RunnerAccount {
	/** Known now, without a call, to be of no use: rate limit, outage, bad credentials. */
	trouble(): Trouble | undefined;
	/** The only way a runner leaves GitHub. Single flight per runner. */
	unregister(
		pod: RunnerPod,
		options: {
			timeoutMs: number;
			/** How long the DELETE may wait for its turn in the pace; default nearly `timeoutMs`. */
			paceWaitMs?: number | undefined;
			priority: Priority;
			/** Told the id that was looked up, before GitHub forgets it. */
			found: (runnerId: number) => Promise<void>;
		},
	): Promise<UnregisterOutcome>;
	/** Reads only. `notBeforeMs`: an answer older than this does not count. */
	lookup(pod: RunnerPod, options: { timeoutMs: number; notBeforeMs: number }): Promise<LookupOutcome>;
}

export interface Ports extends Pick<Clock, 'now' | 'after'> {
	/** Names this replica. */
	self: string;
	account(pod: RunnerPod): Promise<RunnerAccount | Trouble | CredentialsMissing>;
	/** Sets annotations. With `onlyIfUnchanged` a pod that changed since it was read answers 'conflict'. */
	annotate(
		pod: RunnerPod,
		annotations: Annotations,
		onlyIfUnchanged?: boolean,
	): Promise<RunnerPod | 'conflict' | 'gone'>;
	/** Reads the pod from the API server, never from a cache. */
	reread(pod: RunnerPod): Promise<RunnerPod | 'gone'>;
	/** Is another pod of the cluster the runner of this name? See name-holder.ts. */
	nameTaken(pod: RunnerPod): Promise<boolean>;
	sign(pod: RunnerPod, completedAt: string): string;
	/** A scale-set pod goes with its EphemeralRunner: one that merely vanishes is recreated with a used JIT config. */
	deleteEphemeralRunner(pod: RunnerPod): Promise<void>;
	/** A promise that must be kept before the process may end. */
	background(work: Promise<unknown>): void;
}

export interface Released {
	verdict: Verdict;
	recorded: boolean | 'dry-run';
	/** As it stands after our own writes. */
	pod: RunnerPod;
}

/**
 * May the pod be deleted now, and if GitHub has to be asked first: ask. The webhook and the deletion loop both come
 * through here. A denied request is recorded before it is answered; a 204 is on the pod before it counts.
 *
 * Never throws for GitHub's sake; an error of the Kubernetes API is the caller's (it means: not recorded).
 */
export async function release(
	pod: RunnerPod,
	request: DeletionRequest | undefined,
	ports: Ports,
	limits: { budgetMs: number; priority: Priority; paceWaitMs?: number },
): Promise<Released> {
	const deadlineMs = ports.now() + limits.budgetMs;
	let current = pod;

	for (let attempt = 0; attempt < 4; attempt++) {
		const decision = decide(current, ports.now(), ports.self);
		if (decision.kind === 'allow') return { verdict: decision, recorded: false, pod: current };
		if (decision.kind === 'deny') return denied(current, decision, request, ports);

		const account = await ports.account(current);
		if ('kind' in account) return denied(current, deny(account.kind, account.detail), request, ports);
		const trouble = account.trouble();
		if (trouble) return denied(current, deny(trouble.kind, trouble.detail), request, ports);

		if (await ports.nameTaken(current)) return denied(current, deny('name-taken'), request, ports);

		const timeoutMs = Math.max(100, deadlineMs - ports.now());
		if (request?.dryRun || decision.kind === 'verify') {
			const notBeforeMs = decision.kind === 'verify' ? decision.notBeforeMs : ports.now() - 10_000;
			const found = await account.lookup(current, { timeoutMs, notBeforeMs });
			const verdict = readLookup(current, found, decision.kind === 'verify', ports.now());
			if (verdict?.kind === 'deny') return denied(current, verdict, request, ports);
			if (verdict && request?.dryRun) return { verdict, recorded: 'dry-run', pod: current };
			if (verdict) return finish(current, verdict, ports);
			// GitHub contradicts the annotation: ask like for any other
		}

		const annotations = {
			...recordOf(current, request, ports.now()),
			...claimOf(current, ports.self, ports.now()),
		};
		const claimed = await ports.annotate(current, annotations, true);
		if (claimed === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
		if (claimed === 'conflict') {
			const fresh = await ports.reread(current);
			if (fresh === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
			current = fresh;
			continue;
		}
		return unregister(claimed, account, ports, answerByMs(current, ports, limits.budgetMs), limits);
	}
	return denied(current, deny('internal-error', 'the pod keeps changing'), request, ports);
}

/**
 * Until when this caller waits for GitHub. The API server asks a second time where the pod has changed under its DELETE,
 * as it does by our own claim: a second review that finds it goes on from the first one's time (F8).
 */
function answerByMs({ claim, busyAnswer }: RunnerPod, ports: Ports, budgetMs: number): number {
	const nowMs = ports.now();
	const begun = claim?.by === ports.self && !busyAnswer && nowMs - claim.atMs < admissionBudgetMs + 1_000;
	return begun ? Math.max(nowMs + 100, claim.atMs + budgetMs) : nowMs + budgetMs;
}

/** undefined: GitHub still has the runner although somebody wrote that it has not. */
function readLookup(
	pod: RunnerPod,
	found: LookupOutcome,
	verifying: boolean,
	nowMs: number,
): Verdict | undefined {
	if (found.kind === 'present') {
		if (found.busy) return deny('busy');
		return verifying ? undefined : allow('unregistered');
	}
	if (found.kind !== 'not-registered') return deny(found.kind, found.detail);
	return verifying ? allow('unregistered') : decideUnknownToGitHub(pod, nowMs);
}

/** GitHub may take longer than the caller can wait: the exchange goes on and its outcome is written all the same. */
async function unregister(
	pod: RunnerPod,
	account: RunnerAccount,
	ports: Ports,
	deadlineMs: number,
	{ priority, paceWaitMs }: { priority: Priority; paceWaitMs?: number },
): Promise<Released> {
	const exchange = account
		.unregister(pod, {
			timeoutMs: backgroundBudgetMs,
			paceWaitMs,
			priority,
			// Without its id on the pod a runner that GitHub removed for a server that then crashed looks like one to come.
			found: async (runnerId) => void (await ports.annotate(pod, idOf(runnerId))),
		})
		.then((outcome) => settle(pod, outcome, ports));
	ports.background(exchange);
	let cancel = () => {};
	const late = new Promise<Released>((resolve) => {
		cancel = ports.after(Math.max(0, deadlineMs - ports.now()), () =>
			resolve({ verdict: deny('github-slow', 'asked, waiting for the answer'), recorded: true, pod }),
		);
	});
	try {
		return await Promise.race([exchange, late]);
	} finally {
		cancel();
	}
}

async function settle(pod: RunnerPod, outcome: UnregisterOutcome, ports: Ports): Promise<Released> {
	switch (outcome.kind) {
		case 'unregistered':
			// GitHub had it until now, whatever somebody wrote on the pod.
			return finish({ ...pod, unregistered: undefined }, allow('unregistered'), ports);
		case 'not-registered': {
			// An id on the pod would have been asked about, were it not another runner's.
			const verdict = decideUnknownToGitHub({ ...pod, runnerId: undefined }, ports.now());
			return verdict.kind === 'allow' ? finish(pod, verdict, ports) : { verdict, recorded: true, pod };
		}
		case 'busy': {
			const written = await ports.annotate(pod, busyAnswerOf(pod, outcome.message, ports.now()));
			return { verdict: deny('busy'), recorded: true, pod: typeof written === 'string' ? pod : written };
		}
		default:
			// Nothing was learnt: whichever replica is asked next need not wait for this claim to run out.
			await ports.annotate(pod, unclaimed);
			return { verdict: deny(outcome.kind, outcome.detail), recorded: true, pod };
	}
}

/** Writes the proof, and only then lets go. */
async function finish(pod: RunnerPod, verdict: Verdict, ports: Ports): Promise<Released> {
	const written = await ports.annotate(pod, unregisteredOf(pod, ports.sign, ports.now()));
	if (pod.owner?.found) await ports.deleteEphemeralRunner(pod);
	return { verdict, recorded: false, pod: typeof written === 'string' ? pod : written };
}

async function denied(
	pod: RunnerPod,
	verdict: Verdict & { kind: 'deny' },
	request: DeletionRequest | undefined,
	ports: Ports,
): Promise<Released> {
	if (request?.dryRun) return { verdict, recorded: 'dry-run', pod };
	let current = pod;
	for (let attempt = 0; ; attempt++) {
		const annotations = recordOf(current, request, ports.now());
		if (Object.keys(annotations).length === 0)
			return { verdict, recorded: current.record !== undefined, pod: current };
		// Of several who ask at once the first is remembered, on whichever replica (invariant 4).
		const written = await ports.annotate(current, annotations, attempt < 3);
		if (typeof written !== 'string') return { verdict, recorded: true, pod: written };
		const fresh = written === 'gone' ? written : await ports.reread(current);
		if (fresh === 'gone') return { verdict, recorded: true, pod: current };
		current = fresh;
	}
}
