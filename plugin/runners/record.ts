import { record } from '../../admission/api/keys.ts';
import type { Pod, RecordedOptions } from '../../admission/api/kinds.ts';

/** A deletion that was refused, and that the server will complete when the job ends. */
export interface DeletionRecord {
	requestedAt?: string;
	requestedBy: string;
	options?: RecordedOptions;
}

/** ARC's own scale-down writes a time alone; a record of ours says who asked. */
export function deletionRecord(pod: Pod): DeletionRecord | undefined {
	const annotations = pod.metadata.annotations ?? {};
	const requestedBy = annotations[record.requestedBy];
	if (requestedBy === undefined) return undefined;
	return {
		requestedAt: annotations[record.requestedAt],
		requestedBy,
		options: parseOptions(annotations[record.options]),
	};
}

/** Anybody may write annotations; one that cannot be read is as good as none. */
function parseOptions(text: string | undefined): RecordedOptions | undefined {
	if (text === undefined) return undefined;
	try {
		const options = JSON.parse(text) as RecordedOptions | null;
		return options !== null && typeof options === 'object' ? options : undefined;
	} catch {
		return undefined;
	}
}

/** "an eviction, grace period 30s": what was asked, in words. */
export function describeOptions(options: RecordedOptions | undefined): string {
	const parts = [options?.via === 'eviction' ? 'an eviction' : 'a deletion'];
	if (options?.gracePeriodSeconds !== undefined) parts.push(`grace period ${options.gracePeriodSeconds}s`);
	if (options?.propagationPolicy) parts.push(`propagation ${options.propagationPolicy}`);
	return parts.join(', ');
}
