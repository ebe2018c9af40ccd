import type { AutoscalerConditionType } from '../../api/autoscale.ts';
import { mostReservations, mostTriggers, onlyFirst } from '../../api/limits.ts';
import { counted } from '../../api/printable.ts';
import {
	decimalOf,
	fieldsOf,
	goDurationMs,
	invalid,
	isAbsent,
	isCount,
	isObject,
	wholeNumber,
} from './fields.ts';
import type { Suggestion } from './metrics.ts';
import { defaultDelayMs, defaultDurationMs, safetyCeiling, shortestDurationMs } from './policy.ts';
import { type Schedule, schedule } from './schedule.ts';
import type { Desired } from './types.ts';

/** What is worth a condition in the status of an autoscaler. */
export interface Finding {
	type: AutoscalerConditionType;
	/** One word, for programs. */
	reason: string;
	/** For people. */
	message: string;
}

export interface DesiredFacts {
	/** See metrics.ts. */
	metrics: Suggestion;
	/** How many spare runners this part of the last hour's moments would have needed; see spare.ts. */
	spareFor(quantile: number): number;
	/** Everything is known that has to be known before a runner may be removed. */
	ready: boolean;
	/** Where the spec has no delay. */
	defaultDelayMs?: number | undefined;
}

export interface Evaluation {
	desired: Desired;
	/** At most one of each type. */
	findings: Finding[];
	schedule: Schedule;
	/** When this changes by itself, ms since the epoch: a schedule's edge, the end of a reservation. */
	changesAtMs: number | undefined;
}

/** The set that an autoscaler scales, in its own namespace; a text: why it is not known. */
export function targetOf(spec: unknown): { kind: 'RunnerDeployment' | 'RunnerSet'; name: string } | string {
	const { kind, name } = fieldsOf(fieldsOf(spec).scaleTargetRef);
	const known = isAbsent(kind) || kind === '' ? 'RunnerDeployment' : kind;
	if (known !== 'RunnerDeployment' && known !== 'RunnerSet')
		return invalid('spec.scaleTargetRef.kind', kind, 'RunnerSet or RunnerDeployment');
	if (typeof name !== 'string' || name === '') return 'spec.scaleTargetRef.name is required';
	return { kind: known, name };
}

/**
 * What the spec of a HorizontalRunnerAutoscaler asks for now. Pure: the spec may be anything. A field that can't be used is
 * a finding, and the others count.
 */
export function desiredOf(spec: unknown, facts: DesiredFacts, nowMs: number): Evaluation {
	const fields = fieldsOf(spec);
	const found = new Findings();
	const count = (name: string): number | undefined => {
		const value = fields[name];
		if (isAbsent(value) || isCount(value)) return value ?? undefined;
		found.add('SpecInvalid', 'InvalidNumber', invalid(`spec.${name}`, value, wholeNumber));
		return undefined;
	};

	// A negative minReplicas counts as absent, as in ARC.
	const usual = count('minReplicas') ?? 1;
	const times = schedule(fields.scheduledOverrides, usual, nowMs);
	for (const message of times.skipped) found.add('OverrideSkipped', 'OverrideInvalid', message);
	const min = times.minReplicas ?? usual;

	const given = isCount(fields.maxReplicas) ? fields.maxReplicas : undefined;
	// Somebody wanted a limit. Which one is not known, so it is a low one.
	const unusable = given === undefined && !isAbsent(fields.maxReplicas);
	const max = given ?? Math.max(unusable ? 1 : safetyCeiling, min);
	if (unusable)
		found.add(
			'SpecInvalid',
			'InvalidNumber',
			`${invalid('spec.maxReplicas', fields.maxReplicas, wholeNumber)}; there are at most ${counted(max, 'runner')}`,
		);
	else if (given === undefined)
		found.add(
			'NoMaximum',
			'SafetyCeiling',
			`spec.maxReplicas is missing: there are at most ${counted(max, 'runner')}`,
		);
	else if (usual > given)
		found.add(
			'SpecInvalid',
			'MinAboveMax',
			`spec.minReplicas ${usual} is above spec.maxReplicas ${given}: the minimum counts`,
		);
	else if (min > given) {
		const message = `minReplicas ${min} of the active override is above spec.maxReplicas ${given}: the minimum counts`;
		found.add('SpecInvalid', 'MinAboveMax', message);
	}

	const delaySeconds = count('scaleDownDelaySecondsAfterScaleOut');
	const triggers = triggersOf(fields.scaleUpTriggers, found);
	const reservations = reservationsOf(fields.capacityReservations, found, nowMs);
	const spare = spareOf(fields.spare, facts, found);
	for (const message of facts.metrics.problems) found.add('MetricFailing', 'MetricFailing', message);

	const listed = (value: unknown) => Array.isArray(value) && value.length > 0;
	const acts =
		triggers.countsJobs ||
		spare > 0 ||
		reservations.any ||
		listed(fields.metrics) ||
		listed(fields.scheduledOverrides);
	if (!triggers.countsJobs && (triggers.listed || !acts)) {
		const what = triggers.listed
			? 'no entry of spec.scaleUpTriggers has githubEvent.workflowJob, and other triggers have no effect'
			: 'there is no trigger, metric or schedule';
		found.add(
			'NoTrigger',
			'NothingActs',
			acts ? what : `${what}: there will always be ${counted(min, 'runner')}`,
		);
	}

	const changes = [times.nextEdgeMs, reservations.nextEndMs].filter((ms) => ms !== undefined);
	return {
		desired: {
			min,
			max,
			countsJobs: triggers.countsJobs,
			spare,
			reserved: reservations.replicas,
			suggestion: facts.metrics.replicas,
			delayMs: delaySeconds === undefined ? (facts.defaultDelayMs ?? defaultDelayMs) : delaySeconds * 1_000,
			checkAfterMs: triggers.checkAfterMs,
			ready: facts.ready,
		},
		findings: found.all(),
		schedule: times,
		changesAtMs: changes.length > 0 ? Math.min(...changes) : undefined,
	};
}

/** Several of one type are one condition. */
class Findings {
	readonly #found = new Map<AutoscalerConditionType, Finding>();

	add(type: AutoscalerConditionType, reason: string, message: string): void {
		const before = this.#found.get(type);
		this.#found.set(
			type,
			before ? { ...before, message: `${before.message}; ${message}` } : { type, reason, message },
		);
	}

	/** Messages of conditions have 32,768 characters at most; people read the first few. */
	all(): Finding[] {
		return [...this.#found.values()].map((one) => ({ ...one, message: one.message.slice(0, 1_000) }));
	}
}

/** The entries of a list that count. */
function entriesOf(value: unknown, field: string, most: number, found: Findings): unknown[] {
	if (!isAbsent(value) && !Array.isArray(value))
		found.add('SpecInvalid', 'InvalidList', `${field} must be a list`);
	const entries: unknown[] = Array.isArray(value) ? value : [];
	if (entries.length > most)
		found.add('SpecInvalid', 'TooManyEntries', onlyFirst(field, entries.length, most));
	return entries.slice(0, most);
}

function triggersOf(
	value: unknown,
	found: Findings,
): { countsJobs: boolean; listed: boolean; checkAfterMs: number } {
	const field = 'spec.scaleUpTriggers';
	const entries = entriesOf(value, field, mostTriggers, found);
	const afterMs: number[] = [];
	for (const [index, entry] of entries.entries()) {
		const { githubEvent, duration } = fieldsOf(entry);
		if (!isObject(fieldsOf(githubEvent).workflowJob)) continue;
		const ms = isAbsent(duration) || duration === '' ? 0 : goDurationMs(duration);
		if (ms === undefined) {
			const problem = invalid(`${field}[${index}].duration`, duration, 'a duration such as 30m');
			found.add('SpecInvalid', 'InvalidDuration', `${problem}; 10m is used`);
		}
		const givenMs = ms ?? 0;
		afterMs.push(givenMs > 0 ? Math.max(shortestDurationMs, givenMs) : defaultDurationMs);
	}
	return {
		countsJobs: afterMs.length > 0,
		listed: entries.length > 0,
		checkAfterMs: afterMs.length > 0 ? Math.min(...afterMs) : defaultDurationMs,
	};
}

/** Reservations that have not expired; effectiveTime has no effect, as in ARC. */
function reservationsOf(
	value: unknown,
	found: Findings,
	nowMs: number,
): { replicas: number; any: boolean; nextEndMs: number | undefined } {
	const field = 'spec.capacityReservations';
	let replicas = 0;
	let nextEndMs: number | undefined;
	for (const [index, entry] of entriesOf(value, field, mostReservations, found).entries()) {
		const one = fieldsOf(entry);
		// One without expirationTime has expired, as in ARC.
		if (isAbsent(one.expirationTime)) continue;
		const endMs = typeof one.expirationTime === 'string' ? Date.parse(one.expirationTime) : Number.NaN;
		const number = one.replicas ?? 0;
		if (Number.isNaN(endMs)) {
			const path = `${field}[${index}].expirationTime`;
			found.add('SpecInvalid', 'InvalidTime', invalid(path, one.expirationTime, 'a time as in RFC 3339'));
		}
		if (!(endMs > nowMs)) continue;
		if (isCount(number)) {
			replicas += number;
			nextEndMs = Math.min(nextEndMs ?? endMs, endMs);
		} else
			found.add('SpecInvalid', 'InvalidNumber', invalid(`${field}[${index}].replicas`, number, wholeNumber));
	}
	return { replicas, any: replicas > 0, nextEndMs };
}

function spareOf(value: unknown, { spareFor }: DesiredFacts, found: Findings): number {
	const { replicas, quantile } = fieldsOf(value);
	if (!isAbsent(replicas) && !isCount(replicas))
		found.add('SpecInvalid', 'InvalidNumber', invalid('spec.spare.replicas', replicas, wholeNumber));
	const fixed = isCount(replicas) ? replicas : 0;
	if (isAbsent(quantile) || quantile === '') return fixed;
	const part = decimalOf(quantile) ?? -1;
	if (part >= 0 && part <= 1) return Math.max(fixed, part === 0 ? 0 : spareFor(part));
	const problem = invalid('spec.spare.quantile', quantile, 'a number from 0 to 1 such as "0.9"');
	found.add('SpecInvalid', 'InvalidQuantile', problem);
	return fixed;
}
