import type { Fetch } from '../github/fetch.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';

/** What a process takes from outside. A simulation brings its own. */
export interface Edges {
	/** The API server. */
	client: KubeClient;
	/** GitHub. */
	fetch: Fetch;
	clock: Clock;
	/** 32 bytes that nobody can predict. */
	newKey(): Buffer;
	/** This replica's name, unique per process. */
	self: string;
	env: NodeJS.ProcessEnv;
	version: string;
	userAgent: string;
	metrics: Metrics;
	log: Log;
}
