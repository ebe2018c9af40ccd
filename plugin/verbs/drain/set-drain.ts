import { humanSpan } from '../../../admission/api/duration.ts';
import type { Pod } from '../../../admission/api/kinds.ts';
import { isRunnerPod } from '../../../admission/runner/runner-pod.ts';
import { refuseAutoscaled } from '../../autoscalers/refuse-scale.ts';
import { untilInterrupted } from '../../cli/interrupt.ts';
import { CliError, exitCode, usageError } from '../../errors.ts';
import type { KubeClient } from '../../kube/client.ts';
import { deadline } from '../../kube/deadline.ts';
import { listPods } from '../../kube/pods.ts';
import { print, printError } from '../../print/out.ts';
import { Progress } from '../../print/progress.ts';
import { describeWaiting } from '../../runners/describe.ts';
import { isBusy, stateOf } from '../../runners/state.ts';
import { findSet, type RunnersSet, refOf, wantedOf } from '../../sets/api.ts';
import { podsOf, SetModel } from '../../sets/follow.ts';
import { fullName, setArguments, shortName } from '../../sets/names.ts';
import { countsOf, isObserved } from '../../sets/state.ts';
import { waitingText } from '../../sets/wait.ts';
import { scaleCommand, scaleSet } from '../../sets/write-replicas.ts';

interface SetDrainOptions {
	/** 0: forever. */
	timeoutMs: number;
	/** Scale to this number once it is empty. */
	replicas?: number;
	/** Drain the set even if an autoscaler scales it. */
	force: boolean;
	dryRun: 'none' | 'client' | 'server';
}

/** `drain runnerset/NAME`: scales it to zero and waits until its last runner is gone. Resolves with the exit code. */
export async function drainSet(
	client: KubeClient,
	args: readonly string[],
	options: SetDrainOptions,
): Promise<number> {
	const [arg, ...more] = setArguments(args);
	if (!arg) throw usageError('name the set to drain');
	if (more.length > 0) throw usageError('name only one set: each drain waits for its own jobs');
	const { replicas = 0, dryRun } = options;
	if (replicas < 0) throw usageError('--replicas must be greater than or equal to 0');
	const set = await findSet(client, arg);
	if (!options.force) await refuseAutoscaled(client, set, 0);
	if (dryRun !== 'none') return dryRunDrainSet(client, set, dryRun === 'server');
	if (wantedOf(set) > 0) await scaleSet(client, set, 0, {}, false);
	print(`${fullName(refOf(set))} scaled to 0${wantedOf(set) > 0 ? ` (was ${wantedOf(set)})` : ''}\n`);

	const code = await new SetDrain(client, set).run(options.timeoutMs);
	if (code !== exitCode.done || options.replicas === undefined || replicas === 0) return code;
	await scaleSet(client, set, replicas, {}, false);
	print(`${fullName(refOf(set))} scaled to ${replicas}\n`);
	return exitCode.done;
}

async function dryRunDrainSet(client: KubeClient, set: RunnersSet, askServer: boolean): Promise<number> {
	if (askServer) await scaleSet(client, set, 0, {}, true);
	const suffix = askServer ? '(server dry run)' : '(dry run)';
	print(`${fullName(refOf(set))} scaled to 0 ${suffix}\n`);
	const { pods } = await listPods(client, podsOf({ namespace: client.namespace, named: [refOf(set)] }));
	for (const pod of pods.filter(isRunnerPod)) {
		const when = isBusy(pod) ? 'will be deleted when its job is done' : 'will be deleted at once';
		print(`pod/${pod.metadata.name} ${stateOf(pod, Date.now())}, ${when} ${suffix}\n`);
	}
	return exitCode.done;
}

/** Waits until a set that was scaled to zero is empty. */
class SetDrain {
	readonly #client: KubeClient;
	readonly #model = new SetModel();
	readonly #progress = new Progress();
	readonly #ended = new AbortController();
	#set: RunnersSet;
	/** The runners seen last, by uid. */
	#runners = new Map<string, Pod>();
	#gone = 0;
	readonly #wantedBefore: number;
	#error: CliError | undefined;

	constructor(client: KubeClient, set: RunnersSet) {
		this.#client = client;
		this.#set = set;
		this.#wantedBefore = wantedOf(set);
	}

	async run(timeoutMs: number): Promise<number> {
		const startedAtMs = Date.now();
		const interrupt = untilInterrupted();
		const timeout = deadline(timeoutMs);
		const scope = { namespace: this.#client.namespace, named: [refOf(this.#set)] };
		try {
			await this.#model.follow(
				this.#client,
				scope,
				() => this.#look(),
				(message) => this.#progress.say(`${message}; trying again`),
				AbortSignal.any([this.#ended.signal, timeout, interrupt.signal]),
			);
		} finally {
			this.#progress.close();
		}
		const name = shortName(refOf(this.#set));
		if (this.#error) throw this.#error;
		if (this.#ended.signal.aborted) {
			const runners = this.#gone === 1 ? '1 runner has' : `${this.#gone} runners have`;
			print(`${name} drained: ${runners} left in ${humanSpan(Date.now() - startedAtMs)}\n`);
			return exitCode.done;
		}
		if (!interrupt.interrupted) printError(`error: timed out waiting for the condition on ${name}`);
		printError(this.#whatGoesOn());
		return interrupt.interrupted ? exitCode.interrupted : exitCode.timeout;
	}

	#look(): void {
		if (this.#ended.signal.aborted) return;
		const found = this.#model.sets.find(({ set }) => set.metadata.uid === this.#set.metadata.uid);
		const name = shortName(refOf(this.#set));
		if (!found) {
			this.#end(`${name} is gone`);
			return;
		}
		const { set, runners } = found;
		this.#set = set;
		if (wantedOf(set) > 0) {
			this.#end(`${name} was scaled to ${wantedOf(set)} in the meantime`);
			return;
		}
		this.#tellRunners(runners);
		const isEmpty = isObserved(set) && (set.status?.replicas ?? 0) === 0;
		if (runners.length === 0 && isEmpty) this.#end();
		// While there are runners, their own lines say what the drain waits for.
		else if (runners.length === 0) this.#progress.waiting('set', { text: waitingText(set) });
		else this.#progress.settled('set');
	}

	#tellRunners(runners: readonly Pod[]): void {
		const now = new Map(runners.map((pod) => [pod.metadata.uid ?? '', pod]));
		for (const [uid, pod] of this.#runners) {
			if (now.has(uid)) continue;
			this.#gone++;
			this.#progress.settled(uid);
			this.#progress.say(`pod/${pod.metadata.name} gone`);
		}
		this.#runners = now;
		for (const [uid, pod] of now) this.#progress.waiting(uid, describeWaiting(pod, Date.now()));
	}

	#end(error?: string): void {
		if (error !== undefined) this.#error = new CliError(`error: ${error}`);
		this.#ended.abort();
	}

	#whatGoesOn(): string {
		const name = shortName(refOf(this.#set));
		const restore = scaleCommand(this.#set, this.#wantedBefore, this.#client.namespace);
		const rest = this.#runners.size === 0 ? countsOf(this.#set) : describeRest([...this.#runners.values()]);
		return `${name} stays scaled to 0, also without this command: ${rest}.${this.#wantedBefore > 0 ? ` To restore: ${restore}` : ''}`;
	}
}

function describeRest(pods: readonly Pod[]): string {
	const busy = pods.filter(isBusy).length;
	const runners = pods.length === 1 ? '1 runner is' : `${pods.length} runners are`;
	return busy === 0
		? `${runners} leaving`
		: `${runners} still there, ${busy} of them busy until their job is done`;
}
