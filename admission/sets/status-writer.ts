import type { RunnersSet, SetConditionType, SetStatus } from '../api/sets.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import { StatusWriter } from '../kube/status-writer.ts';
import type { Log } from '../telemetry/log.ts';
import type { Clock } from '../time/clock.ts';
import type { SetKind } from './kind.ts';
import { statusEveryMs } from './rules/policy.ts';

const failures: ReadonlySet<string> = new Set<SetConditionType>([
	'CredentialsMissing',
	'RunnerOutdated',
	'StartsFailing',
	'QuotaExceeded',
	'SpecInvalid',
]);

/** The fields of the accounting that a status may lack: a merge patch removes only what it sets to null. */
const noAccounting = {
	completions: null,
	failedStarts: null,
	briefEnds: null,
	nextStartAt: null,
	outdated: null,
};

/** Writes the status of the sets of one kind. */
export function setStatusWriter<S extends RunnersSet>(
	{ resource, controller }: SetKind<S>,
	{ client, events, clock, log }: { client: KubeClient; events: Events; clock: Clock; log: Log },
): StatusWriter<SetStatus> {
	return new StatusWriter<SetStatus>({
		client,
		clock,
		resource,
		everyMs: statusEveryMs,
		toPatch: (status) => ({ ...status, accounting: { ...noAccounting, ...status.accounting } }),
		reports: {
			events,
			log,
			logName: controller,
			logMessage: 'the set has a problem, see its conditions',
			action: 'Reconcile',
			summary: 'Settled',
			isFailure: (type) => failures.has(type),
			onChangeOf: 'message',
		},
	});
}
