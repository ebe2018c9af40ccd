import type { CredentialReport } from '../api/report.ts';
import type { Accounts } from './accounts.ts';
import type { AccountState, CredentialsMissing } from './types.ts';

/** The state of every credential in use or missing, for the metrics and the report. Nothing secret is in it. */
export function credentialReports(accounts: Pick<Accounts, 'list' | 'missing'>): CredentialReport[] {
	const reports = new Map<string, CredentialReport>();
	for (const account of accounts.list())
		reports.set(account.id, usedCredential(account.id, account.state(), account.answered));
	for (const [id, missing] of accounts.missing()) reports.set(id, missingCredential(id, missing));
	return [...reports.values()].sort((a, b) => (a.account < b.account ? -1 : 1));
}

/** The report on a credential that could be read. `answered`: GitHub has answered a call with it. */
export function usedCredential(account: string, state: AccountState, answered: boolean): CredentialReport {
	const { trouble, limit, remaining, resetAtMs } = state;
	const forbidden = Object.entries(state.forbidden).map(([scope, { detail }]) => ({ scope, detail }));
	const report: CredentialReport = { account, state: stateOf(state, answered) };
	if (trouble) report.detail = trouble.detail;
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

function stateOf({ trouble, forbidden }: AccountState, answered: boolean): CredentialReport['state'] {
	if (trouble) return trouble.kind;
	if (Object.keys(forbidden).length > 0) return 'forbidden';
	return answered ? 'ok' : 'not-used-yet';
}

function missingCredential(account: string, { kind, detail }: CredentialsMissing): CredentialReport {
	return { account, state: kind, detail };
}
