import { perMinute, yieldAbove } from './policy.ts';
import { type Urgency, urgency } from './types.ts';

/** The calls of the last minute with a credential, and what there is to find with it. */
export interface Spending {
	calls: number;
	/** Those that cost something of the primary limit. */
	charged: number;
	/** Which part of all calls a minute with the credential was used, by whomever: 0 to 1. */
	used: number;
	/** Repositories of which no webhook delivers events. */
	withoutWebhook: number;
}

/** Whether a query may be asked now. */
export function mayAsk({ calls, charged, used, withoutWebhook }: Spending, why: Urgency): boolean {
	const { perRepositoryWithoutWebhook, most, initial, keptForAsks } = perMinute;
	if (why !== urgency.ask && used >= yieldAbove) return false;
	if (why === urgency.initial) return calls < Math.max(initial, perMinute.calls);
	const more = withoutWebhook * perRepositoryWithoutWebhook;
	const kept = why === urgency.ask ? 0 : keptForAsks;
	return (
		calls < Math.min(most, perMinute.calls + more) &&
		charged < Math.min(most, perMinute.charged + more) - kept
	);
}
