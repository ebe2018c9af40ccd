import type { Accounts } from '../github/accounts.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import type { Proof } from '../kube/proof.ts';
import { getEphemeralRunner, RunnerPods } from '../kube/runner-pods.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { createPorts } from '../ports.ts';
import { backstop } from './backstop.ts';
import { BusyMarks } from './busy.ts';
import { Cache } from './cache.ts';
import { DeletionLoop } from './deletion.ts';
import { TidyUp } from './tidy-up.ts';

export interface LeadDependencies {
	client: KubeClient;
	accounts: Accounts;
	proof: Proof;
	events: Events;
	metrics: Metrics;
	self: string;
	now: () => number;
	background: (work: Promise<unknown>) => void;
	/** Called back whenever an account of GitHub's has come out of trouble. */
	onGitHubRecovered: (listener: () => void) => void;
	log: Log;
}

/** Everything that only the leader does, until `signal` ends. */
export async function lead(dependencies: LeadDependencies, signal: AbortSignal): Promise<void> {
	const { client, accounts, proof, events, metrics, now, log } = dependencies;
	const cache = new Cache(client, metrics, log);
	const pods = new RunnerPods(
		client,
		proof,
		now,
		async (namespace, name) =>
			// The cache first; what it lacks may be newer than the cache, or the kind was installed a moment ago.
			cache.ephemeralRunners.get(namespace, name) ?? getEphemeralRunner(client, namespace, name),
	);
	const ports = createPorts({ ...dependencies, pods });
	const deletion = new DeletionLoop({ cache, pods, ports, events, metrics, log });
	const busy = new BusyMarks({ cache, pods, accounts, now, log });
	const tidyUp = new TidyUp({ cache, accounts, proof, now, log });
	const guarded = backstop(client, cache, log);
	dependencies.onGitHubRecovered(() => deletion.retryGitHub());

	metrics.leading(true);
	try {
		await Promise.all([cache.run(signal), busy.run(signal)]);
	} finally {
		metrics.leading(false);
		await Promise.all([deletion.stop(), tidyUp.stop(), guarded.stop()]);
	}
}
