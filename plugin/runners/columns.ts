import { busy, progress } from '../../admission/api/keys.ts';
import type { Pod } from '../../admission/api/kinds.ts';
import { ageSince } from '../print/age.ts';
import { printable } from '../print/printable.ts';
import { scopeOf, setOf } from './recognise.ts';
import { deletionRecord } from './record.ts';
import { isBusy, stateOf } from './state.ts';

export interface ColumnChoice {
	namespace: boolean;
	wide: boolean;
}

const none = '<none>';

export function header(choice: ColumnChoice): string[] {
	const columns = ['NAME', 'SET', 'STATE', 'JOB', 'RUNNER ID', 'NODE', 'AGE'];
	if (choice.wide) columns.push('SCOPE', 'BUSY FOR', 'DELETION ASKED BY');
	return choice.namespace ? ['NAMESPACE', ...columns] : columns;
}

/** One runner as a row under `header`. `state` overrides what the pod says, for one that is gone. */
export function row(
	pod: Pod,
	choice: ColumnChoice,
	nowMs: number,
	state: string = stateOf(pod, nowMs),
): string[] {
	const annotations = pod.metadata.annotations ?? {};
	const cells = [
		pod.metadata.name,
		setOf(pod) ?? none,
		state,
		jobOf(pod) ?? none,
		printable(annotations[progress.runnerId] ?? none),
		pod.spec?.nodeName ?? none,
		ageSince(pod.metadata.creationTimestamp, nowMs),
	];
	if (choice.wide) {
		const since = annotations[busy.since];
		const asked = deletionRecord(pod);
		cells.push(
			printable(scopeOf(pod) ?? none),
			isBusy(pod) && since ? ageSince(since, nowMs) : none,
			asked ? printable(asked.requestedBy) : none,
		);
	}
	return choice.namespace ? [pod.metadata.namespace ?? '', ...cells] : cells;
}

/** The job as the server wrote it for people; a runner that is known to be busy with an unknown job has `<unknown>`. */
export function jobOf(pod: Pod): string | undefined {
	if (!isBusy(pod)) return undefined;
	return printable(pod.metadata.annotations?.[busy.job] ?? '<unknown>');
}
