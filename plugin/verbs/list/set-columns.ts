import { printable } from '../../../admission/api/printable.ts';
import type { RunnerConfig, RunnerDeployment, RunnerSet } from '../../../admission/api/sets.ts';
import { ageSince } from '../../print/age.ts';
import { type RunnersSet, wantedOf } from '../../sets/api.ts';
import { setStateOf } from '../../sets/state.ts';

export interface SetColumnChoice {
	namespace: boolean;
	wide: boolean;
}

const none = '<none>';

export function setHeader(choice: SetColumnChoice): string[] {
	const columns = ['NAME', 'KIND', 'DESIRED', 'CURRENT', 'IDLE', 'BUSY', 'DRAINING', 'AGE'];
	if (choice.wide) columns.push('STATE', 'UP-TO-DATE', 'SCOPE', 'LABELS');
	return choice.namespace ? ['NAMESPACE', ...columns] : columns;
}

/** One set as a row below `setHeader`. `desired`, if given, replaces its own number: for one that is gone. */
export function setRow(
	set: RunnersSet,
	choice: SetColumnChoice,
	nowMs: number,
	desired = String(wantedOf(set)),
): string[] {
	const { metadata, status = {} } = set;
	const counts = [status.replicas, status.idleReplicas, status.busyReplicas, status.drainingReplicas];
	const cells = [
		metadata.name,
		set.kind,
		desired,
		...counts.map((count) => String(count ?? 0)),
		ageSince(metadata.creationTimestamp, nowMs),
	];
	if (choice.wide) {
		const { repository, organization, enterprise, labels = [] } = configOf(set);
		cells.push(
			setStateOf(set),
			String(status.updatedReplicas ?? 0),
			printable(repository || organization || enterprise || none),
			printable(labels.join(',') || none),
		);
	}
	return choice.namespace ? [metadata.namespace ?? '', ...cells] : cells;
}

/** A RunnerDeployment has these fields in its template, a RunnerSet has them next to its template. */
function configOf(set: RunnersSet): RunnerConfig {
	return set.kind === 'RunnerSet'
		? (set as RunnerSet).spec
		: ((set as RunnerDeployment).spec.template.spec ?? {});
}
