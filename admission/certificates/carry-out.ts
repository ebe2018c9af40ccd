import type { Change } from './plan.ts';
import type { Lifetimes } from './policy.ts';
import { secretData } from './secret.ts';

/**
 * The Secret's data after this change, base64: what is new in it is issued here. What issues certificates is loaded only
 * now: most servers find theirs in the Secret, and it takes 5 MiB.
 */
export async function carryOut(
	change: Change,
	hosts: readonly string[],
	{ authorityMs, servingMs }: Lifetimes,
	nowMs: number,
): Promise<Record<string, string>> {
	const { issueAuthority, issueServing } = await import('./issue.ts');
	const authority = change.authority === 'new' ? await issueAuthority(authorityMs, nowMs) : change.authority;
	const serving =
		change.serving === 'new' ? await issueServing(authority, hosts, servingMs, nowMs) : change.serving;
	const next = change.next === 'new' ? await issueAuthority(authorityMs, nowMs) : change.next;
	return secretData({ authority, serving, next, previous: change.previous });
}
