import type { Proof } from '../cluster/proof.ts';
import type { RunnerPods } from '../cluster/runner-pods.ts';
import type { Account, Accounts } from '../github/accounts.ts';
import { lookupMaxAgeMs } from '../github/policy.ts';
import { isTrouble, type Priority, type Trouble } from '../github/types.ts';
import { unregister } from '../github/unregister.ts';
import { type Clock, withDeadline } from '../kube/clock.ts';
import type { RunnerPod } from '../runner/runner-pod.ts';
import type { Scope } from '../runner/scope.ts';
import type { LookupOutcome, Ports, RunnerAccount } from './release.ts';

/** Connects `runner/` with Kubernetes and GitHub. `background` gets every exchange that must end before the process. */
export function createReleasePorts(dependencies: {
	pods: RunnerPods;
	accounts: Accounts;
	proof: Proof;
	self: string;
	clock: Clock;
	background: (work: Promise<unknown>) => void;
}): Ports {
	const { pods, accounts, proof, self, clock, background } = dependencies;

	/** The runner pod in what the API server answered; 'gone' also where that is no runner pod any more. */
	async function read(
		written: Awaited<ReturnType<RunnerPods['patch']>>,
	): Promise<RunnerPod | 'conflict' | 'gone'> {
		if (typeof written === 'string') return written;
		return (await pods.from(written)) ?? 'gone';
	}

	return {
		self,
		now: clock.now,
		after: clock.after,
		background,
		async account(pod) {
			const account = await accounts.resolve(pod);
			return 'kind' in account ? account : runnerAccount(account, pod, clock);
		},
		async annotate(pod, annotations, onlyIfUnchanged = false) {
			return read(await pods.patch(pod, { annotations }, onlyIfUnchanged ? pod.resourceVersion : undefined));
		},
		async reread(pod) {
			const object = await pods.get(pod.namespace, pod.name);
			if (object?.metadata.uid !== pod.uid) return 'gone';
			return (await pods.from(object)) ?? 'gone';
		},
		nameTaken: (pod) => pods.nameTaken(pod),
		sign: (pod, completedAt) => proof.sign(pod, completedAt),
		async deleteEphemeralRunner(pod) {
			if (pod.owner) await pods.removeEphemeralRunner(pod.namespace, pod.owner);
		},
	};
}

function runnerAccount(account: Account, { scope }: RunnerPod, clock: Clock): RunnerAccount {
	if (!scope) throw new Error('a pod without a scope has been denied before GitHub is asked');
	return {
		trouble: () => account.trouble(scope),
		async unregister(pod, { found, ...limits }) {
			const { uid, restarts, runnerId: id, runnerName: name } = pod;
			const trusts = (runnerId: number) => isRunners(account, scope, name, runnerId, limits, clock);
			return unregister(account, { scope, name, run: `${uid}/${restarts}`, id, trusts, found }, limits);
		},
		async lookup(pod, { timeoutMs, notBeforeMs }): Promise<LookupOutcome> {
			const answer = await withDeadline(clock, timeoutMs, (signal) =>
				account.registry.confirmAbsent(scope, pod.runnerName, { notBeforeMs, signal, priority: 'request' }),
			);
			if (answer === 'absent') return { kind: 'not-registered' };
			return isTrouble(answer) ? answer : { kind: 'present', busy: answer.present.busy };
		},
	};
}

/**
 * Is the id on the pod its own runner's? Not where GitHub's list gives it to a runner of another name, or has this one
 * under another id. Whoever edits pods could otherwise have somebody else's runner removed, and this pod released for it.
 */
async function isRunners(
	{ registry }: Account,
	scope: Scope,
	runnerName: string,
	runnerId: number,
	{ priority, timeoutMs }: { timeoutMs: number; priority: Priority },
	clock: Clock,
): Promise<boolean | Trouble> {
	const known = registry.latest(scope)?.byId.get(runnerId);
	if (known) return known.name === runnerName;

	return withDeadline(clock, timeoutMs, async (signal) => {
		// The second list is begun now: an id that somebody guessed may have been given out since the first.
		for (const maxAgeMs of [lookupMaxAgeMs, 0]) {
			const snapshot = await registry.refresh(scope, { maxAgeMs, priority, signal });
			if (isTrouble(snapshot)) return snapshot;
			const listed = snapshot.byId.get(runnerId);
			if (listed) return listed.name === runnerName;
			if (snapshot.runners.has(runnerName)) return false;
		}
		return true; // neither is there: DELETE of the id tells whether it is gone or the list is late
	});
}
