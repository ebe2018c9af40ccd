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

/** What GitHub's list says about a runner. Only a hint: only an `UnregisterOutcome` proves that no job can arrive. */
export type LookupOutcome = { kind: 'present'; busy: boolean } | { kind: 'not-registered' } | Trouble;

/** The GitHub credentials that one runner pod uses. */
export interface RunnerAccount {
	/** Why a call would fail now, as far as is known without one (rate limit, outage, bad credentials); undefined: no reason is known. */
	trouble(): Trouble | undefined;
	/** Has GitHub remove the registration. Nothing else does. Concurrent calls for one runner share one exchange. */
	unregister(
		pod: RunnerPod,
		options: {
			timeoutMs: number;
			/** How long the pace may delay the DELETE, in ms; default: `timeoutMs` less one second. */
			paceWaitMs?: number | undefined;
			priority: Priority;
			/** Called with an id that was looked up, before GitHub is asked to remove it. */
			found: (runnerId: number) => Promise<void>;
		},
	): Promise<UnregisterOutcome>;
	/** Looks the runner up in GitHub's list. `notBeforeMs`: the list must have been begun at this time or later. */
	lookup(pod: RunnerPod, options: { timeoutMs: number; notBeforeMs: number }): Promise<LookupOutcome>;
}

/** What `release` needs from outside: GitHub, Kubernetes and time. release-adapter.ts connects the real ones. */
export interface Ports extends Pick<Clock, 'now' | 'after'> {
	/** Names this replica. */
	self: string;
	account(pod: RunnerPod): Promise<RunnerAccount | Trouble | CredentialsMissing>;
	/** Sets annotations on the pod. With `onlyIfUnchanged` the answer is 'conflict' if the pod has changed since it was read. */
	annotate(
		pod: RunnerPod,
		annotations: Annotations,
		onlyIfUnchanged?: boolean,
	): Promise<RunnerPod | 'conflict' | 'gone'>;
	/** Reads the pod from the API server, never from a cache. */
	reread(pod: RunnerPod): Promise<RunnerPod | 'gone'>;
	/** Whether another pod in the cluster is the runner of this name; see runner/name-holder.ts. */
	nameTaken(pod: RunnerPod): Promise<boolean>;
	/** Signs "GitHub has unregistered this runner" for this pod; see cluster/proof.ts. */
	sign(pod: RunnerPod, completedAt: string): string;
	/** Deletes the EphemeralRunner of a scale-set pod. If only the pod were deleted, ARC would create it again with a used JIT config. */
	deleteEphemeralRunner(pod: RunnerPod): Promise<void>;
	/** Work that must be finished before the process ends. */
	background(work: Promise<unknown>): void;
}

export interface Released {
	verdict: Verdict;
	/** Whether the denied deletion is recorded on the pod. */
	recorded: boolean | 'dry-run';
	/** The pod after our own writes. */
	pod: RunnerPod;
}

/**
 * Decides whether the pod may be deleted now, and has GitHub unregister the runner first if that is needed. The webhook,
 * the deletion loop and the sets all use it. A denied request is recorded before it is answered; GitHub's 204 is written
 * on the pod before it counts.
 *
 * @param request whose deletion to record if it is denied; undefined: nothing is recorded
 * @param limits how long to wait for GitHub, in ms; see RunnerAccount.unregister
 * @throws KubeError if the pod can't be read or written: then nothing is recorded. GitHub's failures deny, and never throw
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
		if (decision.kind === 'deny') return denyAndRecord(current, decision, request, ports);

		const account = await ports.account(current);
		if ('kind' in account) return denyAndRecord(current, deny(account.kind, account.detail), request, ports);
		const trouble = account.trouble();
		if (trouble) return denyAndRecord(current, deny(trouble.kind, trouble.detail), request, ports);

		if (await ports.nameTaken(current)) return denyAndRecord(current, deny('name-taken'), request, ports);

		const timeoutMs = Math.max(100, deadlineMs - ports.now());
		if (request?.dryRun || decision.kind === 'verify') {
			const notBeforeMs = decision.kind === 'verify' ? decision.notBeforeMs : ports.now() - 10_000;
			const found = await account.lookup(current, { timeoutMs, notBeforeMs });
			const verdict = readLookup(current, found, decision.kind === 'verify', ports.now());
			if (verdict?.kind === 'deny') return denyAndRecord(current, verdict, request, ports);
			// A dry run ends here (invariant 8): GitHub would be asked now, and would unregister a runner that it lists as idle.
			if (request?.dryRun)
				return { verdict: verdict ?? allow('unregistered'), recorded: 'dry-run', pod: current };
			if (verdict) return finish(current, verdict, ports);
			// GitHub still has the runner, so the annotation is wrong: go on as for any other runner.
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
	return denyAndRecord(
		current,
		deny('internal-error', 'the pod changed at every try to claim it'),
		request,
		ports,
	);
}

/**
 * Until when this caller waits for GitHub, ms since the epoch. If the pod changes during a DELETE, as it does by our own
 * claim, the API server sends a second review of it. That one waits only for what is left of the first one's time (F8).
 */
function answerByMs({ claim }: RunnerPod, ports: Ports, budgetMs: number): number {
	const nowMs = ports.now();
	const begun = claim?.by === ports.self && nowMs - claim.atMs < admissionBudgetMs + 1_000;
	return begun ? Math.max(nowMs + 100, claim.atMs + budgetMs) : nowMs + budgetMs;
}

/** The verdict from GitHub's list; undefined: the list has the runner, and shows it as idle. */
function readLookup(
	pod: RunnerPod,
	found: LookupOutcome,
	verifying: boolean,
	nowMs: number,
): Verdict | undefined {
	if (found.kind === 'present') return found.busy ? deny('busy') : undefined;
	if (found.kind !== 'not-registered') return deny(found.kind, found.detail);
	return verifying ? allow('unregistered') : decideUnknownToGitHub(pod, nowMs);
}

/** Asks GitHub. If the caller can't wait as long as GitHub takes, the exchange goes on and its outcome is still written. */
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
			// The id is written first. Without it, if the server crashed after GitHub removed the runner, the runner would seem
			// to be still registering.
			found: async (runnerId) => void (await ports.annotate(pod, idOf(runnerId))),
		})
		.then((outcome) => settle(pod, outcome, ports));
	ports.background(exchange);
	let cancel = () => {};
	const late = new Promise<Released>((resolve) => {
		cancel = ports.after(Math.max(0, deadlineMs - ports.now()), () =>
			resolve({
				verdict: deny('github-slow', 'GitHub has been asked and has not answered yet'),
				recorded: true,
				pod,
			}),
		);
	});
	try {
		return await Promise.race([exchange, late]);
	} finally {
		cancel();
	}
}

/** Writes the outcome on the pod and turns it into a verdict. */
async function settle(pod: RunnerPod, outcome: UnregisterOutcome, ports: Ports): Promise<Released> {
	switch (outcome.kind) {
		case 'unregistered':
			// GitHub had the runner until now, so an annotation that says otherwise is wrong.
			return finish({ ...pod, unregistered: undefined }, allow('unregistered'), ports);
		case 'not-registered': {
			// If an id is on the pod, GitHub gives it to another runner: it is ignored.
			const verdict = decideUnknownToGitHub({ ...pod, runnerId: undefined }, ports.now());
			return verdict.kind === 'allow' ? finish(pod, verdict, ports) : { verdict, recorded: true, pod };
		}
		case 'busy': {
			const written = await ports.annotate(pod, busyAnswerOf(pod, outcome.message, ports.now()));
			return { verdict: deny('busy'), recorded: true, pod: typeof written === 'string' ? pod : written };
		}
		default:
			// Nothing was learnt. The claim is removed, so that the next review, at any replica, need not wait for it to expire.
			await ports.annotate(pod, unclaimed);
			return { verdict: deny(outcome.kind, outcome.detail), recorded: true, pod };
	}
}

/** Writes the proof on the pod, and only then allows the deletion. */
async function finish(pod: RunnerPod, verdict: Verdict, ports: Ports): Promise<Released> {
	const written = await ports.annotate(pod, unregisteredOf(pod, ports.sign, ports.now()));
	if (pod.owner?.found) await ports.deleteEphemeralRunner(pod);
	return { verdict, recorded: false, pod: typeof written === 'string' ? pod : written };
}

/** Records the request, if there is one and none is recorded yet, and answers with the denial. */
export async function denyAndRecord(
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
		// If several ask at once, even at different replicas, only the first is recorded (invariant 4).
		const written = await ports.annotate(current, annotations, attempt < 3);
		if (typeof written !== 'string') return { verdict, recorded: true, pod: written };
		const fresh = written === 'gone' ? written : await ports.reread(current);
		if (fresh === 'gone') return { verdict, recorded: true, pod: current };
		current = fresh;
	}
}
