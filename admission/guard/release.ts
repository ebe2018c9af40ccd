import { busy } from '../api/keys.ts';
import type { CredentialsMissing, Priority, Trouble } from '../github/types.ts';
import type { UnregisterOutcome } from '../github/unregistrations.ts';
import type { Clock } from '../kube/clock.ts';
import {
	type Annotations,
	absentOf,
	busyAnswerOf,
	claimOf,
	type DeletionRequest,
	recordOf,
	registeredAs,
	unclaimed,
	unregisteredOf,
} from '../runner/record.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Sign } from '../runner/statements.ts';
import { agoMs, allow, decide, decideAbsent, deny, type Verdict } from './rules/decide.ts';
import { admissionBudgetMs, backgroundBudgetMs } from './rules/policy.ts';

/** What GitHub's list says about a runner. Only a hint: only an `UnregisterOutcome` proves that no job can arrive. */
export type LookupOutcome =
	| { kind: 'present'; busy: boolean }
	| { kind: 'absent'; begunMs: number }
	| Trouble;

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
	/** Looks the runner up in a list of GitHub's that is begun now. */
	lookup(pod: RunnerPod, options: { timeoutMs: number }): Promise<LookupOutcome>;
}

/** What `release` needs from outside: GitHub, Kubernetes and time. release-adapter.ts connects the real ones. */
export interface Ports extends Pick<Clock, 'now' | 'after'> {
	/** Names this replica. */
	self: string;
	account(pod: RunnerPod): Promise<RunnerAccount | Trouble | CredentialsMissing>;
	/** Changes the pod. With `onlyIfUnchanged` the answer is 'conflict' if the pod has changed since it was read. */
	write(
		pod: RunnerPod,
		change: { annotations: Annotations; labels?: Record<string, string | null> },
		onlyIfUnchanged?: boolean,
	): Promise<RunnerPod | 'conflict' | 'gone'>;
	/** Reads the pod from the API server, never from a cache. */
	reread(pod: RunnerPod): Promise<RunnerPod | 'gone'>;
	/** Whether another pod in the cluster is the runner of this name; see runner/name-holder.ts. */
	nameTaken(pod: RunnerPod): Promise<boolean>;
	/** Signs what is written on the pod; see cluster/signer.ts. */
	sign: Sign;
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

/** How long to wait. */
export interface ReleaseLimits {
	/** Until when the caller waits, ms since the epoch; what GitHub answers later is still written on the pod. */
	answerByMs: number;
	priority: Priority;
	/** How long the pace may delay the DELETE, in ms; default: as long as one exchange may take, less one second. */
	paceWaitMs?: number;
}

/**
 * Decides whether the pod may be deleted now, and has GitHub unregister the runner first if that is needed. The webhook,
 * the deletion loop and the sets all use it. A denied request is recorded before it is answered; GitHub's 204 is written
 * on the pod before it counts.
 *
 * @param pod as the API server has it now, or as a cache has it: whatever leads to a write is checked against the pod
 *   itself then, by its resourceVersion
 * @param request whose deletion to record if it is denied; undefined: nothing is recorded
 * @throws KubeError if the pod can't be read or written: then nothing is recorded. GitHub's failures deny, and never throw
 */
export async function release(
	pod: RunnerPod,
	request: DeletionRequest | undefined,
	ports: Ports,
	limits: ReleaseLimits,
): Promise<Released> {
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

		if (request?.dryRun || decision.look) {
			const timeoutMs = Math.max(100, limits.answerByMs - ports.now());
			const found = await account.lookup(current, { timeoutMs });
			// A dry run ends here (invariant 8): GitHub would be asked now, and would unregister a runner that it lists as idle.
			if (request?.dryRun)
				return { verdict: readLookup(current, found, ports.now()), recorded: 'dry-run', pod: current };
			if (found.kind === 'absent') return settleAbsent(current, found.begunMs, request, ports);
			if (found.kind !== 'present')
				return denyAndRecord(current, deny(found.kind, found.detail), request, ports);
			if (found.busy) return denyAndRecord(current, deny('busy'), request, ports);
		}

		const annotations = {
			...recordOf(current, request, ports.sign, ports.now()),
			...claimOf(current, ports.self, ports.now()),
		};
		const claimed = await ports.write(current, { annotations }, true);
		if (claimed === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
		if (claimed === 'conflict') {
			const fresh = await ports.reread(current);
			if (fresh === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
			current = fresh;
			continue;
		}
		return unregister(claimed, account, ports, limits, answerByMs(current, ports, limits));
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
function answerByMs({ claim }: RunnerPod, ports: Ports, limits: ReleaseLimits): number {
	const nowMs = ports.now();
	const begun = claim?.by === ports.self && agoMs(claim.atMs, nowMs) < admissionBudgetMs + 1_000;
	return begun
		? Math.max(nowMs + 100, Math.min(limits.answerByMs, claim.atMs + admissionBudgetMs))
		: limits.answerByMs;
}

/** The verdict of a dry run, from GitHub's list. */
function readLookup(pod: RunnerPod, found: LookupOutcome, nowMs: number): Verdict {
	if (found.kind === 'present') return found.busy ? deny('busy') : allow('unregistered');
	if (found.kind === 'absent') return decideAbsent(pod, found.begunMs, nowMs).verdict;
	return deny(found.kind, found.detail);
}

/** Asks GitHub. If the caller can't wait as long as GitHub takes, the exchange goes on and its outcome is still written. */
async function unregister(
	pod: RunnerPod,
	account: RunnerAccount,
	ports: Ports,
	{ priority, paceWaitMs }: ReleaseLimits,
	deadlineMs: number,
): Promise<Released> {
	const exchange = account
		.unregister(pod, {
			timeoutMs: backgroundBudgetMs,
			paceWaitMs,
			priority,
			// The id is written first. Without it, if the server crashed after GitHub removed the runner, the runner would seem
			// to be still registering.
			found: async (runnerId) =>
				void (await ports.write(pod, { annotations: registeredAs(pod, runnerId, ports.sign) })),
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
			return finish(pod, outcome.runnerId, ports);
		case 'absent':
			return settleAbsent(pod, outcome.begunMs, undefined, ports);
		case 'busy': {
			const written = await ports.write(pod, { annotations: busyAnswerOf(outcome.message, ports.now()) });
			return { verdict: deny('busy'), recorded: true, pod: typeof written === 'string' ? pod : written };
		}
		default:
			// Nothing was learnt. The claim is removed, so that the next review, at any replica, need not wait for it to expire.
			await ports.write(pod, { annotations: unclaimed });
			return { verdict: deny(outcome.kind, outcome.detail), recorded: true, pod };
	}
}

/**
 * GitHub's list lacks the runner. Nothing is signed that lets the pod go: whoever deletes it has GitHub asked again.
 *
 * @param request to be recorded if it is denied; undefined: it is recorded already, or nobody asked
 */
async function settleAbsent(
	pod: RunnerPod,
	begunMs: number,
	request: DeletionRequest | undefined,
	ports: Ports,
): Promise<Released> {
	const { verdict, sinceMs } = decideAbsent(pod, begunMs, ports.now());
	const annotations = {
		...(verdict.kind === 'deny' ? recordOf(pod, request, ports.sign, ports.now()) : {}),
		...(sinceMs === undefined ? {} : absentOf(pod, sinceMs, ports.sign)),
		// Whoever deletes it next is not to wait for the claim to expire; a runner that is still registering waits anyway.
		...(pod.claim && (verdict.kind === 'allow' || sinceMs !== undefined) ? unclaimed : {}),
	};
	if (Object.keys(annotations).length === 0) return { verdict, recorded: verdict.kind === 'deny', pod };
	const written = await ports.write(pod, { annotations }, request !== undefined);
	if (written === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod };
	// Somebody else has written meanwhile, perhaps a record of theirs (invariant 4): the absence is noted at the next try.
	if (written === 'conflict' && verdict.kind === 'deny') return denyAndRecord(pod, verdict, request, ports);
	return { verdict, recorded: verdict.kind === 'deny', pod: typeof written === 'string' ? pod : written };
}

/** How often and after how many ms GitHub's 204 is written once more, where the API server gives no answer: it is said only once. */
const finishTries = 20;
const finishAgainMs = 1_000;

/**
 * Writes the proof on the pod, and only then allows the deletion. The label that holds up evictions goes with it: the API
 * server reads the pod again after it has asked the guard (measured on Kubernetes 1.36).
 */
async function finish(pod: RunnerPod, runnerId: number, ports: Ports): Promise<Released> {
	const change = {
		annotations: unregisteredOf(pod, runnerId, ports.sign, ports.now()),
		labels: { [busy.label]: null },
	};
	let written: RunnerPod | 'conflict' | 'gone' | undefined;
	for (let tries = 1; written === undefined; tries++) {
		try {
			written = await ports.write(pod, change);
		} catch (error) {
			if (tries === finishTries) throw error;
			await new Promise<void>((resolve) => void ports.after(finishAgainMs, resolve));
		}
	}
	if (pod.owner?.found) await ports.deleteEphemeralRunner(pod);
	return {
		verdict: allow('unregistered'),
		recorded: false,
		pod: typeof written === 'string' ? pod : written,
	};
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
		const annotations = recordOf(current, request, ports.sign, ports.now());
		if (Object.keys(annotations).length === 0)
			return { verdict, recorded: current.record !== undefined, pod: current };
		// If several ask at once, even at different replicas, only the first is recorded (invariant 4).
		const written = await ports.write(current, { annotations }, attempt < 3);
		if (typeof written !== 'string') return { verdict, recorded: true, pod: written };
		const fresh = written === 'gone' ? written : await ports.reread(current);
		if (fresh === 'gone') return { verdict: allow('already-terminating'), recorded: false, pod: current };
		current = fresh;
	}
}
