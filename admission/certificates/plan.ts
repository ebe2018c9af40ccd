import type { Found } from './secret.ts';
import { type Authority, endsAtMs, type KeyPair, renewAtMs } from './x509.ts';

/** What a replica serves, and the CA that vouches for it. */
export interface Served extends KeyPair {
	authority: Authority;
}

/** What one replica knows besides the Secret. */
export interface View {
	/** What it serves now; undefined: it starts. */
	served: Served | undefined;
	/** Since when every webhook configuration has held this CA, as this replica saw it; undefined: not now. */
	trustedSinceMs(authority: string): number | undefined;
	/** The CAs in the webhook configurations, PEM. */
	bundled: readonly string[];
}

/** Why the Secret is written. */
export type Why =
	| 'mended' // it was missing or broken
	| 'served-ca-kept' // somebody took away the CA of what replicas still serve
	| 'ca-announced' // the CA gets old: the next one is to be trusted
	| 'ca-replaced' // the next one has been trusted long enough
	| 'renewed'; // the serving certificate gets old

/** What the Secret becomes; what is `new` is issued by whoever carries the change out. */
export interface Change {
	why: Why;
	fault: string | undefined;
	authority: Authority | 'new';
	serving: KeyPair | 'new';
	next: Authority | 'new' | undefined;
	previous: string[];
}

/** Either the Secret has to change first, or this is what follows from it. */
export type Plan = { change: Change } | { serve: Served; bundle: string[]; lookAgainAtMs: number };

/**
 * What follows from the Secret's content, for one replica. Pure. All replicas plan alike; of those that write at the
 * same time one wins, and the others plan anew from what it wrote.
 *
 * No admission call may meet a certificate that its API server does not trust yet, so a CA changes in two steps: it is
 * announced (trusted everywhere, signs nothing), and after `propagationMs` in every webhook configuration it takes
 * over, while its predecessor stays trusted until it ends. A CA that a person puts into the Secret can't be announced
 * beforehand: replicas go on serving what they have until theirs has been trusted for as long.
 */
export function planCertificates(found: Found, view: View, nowMs: number, propagationMs: number): Plan {
	const change = changeOf(found, view, nowMs, propagationMs);
	if (change) return { change };

	const { authority, serving, next, previous } = found;
	const current: Served = { ...serving!, authority: authority! }; // else there was a change
	const { serve, untilMs } = choose(current, view, nowMs, propagationMs);
	const announcedUntilMs = next && trustedAt(next.cert, view, propagationMs);
	const dates = [
		untilMs,
		next ? announcedUntilMs : renewAtMs(current.authority.cert),
		renewAtMs(current.cert),
	];
	return {
		serve,
		bundle: distinct([current.authority.cert, ...(next ? [next.cert] : []), ...previous]),
		lookAgainAtMs: Math.min(...dates.filter((date) => date !== undefined && date > nowMs).map(Number)),
	};
}

function changeOf(found: Found, view: View, nowMs: number, propagationMs: number): Change | undefined {
	const { authority, serving, next, fault } = found;
	const served = view.served && endOf(view.served) > nowMs ? view.served : undefined;
	const stay = { fault, next, previous: found.previous };

	if (!authority || !serving) {
		const previous = distinct([
			...found.previous,
			...(authority ? [authority.cert] : []),
			// Who has just started knows only from the configurations what the other replicas may serve.
			...(served ? [served.authority.cert] : view.bundled.filter((one) => endsAtMs(one) > nowMs)),
		]);
		const without = (used: Authority | undefined) => previous.filter((one) => one !== used?.cert);
		const mended = { why: 'mended', fault } as const;
		if (authority?.key) return { ...mended, authority, serving: 'new', next, previous: without(authority) };
		if (served)
			return {
				...mended,
				authority: served.authority,
				serving: { cert: served.cert, key: served.key },
				next: next ?? 'new',
				previous: without(served.authority),
			};
		return { ...mended, authority: next ?? 'new', serving: 'new', next: undefined, previous: without(next) };
	}

	const known = [authority.cert, next?.cert, ...found.previous];
	if (served && !known.includes(served.authority.cert)) {
		const previous = [...found.previous, served.authority.cert];
		return { ...stay, why: 'served-ca-kept', authority, serving, previous };
	}
	if (next && (trustedAt(next.cert, view, propagationMs) ?? Infinity) <= nowMs) {
		const previous = [authority.cert, ...found.previous].filter((one) => one !== next.cert);
		return { ...stay, why: 'ca-replaced', authority: next, serving: 'new', next: undefined, previous };
	}
	const servingDue = renewAtMs(serving.cert) <= nowMs;
	const authorityDue = renewAtMs(authority.cert) <= nowMs;
	if (!next && (authorityDue || (!authority.key && (servingDue || fault)))) {
		return { ...stay, why: 'ca-announced', authority, serving, next: 'new' };
	}
	// One that ends with its CA can't be renewed by it.
	if (servingDue && authority.key && endsAtMs(serving.cert) < endsAtMs(authority.cert)) {
		return { ...stay, why: 'renewed', authority, serving: 'new' };
	}
	return undefined;
}

/** What the Secret says, or, while the API servers may not trust that, what is served already; and until when. */
function choose(
	current: Served,
	{ served, ...view }: View,
	nowMs: number,
	propagationMs: number,
): { serve: Served; untilMs?: number | undefined } {
	if (!served || served.cert === current.cert) return { serve: current };
	const endsMs = endOf(served);
	const trustedMs = trustedAt(current.authority.cert, view, propagationMs);
	if (endsMs <= nowMs || (trustedMs !== undefined && trustedMs <= nowMs)) return { serve: current };
	return { serve: served, untilMs: Math.min(endsMs, trustedMs ?? endsMs) };
}

/** From when on every API server trusts this CA, if its configurations stay as they are. */
function trustedAt(authority: string, view: Omit<View, 'served'>, propagationMs: number): number | undefined {
	const sinceMs = view.trustedSinceMs(authority);
	return sinceMs === undefined ? undefined : sinceMs + propagationMs;
}

/** When the serving certificate or its CA ends. */
export const endOf = (served: Served) => Math.min(endsAtMs(served.cert), endsAtMs(served.authority.cert));

const distinct = (texts: string[]) => [...new Set(texts)];
