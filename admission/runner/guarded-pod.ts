import { breakGlass, busy, record } from '../api/keys.ts';
import type { Pod, RecordedOptions } from '../api/kinds.ts';
import { recorded, type Verify } from './statements.ts';

export interface DeletionRecord {
	requestedAt: string;
	/** As the review said; see RecordedOptions.certified. */
	requestedBy: string;
	options: RecordedOptions;
}

/** What is known of every pod that is guarded, whatever kind it is of. */
export interface GuardedPod {
	namespace: string;
	name: string;
	uid: string;
	resourceVersion: string | undefined;
	/** creationTimestamp, ms since the epoch; 0 if it is not known. */
	createdMs: number;
	/** It carries the label by which the back-stop budgets hold up its eviction. */
	backstopped: boolean;
	terminating: boolean;
	/** The reason that somebody has given for it; undefined: nobody has used it. */
	breakGlass: string | undefined;
	/** The deletion that this server recorded, if there is one. */
	record: DeletionRecord | undefined;
	/** The annotation that signs the record, as it stands on the pod, valid or not. */
	recordProof: string | undefined;
}

/** That part of a pod. */
export function readGuardedPod({ metadata }: Pod, verify: Verify): GuardedPod {
	const { name, namespace = '', uid = '', resourceVersion, labels = {}, annotations = {} } = metadata;
	return {
		namespace,
		name,
		uid,
		resourceVersion,
		createdMs: toMs(metadata.creationTimestamp) ?? 0,
		backstopped: labels[busy.label] !== undefined,
		terminating: metadata.deletionTimestamp !== undefined,
		breakGlass: annotations[breakGlass] || undefined,
		record: readRecord(uid, annotations, verify),
		recordProof: annotations[record.proof],
	};
}

/** The record, if this server made it: anybody may have written one in somebody's name, or copied that of another pod. */
function readRecord(
	uid: string,
	annotations: Record<string, string>,
	verify: Verify,
): DeletionRecord | undefined {
	const {
		[record.requestedAt]: requestedAt = '',
		[record.requestedBy]: requestedBy = '',
		[record.options]: options = '',
	} = annotations;
	if (!requestedBy || !verify(recorded(uid, requestedAt, requestedBy, options), annotations[record.proof]))
		return undefined;
	return { requestedAt, requestedBy, options: parseOptions(options) };
}

/** The recorded options. One that a later version wrote and that can't be read counts as a plain delete. */
function parseOptions(text: string | undefined): RecordedOptions {
	try {
		const value = JSON.parse(text ?? '') as RecordedOptions;
		const options: RecordedOptions = { via: value.via === 'eviction' ? 'eviction' : 'delete' };
		if (Number.isInteger(value.gracePeriodSeconds)) options.gracePeriodSeconds = value.gracePeriodSeconds;
		if (typeof value.propagationPolicy === 'string') options.propagationPolicy = value.propagationPolicy;
		if (value.certified === true) options.certified = true;
		return options;
	} catch {
		return { via: 'delete' };
	}
}

/** A time of Kubernetes or ours, ms since the epoch; undefined: it can't be read. */
export function toMs(time: string | undefined): number | undefined {
	const ms = Date.parse(time ?? '');
	return Number.isNaN(ms) ? undefined : ms;
}
