import { createHash } from 'node:crypto';
import { foldName } from '../../../runner/github-name.ts';
import type { JobFacts } from './facts.ts';

/** What tells a job from all others. */
export type JobIdentity = Pick<JobFacts, 'host' | 'repository' | 'id'>;

/**
 * The name of a job's record. The repository is a part of it: whoever may report the jobs of one owner may name any id, and must
 * not reach another owner's job by it. A host and a repository may be no part of a name.
 */
export const recordName = ({ host, repository, id }: JobIdentity): string =>
	hashed(JSON.stringify([foldName(host), foldName(repository), id]));

/** The name that versions up to December 2026 gave it. Such a record is a job's only if its repository is the same. */
export const earlierName = ({ host, id }: JobIdentity): string => hashed(`${host} ${id}`);

const hashed = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
