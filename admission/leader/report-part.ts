import type { LeaderPart } from '../capability.ts';
import type { Term } from '../cluster/term.ts';
import type { Accounts } from '../github/accounts.ts';
import { credentialReports } from '../github/credential-report.ts';
import type { UnguardedTime } from '../guard/unguarded-time.ts';
import type { WaitingDeletion } from '../guard/waiting-deletions.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import type { SetVersion } from '../versions/rules/said.ts';
import type { ReportFacts } from './report.ts';
import { writeReports } from './report-writer.ts';

interface ReportPartOptions {
	version: string;
	/** This replica's name. */
	self: string;
	/** The server's own namespace. */
	namespace: string;
	accounts: Accounts;
	unguardedTime: UnguardedTime;
	metrics: Metrics;
	clock: Clock;
	log: Log;
}

/** The leader's report for people, in a ConfigMap. @param waiting the recorded deletions that wait, by pod key. @param versions what each set's runners say of theirs */
export function reportPart(
	{ version, self, namespace, accounts, unguardedTime, metrics, clock, log }: ReportPartOptions,
	{ client, cache }: Term,
	waiting: () => ReadonlyMap<string, WaitingDeletion>,
	versions: () => Iterable<SetVersion>,
): LeaderPart {
	const leadingSinceMs = clock.now();
	const facts = (): ReportFacts | undefined =>
		cache.pods.synced
			? {
					version,
					replica: self,
					leadingSinceMs,
					certificates: metrics.certificateEnds,
					credentials: credentialReports(accounts),
					pods: [...cache.pods.values()],
					waiting: waiting(),
					logs: metrics.logReads,
					contradictions: metrics.contradictions,
					largeObjects: metrics.largeObjects.states(),
					versions: versions(),
					guard: unguardedTime.current(),
					unguardedMs: unguardedTime.unguardedMs,
				}
			: undefined;
	return { loops: [(signal) => writeReports({ client, namespace, facts, clock, log }, signal)] };
}
