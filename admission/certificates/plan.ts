import type { Found } from './secret.ts';
import { type Authority, endsAtMs, type KeyPair, renewAtMs } from './x509.ts';

/** The certificate that a replica serves, and the CA that signed it. */
export interface Served extends KeyPair {
	authority: Authority;
}

/** What one replica knows besides the Secret. */
export interface View {
	/** What it serves now; undefined while it starts. */
	served: Served | undefined;
	/** Since when this replica has seen this CA in every webhook configuration, ms since the epoch; undefined: it is not in all. */
	trustedSinceMs(authority: string): number | undefined;
	/** The CAs in the webhook configurations, PEM. */
	bundled: readonly string[];
}

/** Why the Secret is written. */
export type Why =
	| 'repaired' // the Secret was missing or broken
	| 'served-ca-kept' // somebody removed the CA of a certificate that replicas still serve
	| 'ca-announced' // the CA is due for renewal: its successor is to be trusted first
	| 'ca-replaced' // the successor has been trusted long enough
	| 'renewed'; // the serving certificate is due for renewal

/** What the Secret has to become. What is 'new' is issued when the change is carried out (carry-out.ts). */
export interface Change {
	why: Why;
	fault: string | undefined;
	authority: Authority | 'new';
	serving: KeyPair | 'new';
	next: Authority | 'new' | undefined;
	previous: string[];
}

/** Either the Secret has to change first, or this is what the replica serves, and which CAs are to be trusted. */
type Plan = { change: Change } | { serve: Served; bundle: string[]; requeueAtMs: number };

/**
 * What one replica has to do, given the Secret's content. Pure. All replicas plan alike; if several write at the same
 * time, one wins, and the others plan again from what it wrote.
 *
 * An API server must never meet a certificate that it does not trust yet, so a CA is replaced in two steps. First it is
 * announced: it is trusted everywhere and signs nothing. When it has been in every webhook configuration for
 * `propagationMs`, it takes over, and its predecessor stays trusted until it expires. A CA that a person puts into the
 * Secret can't be announced beforehand: replicas go on serving what they have until it has been trusted for as long.
 */
export function planCertificates(found: Found, view: View, nowMs: number, propagationMs: number): Plan {
	const change = changeOf(found, view, nowMs, propagationMs);
	if (change) return { change };

	const { authority, serving, next, previous } = found;
	const current: Served = { ...serving!, authority: authority! }; // both exist, or changeOf would have returned a change
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
		requeueAtMs: Math.min(...dates.filter((date) => date !== undefined && date > nowMs).map(Number)),
	};
}

/** The change of the Secret that is due; undefined: none. */
function changeOf(found: Found, view: View, nowMs: number, propagationMs: number): Change | undefined {
	const { authority, serving, next, fault } = found;
	const served = view.served && endOf(view.served) > nowMs ? view.served : undefined;
	const stay = { fault, next, previous: found.previous };

	if (!authority || !serving) {
		const previous = distinct([
			...found.previous,
			...(authority ? [authority.cert] : []),
			// A replica that has just started knows only from the configurations which CAs the others may still use.
			...(served ? [served.authority.cert] : view.bundled.filter((one) => endsAtMs(one) > nowMs)),
		]);
		const without = (used: Authority | undefined) => previous.filter((one) => one !== used?.cert);
		const repaired = { why: 'repaired', fault } as const;
		if (authority?.key) return { ...repaired, authority, serving: 'new', next, previous: without(authority) };
		if (served)
			return {
				...repaired,
				authority: served.authority,
				serving: { cert: served.cert, key: served.key },
				next: next ?? 'new',
				previous: without(served.authority),
			};
		return {
			...repaired,
			authority: next ?? 'new',
			serving: 'new',
			next: undefined,
			previous: without(next),
		};
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
	// A certificate that expires together with its CA can't be renewed by it: a new CA is needed first.
	if (servingDue && authority.key && endsAtMs(serving.cert) < endsAtMs(authority.cert)) {
		return { ...stay, why: 'renewed', authority, serving: 'new' };
	}
	return undefined;
}

/** What to serve: the Secret's certificate, or, while API servers may not trust it yet, the one served now; and until when. */
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

/** From when every API server trusts this CA if the configurations stay as they are, ms since the epoch; undefined: never. */
function trustedAt(authority: string, view: Omit<View, 'served'>, propagationMs: number): number | undefined {
	const sinceMs = view.trustedSinceMs(authority);
	return sinceMs === undefined ? undefined : sinceMs + propagationMs;
}

/** When the serving certificate or its CA expires, whichever is first; ms since the epoch. */
const endOf = (served: Served) => Math.min(endsAtMs(served.cert), endsAtMs(served.authority.cert));

const distinct = (texts: string[]) => [...new Set(texts)];
