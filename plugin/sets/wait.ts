import { type CliError, CliError as Failure } from '../errors.ts';
import type { KubeClient } from '../kube/client.ts';
import { deadline } from '../kube/deadline.ts';
import { Progress } from '../print/progress.ts';
import type { WaitEnd } from '../runners/departures.ts';
import { type RunnersSet, refOf, wantedOf } from './api.ts';
import { followSets } from './follow.ts';
import { shortName } from './names.ts';
import { countsOf, reasonsOf, setStateOf } from './state.ts';

/** Waits until each set has settled at `replicas`, showing how far it is. `left`: those that have not. */
export async function untilSettled(
	client: KubeClient,
	sets: readonly RunnersSet[],
	replicas: number,
	timeoutMs: number,
	interrupt: AbortSignal,
): Promise<{ end: WaitEnd; left: RunnersSet[]; errors: CliError[] }> {
	const timeout = deadline(timeoutMs);
	const settled = new AbortController();
	const progress = new Progress();
	const waiting = new Map(sets.map((set) => [set.metadata.uid ?? '', set]));
	const errors: CliError[] = [];
	const inList = new Set<string>();

	const settle = (set: RunnersSet, error?: string) => {
		if (!waiting.delete(uidOf(set))) return;
		progress.settled(uidOf(set));
		if (error !== undefined) errors.push(new Failure(`error: ${shortName(refOf(set))} ${error}`));
		if (waiting.size === 0) settled.abort();
	};
	const seen = (set: RunnersSet) => {
		inList.add(uidOf(set));
		if (!waiting.has(uidOf(set))) return;
		waiting.set(uidOf(set), set);
		const name = shortName(refOf(set));
		if (wantedOf(set) !== replicas) settle(set, `was scaled to ${wantedOf(set)} in the meantime`);
		else if (set.metadata.deletionTimestamp !== undefined) settle(set, 'is being deleted');
		else if (setStateOf(set) === 'settled') {
			progress.say(`${name} settled: ${countsOf(set)}`);
			settle(set);
		} else progress.waiting(uidOf(set), { text: waitingText(set) });
	};
	try {
		await followSets(
			client,
			{ namespace: client.namespace, named: sets.map(refOf) },
			{
				seen,
				gone: (set) => settle(set, 'is gone'),
				synced: () => {
					for (const [uid, set] of waiting) if (!inList.has(uid)) settle(set, 'is gone');
				},
				failure: (message) => progress.say(`${message}; trying again`),
			},
			AbortSignal.any([settled.signal, timeout, interrupt]),
		);
	} finally {
		progress.close();
	}
	const left = [...waiting.values()];
	if (settled.signal.aborted) return { end: 'settled', left, errors };
	return { end: interrupt.aborted ? 'interrupted' : 'timeout', left, errors };
}

/** "waiting for runnerset/example: draining, 1 wanted: 2 busy; 1 runner to be removed when no longer busy: example-x7k2p" */
export function waitingText(set: RunnersSet): string {
	const counts = [`${setStateOf(set)}, ${countsOf(set)}`, ...reasonsOf(set)].join('; ');
	return `waiting for ${shortName(refOf(set))}: ${counts}`;
}

function uidOf(set: RunnersSet): string {
	return set.metadata.uid ?? '';
}
