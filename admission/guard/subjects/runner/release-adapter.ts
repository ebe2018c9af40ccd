import { record } from '../../../api/keys.ts';
import type { RunnerPods } from '../../../cluster/runner-pods.ts';
import type { Signer } from '../../../cluster/signer.ts';
import type { Account, Accounts } from '../../../github/accounts.ts';
import { lookupMaxAgeMs } from '../../../github/policy.ts';
import { runnerNamed } from '../../../github/registry.ts';
import { type GitHubFailure, isFailure, type Priority } from '../../../github/types.ts';
import { unregister } from '../../../github/unregister.ts';
import { reportRefutedRemoval } from '../../../jobs/record-report.ts';
import type { RunnerLogs } from '../../../jobs/runner-logs.ts';
import type { Events } from '../../../kube/events.ts';
import { sameName } from '../../../runner/github-name.ts';
import { podKey, type RunnerPod } from '../../../runner/runner-pod.ts';
import type { Scope } from '../../../runner/scope.ts';
import type { Log } from '../../../telemetry/log.ts';
import type { Metrics } from '../../../telemetry/metrics.ts';
import type { Clock } from '../../../time/clock.ts';
import { withDeadline } from '../../../time/deadline.ts';
import { withUnknown } from '../../rules/unknown.ts';
import type { QuietPeriods } from './quiet-periods.ts';
import type { LookupOutcome, Ports, RunnerAccount } from './release.ts';

/** Connects release.ts with Kubernetes and GitHub. `background` is called with every exchange that must be finished before the process ends. */
export function createReleasePorts(dependencies: {
	pods: RunnerPods;
	accounts: Accounts;
	logs: Pick<RunnerLogs, 'read'>;
	signer: Signer;
	events: Events;
	metrics: Metrics;
	log: Log;
	self: string;
	quiet: QuietPeriods;
	clock: Clock;
	background: (work: Promise<unknown>) => void;
}): Ports {
	const { pods, accounts, logs, signer, metrics, self, quiet, clock, background } = dependencies;

	/** The runner pod in an answer of the API server; 'gone' also if the pod is no longer a runner pod. */
	async function read(
		written: Awaited<ReturnType<RunnerPods['patch']>>,
	): Promise<RunnerPod | 'conflict' | 'gone'> {
		if (typeof written === 'string') return written;
		return (await pods.from(written)) ?? 'gone';
	}

	return {
		self,
		quiet,
		now: clock.now,
		after: clock.after,
		background,
		async account(pod) {
			const account = await accounts.resolve(pod);
			return 'kind' in account ? account : runnerAccount(account, pod, clock);
		},
		async write(pod, change, onlyIfUnchanged = false) {
			return read(
				onlyIfUnchanged
					? await pods.patch(pod, withUnknown(pod, change), pod.resourceVersion)
					: await pods.patch(pod, change),
			);
		},
		record: async (pod, written) =>
			read(await pods.annotateWhile(pod, [record.proof, pod.recordProof], written)),
		async reread(pod) {
			const object = await pods.get(pod.namespace, pod.name);
			if (object?.metadata.uid !== pod.uid) return 'gone';
			return (await pods.from(object)) ?? 'gone';
		},
		nameTaken: (pod) => pods.nameTaken(pod),
		sign: signer.signStatement,
		async readLog(pod) {
			const reading = await logs.read(pod);
			if (reading.says !== 'unknown') metrics.logReads.read(reading.says);
			else if (reading.unreadable)
				metrics.logReads.failed(podKey({ metadata: pod }), reading.why, clock.now());
			else metrics.logReads.read('silent');
			return reading;
		},
		reportRefuted: (pod, job) => reportRefutedRemoval(pod, job, dependencies),
		async deleteEphemeralRunner(pod) {
			if (pod.owner) await pods.removeEphemeralRunner(pod.namespace, pod.owner);
		},
	};
}

function runnerAccount(account: Account, { scope }: RunnerPod, clock: Clock): RunnerAccount {
	if (!scope) throw new Error('internal error: GitHub must not be asked about a pod without a scope');
	return {
		failure: () => account.failure(scope),
		removalsSpentUntilMs: () => account.removalsSpentUntilMs(),
		async unregister(pod, { found, stillIdle, ...limits }) {
			const { uid, restarts, runnerId: id, runnerName: name, registered } = pod;
			// GitHub never gives an id twice: one that its list has shown as this runner's is its own.
			const trusts = async (runnerId: number) =>
				(registered && runnerId === id) || isRunners(account, scope, name, runnerId, limits, clock);
			return unregister(
				account,
				{ scope, name, run: `${uid}/${restarts}`, id, trusts, found, stillIdle },
				limits,
			);
		},
		async lookup({ runnerName }, { timeoutMs, recent }): Promise<LookupOutcome> {
			const notBeforeMs = clock.now();
			const answer = await withDeadline(clock, timeoutMs, (signal) => {
				const limits = { signal, priority: 'request' } as const;
				return recent
					? account.registry.find(scope, runnerName, { maxAgeMs: lookupMaxAgeMs, ...limits })
					: account.registry.confirmAbsent(scope, runnerName, { notBeforeMs, ...limits });
			});
			if (answer === 'absent') return { kind: 'absent', begunMs: notBeforeMs };
			if (isFailure(answer)) return answer;
			const { busy, status } = answer.present;
			return { kind: 'present', busy, online: status !== 'offline' };
		},
	};
}

/**
 * Whether the id on the pod is that of its own runner. It is not if GitHub's list gives the id to a runner of another name,
 * or shows this runner with another id. Without this check, whoever may edit pods could have somebody else's runner
 * removed, and this pod deleted for it.
 */
async function isRunners(
	{ registry }: Account,
	scope: Scope,
	runnerName: string,
	runnerId: number,
	{ priority, timeoutMs }: { timeoutMs: number; priority: Priority },
	clock: Clock,
): Promise<boolean | GitHubFailure> {
	const known = registry.latest(scope)?.byId.get(runnerId);
	if (known) return sameName(runnerName, known.name);

	return withDeadline(clock, timeoutMs, async (signal) => {
		const found = await registry.find(scope, runnerName, { maxAgeMs: lookupMaxAgeMs, priority, signal });
		if (isFailure(found)) return found;
		if (found !== 'absent') return found.present.id === runnerId;
		// Is the id somebody else's? Only a list shows that.
		// The second list is a new one: an id that somebody guessed may have been assigned since the first.
		for (const maxAgeMs of [lookupMaxAgeMs, 0]) {
			const snapshot = await registry.refresh(scope, { maxAgeMs, priority, signal });
			if (isFailure(snapshot)) return snapshot;
			const listed = snapshot.byId.get(runnerId);
			if (listed) return sameName(runnerName, listed.name);
			if (runnerNamed(snapshot, runnerName)) return false;
		}
		return true; // the list has neither the id nor the name: GitHub's answer to DELETE will show which is right
	});
}
