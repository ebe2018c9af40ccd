import { createHash } from 'node:crypto';

/** The name of a job's record. Ids of one GitHub are unique, those of two are not; a host may be no part of a name. */
export const recordName = (host: string, id: number): string =>
	createHash('sha256').update(`${host} ${id}`).digest('hex').slice(0, 32);
