import type { LeaderPart } from '../capability.ts';
import type { SharedNotes } from '../cluster/replicas.ts';
import type { Term } from '../cluster/term.ts';
import type { KubeClient } from '../kube/client.ts';
import { EventPort, type EventPortOptions } from './events/port.ts';
import { followAuthorities } from './hooks/follow-authorities.ts';
import { JobHooks, type JobHooksOptions } from './hooks/job-hooks.ts';
import type { ReportDependencies } from './record-report.ts';

interface Shared extends ReportDependencies {
	client: KubeClient;
	/** The server's own namespace. */
	namespace: string;
}

interface JobsOptions extends Shared {
	/** What else the port for GitHub's events needs. */
	eventPort: Omit<EventPortOptions, keyof Shared>;
	/** What else the job hooks need. */
	jobHooks: Omit<JobHooksOptions, keyof Shared>;
}

/** Job signals that are sent to the server: by the job hooks in runner pods, and by GitHub's events. */
export function jobsCapability({ eventPort, jobHooks, ...shared }: JobsOptions) {
	const events = new EventPort({ ...shared, ...eventPort });
	const hooks = new JobHooks({ ...shared, ...jobHooks });
	const { clock, log } = shared;
	const notes: SharedNotes = {
		notes: () => events.hooks.notes(),
		receive: (all) => events.hooks.receiveNotes(all),
	};
	return {
		loops: [(signal: AbortSignal) => events.run(signal), (signal: AbortSignal) => hooks.run(signal)],
		/** What all replicas are to know of GitHub's webhooks. */
		notes,
		/** What gives a new pod of a set its job hooks. */
		injectHooks: hooks.forSets,
		/** Reviews CREATE of a runner pod that belongs to no set. */
		reviewOtherPods: hooks.reviewOthers,
		useCertificate: (pair: { cert: string; key: string }) => hooks.useCertificate(pair),
		lead({ cache, pods }: Term): LeaderPart {
			const follow = { cache, pods, authorities: hooks.authorities, clock, log };
			return { loops: [(signal) => followAuthorities(follow, signal)] };
		},
	};
}
