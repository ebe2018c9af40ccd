import { perMinute, yieldAbove } from './policy.ts';
import { type Urgency, urgency } from './types.ts';

/** What has been called in the last minute with a credential, and what there is to find with it. */
export interface Spending {
	calls: number;
	/** Those that cost something of the primary limit. */
	charged: number;
	/** Which part of all calls a minute with the credential was used, by whomever: 0 to 1. */
	used: number;
	/** Repositories of which no webhook delivers events. */
	unheard: number;
}

/** Whether a question may be asked now. */
export function mayAsk({ calls, charged, used, unheard }: Spending, why: Urgency): boolean {
	const { forEachUnheard, most, start, keptForAsks } = perMinute;
	if (why !== urgency.ask && used >= yieldAbove) return false;
	if (why === urgency.start) return calls < Math.max(start, perMinute.calls);
	const more = unheard * forEachUnheard;
	const kept = why === urgency.ask ? 0 : keptForAsks;
	return (
		calls < Math.min(most, perMinute.calls + more) &&
		charged < Math.min(most, perMinute.charged + more) - kept
	);
}
