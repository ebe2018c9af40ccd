/**
 * Asks npm for known vulnerabilities of the packages that are shipped: `node scripts/audit.ts`. Fails on high and
 * critical ones. It only warns if it cannot ask: without a network, or if the registry has no audit endpoint.
 */
import { spawnSync } from 'node:child_process';

export interface AuditReport {
	error?: { code?: string; summary?: string };
	message?: string;
	vulnerabilities?: Record<string, { severity: string; via: (string | { title?: string; url?: string })[] }>;
}

export type AuditResult =
	| { kind: 'not-asked'; why: string }
	| { kind: 'clean' }
	| { kind: 'vulnerable'; lines: string[] };

const failing = ['high', 'critical'];

/** What a report of `npm audit --json` says. */
export function readAudit(report: AuditReport): AuditResult {
	const { vulnerabilities } = report;
	if (!vulnerabilities) {
		const why = report.error?.summary || report.message || report.error?.code || 'npm audit gave no report';
		return { kind: 'not-asked', why };
	}
	const lines = Object.entries(vulnerabilities)
		.filter(([, { severity }]) => failing.includes(severity))
		.map(([name, { severity, via }]) => {
			const advisories = via.map((one) => (typeof one === 'string' ? one : (one.url ?? one.title ?? '')));
			return `${name}: ${severity} (${advisories.join(', ')})`;
		});
	return lines.length > 0 ? { kind: 'vulnerable', lines } : { kind: 'clean' };
}

function main(): number {
	const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], {
		encoding: 'utf8',
		timeout: 60_000,
	});
	let result: AuditResult;
	try {
		result = error ? { kind: 'not-asked', why: error.message } : readAudit(JSON.parse(stdout) as AuditReport);
	} catch {
		result = { kind: 'not-asked', why: `npm audit did not answer in JSON: ${stdout.slice(0, 200)}` };
	}
	switch (result.kind) {
		case 'not-asked':
			console.log(`warning: dependencies were not audited: ${result.why}`);
			return 0;
		case 'clean':
			console.log('no known high or critical vulnerability in what is shipped');
			return 0;
		case 'vulnerable':
			for (const line of result.lines) console.error(`error: ${line}`);
			return 1;
	}
}

if (import.meta.main) process.exitCode = main();
