import type { CredentialReport } from '../api/report.ts';
import type { Accounts } from './accounts.ts';
import { reported } from './policy.ts';
import type { AccountState, CredentialsMissing } from './types.ts';

/**
 * The state of every credential in use or missing, for the metrics and the report. Nothing secret is in it. However many
 * Secrets and organizations pods name, it fits into a ConfigMap: what is left out is counted in its last entries.
 */
export function credentialReports(accounts: Pick<Accounts, 'list' | 'missing'>): CredentialReport[] {
	const reports = new Map<string, CredentialReport>();
	let scopesLeft = reported.forbidden;
	for (const account of accounts.list()) {
		const report = usedCredential(account.id, account.state(), account.answered);
		if (report.forbidden) report.forbidden = cut(report.forbidden, scopesLeft, moreScopes);
		scopesLeft -= report.forbidden?.length ?? 0;
		reports.set(account.id, report);
	}
	const missing = [...accounts.missing()].map(([id, why]) => missingCredential(id, why));
	for (const report of cut(missing, reported.missing, moreMissing)) reports.set(report.account, report);
	return [...reports.values()].sort((a, b) => (a.account < b.account ? -1 : 1));
}

const moreScopes = (count: number) => ({ scope: `${count} more`, detail: 'as those before' });
const moreMissing = (count: number): CredentialReport => ({
	account: `${count} more`,
	state: 'credentials-missing',
	detail: 'as those before',
});

/** The first `most` of them; where there are more, how many. */
function cut<Value>(all: Value[], most: number, more: (count: number) => Value): Value[] {
	const left = all.length - Math.max(0, most);
	return left > 0 ? [...all.slice(0, Math.max(0, most)), more(left)] : all;
}

/** The report on a credential that could be read. `answered`: GitHub has answered a call with it. */
export function usedCredential(account: string, state: AccountState, answered: boolean): CredentialReport {
	const { failure, limit, remaining, resetAtMs } = state;
	const forbidden = Object.entries(state.forbidden).map(([scope, { detail }]) => ({ scope, detail }));
	const report: CredentialReport = { account, state: stateOf(state, answered) };
	if (failure) report.detail = failure.detail;
	if (forbidden.length > 0) report.forbidden = forbidden;
	if (remaining !== undefined && resetAtMs !== undefined) {
		report.budget = {
			left: remaining,
			...(limit === undefined ? {} : { limit }),
			resetAt: new Date(resetAtMs).toISOString(),
		};
	}
	return report;
}

function stateOf({ failure, forbidden }: AccountState, answered: boolean): CredentialReport['state'] {
	if (failure) return failure.kind;
	if (Object.keys(forbidden).length > 0) return 'forbidden';
	return answered ? 'ok' : 'not-used-yet';
}

function missingCredential(account: string, { kind, detail }: CredentialsMissing): CredentialReport {
	return { account, state: kind, detail };
}
