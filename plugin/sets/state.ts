import type { SetCondition, SetConditionType } from '../../admission/api/sets.ts';
import { type RunnersSet, wantedOf } from './api.ts';

/**
 * How far a set is from what its spec asks for. It is read from the set alone.
 *
 * - settled: as many registered runners as wanted, all of the newest template
 * - unseen: the server has not reported on the newest spec yet, or there is no server
 * - starting: as many as wanted, not all of them registered
 * - changing: runners are being created or deleted
 * - draining: runners above the wanted number still run their jobs
 * - rolling-out, holding, starts-failing, credentials-missing, spec-invalid, deleting: as the set's condition
 */
type SetState =
	| 'settled'
	| 'unseen'
	| 'starting'
	| 'changing'
	| 'draining'
	| 'rolling-out'
	| 'holding'
	| 'runner-outdated'
	| 'starts-failing'
	| 'quota-exceeded'
	| 'credentials-missing'
	| 'spec-invalid'
	| 'deleting';

/** Errors come before what is in progress. */
const inOrder: readonly (readonly [SetConditionType, SetState])[] = [
	['SpecInvalid', 'spec-invalid'],
	['CredentialsMissing', 'credentials-missing'],
	['RunnerOutdated', 'runner-outdated'],
	['StartsFailing', 'starts-failing'],
	['QuotaExceeded', 'quota-exceeded'],
	['Draining', 'draining'],
	['RollingOut', 'rolling-out'],
	['Holding', 'holding'],
];

export function setStateOf(set: RunnersSet): SetState {
	if (set.metadata.deletionTimestamp !== undefined) return 'deleting';
	if (!isObserved(set)) return 'unseen';
	for (const [type, state] of inOrder) if (isTrue(set, type)) return state;
	if (!isTrue(set, 'Settled')) return 'changing';
	return (set.status?.availableReplicas ?? 0) >= wantedOf(set) ? 'settled' : 'starting';
}

/** Whether the status is about the current spec. */
export function isObserved({ metadata, status }: RunnersSet): boolean {
	if (!status?.conditions || status.observedGeneration === undefined) return false;
	return status.observedGeneration >= (metadata.generation ?? 0);
}

/** The messages of the conditions that explain why it is not settled. */
export function reasonsOf(set: RunnersSet): string[] {
	const state = setStateOf(set);
	if (state === 'settled') return [];
	if (state === 'unseen') {
		const news = set.status?.conditions ? 'reported on the newest spec' : 'reconciled it';
		return [`the server has not ${news} yet`];
	}
	const reported = (set.status?.conditions ?? []).filter(
		({ type, status, message }) => message && (type === 'Settled' ? status === 'False' : status === 'True'),
	);
	// The other conditions are more precise than "Settled".
	const precise = reported.filter(({ type }) => type !== 'Settled');
	return (precise.length > 0 ? precise : reported).map(({ message = '' }) => message);
}

/** "3 wanted: 1 idle, 1 busy, 1 starting" */
export function countsOf(set: RunnersSet): string {
	const { replicas = 0, idleReplicas = 0, busyReplicas = 0, drainingReplicas = 0 } = set.status ?? {};
	const others = Math.max(0, replicas - idleReplicas - busyReplicas);
	const parts = [
		idleReplicas > 0 && `${idleReplicas} idle`,
		busyReplicas > 0 && `${busyReplicas} busy`,
		others > 0 && `${others} on the way`,
	].filter(Boolean);
	const draining = drainingReplicas > 0 ? ` (${drainingReplicas} draining)` : '';
	return `${wantedOf(set)} wanted: ${parts.join(', ') || 'none'}${draining}`;
}

function isTrue(set: RunnersSet, type: SetConditionType): boolean {
	return (
		set.status?.conditions?.some((one: SetCondition) => one.type === type && one.status === 'True') === true
	);
}
