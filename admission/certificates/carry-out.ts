import type { Change } from './plan.ts';
import type { Lifetimes } from './policy.ts';
import { secretData } from './secret.ts';

/**
 * Issues what is new in this change and returns the Secret's new data, base64. The code that issues certificates is
 * loaded only here, because it takes 5 MiB of memory and most servers find their certificate in the Secret.
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
