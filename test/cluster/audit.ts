import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What an API server was asked (audit.k8s.io/v1 Event, level Metadata), as far as it is read here. */
export interface AuditEvent {
	verb: string;
	stage: string;
	requestURI: string;
	user: { username: string };
	/** RFC 3339, with microseconds: when it came, and when it was answered. */
	requestReceivedTimestamp: string;
	stageTimestamp: string;
	impersonatedUser?: { username: string };
	/** Absent: the request was about no resource, but about an address such as /version. */
	objectRef?: {
		apiGroup?: string;
		resource: string;
		subresource?: string;
		namespace?: string;
		/** Also of a list or watch that names one object by a field selector. */
		name?: string;
	};
	responseStatus?: { code: number; message?: string };
}

const policyFile = 'audit-policy.json';
const logFile = 'logs/audit.log';

/** Which requests are written down: without `users` everybody's, without `verbs` all of theirs. */
export interface AuditOptions {
	users?: string[];
	verbs?: string[];
}

/** Flags of an API server that writes down each request, once, when it is answered or a watch begins. */
export async function auditFlags(folder: string, options: AuditOptions): Promise<string[]> {
	const policy = {
		apiVersion: 'audit.k8s.io/v1',
		kind: 'Policy',
		omitStages: ['RequestReceived'],
		rules: [{ level: 'Metadata', ...options }, { level: 'None' }],
	};
	await writeFile(join(folder, policyFile), JSON.stringify(policy));
	return [`--audit-policy-file=${join(folder, policyFile)}`, `--audit-log-path=${join(folder, logFile)}`];
}

/** Everything so far; the log is gone with the cluster. */
export async function readAudit(folder: string): Promise<AuditEvent[]> {
	const lines = (await readFile(join(folder, logFile), 'utf8')).split('\n');
	lines.pop(); // empty, or not yet complete
	return lines.map((line) => JSON.parse(line) as AuditEvent);
}
