import type { LeaderPart } from '../capability.ts';
import type { Signer } from '../cluster/signer.ts';
import type { Term } from '../cluster/term.ts';
import type { Events } from '../kube/events.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { EndedLists } from './ended-lists.ts';
import { PostMortems } from './post-mortems.ts';
import { endLogs } from './read-end-log.ts';

interface PostMortemOptions {
	signer: Signer;
	/** Whether the last lines of each runner's log are kept: whoever may read the ConfigMap may read them then. */
	keepLogs: boolean;
	events: Events;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** Why runners ended, of all sets and scale sets, whichever controllers run. */
export function postMortems({ signer, keepLogs, events, metrics, clock, log }: PostMortemOptions) {
	return {
		lead({ client, cache, pods }: Term): LeaderPart {
			const lists = new EndedLists({ client, events, metrics, clock, log });
			const ends = new PostMortems({
				cache,
				pods,
				lists,
				readLog: endLogs(client),
				keepLogs,
				verify: signer.verifyStatement,
				events,
				metrics,
				clock,
				log,
			});
			return { controllers: [ends, lists] };
		},
	};
}
