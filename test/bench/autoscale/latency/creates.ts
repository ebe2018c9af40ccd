import { type AuditEvent, readAudit } from '../../../cluster/audit.ts';

/** A create that the API server has accepted, by its audit log. */
export interface Create {
	name: string;
	/** Unix ms, with fractions. */
	askedMs: number;
	acceptedMs: number;
}

/** By resource, those of one namespace and those of records, in the order in which they were accepted. */
export async function createsIn(
	folder: string,
	namespaces: readonly string[],
): Promise<Map<string, Create[]>> {
	const accepted = (await readAudit(folder)).filter(
		({ verb, objectRef, responseStatus }) =>
			verb === 'create' &&
			responseStatus?.code === 201 &&
			!objectRef?.subresource &&
			namespaces.includes(objectRef?.namespace ?? ''),
	);
	const creates = accepted.map((event) => ({
		resource: event.objectRef?.resource ?? '',
		name: event.objectRef?.name ?? '',
		askedMs: preciseMs(event.requestReceivedTimestamp),
		acceptedMs: preciseMs(event.stageTimestamp),
	}));
	creates.sort((one, other) => one.acceptedMs - other.acceptedMs);
	return Map.groupBy(creates, ({ resource }) => resource);
}

/** Date.parse drops the microseconds. */
function preciseMs(time: AuditEvent['stageTimestamp']): number {
	const [, fraction = '0'] = /\.(\d+)/.exec(time) ?? [];
	return Date.parse(time.replace(/\.\d+/, '')) + Number(`0.${fraction}`) * 1_000;
}
