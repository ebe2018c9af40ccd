import { issueAuthority, issueServing } from '../../../admission/certificates/issue.ts';
import type { Served } from '../../../admission/certificates/plan.ts';
import type { Authority } from '../../../admission/certificates/x509.ts';

export const day = 24 * 60 * 60_000;
/** Most lives in these tests begin then. */
export const startMs = Date.UTC(2026, 0, 1);
export const host = 'runners-admission.runners-system.svc';

/** A CA, by default of 360 days. */
export const authority = (fromMs = startMs, days = 360) => issueAuthority(days * day, fromMs);

/** A serving certificate of it, by default of 90 days. */
export async function serving(by: Authority, fromMs = startMs, days = 90, hosts = [host]): Promise<Served> {
	return { ...(await issueServing(by, hosts, days * day, fromMs)), authority: by };
}
