import type { SetController } from '../api/controllers.ts';
import type { LeaderPart } from '../capability.ts';
import { namedSet, readSet } from '../cluster/set-object.ts';
import type { Term } from '../cluster/term.ts';
import type { RunnerLogs } from '../jobs/runner-logs.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { Clock } from '../time/clock.ts';
import { type SetKindName, textOf } from './rules/pods.ts';
import type { SetVersion } from './rules/said.ts';
import { RunnerVersions } from './runner-versions.ts';

interface VersionsOptions {
	/** Whose sets are reconciled: they have a condition that says it. */
	controllers: readonly SetController[];
	logs: RunnerLogs;
	events: Events;
	metrics: Metrics;
	clock: Clock;
}

interface VersionsLeaderPart extends LeaderPart {
	versions: RunnerVersions;
}

/** Knows which versions the runners of all sets have, scale sets too, and says so where GitHub refuses one. */
export function versionsCapability({ controllers, logs, events, metrics, clock }: VersionsOptions) {
	const hasCondition = (kind: SetKindName) =>
		(kind === 'RunnerSet' && controllers.includes('runnerset')) ||
		(kind === 'RunnerDeployment' && controllers.includes('runnerdeployment'));
	return {
		lead({ client, cache, pods }: Term): VersionsLeaderPart {
			const changed = (said: SetVersion) => {
				metrics.versions.said({ ...said, set: said.name, outdated: said.refusedSinceMs !== undefined });
				if (said.refusedSinceMs !== undefined && !hasCondition(said.kind)) void report(client, events, said);
			};
			const versions = new RunnerVersions({ cache, pods, logs, clock, changed });
			const forget = { stop: () => metrics.versions.stopped() };
			return { versions, loops: [versions.run], controllers: [forget] };
		},
	};
}

/** `kubectl describe` shows only Events with the set's own UID. A set that pods name and that is not there gets none. */
async function report(client: KubeClient, events: Events, said: SetVersion): Promise<void> {
	const { namespace, name, version, image, reportedMs } = said;
	// Without an answer the Event is sent all the same: `kubectl get events` shows it.
	const set = await readSet(client, said).catch(() => namedSet(said));
	if (!set) return;
	const subject = { ...set, metadata: { name, namespace, uid: set.metadata.uid } };
	const what = version === undefined ? 'the runner version' : `runner version ${version}`;
	const message = `GitHub refuses ${what} of image ${image}, so the runners of this set get no jobs: use an image with a newer runner (github.com/actions/runner/releases)`;
	const occasion = `${textOf(said)} ${version} ${image} ${new Date(reportedMs).toISOString()}`;
	events.send(subject, 'Warning', 'RunnerOutdated', 'Register', message, occasion);
}
