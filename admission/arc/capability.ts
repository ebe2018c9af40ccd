import type { SetController } from '../api/controllers.ts';
import type { LeaderPart } from '../capability.ts';
import type { Term } from '../cluster/term.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { ArcFinalizers } from './finalizers.ts';
import { ArcReplicaSets } from './replica-sets.ts';

interface ArcOptions {
	/** Whose sets are reconciled, which were ARC's. */
	controllers: readonly SetController[];
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Taking over from actions-runner-controller: the leader removes what ARC left behind. Never beside a running ARC. */
export function arcCapability({ controllers, ...options }: ArcOptions) {
	return {
		lead(term: Term): LeaderPart {
			const dependencies = { ...options, ...term };
			return {
				controllers: [
					...(controllers.includes('runnerdeployment') ? [new ArcReplicaSets(dependencies)] : []),
					new ArcFinalizers(dependencies),
				],
			};
		},
	};
}
