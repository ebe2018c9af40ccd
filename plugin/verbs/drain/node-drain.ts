import { humanSpan } from '../../../admission/api/duration.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { isRunnerPod, podKey } from '../../../admission/runner/runner-pod.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { CliError, exitCode } from '../../errors.ts';
import { describeDenial } from '../../guard/denial.ts';
import type { KubeClient } from '../../kube/client.ts';
import { listPods, type PodQuery } from '../../kube/pods.ts';
import { printError } from '../../print/out.ts';
import { Progress } from '../../print/progress.ts';
import { type AskOptions, askEviction, type Outcome } from '../../runners/ask.ts';
import { Departures, type WaitEnd } from '../../runners/departures.ts';
import { describeWaiting } from '../../runners/describe.ts';
import { cancelHint, timedOut } from '../../runners/outcomes.ts';
import { deletionRecord, isTerminating } from '../../runners/state.ts';
import { printErrors, toCliError } from '../../runners/targets.ts';

/** As in kubectl drain: an eviction that a PodDisruptionBudget refuses is requested again at this interval. */
const budgetRetryMs = 5000;
/**
 * An eviction that the guard refused is recorded. If the record is missing nevertheless, it is requested again at this
 * interval.
 */
const recordRetryMs = 30_000;

/** Drains one node, which is already cordoned. */
export class NodeDrain {
	readonly #client: KubeClient;
	readonly #node: string;
	readonly #options: AskOptions;
	readonly #progress = new Progress();
	readonly #departures: Departures;
	readonly #errors: CliError[] = [];
	/** Evictions that were refused and not recorded, by uid, with the API server's reason. */
	readonly #refused = new Map<string, string>();
	/** Pods whose eviction failed for good, by uid. */
	readonly #givenUp = new Set<string>();
	readonly #askedAtMs = new Map<string, number>();
	#runnersGone = 0;

	constructor(client: KubeClient, node: string, options: AskOptions) {
		this.#client = client;
		this.#node = node;
		this.#options = options;
		this.#departures = new Departures({
			other: (pod) => this.#found(pod),
			waiting: (pod) => this.#show(pod),
			gone: (pod) => {
				this.#runnersGone++;
				this.#settled(pod, `pod/${pod.metadata.name} evicted`);
			},
			cancelled: (pod) => {
				const text = `error: pod "${pod.metadata.name}" stays on the node: its recorded deletion was cancelled`;
				this.#errors.push(new CliError(text));
				this.#settled(pod);
			},
			failure: (message) => this.#progress.say(`${message}; trying again`),
		});
	}

	/** Evicts and waits until no runner is left (or `timeoutMs`; 0: forever). Resolves with the exit code. */
	async run(timeoutMs: number): Promise<number> {
		const startedAtMs = Date.now();
		const interrupt = untilInterrupted();
		const retry = setInterval(() => this.#askAgain(), budgetRetryMs);
		let end: WaitEnd;
		try {
			end = await this.#departures.follow(this.#client, podsOn(this.#node), timeoutMs, interrupt.signal);
		} finally {
			clearInterval(retry);
			this.#progress.close();
		}
		return this.#conclude(end, Date.now() - startedAtMs);
	}

	async #conclude(end: WaitEnd, tookMs: number): Promise<number> {
		printErrors(this.#errors);
		const left = this.#departures.pods;
		if (end === 'timeout') printError(timedOut(left));
		if (end === 'interrupted') {
			const runners = left.length === 1 ? '1 runner is' : `${left.length} runners are`;
			printError(`node/${this.#node} stays cordoned; ${runners} still on it`);
			const hint = cancelHint(left);
			if (hint) printError(hint);
		}
		if (end !== 'settled') return end === 'timeout' ? exitCode.timeout : exitCode.interrupted;
		if (this.#errors.length > 0) return exitCode.error;
		const runners = this.#runnersGone === 1 ? '1 runner has' : `${this.#runnersGone} runners have`;
		this.#progress.say(`node/${this.#node} drained of runners: ${runners} left in ${humanSpan(tookMs)}`);
		const { pods } = await listPods(this.#client, podsOn(this.#node));
		const others = otherPodsLine(this.#node, pods.filter((pod) => !isRunnerPod(pod)).length);
		if (others) this.#progress.say(others.trimEnd());
		return exitCode.done;
	}

	/** A pod on the node that was not known yet: one of the first list, or one that was bound just after the cordon. */
	#found(pod: Pod): void {
		if (!isRunnerPod(pod) || this.#givenUp.has(uid(pod))) return;
		this.#departures.add(pod);
		if (isTerminating(pod)) this.#show(pod);
		else void this.#ask(pod);
	}

	async #ask(pod: Pod): Promise<void> {
		if (!this.#askedAtMs.has(uid(pod))) this.#progress.say(`evicting pod ${podKey(pod)}`);
		this.#askedAtMs.set(uid(pod), Date.now());
		try {
			this.#note(pod, await askEviction(this.#client, pod, this.#options));
		} catch (error) {
			// The connection is lost: the watch reports that, and the next retry asks again.
			this.#refused.set(uid(pod), (error as Error).message);
		}
	}

	#note(pod: Pod, outcome: Outcome): void {
		switch (outcome.kind) {
			case 'denied':
				this.#progress.say(`${podKey(pod)} not evicted yet: ${describeDenial(outcome.denial)}`);
				this.#refused.delete(uid(pod));
				this.#show(pod);
				break;
			case 'try-again':
				this.#refused.set(uid(pod), outcome.message);
				this.#show(pod);
				break;
			case 'failed':
				this.#errors.push(toCliError(outcome.error));
				this.#givenUp.add(uid(pod));
				this.#settled(pod);
				this.#departures.drop(pod);
				break;
			case 'accepted':
			case 'gone':
				this.#refused.delete(uid(pod));
		}
	}

	#askAgain(): void {
		for (const pod of this.#departures.unrecorded) {
			const sinceMs = Date.now() - (this.#askedAtMs.get(uid(pod)) ?? 0);
			if (this.#refused.has(uid(pod)) || sinceMs >= recordRetryMs) void this.#ask(pod);
		}
	}

	#show(pod: Pod): void {
		const refusal = this.#refused.get(uid(pod));
		const waitsForBudget = refusal !== undefined && !deletionRecord(pod) && !isTerminating(pod);
		const line = describeWaiting(pod, Date.now());
		const detail = [line.detail, refusal].filter(Boolean).join('; ');
		this.#progress.waiting(uid(pod), waitsForBudget ? { ...line, detail } : line);
	}

	#settled(pod: Pod, text?: string): void {
		this.#refused.delete(uid(pod));
		this.#progress.settled(uid(pod));
		if (text) this.#progress.say(text);
	}
}

export function podsOn(node: string): PodQuery {
	return { fieldSelector: `spec.nodeName=${node}` };
}

export function otherPodsLine(node: string, count: number): string {
	if (count === 0) return '';
	const pods = count === 1 ? '1 other pod is' : `${count} other pods are`;
	return `${pods} left on the node; for those: kubectl drain ${node} --ignore-daemonsets\n`;
}

function uid(pod: Pod): string {
	return pod.metadata.uid ?? '';
}
