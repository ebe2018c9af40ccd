import { printable } from '../../../../admission/api/printable.ts';
import type { CredentialReport } from '../../../../admission/api/report.ts';
import type { Check } from '../facts.ts';
import { count, type Level, worst } from '../finding.ts';

/** An error has to be fixed by somebody; a warning passes by itself. */
const levels: Record<CredentialReport['state'], Level> = {
	ok: 'ok',
	'not-used-yet': 'ok',
	'credentials-missing': 'error',
	'credentials-invalid': 'error',
	forbidden: 'error',
	'rate-limited': 'warning',
	'budget-spent': 'warning',
	'github-unavailable': 'warning',
	'github-slow': 'warning',
};

const advice: Partial<Record<CredentialReport['state'], string>> = {
	'credentials-missing': 'create the Secret with the keys that ARC uses; it is read again within seconds',
	'credentials-invalid': 'renew the token or key in the Secret; it is read again within seconds',
	forbidden: 'grant the token or App the permission that is named',
	'rate-limited': 'calls resume by themselves; check whether another tool uses the same credential',
	'budget-spent': 'calls resume by themselves; check whether another tool uses the same credential',
	'github-unavailable': "check GitHub's status and your proxies",
	'github-slow': "check GitHub's status and your proxies",
};

/** The credentials in use, and which of them GitHub refuses. */
export const credentials: Check = ({ report }) => {
	const check = 'credentials';
	if (report.kind !== 'found') return undefined; // the check "report" says so
	const found = report.value.credentials;
	if (found.length === 0) {
		const message = 'none needed yet: they are read once there is a runner pod';
		return { check, level: 'ok', message };
	}
	const level = worst(found.map(({ state }) => levels[state] ?? 'warning'));
	const bad = found.filter(({ state }) => (levels[state] ?? 'warning') !== 'ok');
	if (bad.length === 0) {
		const unused = found.filter(({ state }) => state === 'not-used-yet').map(({ account }) => account);
		const untried = unused.length > 0 ? `; not tried yet: ${unused.join(', ')}` : '';
		return { check, level, message: `${count(found.length, 'credential')} in use, none refused${untried}` };
	}
	return {
		check,
		level,
		message: `${bad.length} of ${count(found.length, 'credential')} not usable: runner pods that need them cannot be deleted`,
		details: bad.flatMap(detailsOf),
		advice: [...new Set(bad.map(({ state }) => advice[state] ?? ''))].filter(Boolean),
	};
};

function detailsOf({ account, state, detail, forbidden = [] }: CredentialReport): string[] {
	const scopes = forbidden.map((one) => `${account}: forbidden for ${one.scope}: ${printable(one.detail)}`);
	if (state === 'forbidden') return scopes;
	return [`${account}: ${state}${detail ? `: ${printable(detail)}` : ''}`, ...scopes];
}

/** Below this share of the hour's calls there is a warning. */
const lowShare = 0.1;

export const rateBudget: Check = ({ report, nowMs }) => {
	const check = 'rate-budget';
	if (report.kind !== 'found') return undefined;
	const budgets = report.value.credentials.flatMap(({ account, budget }) =>
		budget && Date.parse(budget.resetAt) > nowMs ? [{ account, ...budget }] : [],
	);
	if (budgets.length === 0)
		return {
			check,
			level: 'ok',
			message: 'no rate limit known: GitHub has not sent one, or the last one has been reset',
		};
	const line = ({ account, left, limit, resetAt }: (typeof budgets)[number]) =>
		`${account}: ${left}${limit === undefined ? '' : ` of ${limit}`} calls left until ${resetAt.slice(11, 16)} UTC`;
	const low = budgets.filter(({ left, limit }) => left < (limit ?? 5_000) * lowShare);
	if (low.length === 0) return { check, level: 'ok', message: budgets.map(line).join('; ') };
	return {
		check,
		level: 'warning',
		message: `${count(low.length, 'credential')} with less than a tenth of the hour's calls left`,
		details: low.map(line),
		advice: [
			'check whether another tool uses the same credential; a GitHub App of its own has its own limit',
		],
	};
};
