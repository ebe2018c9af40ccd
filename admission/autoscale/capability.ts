import type { SetController } from '../api/controllers.ts';
import type { LeaderPart } from '../capability.ts';
import type { Term } from '../cluster/term.ts';
import type { DemandSource } from '../sets/demand-source.ts';
import { Autoscaler, type AutoscalerDependencies } from './autoscaler.ts';
import { AutoscaleCache } from './cache.ts';

interface AutoscalingOptions
	extends Pick<
		AutoscalerDependencies,
		'accounts' | 'host' | 'namespace' | 'events' | 'metrics' | 'clock' | 'log'
	> {
	/** Whose sets can be autoscaled: those that are reconciled. */
	controllers: readonly SetController[];
}

const kinds = { runnerset: 'RunnerSet', runnerdeployment: 'RunnerDeployment' } as const;

/** HorizontalRunnerAutoscalers: the leader says how many runners their targets need. */
export function autoscalingCapability({ controllers, ...options }: AutoscalingOptions) {
	return {
		/** @param isOffline whether GitHub has shown the idle runner of a pod offline for minutes */
		lead(
			{ client, cache, setsCache }: Term,
			isOffline: (uid: string) => boolean,
		): LeaderPart & { demand: DemandSource } {
			const autoscaleCache = new AutoscaleCache({ ...options, client }, options.namespace);
			const autoscaler = new Autoscaler({
				...options,
				client,
				cache,
				isOffline,
				setsCache,
				autoscaleCache,
				kinds: controllers.map((name) => kinds[name]),
			});
			return {
				demand: autoscaler,
				loops: [(signal) => autoscaleCache.run(signal), (signal) => autoscaler.run(signal)],
				controllers: [autoscaler],
			};
		},
	};
}
